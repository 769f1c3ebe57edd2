"""The verbs `plates` and `fetch`: scans of three exposures, and the Library of Congress."""

import csv
import time
from argparse import Namespace
from hashlib import sha256
from math import degrees
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.cli.options import KINDS
from colorize.cli.paths import find_photographs, new_folder, report_failure
from colorize.data.sources import SHIPPED
from colorize.imaging.choices import FORMATS
from colorize.imaging.color_management import SRGB
from colorize.imaging.decode import decode_picture
from colorize.imaging.image_io import TILE, labelled_grid
from colorize.imaging.plates import Plate, compose, open_scan
from colorize.imaging.registration import Motion
from colorize.utils.console import printable, say
from colorize.utils.download import MissingError, fetch_bytes
from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError, first_line
from colorize.utils.files import write_text, write_whole

SHEET = "contact-sheet.png"


def plates(args: Namespace) -> int:
    """The exit status: 0, or 1 where a scan could not be composed; the others are."""
    folder, notes = at_home(args.output), list[str]()
    scans = [scan for word in args.scans for scan, _ in find_photographs(at_home(word), True, folder, notes)]
    for note in notes:
        say(printable(note))
    check_plate_files(scans, folder)
    folder.mkdir(parents=True, exist_ok=True)
    composed, failed = dict[str, list[Image.Image]](), list[Path]()
    for scan in scans:
        with report_failure(scan, failed):
            pixels = open_scan(scan)
            plate = compose(pixels, balance=args.balance)
            save_plate(plate, scan, folder)
            composed[scan.stem] = [tile_of(picture) for picture in (pixels, plate.blue, plate.rgb)]
    if composed:
        sheet = labelled_grid(composed, ("scan", "blue exposure", "colour photograph"))
        write_whole(folder / SHEET, lambda part: sheet.save(part, "PNG"))
    say(f"composed {len(composed)} of {len(scans)}" + (f"; {str(folder / SHEET)!r} shows them" if composed else ""))
    return 1 if failed else 0


def plate_files(scan: Path, folder: Path) -> tuple[Path, Path]:
    """Where the composite and the blue exposure go."""
    return folder / f"{scan.stem}.png", folder / f"{scan.stem}-blue.png"


def check_plate_files(scans: list[Path], folder: Path) -> None:
    """Raises `UserError` where the output is no folder, two scans would meet, or a scan would be written over."""
    if folder.is_file() or folder.suffix[1:].lower() in FORMATS:
        raise UserError(f"{str(folder)!r} is a file: give a folder, a scan becomes two pictures")
    taken = {without_links(scan): scan for scan in scans} | {without_links(folder / SHEET): Path(SHEET)}
    for scan in scans:
        for target in plate_files(scan, folder):
            other = taken.setdefault(without_links(target), scan)
            if other is not scan or without_links(target) == without_links(scan):
                raise UserError(f"{str(target)!r} would be written for {str(scan)!r} and is {str(other)!r} as well")


def save_plate(plate: Plate, scan: Path, folder: Path) -> None:
    colour, blue = plate_files(scan, folder)
    write_whole(colour, lambda part: Image.fromarray(plate.rgb).save(part, "PNG", icc_profile=SRGB))
    write_whole(blue, lambda part: Image.fromarray(plate.blue).save(part, "PNG"))
    moved = "; ".join(
        f"{name} {describe_motion(motion)}" for name, motion in (("green", plate.green), ("red", plate.red))
    )
    say(f"{printable(scan)} -> {printable(colour)} ({plate.rgb.shape[1]}×{plate.rgb.shape[0]}; {moved})")


def describe_motion(motion: Motion) -> str:
    turned = f", turned {degrees(motion.turn):+.2f}°, stretched {100 * motion.stretch:+.2f} %"
    return f"moved {motion.dy:+.1f} down, {motion.dx:+.1f} right" + (turned if motion.turn or motion.stretch else "")


def tile_of(pixels: np.ndarray) -> Image.Image:
    eight_bit = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    image = Image.fromarray(eight_bit).convert("RGB")
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    return image


LIST = SHIPPED / "library_of_congress.tsv"
COLUMNS = ("kind", "file", "title", "photographer", "year", "item", "image", "rights", "sha256", "sha256_from")
MANIFEST = "CREDITS.tsv"  # of each folder: title, photographer, rights and checksum of each picture
KEPT = ("file", "title", "photographer", "year", "rights", "source", "sha256")
LARGEST = 2**26  # bytes of a file
LONGEST = 120  #   seconds that a file may take
AGENT = "colorize (evaluation of image colorization)"
PAUSE = 1.0  #   seconds between two requests, for the server's sake


