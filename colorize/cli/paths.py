"""Which photographs the arguments of `paint` and `plates` mean, and which file each becomes."""

import glob
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from colorize.data.filesystem import Walk
from colorize.data.listing import SUFFIXES
from colorize.imaging import camera_raw
from colorize.imaging.choices import FORMATS
from colorize.imaging.tiff import page_offsets
from colorize.utils.console import printable
from colorize.utils.devices import is_out_of_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, decoder_message, path_suggestion
from colorize.utils.files import check_parent, short_digest

# Endings of rarer photographs, which a folder is not searched for when a network is trained
RARE = (".apng", ".dib", ".heic", ".heif", ".ico", ".jpf", ".jpx", ".pcx", ".pfm", ".psd", ".qoi")
ENDINGS = tuple(dict.fromkeys([*SUFFIXES, *RARE, *camera_raw.ENDINGS]))
LONGEST_NAME = 255 - len(".part")  # bytes: what file systems hold, and what stands behind it while it is written


@dataclass(frozen=True)
class PaintJob:
    source: Path
    target: Path  # before the numbers of several samples
    shortened: bool = False  # whether the target's name would have been too long
    page: int | None = None  # from 0, of a TIFF that holds several photographs


def plan_jobs(words: list[str], output: Path, kind: str | None) -> tuple[list[PaintJob], list[str]]:
    """The jobs, and notes on photographs that are passed over or get another name.

    Raises `UserError` where a word means no photograph, where two photographs would become one file, and where one
    would be written over.
    """
    notes: list[str] = []
    folder = output_folder(output)
    given = [at_home(word) for word in words]
    met: dict[str, tuple[Path, Path]] = {}
    for path in given:
        for source, place in find_photographs(path, len(given) == 1, folder, notes):
            met.setdefault(os.path.abspath(source), (source, place))  # noqa: PTH100 (a link keeps its own name)
    found = dict(met.values())
    if folder is None:
        if len(found) != 1 or given[0].is_dir():
            raise UserError(f"{str(output)!r} is one file for {len(found)} photographs: give a folder")
        if kind and FORMATS[kind] != FORMATS[output.suffix[1:].lower()]:
            raise UserError(f"{str(output)!r} is not --format {kind}: give one of both")
        jobs = [PaintJob(source, output) for source in found]
        if (count := len(pages_of(jobs[0].source))) > 1:
            raise UserError(f"{str(jobs[0].source)!r} holds {count} photographs, {str(output)!r} one: give a folder")
    else:
        jobs = assign_files({source: folder / place for source, place in found.items()}, kind or "png", notes)
    sources = {os.path.realpath(source) for source in found}
    for job in jobs:
        if os.path.realpath(job.target) in sources:
            raise UserError(f"{str(job.target)!r} is one of the photographs: choose another folder")
    return jobs, notes


def output_folder(output: Path) -> Path | None:
    """The folder that is meant; None where it is a file. Raises `UserError` for a file that cannot be written."""
    if output.is_dir():
        return output
    ending = output.suffix.lower()
    if ending[1:] in FORMATS:
        return None
    if ending in ENDINGS or output.exists():
        raise UserError(f"{str(output)!r} is no folder: give one, or a file that ends in {', '.join(sorted(FORMATS))}")
    return output


def find_photographs(path: Path, alone: bool, output: Path | None, notes: list[str]) -> list[tuple[Path, Path]]:
    """Each photograph that a word means, and its place in the output folder: sub-folders are kept.

    A folder that is given alone is the output folder's counterpart; of several, each keeps its name. The folders in
    which a pattern looks are kept from its first star on. Raises `UserError` where there is none.
    """
    if path.is_dir():
        if output is not None and os.path.realpath(path) == os.path.realpath(output):
            raise UserError(f"{str(output)!r} is the folder of the photographs: choose another folder")
        found = photographs_below(path, Path() if alone else Path(path.name), output, notes)
    elif os.path.lexists(path):
        found = [(path, Path(path.name))]
    else:
        base, pattern = existing_part(path)
        found = []
        for match in sorted(glob.glob(pattern, root_dir=base)) if pattern else ():  # noqa: PTH207
            one = (base / match, Path(match))
            found += photographs_below(*one, output, notes) if one[0].is_dir() else [one]
        if not found:
            raise UserError(f"there is no photograph or folder {str(path)!r}{path_suggestion(path)}")
    if not found:
        raise UserError(f"no photographs in {str(path)!r}: looked there and below for {', '.join(SUFFIXES)} and so on")
    return found


def photographs_below(folder: Path, place: Path, output: Path | None, notes: list[str]) -> list[tuple[Path, Path]]:
    """The photographs below a folder, without those below the output folder."""
    walk = Walk(str(folder), lambda name: name.lower().endswith(ENDINGS) and not name.startswith("."))
    unreadable = walk.report.unreadable_files
    notes += [*walk.report.notes(str(folder)), *(f"{where}: {why}" for where, why in unreadable.items())]
    names = walk.names
    if output is not None:
        whole, painted = (Path(os.path.realpath(path)) for path in (folder, output))
        if painted.is_relative_to(whole):
            names = [name for name in names if painted not in Path(os.path.realpath(folder / name)).parents]
    return [(folder / name, place / name) for name in names]


def existing_part(path: Path) -> tuple[Path, str]:
    """The folders of a pattern that exist as they are called, brackets and all, and the rest."""
    base, parts = Path(path.anchor), list(path.relative_to(path.anchor).parts)
    while parts and os.path.lexists(base / parts[0]):
        base /= parts.pop(0)
    return base, "/".join(parts)


