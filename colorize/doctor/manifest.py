"""The list of photographs with findings, a line each: what training reads to know which to leave out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from colorize.errors import UserError
from colorize.home import at_home

COLUMNS = ("set", "name", "findings", "leave_out", "twin")
HEADER = "\t".join(COLUMNS)
TRAIN, VAL = "train", "val"
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}  # a file name may hold each of them
PLAIN = {escape: character for character, escape in ESCAPES.items()}


class Line(NamedTuple):
    part: str  #                 `train` or `val`
    name: str  #                 relative to its source, with "/" on every system
    findings: tuple[str, ...]
    leave_out: bool  #           for training; never of a validation photograph, whose scores would be other scores
    twin: str = ""  #            of a duplicate or leak: the photograph that is kept, `val:` before one of validation


def write_manifest(path: Path, lines: Iterable[Line]) -> None:
    """Tab-separated with a header. Names that are no UTF-8 keep their bytes."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(HEADER + "\n")
        for line in lines:
            cells = (line.part, escaped(line.name), ",".join(line.findings), "yes" if line.leave_out else "no")
            file.write("\t".join((*cells, escaped(line.twin))) + "\n")


def read_manifest(path: Path) -> Iterator[Line]:
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


def _line(text: str, number: int, path: Path) -> Line:
    cells = text.removesuffix("\n").split("\t")
    if len(cells) != len(COLUMNS) or cells[0] not in (TRAIN, VAL) or cells[3] not in ("yes", "no"):
        raise UserError(f"{str(path)!r}: line {number} is not of the form {' '.join(COLUMNS)}, tabs between them")
    part, name, findings, leave_out, twin = cells
    return Line(part, unescaped(name), tuple(findings.split(",")), leave_out == "yes", unescaped(twin))


def escaped(name: str) -> str:
    return "".join(ESCAPES.get(character, character) for character in name)


def unescaped(cell: str) -> str:
    return re.sub(r"\\[\\tnr]", lambda found: PLAIN[found[0]], cell)
