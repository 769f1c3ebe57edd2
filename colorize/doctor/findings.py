"""What is looked for in one photograph, and what each finding means for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from colorize.data.failures import DecodeError
from colorize.doctor.looks import colours, difference_hash
from colorize.doctor.opening import open_small


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
class Limits:
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


def examine(data: bytes, limits: Limits = Limits()) -> Examination:
    """All that can be said about a photograph by itself. Whatever a file holds, nothing is raised."""
    try:
        opened = open_small(data)
    except DecodeError as broken:
        return Examination(frozenset({broken.kind}), str(broken))
    found = set(opened.notes)
    seen = colours(opened.image)
    if min(opened.size) < limits.side:
        found.add("tiny")
    if seen.grey:
        found.add("grey")
    elif seen.high < limits.chroma:
        found.add("near-grey")
    elif seen.toned(limits.tint):
        found.add("toned")
    return Examination(frozenset(found), "", *opened.size, opened.mode, seen.mean, difference_hash(opened.image))
