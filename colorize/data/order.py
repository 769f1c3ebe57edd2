"""The order of an epoch: any at all where each photograph is a file of its own, shard by shard where they lie in tars."""

from __future__ import annotations

import numpy as np


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
        self.files, self.streams, self.buffer = files, streams, buffer

    def __call__(self, drawn: np.ndarray, first: int, step: int, seed: int) -> np.ndarray:
        """The photographs `drawn` for an epoch, in its order. The epoch begins at place `first` of the endless stream,
        which is cut into steps of `step` photographs."""
        random = np.random.default_rng(seed)
        turn = random.permutation(int(self.files.max()) + 1).astype(np.int32)
        rows = drawn[np.argsort(turn[self.files[drawn]], kind="stable")]
        streams = min(self.streams, step)
        stream = (np.arange(first, first + len(rows)) % step * streams // step).astype(np.int32)
        ends = np.cumsum(np.bincount(stream, minlength=streams))
        ordered = np.empty_like(rows)
        for number, row in enumerate(np.split(rows, ends[:-1])):
            for start in range(0, len(row), self.buffer):
                random.shuffle(row[start : start + self.buffer])
            ordered[stream == number] = row
        return ordered
