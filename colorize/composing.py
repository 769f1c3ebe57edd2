"""The verb `plates`: scans of three exposures below each other become colour photographs."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from math import degrees
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorize.arguments import Arguments
from colorize.checkpoint import write_whole
from colorize.data.motion import Motion
from colorize.data.plates import BALANCES, Plate, compose, open_scan
from colorize.errors import UserError
from colorize.home import at_home, without_links
from colorize.painting import why
from colorize.painting_jobs import photographs
from colorize.photograph_files import SRGB
from colorize.photograph_saving import FORMATS
from colorize.pictures import CAPTION, MARGIN, TILE, fit
from colorize.terminal import printable, say

SHEET = "contact-sheet.png"


def plates(argv: list[str]) -> int:
    """The exit status: 0, or 1 where a scan could not be composed; the others are."""
    words = read_words(argv)
    folder, notes = at_home(words.output), list[str]()
    scans = [scan for word in words.scans for scan, _ in photographs(at_home(word), True, folder, notes)]
    for note in notes:
        say(printable(note))
    check_names(scans, folder)
    folder.mkdir(parents=True, exist_ok=True)
    tiles: list[tuple[str, list[Image.Image]]] = []
    for scan in scans:
        try:
            pixels = open_scan(scan)
            plate = compose(pixels, balance=words.balance)
            save(plate, scan, folder)
        except Exception as error:  # of a decoder, the network or the disk: the other scans go on
            if os.environ.get("HYDRA_FULL_ERROR"):
                raise
            print(f"{printable(scan)}: {why(error, scan)}", file=sys.stderr)
            continue
        tiles.append((scan.stem, [small(picture) for picture in (eight_bit(pixels), plate.blue, plate.rgb)]))
    if tiles:
        write_whole(folder / SHEET, lambda part: sheet(tiles).save(part, "PNG"))
    say(f"composed {len(tiles)} of {len(scans)}" + (f"; {str(folder / SHEET)!r} shows them" if tiles else ""))
    return 0 if len(tiles) == len(scans) else 1


def read_words(argv: list[str]) -> Namespace:
    parser = Arguments("plates", "Compose colour photographs from scans of three exposures: blue, green, red.")
    parser.add_argument("scans", nargs="+", metavar="SCAN", help="files, folders, or patterns such as 'scans/*.tif'")
    parser.add_argument("-o", "--output", required=True, help="a folder")
    parser.add_argument("--balance", choices=BALANCES, default="percentile", help="of the colours (percentile)")
    return parser.parse_args(argv)


def targets(scan: Path, folder: Path) -> tuple[Path, Path]:
    """Where the composite and the blue exposure go."""
    return folder / f"{scan.stem}.png", folder / f"{scan.stem}-blue.png"


def check_names(scans: list[Path], folder: Path) -> None:
    """Raises `UserError` where the output is no folder, two scans would meet, or a scan would be written over."""
    if folder.is_file() or folder.suffix[1:].lower() in FORMATS:
        raise UserError(f"{str(folder)!r} is a file: give a folder, a scan becomes two pictures")
    taken = {without_links(scan): scan for scan in scans} | {without_links(folder / SHEET): Path(SHEET)}
    for scan in scans:
        for target in targets(scan, folder):
            other = taken.setdefault(without_links(target), scan)
            if other is not scan or without_links(target) == without_links(scan):
                raise UserError(f"{str(target)!r} would be written for {str(scan)!r} and is {str(other)!r} as well")


def save(plate: Plate, scan: Path, folder: Path) -> None:
    colour, blue = targets(scan, folder)
    write_whole(colour, lambda part: Image.fromarray(plate.rgb).save(part, "PNG", icc_profile=SRGB))
    write_whole(blue, lambda part: Image.fromarray(plate.blue).save(part, "PNG"))
    told = "; ".join(f"{name} {described(motion)}" for name, motion in (("green", plate.green), ("red", plate.red)))
    say(f"{printable(scan)} -> {printable(colour)} ({plate.rgb.shape[1]}×{plate.rgb.shape[0]}; {told})")


def described(motion: Motion) -> str:
    turned = f", turned {degrees(motion.turn):+.2f}°, stretched {100 * motion.stretch:+.2f} %"
    return f"moved {motion.dy:+.1f} down, {motion.dx:+.1f} right" + (turned if motion.turn or motion.stretch else "")


def eight_bit(scan: np.ndarray) -> np.ndarray:
    return scan if scan.dtype == np.uint8 else (scan >> 8).astype(np.uint8)


def small(pixels: np.ndarray) -> Image.Image:
    image = Image.fromarray(pixels).convert("RGB")
    image.thumbnail((2 * TILE, TILE), Image.Resampling.LANCZOS)
    return image


def sheet(rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    """A row for each scan: the scan, its blue exposure, the colour photograph; the name below."""
    font = ImageFont.load_default(size=12)
    widths = [max(tiles[i].width for _, tiles in rows) for i in range(3)]
    step = TILE + CAPTION + MARGIN
    canvas = Image.new("RGB", (sum(widths) + 4 * MARGIN, len(rows) * step + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, tiles) in enumerate(rows):
        left, top = MARGIN, MARGIN + row * step
        for tile, width in zip(tiles, widths, strict=True):
            canvas.paste(tile, (left, top))
            left += width + MARGIN
        draw.text((MARGIN, top + TILE + 2), fit(name, font, canvas.width - 2 * MARGIN), fill="black", font=font)
    return canvas
