"""What is looked for in one photograph, and the manifest of photographs with findings."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml
from PIL import Image, ImageFile

from colorize.data.collection import Photo
from colorize.data.duplicates import MIN_TONED_CHROMA, difference_hash, measure_colors
from colorize.imaging.decode import FORMATS, UNREADABLE, decode_picture
from colorize.imaging.raster import DecodeError
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

COLUMNS = ("set", "name", "findings", "leave_out", "twin")
HEADER = "\t".join(COLUMNS)
TRAIN, VAL = "train", "val"
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})  # a file name may hold each of them
PLAIN = {escape: chr(character) for character, escape in ESCAPES.items()}


class ManifestLine(NamedTuple):
    part: str  #                 `train` or `val`
    name: str  #                 relative to its source, with "/" on every system
    findings: tuple[str, ...]
    leave_out: bool  #           for training; never of a validation photograph, whose scores would be other scores
    twin: str = ""  #            of a duplicate or leak: the photograph that is kept, `val:` before one of validation


def write_manifest(path: Path, lines: Iterable[ManifestLine]) -> None:
    """Tab-separated with a header. Names that are no UTF-8 keep their bytes."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(HEADER + "\n")
        for line in lines:
            name, twin = (each.translate(ESCAPES) for each in (line.name, line.twin))
            leave_out = "yes" if line.leave_out else "no"
            file.write("\t".join((line.part, name, ",".join(line.findings), leave_out, twin)) + "\n")


def read_manifest(path: Path) -> Iterator[ManifestLine]:
    """Raises `UserError` for a file that is missing or no manifest."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            if file.readline(len(HEADER) + 1) != HEADER + "\n":
                raise UserError(f"{str(path)!r} is no manifest: give the manifest.tsv that `colorize inspect` wrote")
            for number, text in enumerate(file, start=2):
                cells = text.removesuffix("\n").split("\t")
                if len(cells) != len(COLUMNS) or cells[0] not in (TRAIN, VAL) or cells[3] not in ("yes", "no"):
                    form = " ".join(COLUMNS)
                    raise UserError(f"{str(path)!r}: line {number} is not of the form {form}, tabs between them")
                part, name, findings, leave_out, twin = cells
                keys = tuple(findings.split(","))
                yield ManifestLine(part, unescape_name(name), keys, leave_out == "yes", unescape_name(twin))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"there is no manifest {str(path)!r}: `colorize inspect` writes one") from error


def read_excluded(path: str | Path) -> set[str]:
    """The names of the training photographs to leave out, relative to what was inspected.

    Raises `UserError` for a file that is missing or no manifest.
    """
    return {line.name for line in read_manifest(at_home(path)) if line.part == TRAIN and line.leave_out}


def unescape_name(cell: str) -> str:
    return re.sub(r"\\[\\tnr]", lambda found: PLAIN[found[0]], cell)


SIDE = 128  # pixels of the longer side at which photographs are looked at


def shrink(image: Image.Image) -> Image.Image:
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return image


def preview(photo: Photo) -> Image.Image | None:
    """The small picture, of a damaged file as much as there is of it; None where there is nothing to see."""
    try:
        data = photo.read()
        return shrink(decode_picture(data, shorter=SIDE).opaque())
    except UNREADABLE as error:
        if getattr(error, "kind", "") != "truncated":
            return None
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.draft(image.mode, (SIDE, SIDE))
            image.load()
            return shrink(image.convert("RGB"))
    except Exception:  # decoders fail in every way there is: nothing to see is an answer
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


class Finding(NamedTuple):
    key: str
    title: str
    meaning: str  #    what it is, in a sentence
    action: str  #     what training does about it, or what to do, in a sentence
    leave_out: bool  # whether training leaves such a photograph out


FINDINGS = tuple(
    Finding(**each) for each in yaml.safe_load(Path(__file__).with_name("findings.yaml").read_text(encoding="utf-8"))
)
KEYS = tuple(finding.key for finding in FINDINGS)
LEFT_OUT = frozenset(finding.key for finding in FINDINGS if finding.leave_out)
BROKEN = frozenset({"empty", "unreadable", "truncated", "enormous"})  # these have no pixels to measure


@dataclass(frozen=True)
class Thresholds:
    """Where a finding begins. Chosen by looking: scans of black-and-white photographs on one side, colour on the other.

    95 % of the pixels of 15 historical scans lie below a chroma of 3.4, of 4,473 colour photographs below 8.4 or more.
    Scans deviate from their tint by at most 1.5, those colour photographs by 2.6 and more, but for an old picture of
    a chair, that is toned, and brown pliers on white, of which half the pixels have no colour (`Colours`).
    """

    side: int = 64  #        pixels: a shorter side below this is tiny
    chroma: float = 5.0  #   CIE: almost grey when 95 % of the pixels lie below this
    tint: float = 2.5  #     CIE: toned when 95 % of the pixels deviate less than this from their lightness's colour


class Examination(NamedTuple):
    """What is known of one photograph; `width`, `height` are 0 and `chroma` is NaN where it could not be read."""

    findings: frozenset[str]
    why: str = ""  #               of what is broken: the decoder's words
    width: int = 0
    height: int = 0
    chroma: float = float("nan")  # mean, in CIE units
    hash: int = 0  #               64 bits; 0 too for pictures without any structure


def examine(data: bytes, limits: Thresholds = Thresholds()) -> Examination:
    """All that can be said about a photograph by itself. Whatever a file holds, nothing is raised."""
    try:
        picture = decode_picture(data, shorter=SIDE)  # the whole file, JPEGs at the smallest scale that suffices
        image = shrink(picture.opaque())
    except DecodeError as broken:
        return Examination(frozenset({broken.kind}), str(broken))
    found = set(picture.conversions)
    seen = measure_colors(image)
    if min(picture.size) < limits.side:
        found.add("tiny")
    if seen.grey:
        found.add("grey")
    elif seen.high < limits.chroma:
        found.add("near-grey")
    elif seen.deviation < limits.tint and seen.median >= MIN_TONED_CHROMA:
        found.add("toned")
    return Examination(frozenset(found), "", *picture.size, seen.mean, difference_hash(image))
