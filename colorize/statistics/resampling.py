"""Resamples of pictures, and sign flips of their differences, in blocks: memory does not grow with how many there are.

n pictures, k columns, R resamples. The same seed draws the same ones, whatever the columns hold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from colorize.seeds import seed_of

BLOCK = 2**20  # numbers held at once


def means_of_resamples(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(n, k) -> (R, k): the means of each column over n rows drawn with replacement, the same rows for all columns."""
    random = np.random.default_rng(seed_of("bootstrap", seed))
    return np.concatenate([counts @ columns / len(columns) for counts in _counts(len(columns), resamples, random)])


def sums_of_flips(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(n, k) -> (R, k): the sums of each column after every row has kept or changed its sign at random."""
    random = np.random.default_rng(seed_of("flips", seed))
    n = len(columns)
    rows = max(BLOCK // n, 1)
    found = []
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        bits = np.unpackbits(random.integers(0, 256, (r, -(-n // 8)), np.uint8), axis=1)
        found.append(_flipped(bits, columns))
    return np.concatenate(found)


def sums_of_all_flips(columns: np.ndarray) -> np.ndarray:
    """(n, k) -> (2^n, k): the same for every possible set of signs; the first changes none."""
    n = len(columns)
    patterns = np.arange(2**n, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return _flipped(np.unpackbits(patterns, axis=1), columns)


def _flipped(bits: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The last n of each row's bits say which signs change."""
    changed = bits[:, bits.shape[1] - len(columns) :].astype(float)
    return columns.sum(axis=0) - 2 * (changed @ columns)


def _counts(n: int, resamples: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of n rows is drawn, (r, n) at a time, R in all."""
    rows = max(BLOCK // n, 1)
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        drawn = random.integers(0, n, (r, n), dtype=np.int32) + n * np.arange(r)[:, None]
        yield np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(float)
