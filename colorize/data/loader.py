"""Training batches: the order of an epoch, and pixels of the photographs in it, by worker processes or without.

The order is a pure function of a seed and a place, so that a resumed run begins anywhere in it. Loose files come in any
order at all; tar files are read one after the other, with their photographs shuffled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from colorize.data.collection import Collection
from colorize.imaging.decode import UNREADABLE, decode
from colorize.utils.errors import UserError, first_line
from colorize.utils.processes import ignore_stop_signals
from colorize.utils.validation import Count, Few, check_arguments

Shuffle = Callable[[np.ndarray], np.ndarray]  # places in an epoch -> the things that come there
ROUNDS = 6  #   of the network; four make a permutation that looks random (Luby and Rackoff 1988)
PIECE = 4096  # places that are looked up at a time


class FeistelPermutation:
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
    """Every bit of the result depends on all 64 bits: the finish of splitmix64 (Steele et al. 2014)."""
    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return numbers ^ numbers >> np.uint64(31)


def permuted(shuffle: Shuffle, first: int, last: int) -> Iterator[int]:
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

    def __init__(self, files: np.ndarray, *, streams: Few = 8, buffer: Count = 4096):
        check_arguments({"streams": streams, "buffer": buffer}, ShardOrder, "data")
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


# What torch says when the memory that processes share is full: of a worker that died of it, or could not reserve it
SHARED_MEMORY_FULL = (
    "shared memory limit",
    "insufficient shared memory",
    "unable to write to file </torch",
    "shm_open",
)
CACHE_LIMIT_BYTES = 2**29  # bytes of decoded training photographs that are kept in memory


class SampleIndex(NamedTuple):
    """One place in the stream of training samples."""

    photo: int  # which photograph
    seed: int  #  of its augmentation, and of what else is drawn for it


# rgb (3, H, W) uint8; grey (1, H, W) uint8 or None; label; seed; unreadable and converted files as in `LoadedBatch`
Sample = tuple[Tensor, Tensor | None, int, int, list[tuple[str, str]], list[tuple[str, str]]]


class LoadedBatch(NamedTuple):
    """A batch as the workers deliver it."""

    rgb: Tensor  #               (B, 3, H, W) uint8
    grey: Tensor | None  #       (B, 1, H, W) uint8, the input, if it is not the lightness of `rgb`
    label: Tensor | None  #      (B,) int64, -1 where a photograph has none; None where no photograph has one
    seeds: Sequence[int]  #      (B,) of each sample
    unreadable: Sequence[tuple[str, str]] = ()  # (file, why) of photographs that another one stood in for
    conversions: Sequence[tuple[str, str]] = ()  #    (file, how) of photographs that were not plain 8-bit sRGB


class TrainDataset(Dataset):
    """The pixels of photographs, by `SampleIndex`. The next one stands in for one that cannot be read, which is named.

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
        self.cache: dict[int, tuple[Tensor, list[str]]] = {}
        self.cache_room = CACHE_LIMIT_BYTES

    def open(self, index: int) -> tuple[Tensor, list[str]]:
        if index in self.cache:
            return self.cache[index]
        opened = decode(self.photos[index].read(), self.shorter)
        size = opened[0].numel()
        if size <= self.cache_room and get_worker_info() is None:
            self.cache[index], self.cache_room = opened, self.cache_room - size
        return opened

    def __getitem__(self, index: SampleIndex) -> Sample:
        unreadable = []
        for offset in range(len(self.photos)):
            place = (index.photo + offset) % len(self.photos)
            photo = self.photos[place]
            try:
                whole, conversions = self.open(place)
            except UNREADABLE as error:
                unreadable.append((photo.where, first_line(error)))
                continue
            random = np.random.default_rng(index.seed)
            rgb = self.crop(whole, random)
            grey = None
            if self.look is not None:
                grey = torch.from_numpy(self.look(rgb.permute(1, 2, 0).numpy(), random))[None]
            return rgb, grey, photo.label, index.seed, unreadable, [(photo.where, how) for how in conversions]
        raise UserError(
            f"none of the {len(self.photos)} training photographs can be read, e.g. "
            f"{unreadable[0][0]}: {unreadable[0][1]}"
        )


def group_indices(indices: Iterable[SampleIndex], sizes: Sequence[int]) -> Iterator[list[SampleIndex]]:
    """Batches of these sizes, over and over. (torch's batch samplers would ask for the length of the stream.)"""
    remaining = iter(indices)
    for size in cycle(sizes):
        group = list(islice(remaining, size))
        if len(group) < size:
            return
        yield group


def collate(samples: Sequence[Sample], labelled: bool) -> LoadedBatch:
    rgb, grey, labels, seeds, unreadable, conversions = zip(*samples, strict=True)
    return LoadedBatch(
        torch.stack(rgb),
        None if grey[0] is None else torch.stack(grey),
        torch.tensor(labels) if labelled else None,
        seeds,
        list(chain.from_iterable(unreadable)),
        list(chain.from_iterable(conversions)),
    )


def load_batches(
    dataset: TrainDataset, indices: Iterable[SampleIndex], sizes: Sequence[int], workers: int, *, labelled: bool
) -> Iterator[LoadedBatch]:
    """Batches in the order of `indices`, of these sizes, over and over.

    Raises `UserError` where worker processes have too little shared memory to hand them over.
    """
    loader: DataLoader = DataLoader(
        dataset, batch_sampler=group_indices(indices, sizes), num_workers=workers,
        collate_fn=partial(collate, labelled=labelled), pin_memory=torch.cuda.is_available(),
        worker_init_fn=ignore_stop_signals,
    )  # fmt: skip
    try:
        yield from loader
    except RuntimeError as error:
        if not any(sign in str(error) for sign in SHARED_MEMORY_FULL):
            raise
        raise UserError(
            f"the {workers} processes that load have too little shared memory (/dev/shm): use data.num_workers=0, or "
            "give more (docker run --shm-size=8g, or --ipc=host)"
        ) from error
