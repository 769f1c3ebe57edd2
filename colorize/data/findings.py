"""What is looked for in one photograph, and the manifest of photographs with findings."""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile

from colorize.data.duplicates import difference_hash, measure_colors
from colorize.imaging.decode import FORMATS, decode_picture
from colorize.imaging.raster import DecodeError
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

COLUMNS = ("set", "name", "findings", "leave_out", "twin")
HEADER = "\t".join(COLUMNS)
TRAIN, VAL = "train", "val"
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}  # a file name may hold each of them
PLAIN = {escape: character for character, escape in ESCAPES.items()}


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
            cells = (line.part, escape_name(line.name), ",".join(line.findings), "yes" if line.leave_out else "no")
            file.write("\t".join((*cells, escape_name(line.twin))) + "\n")


def read_manifest(path: Path) -> Iterator[ManifestLine]:
    """Raises `UserError` for a file that is missing or no manifest."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            if file.readline(len(HEADER) + 1) != HEADER + "\n":
                raise UserError(f"{str(path)!r} is no manifest: give the manifest.tsv that `colorize inspect` wrote")
            for number, text in enumerate(file, start=2):
                yield _line(text, number, path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"there is no manifest {str(path)!r}: `colorize inspect` writes one") from error


def read_excluded(path: str | Path) -> set[str]:
    """The names of the training photographs to leave out, relative to what was inspected.

    Raises `UserError` for a file that is missing or no manifest.
    """
    return {line.name for line in read_manifest(at_home(path)) if line.part == TRAIN and line.leave_out}


def _line(text: str, number: int, path: Path) -> ManifestLine:
    cells = text.removesuffix("\n").split("\t")
    if len(cells) != len(COLUMNS) or cells[0] not in (TRAIN, VAL) or cells[3] not in ("yes", "no"):
        raise UserError(f"{str(path)!r}: line {number} is not of the form {' '.join(COLUMNS)}, tabs between them")
    part, name, findings, leave_out, twin = cells
    return ManifestLine(part, unescape_name(name), tuple(findings.split(",")), leave_out == "yes", unescape_name(twin))


def escape_name(name: str) -> str:
    return "".join(ESCAPES.get(character, character) for character in name)


def unescape_name(cell: str) -> str:
    return re.sub(r"\\[\\tnr]", lambda found: PLAIN[found[0]], cell)


SIDE = 128  # pixels of the longer side at which photographs are looked at


class SmallImage(NamedTuple):
    image: Image.Image  #    RGB, upright, sRGB, on white, at most SIDE pixels long
    size: tuple[int, int]  # width, height of the whole photograph, upright
    mode: str
    notes: frozenset[str]  # findings that training takes care of


def open_small(data: bytes) -> SmallImage:
    """Decodes the whole file, JPEGs at the smallest scale that suffices. Raises `DecodeError`."""
    picture = decode_picture(data, shorter=SIDE)
    return SmallImage(shrink(picture.opaque()), picture.size, picture.mode, frozenset(picture.conversions))


def shrink(image: Image.Image) -> Image.Image:
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return image


def preview(data: bytes) -> Image.Image | None:
    """The small picture, of a damaged file as much as there is of it; None where there is nothing to see."""
    try:
        return open_small(data).image
    except DecodeError as broken:
        if broken.kind != "truncated":
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


FINDINGS = (
    Finding("empty", "Empty file", "The file has no bytes.", "Left out. Fetch it again.", True),
    Finding(
        "unreadable", "Unreadable", "It cannot be opened, or it holds no picture, whatever its name says.",
        "Left out. Take it away, or fetch it again.", True,
    ),
    Finding(
        "truncated", "Truncated or damaged", "It begins as a picture, but ends too early or is damaged inside.",
        "Left out. Fetch it again.", True,
    ),
    Finding(
        "enormous", "Enormous", "It has so many pixels that decoding it would take gigabytes of memory.",
        "Left out, and never decoded. Shrink it to use it.", True,
    ),
    Finding("tiny", "Tiny", "Its shorter side has too few pixels to learn from.", "Left out.", True),
    Finding(
        "grey", "Grey", "Its red, green and blue are equal everywhere: it has no colour.",
        "Left out. A network that sees grey photographs learns that grey is a right answer.", True,
    ),
    Finding(
        "near-grey", "Almost grey", "Almost none of its pixels have a colour that an eye would notice.",
        "Left out, as grey ones are.", True,
    ),
    Finding(
        "toned", "Toned", "It is a grey photograph under a tint, such as sepia: its colour follows from its lightness.",
        "Left out. It would teach the tint. A few true photographs of a single colour look the same.", True,
    ),
    Finding(
        "leak", "Also in validation", "The same picture is among the validation photographs.",
        "The training photograph is left out. A score on pictures seen in training means little.", True,
    ),
    Finding(
        "duplicate", "Duplicate", "The same picture is there once more, perhaps smaller, brighter or compressed again.",
        "One of them is kept. The others are left out: a network learns by heart what it sees often.", True,
    ),
    Finding("animated", "Several frames", "It is an animation or has several pages.", "The first frame trains.", False),
    Finding(
        "mended", "Damaged, picture whole", "Parts of its file are damaged or missing, and every pixel can be read.",
        "It trains.", False,
    ),
    Finding(
        "range", "Range guessed", "Its numbers do not say what is white; what they seem to mean was taken.",
        "Scaled to 8 bits. Look whether it is as light as it should be.", False,
    ),
    Finding("gamma", "Other gamma", "Its file tells a gamma that is not that of sRGB.", "Converted to sRGB.", False),
    Finding("cmyk", "CMYK", "It was made for a printing press.", "Converted to sRGB.", False),
    Finding("16-bit", "16 bits", "It has more than 8 bits for each channel.", "Scaled to 8 bits.", False),
    Finding("alpha", "Transparent", "Parts of it are transparent.", "Laid on white.", False),
    Finding(
        "rotated", "Turned by EXIF", "It lies on its side; its EXIF tells which way is up.", "Turned upright.", False
    ),
    Finding(
        "profile", "Other colour profile", "Its colours are not sRGB; its profile tells what they are.",
        "Converted to sRGB.", False,
    ),
)  # fmt: skip
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
    mode: str = ""  #              Pillow's
    chroma: float = float("nan")  # mean, in CIE units
    hash: int = 0  #               64 bits; 0 too for pictures without any structure


def examine(data: bytes, limits: Thresholds = Thresholds()) -> Examination:
    """All that can be said about a photograph by itself. Whatever a file holds, nothing is raised."""
    try:
        opened = open_small(data)
    except DecodeError as broken:
        return Examination(frozenset({broken.kind}), str(broken))
    found = set(opened.notes)
    seen = measure_colors(opened.image)
    if min(opened.size) < limits.side:
        found.add("tiny")
    if seen.grey:
        found.add("grey")
    elif seen.high < limits.chroma:
        found.add("near-grey")
    elif seen.toned(limits.tint):
        found.add("toned")
    return Examination(frozenset(found), "", *opened.size, opened.mode, seen.mean, difference_hash(opened.image))
