"""Two lists of photographs, one to train on and one to validate on, and the geometry that makes pixels of them."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from colorize.data.transforms import centre_square, open_rgb, open_small, random_square
from colorize.errors import UserError
from colorize.signals import STOPPING


class Photo(NamedTuple):
    path: Path
    name: str  #       relative to its folder, with "/" on every system
    label: int = -1  # class index; -1: none


class Draw(NamedTuple):
    """One place in the stream of training samples."""

    photo: int  # which photograph
    seed: int  #  of its augmentation, and of what else is drawn for it


class Pixels(NamedTuple):
    """A batch as the workers deliver it."""

    rgb: Tensor  #               (B, 3, H, W) uint8
    label: Tensor | None  #      (B,) int64, -1 where a photograph has none; None where no photograph has one
    seeds: Sequence[int]  #      (B,) of each sample
    unreadable: Sequence[tuple[str, str]] = ()  # (file, why) of photographs that another one stood in for


class Photographs:
    """Training and validation photographs of `size`² pixels; `held_back` says in words where the latter come from.

    Training: a random square of `crop[0]` to `crop[1]` of the shorter side, resized (antialiased), flipped half of
    the time; with `stretch`, that share of both sides. Validation: the centre square, resized.
    `num_workers: auto` loads in the training process where that trains on the CPU anyway, else with one worker for
    each core, eight at most.
    """

    def __init__(
        self,
        train: Sequence[Photo],
        val: Sequence[Photo],
        *,
        classes: Sequence[str] = (),
        held_back: str,
        size: int = 96,
        crop: tuple[float, float] = (0.6, 1.0),
        flip: bool = True,
        stretch: bool = False,
        num_workers: int | str = "auto",
    ):
        if size < 32:
            raise UserError(f"data.size is {size}; the smallest picture that every network takes is 32")
        if not 0 < crop[0] <= crop[1] <= 1:
            raise UserError(
                f"data.crop is {list(crop)}; it must be two fractions of the shorter side, 0 < low ≤ high ≤ 1"
            )
        if num_workers != "auto" and (not isinstance(num_workers, int) or num_workers < 0):
            raise UserError(f"data.num_workers is {num_workers!r}; it must be 'auto' or a number from 0 up")
        self.train, self.val, self.classes = list(train), list(val), list(classes)
        self.size, self.num_workers, self.held_back = size, num_workers, held_back
        self.geometry: dict[str, Any] = {"crop": (crop[0], crop[1]), "flip": flip, "stretch": stretch}

    def batches(
        self, draws: Iterable[Draw], sizes: Sequence[int], workers: int, size: int | None = None
    ) -> Iterator[Pixels]:
        """Training batches in the order of `draws`, of so many photographs each, over and over; `size` in pixels."""
        size = size or self.size
        shorter = ceil(size / self.geometry["crop"][0])  # pixels of a side that lose nothing in the smallest crop
        augment = partial(random_square, size=size, **self.geometry)
        dataset = TrainingSet(self.train, shorter, augment, labelled=bool(self.classes))
        loader = DataLoader(
            dataset, batch_sampler=_Groups(draws, sizes), num_workers=workers, collate_fn=_collate,
            pin_memory=torch.cuda.is_available(), worker_init_fn=_leave_signals_to_the_parent,
        )  # fmt: skip
        return iter(loader)

    def validation(self, batch_size: int, part: slice = slice(None)) -> Iterator[Tensor]:
        """The centre squares of the validation photographs, or of a part, in order: (B, 3, size, size) uint8.

        An unreadable one raises `UserError`: a score over fewer photographs would be another score.
        """
        photos = self.val[part]
        for start in range(0, len(photos), batch_size):
            yield torch.stack([self.centre(photo) for photo in photos[start : start + batch_size]])

    def centre(self, photo: Photo) -> Tensor:
        """(3, size, size) uint8"""
        try:
            return _tensor(centre_square(open_rgb(photo.path), self.size))
        except UNREADABLE as error:
            raise UserError(f"cannot read {str(photo.path)!r}: {_short(error)}; mend it or take it away") from error

    def manifest(self) -> str:
        """Identifies what validation measures: the names of its photographs and their size in pixels."""
        return _digest(self.size, *(photo.name for photo in self.val))

    def fingerprint(self) -> str:
        """Identifies all photographs by name, and which of them train."""
        return _digest(*(photo.name for photo in self.train), "", *(photo.name for photo in self.val))

    def workers(self, device: torch.device) -> int:
        if self.num_workers != "auto":
            return int(self.num_workers)
        return 0 if device.type == "cpu" else min(8, torch.multiprocessing.cpu_count())


class TrainingSet(Dataset):
    """Turns draws into pixels. A photograph that cannot be read is replaced by the next one that can, and named.

    Photographs are shrunk before anything else, and kept like that while there is room; not in worker processes, of
    which each would keep its own.
    """

    def __init__(self, photos: Sequence[Photo], shorter: int, augment, *, labelled: bool):
        self.photos, self.shorter, self.augment, self.labelled = photos, shorter, augment, labelled
        self.kept: dict[int, Image.Image] = {}
        self.room = KEEP_BELOW

    def open(self, index: int) -> Image.Image:
        if index in self.kept:
            return self.kept[index]
        image = open_small(self.photos[index].path, self.shorter)
        size = 3 * image.width * image.height
        if size <= self.room and get_worker_info() is None:
            self.kept[index], self.room = image, self.room - size
        return image

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int | None, int, list[tuple[str, str]]]:
        unreadable = []
        for offset in range(len(self.photos)):
            index = (draw.photo + offset) % len(self.photos)
            photo = self.photos[index]
            try:
                square = self.augment(self.open(index), np.random.default_rng(draw.seed))
            except UNREADABLE as error:
                unreadable.append((str(photo.path), _short(error)))
                continue
            return _tensor(square), photo.label if self.labelled else None, draw.seed, unreadable
        raise UserError(
            f"none of the {len(self.photos)} training photographs can be read, e.g. "
            f"{unreadable[0][0]}: {unreadable[0][1]}"
        )


KEEP_BELOW = 2**29  # bytes of shrunk training photographs that are kept in memory

# What Pillow raises for files that are cut short, empty, of another kind, broken inside, or absurdly large.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError)


class _Groups:
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


def _leave_signals_to_the_parent(worker: int) -> None:
    """A terminal and a scheduler send their signals to every process; the parent wants to finish its step first."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _collate(samples) -> Pixels:
    rgb, labels, seeds, unreadable = zip(*samples, strict=True)
    label = None if labels[0] is None else torch.tensor(labels)
    return Pixels(torch.stack(rgb), label, seeds, [name for names in unreadable for name in names])


def _digest(*lines: object) -> str:
    return sha256("\n".join(map(str, lines)).encode()).hexdigest()[:16]


def _tensor(image) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the array is Pillow's and read-only; nothing writes to it
        return torch.from_numpy(np.asarray(image)).permute(2, 0, 1).contiguous()


def _short(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
