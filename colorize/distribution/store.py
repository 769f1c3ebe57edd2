"""Features on disk: they come a batch at a time, and are read back through the memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorize.distribution.sums import Features, FeatureSums, summed
from colorize.errors import UserError

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


def shuffled(count: int, seed: int) -> Tensor:
    """(count,) the same order on every machine for a seed"""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
