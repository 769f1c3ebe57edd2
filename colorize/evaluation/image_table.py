"""Every picture's values in a CSV file: row, name, label, and a column for each metric."""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np

from colorize.utils.errors import UserError
from colorize.utils.files import cut_torn_line, write_whole

FIXED = ("row", "name", "label")


@dataclass(frozen=True)
class ImageValues:
    """The pictures of one row in order: names (n,), labels (n,), and for each metric (n,) values."""

    names: list[str]
    labels: list[str]
    values: dict[str, np.ndarray]


class ImageTable(AbstractContextManager):
    """Appends to a CSV file, whole lines only, also to one that a killed evaluation left.

    `done` is how many pictures of each row the file has already: an evaluation takes pictures in the same order and
    resumes after these. A line that was cut off is removed, and so are pictures that not all of the `rows` have yet.
    """

    def __init__(self, path: str | Path, metrics: Sequence[str], rows: Sequence[str] = ()):
        self.path, self.metrics, self.done = Path(path), tuple(metrics), dict[str, int]()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and cut_torn_line(self.path):
            found = _metrics(self.path)
            if found != self.metrics:
                raise UserError(
                    f"{str(self.path)!r} has the columns {', '.join(found)}, and this evaluation measures "
                    f"{', '.join(self.metrics)}: remove it to restart"
                )
            self.done = _level(self.path, rows)
            self._file = _open(self.path, "a")
        else:
            self._file = _open(self.path, "w")
            self._append([(*FIXED, *self.metrics)])

    def add(
        self, rows: Mapping[str, Mapping[str, Iterable[float]]], names: Sequence[str], labels: Sequence | None = None
    ) -> None:
        """Append a batch of pictures in several rows, which are in the file when this returns. A metric that a row
        lacks has no values for the batch."""
        if broken := [name for name in names if "\n" in name or "\r" in name]:
            raise UserError(f"the name of the picture {broken[0]!r} has a line break: rename the file")
        texts = ["" if label is None else str(label) for label in labels or [None] * len(names)]
        lines: list[Sequence[str]] = []
        for row, values in rows.items():
            if unknown := values.keys() - set(self.metrics):
                raise ValueError(
                    f"{sorted(unknown)} are not columns of this table; these are {', '.join(self.metrics)}"
                )
            # the shortest text that is read as the same number; empty where there is none
            columns = [
                ["" if isnan(value) else repr(value) for value in map(float, values.get(metric, [nan] * len(names)))]
                for metric in self.metrics
            ]
            lines += [[row, *cells] for cells in zip(names, texts, *columns, strict=True)]
        self._append(lines)
        for row in rows:
            self.done[row] = self.done.get(row, 0) + len(names)

    def __exit__(self, *_) -> None:
        """The file is on the disk afterwards."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _append(self, lines: Iterable[Sequence]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._file.write(text.getvalue())
        self._file.flush()


def stream_image_rows(path: str | Path) -> Iterator[tuple[str, str, str, list[float]]]:
    """(row, name, label, values) of each line in turn, in constant memory; NaN where there is no value.

    Raises `UserError` at a line that `ImageTable` did not write.
    """
    path = Path(path)
    with _open(path) as file:
        lines = csv.reader(file)
        width = len(_header(path, lines))
        for cells in lines:
            if len(cells) != width:
                raise _broken(path, lines.line_num, f"has {len(cells)} cells, not {width}")
            try:
                values = [float(cell) if cell else nan for cell in cells[len(FIXED) :]]
            except ValueError as error:
                raise _broken(path, lines.line_num, "holds a value that is not a number") from error
            yield cells[0], cells[1], cells[2], values


def read_image_values(path: str | Path, row: str = "model") -> ImageValues:
    """The pictures of one row as columns; none where the file has no such row.

    Raises `UserError` where there is no such file, where it is damaged, and where it has a picture twice.
    """
    metrics = _metrics(Path(path))
    names: dict[str, None] = {}
    labels: list[str] = []
    columns = [array("d") for _ in metrics]
    for of, name, label, values in stream_image_rows(path):
        if of != row:
            continue
        if name in names:
            raise UserError(f"{str(path)!r} holds {name!r} twice in the row {row!r}: evaluate the run again")
        names[name] = None
        labels.append(label)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return ImageValues(list(names), labels, {m: np.array(column) for m, column in zip(metrics, columns, strict=True)})


def fill_columns(path: Path, row: str, columns: Mapping[str, np.ndarray]) -> None:
    """Write (n,) values for each column into the lines of one row, in their order."""
    texts = {name: map(repr, values.tolist()) for name, values in columns.items()}
    with _open(path) as file:
        lines = list(csv.reader(file))
    places = {name: lines[0].index(name) for name in columns}
    for line in lines[1:]:
        if line[0] == row:
            for name, place in places.items():
                line[place] = next(texts[name])

    def write(part: Path) -> None:
        with _open(part, "w") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)

    write_whole(path, write)


def _level(path: Path, rows: Sequence[str]) -> dict[str, int]:
    """Remove pictures that not every row has; how many each row has then."""
    found = [row for row, *_ in stream_image_rows(path)]
    counts = Counter(found)
    fewest = min((counts[row] for row in {*rows, *counts}), default=0)
    if any(count != fewest for count in counts.values()):
        seen: Counter[str] = Counter()
        with _open(path) as file:
            header, *lines = file.read().splitlines(keepends=True)
        kept = [header]
        for line, row in zip(lines, found, strict=True):
            seen[row] += 1
            kept += [line] if seen[row] <= fewest else []
        write_whole(path, lambda part: part.write_bytes("".join(kept).encode("utf-8", "surrogateescape")))
    return dict.fromkeys(counts, fewest)


def _metrics(path: Path) -> tuple[str, ...]:
    with _open(path) as file:
        return tuple(_header(path, csv.reader(file))[len(FIXED) :])


def _header(path: Path, lines: Iterator[list[str]]) -> list[str]:
    header = next(lines, [])
    if tuple(header[: len(FIXED)]) != FIXED:
        raise UserError(f"{str(path)!r} is not a table of pictures' values: it does not begin with {','.join(FIXED)}")
    return header


def _open(path: Path, mode: str = "r"):
    try:
        return path.open(mode, encoding="utf-8", errors="surrogateescape", newline="")  # file names need not be text
    except FileNotFoundError as error:
        raise UserError(f"there is no table of pictures' values {str(path)!r}: evaluate the run again") from error


def _broken(path: Path, line: int, what: str) -> UserError:
    return UserError(f"line {line} of {str(path)!r} {what}: the file is damaged, evaluate the run again")
