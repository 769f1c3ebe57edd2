"""The order of an epoch: a pure function of a seed and a place, so that training can begin anywhere in it.

Loose files come in any order at all; tar files are read one after the other, with their photographs shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from colorize.utils.errors import UserError

Shuffle = Callable[[np.ndarray], np.ndarray]  # places in an epoch -> the things that come there
ROUNDS = 6  #   of the network; four make a permutation that looks random (Luby and Rackoff 1988)
PIECE = 4096  # places that are looked up at a time


class Permutation:
    """A random order of `size` things that takes no memory: any place of it can be asked for.

    A Feistel network over the next power of four; a number that falls beyond `size` is put through again until it
    does not (Black and Rogaway 2002).
    """

    def __init__(self, size: int, seed: int):
        self.size = size
        self.half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
        self.keys = np.random.SeedSequence(seed).generate_state(ROUNDS, np.uint64)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """(N,) places -> (N,) the things there, int64."""
        found = self._network(places.astype(np.uint64))
        while (beyond := found >= self.size).any():
            found[beyond] = self._network(found[beyond])
        return found.astype(np.int64)

    def _network(self, numbers: np.ndarray) -> np.ndarray:
        mask = (np.uint64(1) << self.half) - np.uint64(1)
        left, right = numbers >> self.half, numbers & mask
        for key in self.keys:
            left, right = right, left ^ (_mixed(right + key) & mask)
        return left << self.half | right


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit of the result hangs on every bit of the 64: the finish of splitmix64 (Steele et al. 2014)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)


def looked_up(shuffle: Shuffle, first: int, last: int) -> Iterator[int]:
    """What comes at the places from `first` up to `last`."""
    for start in range(first, last, PIECE):
        yield from shuffle(np.arange(start, min(start + PIECE, last))).tolist()


class ShardOrder:
    """Reads few files at a time: they come in random order, and photographs are shuffled in a buffer.

    An optimizer step's photographs come from `streams` rows of files side by side, each place of the step from the
    same row all through an epoch. So processes that share the step read different files, but for one at each seam;
    and the order is the same however many share it.

    files    (N,) number of the file that holds each photograph
    streams  rows of files side by side
    buffer   photographs of a row that are shuffled together
    """

    def __init__(self, files: np.ndarray, *, streams: int = 8, buffer: int = 4096):
        for name, value in (("streams", streams), ("buffer", buffer)):
            if not isinstance(value, int) or value < 1:
                raise UserError(f"data.{name} is {value!r}; it must be a whole number from 1 up")
        self.files, self.streams, self.buffer = files, streams, buffer

    def __call__(self, shuffle: Shuffle, seen: int, first: int, step: int, seed: int) -> Shuffle:
        """The same photographs as those of `shuffle` (which has `seen`), but file by file.

        The epoch begins at place `first` of the endless stream, which is cut into steps of `step` photographs.
        """
        random = np.random.default_rng(seed)
        drawn = shuffle(np.arange(seen)).astype(np.int32)
        turn = random.permutation(int(self.files.max()) + 1).astype(np.int32)
        rows = drawn[np.argsort(turn[self.files[drawn]], kind="stable")]
        streams = min(self.streams, step)
        stream = (np.arange(first, first + seen) % step * streams // step).astype(np.int16)
        ends = np.cumsum(np.bincount(stream, minlength=streams))
        ordered = np.empty_like(rows)
        for number, row in enumerate(np.split(rows, ends[:-1])):
            for start in range(0, len(row), self.buffer):
                random.shuffle(row[start : start + self.buffer])
            ordered[stream == number] = row
        return lambda places: ordered[places]
