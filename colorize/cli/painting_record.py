"""What is written of how a photograph was painted: the marks in its file, the sidecar, and what can be repainted."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image
from torch import nn

from colorize.cli.guidance import map_file, remove_map
from colorize.cli.paths import PaintJob, name_key, sample_files
from colorize.imaging.color import is_colourful
from colorize.imaging.color_management import SRGB
from colorize.imaging.content_credentials import signing_context
from colorize.imaging.deep_color import problem_of_target
from colorize.imaging.image_io import LoadedPhotograph, format_of
from colorize.imaging.metadata import MARKER, XMP_HEAD
from colorize.imaging.provenance import NAMESPACE, checked_record, mark_xmp
from colorize.models.base import Colorizer
from colorize.models.named_weights import DEFAULT, weights_name
from colorize.models.precision import precision_setting
from colorize.models.weights import weights_digest
from colorize.reports.iiif import IiifChoice, check_manifest
from colorize.reports.painted_page import UNSEEN, PaintedRow, Thumbnails, place_beside, read_rows
from colorize.utils.console import printable
from colorize.utils.environment import at_home, own_version
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, digest_of, read_json, remove_file, write_text, write_whole

DEEP_FORMATS = ("PNG", "TIFF")
ORIGINAL, SIDECAR = ".original.jpg", ".colorize.json"  # behind the name of a painted file
THUMBNAIL = 512  # pixels of the longer side, on which colours are looked for
# Options that say nothing of the pixels, or that a record has keys of its own for
NO_SETTINGS = frozenset(
    ["photographs", "output", "overwrite", "format", "weights", "samples", "device", "max_pixels", "trust", "sidecar",
     "report", "iiif", "confidence", "c2pa"]
)  # fmt: skip


def check_formats(args: Namespace, jobs: list[PaintJob]) -> None:
    """Raises `UserError` where a format does not hold what is asked for, or a report has no folder, or would be written
    over something else."""
    kinds = {format_of(job.target) for job in jobs}
    if args.depth > 8 and (wrong := kinds - set(DEEP_FORMATS)):
        raise UserError(f"{min(wrong)} holds 8 bits a sample: --depth 16 goes with --format png or tif")
    if args.c2pa:
        signing_context(*args.c2pa)
    if args.iiif:
        check_manifest(at_home(args.output), args.iiif, kinds)
        check_originals(jobs)
    if args.report:
        read_rows(at_home(args.output))
    if (args.report or args.iiif) and Path(args.output).suffix and not Path(args.output).is_dir() and len(jobs) == 1:
        raise UserError(f"--report and --iiif are written into a folder, and {args.output!r} is a file: give -o FOLDER")


def check_originals(jobs: Sequence[PaintJob]) -> None:
    """Raises `UserError` where a photograph would be painted into the file of another's original."""
    painted = {name_key(job.target): job for job in jobs}
    for job in jobs:
        if other := painted.get(name_key(original_of(job.target))):
            said = f"would be the original of {str(job.source)!r} and what {str(other.source)!r} becomes"
            raise UserError(f"{str(original_of(job.target))!r} {said}: paint them to different folders")


class PaintRecord(NamedTuple):
    """How a photograph was painted: its own width and height, seconds, and what had to be decided."""

    source: Path
    targets: list[Path]
    width: int
    height: int
    seconds: float
    notes: list[str]
    page: str = ""  # from 1, of a TIFF of several photographs
    size: int = 0  # pixels of the shorter side at which colour was predicted
    outside: float = 0.0  # share of the pixels whose predicted colour sRGB does not have
    thumbnails: Thumbnails = UNSEEN  # for the report

    def rows(self, folder: Path, network: str) -> list[PaintedRow]:
        """The lines of the report in the folder, one for each file."""
        facts = (
            self.page,
            str(self.width),
            str(self.height),
            network,
            str(self.size),
            f"{self.seconds:.2f}",
            f"{self.outside:.4f}",
            "; ".join(self.notes),
        )
        files = [target.relative_to(folder).as_posix() for target in self.targets]
        return [PaintedRow(place_beside(self.source, folder), file, *facts) for file in files]

    @property
    def summary(self) -> str:
        return "; ".join([f"{self.width}×{self.height}, {self.seconds:.1f} s", *self.notes])

    @property
    def line(self) -> str:
        return f"{printable(self.source)} -> {printable(self.targets[0])} ({self.summary})"


def is_painted(job: PaintJob, args: Namespace) -> bool:
    """Whether every file of a photograph is there."""
    targets = sample_files(job.target, args.samples)
    beside = [*(map(sidecar_of, targets) if args.sidecar else ()), *(map(original_of, targets) if args.iiif else ())]
    beside += [map_file(job.target)] if args.confidence else []
    return all(each.exists() for each in [*targets, *beside])


def page_number(job: PaintJob) -> str:
    """From 1, of a TIFF of several photographs."""
    return "" if job.page is None else str(job.page + 1)


