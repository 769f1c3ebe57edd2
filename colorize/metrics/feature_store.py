"""Features of many pictures: their sums, and on disk. n pictures, d features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorize.imaging.color import to_uint8
from colorize.metrics.extractors import Extractor

CHUNK = 1024  # pictures that are read at once
AT_ONCE = 32  # pictures that the extractor gets


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
    """The features of n pictures, an array (n, d) of float32, in memory or memory-mapped.

    index   which of its rows, in which order; all of them by default
    """

    def __init__(self, array: np.ndarray, index: Tensor | None = None):
        self._array = array
        self._index = torch.arange(len(array)) if index is None else index
        self.dimension: int = array.shape[1]

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def sums(self) -> FeatureSums:
        sums = FeatureSums(self.dimension)
        for chunk in self.chunks():
            sums.add(chunk)
        return sums

    def subset(self, index: Tensor) -> Features:
        """Some of them, (k,) whole numbers below n; nothing is read yet."""
        return Features(self._array, self._index[index])

    def chunks(self, size: int = CHUNK) -> Iterator[Tensor]:
        """(≤ size, d) in double precision, in order"""
        for index in self._index.split(size):
            yield self._read(index)

    def all(self) -> Tensor:
        """(n, d) in double precision"""
        return self._read(self._index)

    def _read(self, index: Tensor) -> Tensor:
        return torch.from_numpy(self._array[index.numpy()]).double()


ROW = np.dtype("<f4")


class FeatureFile:
    """Rows of d little-endian float32 without any header, which grow with `add`.

    An existing file is continued. The end of a row that was being written when a process was killed is
    cut off.
    """

    def __init__(self, path: Path, dimension: int):
        self.path, self.dimension = path, dimension
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.keep(len(self))

    def __len__(self) -> int:
        return self.path.stat().st_size // (ROW.itemsize * self.dimension)

    def add(self, features: Tensor) -> None:
        """(B, d), on any device"""
        with self.path.open("ab") as file:
            file.write(features.detach().cpu().float().numpy().astype(ROW, copy=False).tobytes())

    def keep(self, count: int) -> None:
        """Forget all but the first `count` rows."""
        with self.path.open("r+b") as file:
            file.truncate(count * ROW.itemsize * self.dimension)

    def features(self) -> Features:
        """Mapped, read only"""
        if not len(self):  # an empty file cannot be mapped
            return Features(np.empty((0, self.dimension), ROW))
        return Features(np.memmap(self.path, ROW, mode="r", shape=(len(self), self.dimension)))


class FeatureStore:
    """The features of pictures by one extractor, in a folder that may hold some already: a `FeatureFile` for each row
    of a table. Other weights of the extractor have other files."""

    def __init__(self, extractor: Extractor, folder: Path):
        self.extractor, self.folder = extractor, folder
        self._files: dict[str, FeatureFile] = {}

    def add(self, rgb: Tensor, row: str) -> None:
        """(B, 3, H, W) uint8, or floating point in 0…1, which is rounded to 8 bits as a file would; on any device."""
        if next(self.extractor.parameters(), rgb).device != rgb.device:  # `to` and a look at each take a millisecond
            self.extractor.to(rgb.device)
        for few in (rgb if rgb.dtype == torch.uint8 else to_uint8(rgb)).split(AT_ONCE):
            self.file(row).add(self.extractor(few))

    def file(self, row: str) -> FeatureFile:
        if row not in self._files:
            weights = f"-{self.extractor.weights[:8]}" if self.extractor.weights else ""
            path = self.folder / f"{row}.{self.extractor.name}{weights}.f32"
            self._files[row] = FeatureFile(path, self.extractor.dimension)
        return self._files[row]


def random_order(count: int, seed: int) -> Tensor:
    """(count,) the same order on every machine for a seed"""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
