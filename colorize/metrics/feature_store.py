"""Features of many pictures: their sums, and on disk. n pictures, d features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorize.utils.errors import UserError

CHUNK = 1024  # pictures that are read at once


class FeatureSums:
    """n, Σx and Σxxᵀ in double precision: as much memory for a million pictures as for one.

    The sums of parts add up to those of the whole, in any number of processes.
    """

    def __init__(self, dimension: int):
        self.count = 0
        self.total = torch.zeros(dimension, dtype=torch.float64)
        self.outer = torch.zeros(dimension, dimension, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """(B, d), on any device"""
        features = features.cpu().double()  # Apple's GPUs have no doubles
        self.count += len(features)
        self.total += features.sum(dim=0)
        self.outer.addmm_(features.T, features)

    @classmethod
    def merged(cls, parts: Sequence[FeatureSums]) -> FeatureSums:
        whole = cls(len(parts[0].total))
        for part in parts:
            whole.count += part.count
            whole.total += part.total
            whole.outer += part.outer
        return whole

    def mean(self) -> Tensor:
        """(d,)"""
        return self.total / self.count

    def covariance(self) -> Tensor:
        """(d, d), over n − 1 as NumPy's `cov` and every published FID has it. Needs two pictures."""
        mean = self.mean()
        return (self.outer - self.count * torch.outer(mean, mean)) / (self.count - 1)


class Features:
    """The features of n pictures, (n, d) float32: arrays in memory or memory-mapped, one after another.

    index   which of their rows, in which order; all of them by default
    sums    those of these rows where they are known already
    """

    def __init__(self, arrays: Sequence[np.ndarray], index: Tensor | None = None, sums: FeatureSums | None = None):
        self._arrays = [array for array in arrays if len(array)] or list(arrays[:1])
        self._index = torch.arange(sum(map(len, self._arrays))) if index is None else index
        self.dimension: int = self._arrays[0].shape[1]
        if sums is not None:
            self.sums = sums

    @classmethod
    def of(cls, features: Tensor) -> Features:
        """(n, d) in memory"""
        return cls([features.cpu().float().numpy()])

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def sums(self) -> FeatureSums:
        return summed(self.chunks(), self.dimension)

    def subset(self, index: Tensor) -> Features:
        """Some of them, (k,) whole numbers below n; nothing is read yet."""
        return Features(self._arrays, self._index[index])

    def chunks(self, size: int = CHUNK) -> Iterator[Tensor]:
        """(≤ size, d) in double precision, in order"""
        for index in self._index.split(size):
            yield self._read(index)

    def all(self) -> Tensor:
        """(n, d) in double precision"""
        return self._read(self._index)

    def _read(self, index: Tensor) -> Tensor:
        found = torch.empty(len(index), self.dimension, dtype=torch.float64)
        start = 0
        for array in self._arrays:
            here = (index >= start) & (index < start + len(array))
            found[here] = torch.from_numpy(array[(index[here] - start).numpy()]).double()
            start += len(array)
        return found


def summed(chunks: Iterable[Tensor], dimension: int) -> FeatureSums:
    sums = FeatureSums(dimension)
    for chunk in chunks:
        sums.add(chunk)
    return sums


ROW = np.dtype("<f4")


class FeatureFile:
    """Rows of d little-endian float32 without any header, which grow with `add`, and their sums.

    A file that is there already is gone on with. The end of a row that was being written when a process was killed is
    cut off.
    """

    def __init__(self, path: Path, dimension: int):
        self.path, self.dimension = path, dimension
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.keep(path.stat().st_size // (ROW.itemsize * dimension))

    def __len__(self) -> int:
        return self.sums.count

    def add(self, features: Tensor) -> None:
        """(B, d), on any device"""
        rows = features.detach().cpu().float()
        with self.path.open("ab") as file:
            file.write(rows.numpy().astype(ROW, copy=False).tobytes())
        self.sums.add(rows)

    def keep(self, count: int) -> None:
        """Forget all but the first `count` rows."""
        with self.path.open("r+b") as file:
            file.truncate(count * ROW.itemsize * self.dimension)
        self.sums: FeatureSums = summed(Features([mapped(self.path, self.dimension)]).chunks(), self.dimension)


def mapped(path: Path, dimension: int) -> np.ndarray:
    """(n, d), read only. Raises `UserError` where another process's file cannot be seen from here."""
    if not path.is_file():
        raise UserError(
            f"this process does not see {str(path)!r}, which another wrote: give all processes a folder that they share"
        )
    count = path.stat().st_size // (ROW.itemsize * dimension)
    if not count:  # an empty file cannot be mapped
        return np.empty((0, dimension), ROW)
    return np.memmap(path, ROW, mode="r", shape=(count, dimension))


def together(files: list[Path], sums: list[FeatureSums]) -> Features:
    """The features of several processes as one set, in their order."""
    dimension = len(sums[0].total)
    return Features([mapped(path, dimension) for path in files], sums=FeatureSums.merged(sums))


def random_order(count: int, seed: int) -> Tensor:
    """(count,) the same order on every machine for a seed"""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
