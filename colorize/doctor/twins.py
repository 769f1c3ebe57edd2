"""Which photographs are the same picture: near hashes first, among millions, then pixels.

N photographs, M pairs of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

DISTANCE = 6  #   of 64 bits, at most, between the hashes of a picture and its copy
BLOCK = 2**22  #  comparisons at a time
PARTNERS = 64  #  of one hash in one band, the nearest: almost blank pictures are all near one another
PRODUCT = 4096  # pairs of photographs between two groups of equal hashes; of larger groups, one stands for all


def near_hashes(hashes: np.ndarray) -> np.ndarray:
    """(N,) uint64 -> (M, 2) rows, the smaller first, of the pairs whose hashes differ in at most `DISTANCE` bits.

    Of so few bits, one of `DISTANCE` + 1 bands has none, so only hashes that agree in a band are compared: a
    million photographs take a minute, not the days of all pairs.
    """
    order = np.argsort(hashes, kind="stable")
    distinct, starts = np.unique(hashes[order], return_index=True)
    groups = np.split(order, starts[1:])  # rows of each distinct hash
    found = [_within(group) for group in groups if len(group) > 1]
    found += [_between(groups[one], groups[other]) for one, other in _near_distinct(distinct)]
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _near_distinct(hashes: np.ndarray) -> np.ndarray:
    """(K,) different hashes -> (M, 2) places in it."""
    pairs = [np.empty((0, 2), np.int64)]
    for band in np.array_split(np.arange(64, dtype=np.uint64), DISTANCE + 1):
        key = (hashes >> band[0]) & np.uint64(2 ** len(band) - 1)
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order])) + 1
        for bucket in np.split(order, ends):
            pairs.extend(_near_in(hashes, bucket))
    return np.unique(np.concatenate(pairs), axis=0)


def _near_in(hashes: np.ndarray, bucket: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs within a bucket (K,), a block of it at a time."""
    size = max(1, BLOCK // max(1, len(bucket)))  # of no photograph, an empty one is all there is
    for start in range(0, len(bucket), size):
        rows, others = bucket[start : start + size], bucket[start:]
        bits = np.bitwise_count(hashes[rows][:, None] ^ hashes[others][None, :])
        near = np.triu(bits <= DISTANCE, 1)  # each pair once, and none with itself
        for row in np.flatnonzero(near.sum(axis=1) > PARTNERS):
            distance = np.where(near[row], bits[row], DISTANCE + 1)
            near[row] = False
            near[row, np.argpartition(distance, PARTNERS)[:PARTNERS]] = True
        one, other = np.nonzero(near)
        yield np.sort(np.stack([rows[one], others[other]], axis=1), axis=1)


def _within(group: np.ndarray) -> np.ndarray:
    if len(group) ** 2 <= PRODUCT:
        return group[np.stack(np.triu_indices(len(group), 1), axis=1)]
    first = np.stack([np.full(len(group) - 1, group[0]), group[1:]], axis=1)
    return np.concatenate([first, np.stack([group[:-1], group[1:]], axis=1)])


def _between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if len(one) * len(other) > PRODUCT:
        one = one[:1] if len(one) > len(other) else one
        other = other[:1] if len(one) <= len(other) else other
    return np.stack(np.meshgrid(one, other), axis=-1).reshape(-1, 2)


def leaks(pairs: np.ndarray, training: int) -> dict[int, int]:
    """Training row -> the first validation row that shows the same; rows below `training` train."""
    found: dict[int, int] = {}
    for one, other in pairs:
        if one < training <= other:
            found[int(one)] = min(int(other), found.get(int(one), int(other)))
    return found


def duplicates(pairs: np.ndarray, worse: np.ndarray) -> dict[int, int]:
    """Row -> the row that is kept instead of it.

    Of two equals the earlier is kept, but `worse` (N,) ones, that are left out for another reason, come last. A row
    is a duplicate only of a row that is kept, so that of every picture one remains.
    """
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(int(one), []).append(int(other))
        partners.setdefault(int(other), []).append(int(one))
    found: dict[int, int] = {}

    def rank(row: int) -> tuple[bool, int]:
        return bool(worse[row]), row

    for row in sorted(partners, key=rank):
        kept = [other for other in partners[row] if rank(other) < rank(row) and other not in found]
        if kept:
            found[row] = min(kept, key=rank)
    return found


def involved(pairs: np.ndarray) -> Iterable[int]:
    """The rows that are in any pair."""
    return np.unique(pairs).tolist()