def fetch_historical(args: Namespace) -> int:
    """The exit status: 0, or 1 where the server does not have a picture; the others are fetched."""
    rows = [row for row in read_picture_list(Path(args.list or LIST)) if args.only in (None, row["kind"])]
    output, missing = new_folder(args.output, overwrite=True), 0
    for number, row in enumerate(rows, 1):
        place = f"{number}/{len(rows)} {row['kind']}/{row['file']}"
        folder = output / row["kind"]
        if is_fetched(row, folder):
            say(f"{place}: already exists")
            continue
        try:
            size = fetch_picture(row, folder)
        except MissingError:
            say(f"{place}: {row['image']} is not at the server")
            missing += 1
            continue
        say(f"{place}: {row['title']}, {size / 1000:.0f} kB")
        time.sleep(PAUSE if number < len(rows) else 0)
    say(f"{len(rows) - missing} of {len(rows)} are in {args.output!r}; {MANIFEST} there has credits and checksums")
    return 1 if missing else 0


def read_picture_list(path: Path) -> list[dict[str, str]]:
    """The rows of a list of pictures. Raises `UserError` where a column is missing or a name is no plain file name."""
    if not path.is_file():
        raise UserError(f"there is no list {str(path)!r}")
    rows = read_tsv(path)
    if not rows or any(set(COLUMNS) - {key for key, value in row.items() if value is not None} for row in rows):
        raise UserError(f"{str(path)!r} is no list of pictures: it needs the columns {', '.join(COLUMNS)}, and a row")
    for row in rows:
        if row["kind"] not in KINDS or not row["file"] or Path(row["file"]).name != row["file"]:
            raise UserError(f"{str(path)!r}: {row['kind']}/{row['file']} must be {' or '.join(KINDS)}, and a file name")
        if row["sha256"] and not row["sha256_from"]:
            raise UserError(f"{str(path)!r}: {row['file']} has a checksum, and sha256_from does not say whose it is")
    return rows


def read_tsv(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return list(csv.DictReader((line for line in text if not line.startswith("#")), delimiter="\t"))


def is_fetched(row: dict[str, str], folder: Path) -> bool:
    """Whether the picture is there. Raises `UserError` where another file has its name."""
    path = folder / row["file"]
    if not path.exists():
        return False
    known = known_checksum(row, folder)
    if known is None:
        raise UserError(f"{str(path)!r} exists, but {MANIFEST} beside it has no checksum for it: move it away")
    if sha256(path.read_bytes()).hexdigest() != known:
        raise UserError(f"{str(path)!r} is another file than the one that was fetched: move it away")
    return True


def known_checksum(row: dict[str, str], folder: Path) -> str | None:
    """The checksum that the list states, else the one noted when the picture first came; None before that."""
    return row["sha256"] or read_credits_file(folder).get(row["file"], {}).get("sha256")


def read_credits_file(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of a folder's manifest, by file."""
    path = folder / MANIFEST
    return {kept["file"]: kept for kept in read_tsv(path)} if path.is_file() else {}


def fetch_picture(row: dict[str, str], folder: Path) -> int:
    """Fetch a picture, and note it in the manifest; its bytes. Raises `MissingError` where the server does not have
    it, and `UserError` where it does not come, is no picture, or is another one."""
    data = bytearray()
    try:
        fetch_bytes(row["image"], data.extend, longest=LONGEST, largest=LARGEST, agent=AGENT)
    except UserError:
        raise
    except Exception as error:  # of the network
        message = f"cannot fetch {row['image']} ({first_line(error)}): see that this machine reaches the network"
        raise UserError(f"{message}; the same command resumes") from error
    checksum, known = sha256(data).hexdigest(), known_checksum(row, folder)
    if known and checksum != known:
        raise UserError(f"{row['image']} has changed: its SHA-256 is {checksum}, and {known} was expected")
    try:
        decode_picture(bytes(data))
    except UserError as error:
        raise UserError(f"what came from {row['image']} is no whole picture: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    rows = read_credits_file(folder)
    rows[row["file"]] = {**{key: row.get(key, "") for key in KEPT}, "source": row["item"], "sha256": checksum}
    table = [KEPT, *([kept[key] for key in KEPT] for kept in rows.values())]
    # The line first: a picture without one would be in the way of the next attempt, a line without a picture is not
    write_text(folder / MANIFEST, "".join("\t".join(cells) + "\n" for cells in table))
    write_whole(folder / row["file"], lambda part: part.write_bytes(data))
    return len(data)
