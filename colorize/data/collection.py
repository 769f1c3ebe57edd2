"""Lists of photographs, without a Python object for each: 14 million of them take less than a gigabyte."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from colorize.imaging.raster import DecodeError
from colorize.utils.download import local_copy, without_secrets

COLUMNS = ("names", "ends", "labels", "files", "starts", "sizes")
WHOLE = -1  # as a size: to the end of the file
NONE = -1  #  as a label: no class
LARGEST = 2**31  # bytes of a photograph that are read into memory: every worker holds one


class Photo(NamedTuple):
    """A photograph that has not been read yet: a file, or a piece of a tar file."""

    file: str  #        a path, or the address of a tar file
    name: str  #        relative to its source, with "/" on every system
    label: int = NONE
    start: int = 0  #   byte of the file that it begins with
    size: int = WHOLE  # bytes

    @property
    def path(self) -> Path:
        return Path(self.file)

    @property
    def where(self) -> str:
        """In words, for messages."""
        return self.file if self.size == WHOLE else f"{without_secrets(self.file)} ({self.name.split('/')[-1]})"

    @property
    def length(self) -> int:
        """Bytes; none where there is no such file any more, which reading it finds."""
        if self.size != WHOLE:
            return self.size
        return self.path.stat().st_size if self.path.exists() else 0

    def read(self) -> bytes:
        """Raises `DecodeError` for what is no regular file, which may never end, and for more bytes than `LARGEST`."""
        path = local_copy(self.file)
        status = path.stat()
        size = status.st_size if self.size == WHOLE else self.size
        if not stat.S_ISREG(status.st_mode):
            raise DecodeError("it is no regular file")
        if size > LARGEST:
            said = f"it has {size / 1e9:.1f} GB, and a photograph may have {LARGEST / 1e9:.1f}"
            raise DecodeError(said, "enormous")
        with path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


def normalized(name: str) -> str:
    """The name in Unicode's form NFC, in which names are compared: macOS writes accents apart, others do not."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class Table:
    """The columns of a source. Saved ones are mapped into memory, where all processes of a machine share them.

    names    bytes of all names, "\\n" between them     ends   (N,) where each name ends
    labels   (N,) class, or -1
    files    (N,) number of the file in `places`; loose files lie in `places[0]` under their names, and have no
             files, starts (first byte) or sizes
    classes  names of the folders directly below the root, which `labels` numbers; empty where labels are of the file's
    unreadable_files  file or folder -> why a part of it is missing here
    notes    what was left out, in sentences
    links    names of the loose files that are links
    """

    def __init__(self, columns: dict[str, np.ndarray], places: Sequence[str], folder: Path | None = None):
        self.columns, self.places, self.folder = columns, list(places), folder
        self.classes: list[str] = []
        self.unreadable_files: dict[str, str] = {}
        self.notes: list[str] = []
        self.links: list[str] = []

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        places: Sequence[str],
        labels: Sequence[int] | np.ndarray | None = None,
        pieces: np.ndarray | None = None,
    ) -> Table:
        """`pieces` (N, 3): file number, first byte and size of each; None: loose files in `places[0]`."""
        encoded = [os.fsencode(name) for name in names]
        ends = np.cumsum([len(name) + 1 for name in encoded], dtype=np.int64) - 1
        columns: dict[str, np.ndarray] = {
            "names": np.frombuffer(b"\n".join(encoded), dtype=np.uint8),
            "ends": ends,
            "labels": np.full(len(encoded), NONE, np.int32) if labels is None else np.asarray(labels, np.int32),
        }
        if pieces is not None:
            pieces = pieces.reshape(-1, 3)
            columns |= {"files": pieces[:, 0].astype(np.int32), "starts": pieces[:, 1]}
            columns["sizes"] = pieces[:, 2].astype(np.uint32)
        return cls(columns, places)

    @classmethod
    def open(cls, folder: Path, places: Sequence[str], metadata: Mapping[str, Any] | None = None) -> Table:
        """What `save` wrote, with its `metadata`."""
        paths = {name: folder / f"{name}.npy" for name in COLUMNS}
        columns = {name: np.load(path, mmap_mode="r") for name, path in paths.items() if path.is_file()}
        table = cls(columns, places, folder)
        table.__dict__ |= metadata or {}
        return table

    def remarks(self) -> list[str]:
        """What is missing and what was left out, in sentences."""
        return [*(f"{file}: {why}" for file, why in self.unreadable_files.items()), *self.notes]

    def metadata(self) -> dict[str, Any]:
        """All but the columns and the places, as JSON holds it."""
        return {name: getattr(self, name) for name in ("classes", "unreadable_files", "notes", "links")}

    @classmethod
    def in_folders(cls, names: Sequence[str], places: Sequence[str], pieces: np.ndarray | None = None) -> Table:
        """Photographs of the classes whose folders they lie in; those in no folder have none."""
        tops = [normalized(name.split("/", 1)[0]) if "/" in name else None for name in names]
        classes = sorted({top for top in tops if top is not None})
        number = {top: i for i, top in enumerate(classes)}
        table = cls.of(names, places, [number.get(top, NONE) for top in tops], pieces)  # type: ignore[arg-type]
        table.classes = classes
        return table

    def relabelled(self, classes: Sequence[str]) -> Table:
        """The same with the numbers that `classes` gives its folders; those in none of them have no class."""
        number = {name: i for i, name in enumerate(classes)}
        of = np.array([*(number.get(name, NONE) for name in self.classes), NONE], dtype=np.int32)
        table = copy(self)
        table.columns = {**self.columns, "labels": of[self.columns["labels"]]}
        table.classes, table.folder = list(classes), None
        return table

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, column in self.columns.items():
            np.save(folder / f"{name}.npy", column)

    def __len__(self) -> int:
        return len(self.columns["ends"])

    def name(self, row: int) -> str:
        start = int(self.columns["ends"][row - 1]) + 1 if row else 0
        return os.fsdecode(bytes(self.columns["names"][start : self.columns["ends"][row]]))

    def photo(self, row: int) -> Photo:
        name, label = self.name(row), int(self.columns["labels"][row])
        if "files" not in self.columns:
            return Photo(f"{self.places[0]}/{name}", name, label)
        start, size = int(self.columns["starts"][row]), int(self.columns["sizes"][row])
        return Photo(self.places[self.columns["files"][row]], name, label, start, size)

    def __getstate__(self):
        """A worker process that is handed a saved table maps the same files."""
        return {**self.__dict__, "columns": {} if self.folder else self.columns}

    def __setstate__(self, state):
        self.__dict__ |= state
        if self.folder:
            self.columns = Table.open(self.folder, self.places).columns


