"""The verb `fetch`: old photographs from the Library of Congress, whole or not at all, and each with its checksum."""

from __future__ import annotations

import csv
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path

from colorize.arguments import Arguments
from colorize.checkpoint import write_text, write_whole
from colorize.data.decode import decode_picture
from colorize.data.historical import SHIPPED
from colorize.errors import UserError
from colorize.home import at_home
from colorize.terminal import say

LIST = SHIPPED / "library_of_congress.tsv"
COLUMNS = ("kind", "file", "title", "photographer", "year", "item", "image", "rights", "sha256", "sha256_from")
KINDS = ("plates", "prints")
MANIFEST = "CREDITS.tsv"  # of each folder; the sources of `colorize.data.historical` take the credits from it
KEPT = ("file", "title", "photographer", "year", "rights", "source", "sha256")
SILENT = 20  #   seconds that the server may say nothing
LONGEST = 120  # seconds that a file may take
LARGEST = 2**26  # bytes of a file
PAUSE = 1.0  #   seconds between two requests, for the server's sake
AGENT = "colorize (evaluation of image colorization)"


def fetch(argv: list[str]) -> int:
    """The exit status: 0, or 1 where the server does not have a picture; the others are fetched."""
    words = read_words(argv)
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


def read_words(argv: list[str]) -> Namespace:
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
