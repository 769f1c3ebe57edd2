"""The verbs `plates` and `fetch`: scans of three exposures, and the Library of Congress."""

from __future__ import annotations

import csv
import os
import sys
import time
import urllib.request
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from http.client import HTTPException
from math import degrees
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from colorize.cli.parser import Arguments
from colorize.cli.paths import photographs, why
from colorize.data.sources import SHIPPED
from colorize.imaging.color_management import SRGB
from colorize.imaging.decode import decode_picture
from colorize.imaging.image_io import CAPTION, FORMATS, MARGIN, TILE, ellipsize
from colorize.imaging.plates import BALANCES, Plate, compose, open_scan
from colorize.imaging.registration import Motion
from colorize.utils.console import printable, say
from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError
from colorize.utils.files import write_text, write_whole

SHEET = "contact-sheet.png"


def plates(argv: list[str]) -> int:
    """The exit status: 0, or 1 where a scan could not be composed; the others are."""
    words = parse_plates(argv)
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


def parse_plates(argv: list[str]) -> Namespace:
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
        draw.text((MARGIN, top + TILE + 2), ellipsize(name, font, canvas.width - 2 * MARGIN), fill="black", font=font)
    return canvas


LIST = SHIPPED / "library_of_congress.tsv"
COLUMNS = ("kind", "file", "title", "photographer", "year", "item", "image", "rights", "sha256", "sha256_from")
KINDS = ("plates", "prints")
MANIFEST = "CREDITS.tsv"  # of each folder; the sources of `colorize.data.sources` take the credits from it
KEPT = ("file", "title", "photographer", "year", "rights", "source", "sha256")
SILENT = 20  #   seconds that the server may say nothing
LONGEST = 120  # seconds that a file may take
LARGEST = 2**26  # bytes of a file
PAUSE = 1.0  #   seconds between two requests, for the server's sake
AGENT = "colorize (evaluation of image colorization)"


def fetch(argv: list[str]) -> int:
    """The exit status: 0, or 1 where the server does not have a picture; the others are fetched."""
    words = parse_fetch(argv)
    rows = [row for row in read_list(Path(words.list)) if words.only in (None, row["kind"])]
    missing = 0
    for number, row in enumerate(rows, 1):
        place = f"{number}/{len(rows)} {row['kind']}/{row['file']}"
        folder = at_home(words.output) / row["kind"]
        if present(row, folder):
            say(f"{place}: is there already")
        elif (data := download(row["image"])) is None:
            say(f"{place}: {row['image']} is not at the server")
            missing += 1
        else:
            keep(row, data, folder)
            say(f"{place}: {row['title']}, {len(data) / 1000:.0f} kB")
            time.sleep(PAUSE if number < len(rows) else 0)
    say(f"{len(rows) - missing} of {len(rows)} are in {words.output!r}; {MANIFEST} there has credits and checksums")
    return 1 if missing else 0


def parse_fetch(argv: list[str]) -> Namespace:
    parser = Arguments("fetch", "Download old photographs of the Library of Congress.")
    parser.add_argument("what", choices=["historical"], help="Prokudin-Gorskii's plates and black-and-white prints")
    parser.add_argument("-o", "--output", required=True, help="a folder; what is there already is not fetched again")
    parser.add_argument("--only", choices=KINDS, help="one of the two kinds")
    parser.add_argument("--list", default=str(LIST), help="another list of the same columns (the package's own)")
    return parser.parse_args(argv)


def read_list(path: Path) -> list[dict[str, str]]:
    """The rows of a list of pictures. Raises `UserError` where a column is missing or a name is no plain file name."""
    if not path.is_file():
        raise UserError(f"there is no list {str(path)!r}")
    rows = read_rows(path)
    if not rows or any(set(COLUMNS) - {key for key, value in row.items() if value is not None} for row in rows):
        raise UserError(f"{str(path)!r} is no list of pictures: it needs the columns {', '.join(COLUMNS)}, and a row")
    for row in rows:
        if row["kind"] not in KINDS or not row["file"] or Path(row["file"]).name != row["file"]:
            raise UserError(f"{str(path)!r}: {row['kind']}/{row['file']} must be {' or '.join(KINDS)}, and a file name")
        if row["sha256"] and not row["sha256_from"]:
            raise UserError(f"{str(path)!r}: {row['file']} has a checksum, and sha256_from does not say whose it is")
    return rows


def read_rows(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return list(csv.DictReader((line for line in text if not line.startswith("#")), delimiter="\t"))


def present(row: dict[str, str], folder: Path) -> bool:
    """Whether the picture is there. Raises `UserError` where another file has its name."""
    path = folder / row["file"]
    if not path.exists():
        return False
    known = expected(row, folder)
    if known is None:
        raise UserError(f"{str(path)!r} is there, but {MANIFEST} beside it has no checksum for it: move it away")
    if sha256(path.read_bytes()).hexdigest() != known:
        raise UserError(f"{str(path)!r} is another file than the one that was fetched: move it away")
    return True


def expected(row: dict[str, str], folder: Path) -> str | None:
    """The checksum that the list states, else the one noted when the picture first came; None before that."""
    if row["sha256"]:
        return row["sha256"]
    return next((kept["sha256"] for kept in noted(folder) if kept["file"] == row["file"]), None)


def noted(folder: Path) -> list[dict[str, str]]:
    path = folder / MANIFEST
    return read_rows(path) if path.is_file() else []


def download(address: str) -> bytes | None:
    """What lies at an address; None where the server says that nothing does.

    Raises `UserError` where the server cannot be reached, refuses, breaks off or takes too long.
    """
    request = urllib.request.Request(address, headers={"User-Agent": AGENT})
    try:
        with closing(urllib.request.urlopen(request, timeout=SILENT)) as answer:
            data = b"".join(pieces(answer, address))
            announced = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None
        raise UserError(f"cannot fetch {address}: the server says {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"cannot fetch {address} ({reason}): see that this machine reaches the network; the same command goes on"
        ) from error
    if announced is not None and int(announced) != len(data):
        raise UserError(f"cannot fetch {address}: it broke off after {len(data)} of {announced} bytes")
    return data


def pieces(answer, address: str) -> Iterable[bytes]:
    began, size = time.monotonic(), 0
    while piece := answer.read1(2**16):
        size += len(piece)
        if size > LARGEST or time.monotonic() - began > LONGEST:
            raise UserError(f"gave up on {address} after {size} bytes and {time.monotonic() - began:.0f} s")
        yield piece


def keep(row: dict[str, str], data: bytes, folder: Path) -> None:
    """Write the picture and its line in the manifest. Raises `UserError` where it is no picture, or another one."""
    found, known = sha256(data).hexdigest(), expected(row, folder)
    if known and found != known:
        raise UserError(f"{row['image']} has changed: its SHA-256 is {found}, and {known} was expected")
    try:
        decode_picture(data)
    except UserError as error:
        raise UserError(f"what came from {row['image']} is no whole picture: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    lines = {kept["file"]: kept for kept in noted(folder)}
    lines[row["file"]] = {**{key: row.get(key, "") for key in KEPT}, "source": row["item"], "sha256": found}
    # The line first: a picture without one would be in the way of the next attempt, a line without a picture is not
    write_text(folder / MANIFEST, "".join(table(lines.values())))
    write_whole(folder / row["file"], lambda part: part.write_bytes(data))


def table(rows: Iterable[dict[str, str]]) -> Iterator[str]:
    yield "\t".join(KEPT) + "\n"
    for row in rows:
        yield "\t".join(row[key] for key in KEPT) + "\n"