def describe_input(photograph: LoadedPhotograph, job: PaintJob) -> list[str]:
    """Notes on a photograph, beside those of its decoder."""
    notes = ["its name was too long"] if job.shortened else []
    if photograph.image.mode == "RGB":
        width, height = photograph.image.size
        scale = min(1.0, THUMBNAIL / max(width, height))
        small = photograph.image.resize((max(1, round(scale * width)), max(1, round(scale * height))), reducing_gap=2.0)
        of_ours = NAMESPACE.encode() in photograph.metadata.xmp
        colour = "painted by colorize" if of_ours else "in colour" if is_colourful(np.asarray(small)) else ""
        notes += [f"it is {colour} already: its lightness is painted"] if colour else []
    return notes


def target_profile(photograph: LoadedPhotograph, args: Namespace) -> tuple[bytes | None, list[str]]:
    """The colour profile to write in, None for sRGB; and a note where the photograph's own cannot hold colours."""
    if args.profile == "srgb":
        return None, []
    if problem := problem_of_target(photograph.profile):
        return None, [f"{problem}: it is written in sRGB"]
    return photograph.profile, []


def describe_painting(model: Colorizer, job: PaintJob, sample: int, size: int, args: Namespace) -> dict[str, Any]:
    """The record of a file, with keys of `provenance.KEYS`: sample from 0, `size` at which colour was predicted."""
    given = {key: value for key, value in vars(args).items() if key not in {*NO_SETTINGS, "precision"}}
    settings = {key: plain_number(value) for key, value in given.items() if value is not None and value is not False}
    record: dict[str, Any] = {
        "software": f"colorize {own_version()}",
        "network": weights_name(args.weights),
        "network_sha256": network_digest(model),
        "source": job.source.name,
        "source_sha256": digest_of(job.source),
        "settings": dict(sorted((settings | {"size": size} | precision_setting(model)).items())),
    }
    weights = DEFAULT if args.weights is None else args.weights  # a folder elsewhere is nobody's business
    record["weights"] = weights if not Path(weights).is_absolute() else Path(weights).name
    record |= {} if job.page is None else {"page": job.page + 1}
    return record | ({"sample": sample + 1} if model.stochastic else {})


def plain_number(value: Any) -> Any:
    """A whole number as an int, and anything else as it is: a page says 1 where a command line says 1.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


DIGESTS: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def network_digest(model: nn.Module) -> str:
    """`weights_digest` of a network, computed once."""
    if model not in DIGESTS:
        DIGESTS[model] = weights_digest(model.state_dict())
    return DIGESTS[model]


def mark_photograph(
    photograph: LoadedPhotograph, record: Mapping[str, Any], target: Path
) -> tuple[LoadedPhotograph, list[str]]:
    """The photograph with the record in its XMP, and notes. In a JPEG, which holds 64 kB of XMP, the record comes first
    where both do not fit."""
    xmp, note = mark_xmp(photograph.metadata.xmp, record)
    if format_of(target) == "JPEG" and len(XMP_HEAD + xmp) > MARKER:
        (xmp, _), note = mark_xmp(b"", record), "its XMP is left out: a JPEG holds 64 kB of it"
    marked = replace(photograph, metadata=replace(photograph.metadata, xmp=xmp))
    return marked, [note] if note else []


def write_beside(
    job: PaintJob, painted: Path, photograph: LoadedPhotograph, record: Mapping[str, Any], args: Namespace
) -> None:
    """What the options ask for beside a painted file. What lies there of an older one is removed before, so that it
    describes no other picture, even where the disk is full."""
    remove_map(job.target)
    for outdated in (sidecar_of(painted), *([original_of(painted)] if args.iiif else [])):
        remove_file(outdated)
    if args.sidecar:
        write_sidecar(painted, record)
    if args.iiif:
        image = photograph.image
        if image.mode == "I;16":
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        options = {"quality": 90, "icc_profile": SRGB} if image.mode == "RGB" else {"quality": 90}
        write_whole(original_of(painted), lambda part: image.save(part, "JPEG", **options))


def original_of(painted: Path) -> Path:
    return painted.with_name(f"{painted.name}{ORIGINAL}")


def list_choices(jobs: Sequence[PaintJob], args: Namespace) -> list[IiifChoice]:
    """The files that are there, of all jobs."""
    painted = [(job, target) for job in jobs for target in sample_files(job.target, args.samples)]
    there = [(job, target) for job, target in painted if target.exists() and original_of(target).exists()]
    return [IiifChoice(job.source.name, target, original_of(target)) for job, target in there]


def sidecar_of(painted: Path) -> Path:
    return painted.with_name(f"{painted.name}{SIDECAR}")


def write_sidecar(painted: Path, record: Mapping[str, Any]) -> None:
    whole = {**record, "painted": painted.name, "painted_sha256": digest_of(painted)}
    write_text(sidecar_of(painted), as_json(whole, indent=1) + "\n")


def read_sidecar(painted: Path) -> dict[str, Any] | None:
    """The record beside a painted file, with `painted_sha256`; None where there is none. Raises `UserError` for a
    damaged one."""
    if not (path := sidecar_of(painted)).exists():
        return None
    held = read_json(path, "paint it again, or verify without it")
    return checked_record(held) | {"painted_sha256": held.get("painted_sha256")}
