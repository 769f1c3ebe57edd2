"""What was found in all photographs, in a few numbers for each: a million of them take 40 MB.

Rows: training photographs first, then those of validation.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from colorize.data import duplicates
from colorize.data.collection import Photo
from colorize.data.duplicates import image_signature, is_same_picture
from colorize.data.findings import (
    BROKEN,
    KEYS,
    LEFT_OUT,
    TRAIN,
    VAL,
    Examination,
    ManifestLine,
    Thresholds,
    examine,
    preview,
)
from colorize.data.resolve import ResolvedSource
from colorize.imaging.decode import UNREADABLE
from colorize.utils.processes import map_in_processes

BITS = {key: 1 << place for place, key in enumerate(KEYS)}
TWINS = ("leak", "duplicate")


def mask(keys: Iterable[str]) -> np.uint32:
    return np.uint32(sum(BITS[key] for key in keys))


class Survey:
    """Findings and measures of the photographs of a source that train, and of those that validate, if there are any."""

    def __init__(self, source: ResolvedSource):
        self.source, self.train, self.val = source, source.train, source.val
        count = len(self.train) + (len(self.val) if self.val else 0)
        self.flags = np.zeros(count, np.uint32)  #      findings, a bit each
        self.sizes = np.zeros((count, 2), np.int32)  #  width, height; 0 where it could not be read
        self.chroma = np.full(count, np.nan, np.float32)
        self.hashes = np.zeros(count, np.uint64)
        self.why: dict[int, str] = {}  #                row -> what a decoder said
        self.twins: dict[str, dict[int, int]] = {key: {} for key in TWINS}

    def __len__(self) -> int:
        return len(self.flags)

    def photo(self, row: int) -> Photo:
        training = len(self.train)
        if row < training:
            return self.train[row]
        assert self.val is not None
        return self.val[row - training]

    def note(self, row: int, seen: Examination) -> None:
        self.flags[row] = mask(seen.findings)
        self.sizes[row] = seen.width, seen.height
        self.chroma[row], self.hashes[row] = seen.chroma, seen.hash
        if seen.why:
            self.why[row] = seen.why

    def pair(self, pairs: np.ndarray) -> None:
        """Record duplicates and leaks, from the pairs (M, 2) of rows that show the same picture."""
        training = np.arange(len(self)) < len(self.train)
        self.twins["leak"] = duplicates.leaks(pairs, len(self.train))
        self.flags[list(self.twins["leak"])] |= mask(["leak"])
        within = pairs[training[pairs[:, 0]] == training[pairs[:, 1]]]
        self.twins["duplicate"] = duplicates.duplicates(within, self.left_out())
        self.flags[list(self.twins["duplicate"])] |= mask(["duplicate"])

    def with_finding(self, *keys: str, training: bool = True) -> np.ndarray:
        """The rows that have any of the findings, of training or of validation."""
        first, last = (0, len(self.train)) if training else (len(self.train), len(self))
        return first + np.flatnonzero(self.flags[first:last] & mask(keys))

    def left_out(self) -> np.ndarray:
        """(N,) bool: training does without it."""
        return ((self.flags & mask(LEFT_OUT)) > 0) & (np.arange(len(self)) < len(self.train))

    def lines(self) -> Iterator[ManifestLine]:
        """The manifest: a line for each photograph with a finding."""
        left_out = self.left_out()
        for row in np.flatnonzero(self.flags).tolist():
            part = TRAIN if row < len(self.train) else VAL
            other = next((self.twins[key][row] for key in TWINS if row in self.twins[key]), None)
            val = "" if other is None or other < len(self.train) else f"{VAL}:"
            twin = "" if other is None else f"{val}{self.photo(other).name}"
            keys = tuple(key for key, bit in BITS.items() if self.flags[row] & bit)
            yield ManifestLine(part, self.photo(row).name, keys, bool(left_out[row]), twin)


def survey_all(survey: Survey, limits: Thresholds, workers: int, progress: Callable[[int], None]) -> None:
    """Examine every photograph; `progress` gets the number of those that are done."""
    task = partial(examine_photo, limits=limits)
    crashed = Examination(frozenset({"unreadable"}), "the decoder crashed")
    photos = map(survey.photo, range(len(survey)))
    for row, seen in enumerate(map_in_processes(task, photos, workers, crashed=lambda _: crashed)):
        survey.note(row, seen)
        progress(row + 1)


def find_duplicates(survey: Survey, workers: int) -> None:
    """Compare the pixels of photographs with near hashes; their files are read a second time."""
    sound = np.flatnonzero((survey.flags & mask(BROKEN)) == 0)
    pairs = sound[duplicates.near_hashes(survey.hashes[sound])]
    rows = np.unique(pairs).tolist()
    found = map_in_processes(signature_of, map(survey.photo, rows), workers, crashed=lambda _: None)
    seen = {row: signature for row, signature in zip(rows, found, strict=True) if signature is not None}
    same = [(a, b) for a, b in pairs.tolist() if a in seen and b in seen and is_same_picture(seen[a], seen[b])]
    survey.pair(np.array(same, dtype=np.int64).reshape(-1, 2))


def examine_photo(photo: Photo, limits: Thresholds) -> Examination:
    try:
        data = photo.read()
    except UNREADABLE as error:
        kind = getattr(error, "kind", "unreadable")
        return Examination(frozenset({kind}), getattr(error, "strerror", None) or str(error))
    return examine(data, limits)


def signature_of(photo: Photo) -> np.ndarray | None:
    """None where it has gone since it was examined."""
    image = preview(photo)
    return None if image is None else image_signature(image)
