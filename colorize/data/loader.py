"""Training batches from a stream of draws, in worker processes or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from colorize.data.collection import Collection
from colorize.imaging.decode import UNREADABLE, decode
from colorize.utils.errors import UserError, first_line

# What torch says when the memory that processes share is full: of a worker that died of it, or could not reserve it
SHARED_MEMORY_FULL = (
    "shared memory limit",
    "insufficient shared memory",
    "unable to write to file </torch",
    "shm_open",
)
KEEP_BELOW = 2**29  # bytes of decoded training photographs that are kept in memory


class Draw(NamedTuple):
    """One place in the stream of training samples."""

    photo: int  # which photograph
    seed: int  #  of its augmentation, and of what else is drawn for it


class Sample(NamedTuple):
    rgb: Tensor  #          (3, H, W) uint8
    grey: Tensor | None  #  (1, H, W) uint8, the input, if it is not the lightness of `rgb`
    label: int
    seed: int
    unreadable: list[tuple[str, str]]
    treated: list[tuple[str, str]]


class Pixels(NamedTuple):
    """A batch as the workers deliver it."""

    rgb: Tensor  #               (B, 3, H, W) uint8
    grey: Tensor | None  #       (B, 1, H, W) uint8, the input, if it is not the lightness of `rgb`
    label: Tensor | None  #      (B,) int64, -1 where a photograph has none; None where no photograph has one
    seeds: Sequence[int]  #      (B,) of each sample
    unreadable: Sequence[tuple[str, str]] = ()  # (file, why) of photographs that another one stood in for
    treated: Sequence[tuple[str, str]] = ()  #    (file, how) of photographs that were not plain 8-bit sRGB


class TrainingSet(Dataset):
    """Turns draws into pixels. A photograph that cannot be read is replaced by the next one that can, and named.

    Decoded photographs are kept while there is room; not in worker processes, of which each would keep its own.
    """

    def __init__(
        self,
        photos: Collection,
        shorter: int,
        crop: Callable[[Tensor, np.random.Generator], Tensor],
        look: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None,
    ):
        self.photos, self.shorter, self.crop, self.look = photos, shorter, crop, look
        self.kept: dict[int, tuple[Tensor, list[str]]] = {}
        self.room = KEEP_BELOW

    def open(self, index: int) -> tuple[Tensor, list[str]]:
        if index in self.kept:
            return self.kept[index]
        opened = decode(self.photos[index].read(), self.shorter)
        size = opened[0].numel()
        if size <= self.room and get_worker_info() is None:
            self.kept[index], self.room = opened, self.room - size
        return opened

    def __getitem__(self, draw: Draw) -> Sample:
        unreadable = []
        for offset in range(len(self.photos)):
            index = (draw.photo + offset) % len(self.photos)
            photo = self.photos[index]
            try:
                whole, treated = self.open(index)
            except UNREADABLE as error:
                unreadable.append((photo.where, first_line(error)))
                continue
            random = np.random.default_rng(draw.seed)
            rgb = self.crop(whole, random)
            grey = None
            if self.look is not None:
                grey = torch.from_numpy(self.look(rgb.permute(1, 2, 0).numpy(), random))[None]
            return Sample(rgb, grey, photo.label, draw.seed, unreadable, [(photo.where, how) for how in treated])
        raise UserError(
            f"none of the {len(self.photos)} training photographs can be read, e.g. "
            f"{unreadable[0][0]}: {unreadable[0][1]}"
        )


class Groups:
    """A batch sampler over a stream of draws. (torch's own would ask for its length.)"""

    def __init__(self, draws: Iterable[Draw], sizes: Sequence[int]):
        self.draws, self.sizes = draws, sizes

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = iter(self.draws)
        for size in cycle(self.sizes):
            group = list(islice(draws, size))
            if len(group) < size:
                return
            yield group


def collate(samples: Sequence[Sample], labelled: bool) -> Pixels:
    grey = None if samples[0].grey is None else torch.stack([sample.grey for sample in samples])  # type: ignore[misc]
    return Pixels(
        torch.stack([sample.rgb for sample in samples]),
        grey,
        torch.tensor([sample.label for sample in samples]) if labelled else None,
        [sample.seed for sample in samples],
        [name for sample in samples for name in sample.unreadable],
        [name for sample in samples for name in sample.treated],
    )


def explain_shared_memory(batches: Iterator[Pixels], workers: int) -> Iterator[Pixels]:
    """The same batches. Raises `UserError` where worker processes have too little shared memory to hand them over."""
    try:
        yield from batches
    except RuntimeError as error:
        if not any(sign in str(error) for sign in SHARED_MEMORY_FULL):
            raise
        raise UserError(
            f"the {workers} processes that load have too little shared memory (/dev/shm): say data.num_workers=0, or "
            "give more (docker run --shm-size=8g, or --ipc=host)"
        ) from error
