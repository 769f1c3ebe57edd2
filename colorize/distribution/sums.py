"""Features of many pictures, and the sums from which their mean and covariance follow. n pictures, d features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

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