def assign_files(places: dict[Path, Path], kind: str, notes: list[str]) -> list[PaintJob]:
    """`a.jpg` becomes `a.png`; beside an `a.tif`, `a.jpg.png`. Names that are the same but for capitals or accents
    get a hash. Raises `UserError` where two are still the same."""
    targets = {source: place.with_name(f"{place.stem}.{kind}") for source, place in places.items()}
    while shared := {key for key, count in Counter(map(name_key, targets.values())).items() if count > 1}:
        clashing = [source for source, target in targets.items() if name_key(target) in shared]
        longer = {source: places[source].with_name(f"{places[source].name}.{kind}") for source in clashing}
        if longer.items() <= targets.items():
            other = clashing[-1]
            one = next(source for source in clashing if name_key(targets[source]) == name_key(targets[other]))
            if targets[one] == targets[other]:
                raise UserError(
                    f"{str(one)!r} and {str(other)!r} would both become {str(targets[one])!r}: paint them to different "
                    "folders"
                )
            longer = {other: with_hash(targets[other])}
            notes.append(f"{str(other)!r} has the name of {str(one)!r} but for capitals or accents: it becomes "
                         f"{longer[other].name!r}")  # fmt: skip
        targets |= longer
    if kept := [source for source, target in targets.items() if target.stem == source.name]:
        notes.append(f"{len(kept)} photographs have the name of another: {str(kept[0])!r} becomes "
                     f"{targets[kept[0]].name!r}, and so on")  # fmt: skip
    return [fit_file_name(job) for job in split_pages(targets)]


def split_pages(targets: dict[Path, Path]) -> list[PaintJob]:
    """A job for each photograph: those of a TIFF of several become `NAME-page1.png` and so on, with a hash where
    another file has that name."""
    taken, jobs = {name_key(target) for target in targets.values()}, []
    for source, target in targets.items():
        pages = pages_of(source)
        jobs += [PaintJob(source, target)] if len(pages) < 2 else []
        for page in range(len(pages) if len(pages) > 1 else 0):
            one = target.with_name(f"{target.stem}-page{page + 1}{target.suffix}")
            jobs.append(PaintJob(source, with_hash(one) if name_key(one) in taken else one, page=page))
    return jobs


def pages_of(source: Path) -> list[int]:
    """Where the photographs of a TIFF begin; none of another file, or of one that is not there or cannot be read."""
    if source.suffix.lower() not in (".tif", ".tiff") or not source.is_file():
        return []
    try:
        with source.open("rb") as file:
            return page_offsets(file)
    except OSError:  # painting it says so
        return []


def name_key(path: Path) -> str:
    """What two names have in common that are one file on some system: capitals, and accents in two normal forms."""
    return unicodedata.normalize("NFC", str(path)).casefold()


def with_hash(path: Path) -> Path:
    """The same with a hash of its name, so that no system takes it for another."""
    return path.with_name(f"{path.stem}-{short_digest(path.name, 8)}{path.suffix}")


def fit_file_name(job: PaintJob) -> PaintJob:
    """With a name that a file system holds: the end of one that is too long is replaced by a hash of the whole."""
    name = os.fsencode(job.target.name)
    if len(name) <= LONGEST_NAME - len("-9999"):  # the number of a sample
        return job
    end = f"-{short_digest(job.target.name, 8)}{job.target.suffix}"
    stem = os.fsdecode(name[: LONGEST_NAME - len("-9999") - len(end)]).encode("utf-8", "ignore").decode("utf-8")
    return replace(job, target=job.target.with_name(stem + end), shortened=True)


def sample_files(target: Path, samples: int) -> list[Path]:
    if samples == 1:
        return [target]
    return [target.with_name(f"{target.stem}-{i + 1}{target.suffix}") for i in range(samples)]


@contextmanager
def report_failure(source: Path, failed: list[Path]) -> Iterator[list[str]]:
    """Say what goes wrong with a photograph, and note it in `failed`, so that the others are not lost with it. What is
    said is added to the list that is handed out."""
    told: list[str] = []
    try:
        yield told
    except Exception as error:  # of a decoder, an encoder, the network or the disk
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        told.append(describe_failure(error, source))
        print(f"{printable(source)}: {told[0]}", file=sys.stderr)
        failed.append(source)


def new_folder(output: str | Path, overwrite: bool) -> Path:
    """The folder of a command's output. Raises `UserError` where a file has its name, it cannot be made, or something
    is there that is not to be overwritten."""
    folder = at_home(output)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{str(folder)!r} is a file: name a folder")
    if folder.exists() and not overwrite:
        raise UserError(f"{str(folder)!r} already exists: name another folder, or write into it with --overwrite")
    check_parent(folder)
    return folder


def check_output_file(path: Path) -> None:
    """Raises `UserError` where a folder has the name of a command's file, or its own folder cannot be made."""
    if path.is_dir():
        raise UserError(f"{str(path)!r} is a folder: name a file")
    check_parent(path.parent)


def describe_failure(error: Exception, source: Path) -> str:
    """What happened, in one sentence."""
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return "there is not enough memory for it: give a smaller --size, or paint it on a larger machine"
    if isinstance(error, OSError) and error.strerror:
        elsewhere = f" ({printable(error.filename)})" if error.filename not in (None, str(source)) else ""
        return f"{error.strerror}{elsewhere}"
    return f"it cannot be painted: {type(error).__name__}, {decoder_message(error)}; HYDRA_FULL_ERROR=1 shows where"