class Collection(Sequence[Photo]):
    """Photographs in order: all of a table, or its `rows`."""

    def __init__(self, table: Table, rows: np.ndarray | None = None):
        self.table, self.rows = table, rows

    def __len__(self) -> int:
        return len(self.table) if self.rows is None else len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Photo: ...
    @overload
    def __getitem__(self, place: slice) -> list[Photo]: ...
    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self.table.photo(place if self.rows is None else int(self.rows[place]))

    def select(self, rows: np.ndarray) -> Collection:
        """Those at the places `rows`, in that order."""
        rows = np.asarray(rows, dtype=np.int32)
        return Collection(self.table, rows if self.rows is None else self.rows[rows])

    def without(self, names: set[str]) -> Collection:
        names = set(map(normalized, names))
        kept = [place for place, name in enumerate(self.names()) if normalized(name) not in names]
        return self if len(kept) == len(self) else self.select(np.array(kept, dtype=np.int32))

    def names(self) -> Iterator[str]:
        return map(self.table.name, range(len(self)) if self.rows is None else self.rows)

    @property
    def labels(self) -> np.ndarray:
        return self._column("labels")

    @property
    def files(self) -> np.ndarray | None:
        """(N,) number of the file that holds each photograph; None where each has its own."""
        return self._column("files") if "files" in self.table.columns else None

    def _column(self, name: str) -> np.ndarray:
        column = self.table.columns[name]
        return column if self.rows is None else column[self.rows]

    def lines(self) -> Iterator[bytes | memoryview]:
        """The bytes of "\\n".join(names), normalized, in pieces."""
        encoded = self.table.columns.get("names")
        if self.rows is None and encoded is not None and encoded.max(initial=0) < 128:
            yield encoded.data
            return
        for place, name in enumerate(self.names()):
            yield (b"\n" if place else b"") + os.fsencode(normalized(name))


def lines_digest(*parts: Iterable[bytes | memoryview]) -> str:
    """Identifies lines of text: the beginning of the SHA-256 of all `parts` with "\\n" between them."""
    total = sha256()
    for number, part in enumerate(parts):
        if number:
            total.update(b"\n")
        for piece in part:
            total.update(piece)
    return total.hexdigest()[:16]
