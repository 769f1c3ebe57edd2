"""Lists of the photographs in folders and tar files; long ones are cached, and made again when something changed."""

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from colorize.data.collection import Table
from colorize.data.filesystem import AGAIN, HIDDEN, IRREGULAR, SkippedFiles, Walk, is_hidden
from colorize.imaging.decode import FORMATS
from colorize.utils.download import cache_path, is_remote, local_copy, without_secrets, without_signature
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import file_lock, short_digest, write_text

# Of files that are taken for photographs; the first are preferred where two stand for one
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jpe", ".jfif", ".mpo", ".gif", ".avif", ".jp2",
    ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", *((".heic", ".heif") if "HEIF" in FORMATS else ()),
)  # fmt: skip
WORTH_KEEPING = 20_000  # photographs: listing fewer takes no time
RULES = 2  # of what is listed: raised with them, so that a list of former rules is made anew


class Member(NamedTuple):
    """A file in a tar file."""

    name: str
    start: int
    size: int


class LabelledMember(NamedTuple):
    """A photograph in a tar file."""

    name: str
    label: int
    start: int
    size: int


def list_folder(root: str | os.PathLike) -> Table:
    """Every file below `root` with a photograph's suffix, in the order of its relative name; see `Walk`.

    Raises `UserError` for a folder that is missing, or holds none.
    """
    folder = at_home(root)
    if not folder.is_dir():
        found = f"{str(folder)!r} is a file" if folder.exists() else f"there is no folder {str(folder)!r}"
        raise UserError(f"{found}: give the folder that holds the photographs")

    def build() -> tuple[Table, Any]:
        walk = Walk(str(folder), is_photograph)
        table = Table.in_folders(walk.names, [str(folder)])
        table.links, table.unreadable_files = walk.links, walk.unreadable_files
        table.notes = walk.skipped.notes(str(folder))
        return table, walk.folders

    def unchanged(folders: dict[str, int]) -> bool:
        return all((path := folder / at).is_dir() and path.stat().st_mtime_ns == then for at, then in folders.items())

    table = cached_listing(f"folder {folder.resolve()}", [str(folder)], build, unchanged)
    if not len(table):
        first = "".join(f"; {path}: {why}" for path, why in list(table.unreadable_files.items())[:1])
        raise UserError(f"no photographs in {str(folder)!r}: looked for {', '.join(SUFFIXES)} there and below{first}")
    return table


def is_photograph(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


@dataclass
class TarReport:
    """What is said of tar files beside their photographs."""

    unreadable_files: dict[str, str] = field(default_factory=dict)  # file -> why a part of it is missing
    skipped: SkippedFiles = field(default_factory=SkippedFiles)


def list_tars(
    files: Sequence[str], read: Callable[[str, TarReport], list[LabelledMember]], kind: str, *, folders: bool = False
) -> Table:
    """The photographs of tar files: of each those that `read` finds.

    `folders`: the folders in them are the classes.
    """

    def build() -> tuple[Table, Any]:
        found: list[LabelledMember] = []
        numbers: list[np.ndarray] = []
        report = TarReport()
        first: dict[str, int] = {}
        for number, file in enumerate(files):
            if not local_copy(file).is_file():
                raise UserError(f"{without_secrets(file)!r} is no regular file: name tar files")
            again = first.setdefault(file_identity(file), number) != number
            of = [] if again else read(file, report)
            if again:
                report.skipped.add(AGAIN, without_secrets(file))
            found += of
            numbers.append(np.full(len(of), number))
        pieces = np.array([(one.start, one.size) for one in found], dtype=np.int64).reshape(-1, 2)
        pieces = np.column_stack([np.concatenate(numbers), pieces])
        names = [one.name for one in found]
        labels = None if folders else [one.label for one in found]
        table = Table.in_folders(names, files, pieces) if folders else Table.of(names, files, labels, pieces)
        table.unreadable_files, table.notes = report.unreadable_files, report.skipped.notes("the tar files")
        return table, [file_signature(file) for file in files]

    key = f"{kind} {' '.join(map(without_signature, files))}"
    return cached_listing(key, files, build, lambda saved: saved == [file_signature(file) for file in files])


def file_identity(file: str) -> str:
    """What tells whether two names are of one tar file."""
    return without_signature(file) if is_remote(file) else os.path.realpath(file)


def file_signature(file: str) -> list[Any]:
    """What changes when the file does; an address is taken to hold what it held."""
    return (
        [without_signature(file)] if is_remote(file) else [file, (stat := Path(file).stat()).st_size, stat.st_mtime_ns]
    )


def members(file: str, report: TarReport) -> Iterator[Member]:
    """The files in a tar file, those of tar files inside it too. Why it breaks off somewhere goes into the `report`."""
    path = local_copy(file)
    with path.open("rb") as opened:
        head = opened.read(6)
        if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
            raise UserError(
                f"{without_secrets(file)} is compressed, so nothing in it can be read on its own: "
                "unpack it to a plain .tar"
            )
        opened.seek(0)
        yield from _walk(opened, without_secrets(file), path.stat().st_size, "", report)


def _walk(opened: IO[bytes], file: str, end: int, prefix: str, report: TarReport) -> Iterator[Member]:
    place = opened.tell()
    try:
        tar = tarfile.TarFile(fileobj=opened, mode="r")
        while (info := tar.next()) is not None:
            place = info.offset_data
            name = prefix + info.name.removeprefix("./")
            if info.isfile() and not 0 <= info.size <= end - place:
                raise tarfile.ReadError("the file ends inside it")
            if any(is_hidden(part) for part in name.split("/")):
                report.skipped.add(HIDDEN, name)
            elif not info.isfile() or info.issparse():
                if is_photograph(name.rsplit("/", 1)[-1]):
                    report.skipped.add(IRREGULAR, name)
            elif info.name.endswith(".tar"):
                opened.seek(place)
                yield from _walk(opened, file, place + info.size, f"{prefix}{Path(info.name).stem}/", report)
            else:
                yield Member(name, place, info.size)
            tar.members = []  # type: ignore[attr-defined]  # tarfile keeps them all
        opened.seek(tar.offset)
        if opened.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes whatever is no header for the end
            raise tarfile.ReadError("no header follows")
    except (tarfile.TarError, ValueError, OverflowError) as error:  # a header's numbers and texts may be anything
        report.unreadable_files[file] = f"the tar file breaks off behind byte {place}: {error}"


def cached_listing(
    key: str, places: Sequence[str], build: Callable[[], tuple[Table, Any]], unchanged: Callable[[Any], bool]
) -> Table:
    """The table of an earlier time, if its stamp says that nothing changed, else `build`'s, which is kept if long.

    Of several processes one lists, and the others wait for what it kept. What cannot be read or written in the cache,
    such as another user's, is passed over.
    """
    folder = cache_path("lists", short_digest(f"{RULES} {key}"))
    note = folder / "stamp.json"
    with file_lock(folder.parent / "lock"):
        with suppress(OSError, ValueError, KeyError, TypeError):  # it is not there, or not whole
            saved = json.loads(note.read_text(encoding="utf-8"))
            if unchanged(saved["stamp"]):
                return Table.open(folder, places, saved["told"])
        table, stamp = build()
        if len(table) < WORTH_KEEPING or table.unreadable_files:  # what could not be read may be there the next time
            return table
        with suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)
            table.save(folder)
            saved = {"stamp": stamp, "told": table.metadata()}
            text = json.dumps(saved)
            write_text(note, text)  # last: it is whole then
            return Table.open(folder, places, table.metadata())
        return table
