"""The base class of data sources: photographs to train on and to validate on, and how batches are made of them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import ceil, sqrt
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from colorize.data.collection import Collection, Photo, lines_digest
from colorize.data.duplicates import without_overlap
from colorize.data.findings import read_excluded
from colorize.data.loader import LoadedBatch, SampleIndex, ShardOrder, TrainDataset, load_batches
from colorize.imaging.color import luma
from colorize.imaging.decode import UNREADABLE, open_rgb
from colorize.imaging.transforms import centre_square, random_crop
from colorize.utils.environment import cores_of_process
from colorize.utils.errors import UserError, first_line
from colorize.utils.validation import Crop, Name, NonNegative, Positive, Processes, Side, check_arguments

COUNTED = 4096  # photographs whose bytes are counted to tell one set from another
Look = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # rgb (H, W, 3) uint8 -> grey (H, W) uint8


class DataModule:
    """Training and validation photographs of `size`² pixels; `val_description` says where the latter come from.

    geometry     what of a training photograph is resized to `size`²: a `square` of `crop[0]` to `crop[1]` of the
                 shorter side; that share of both sides, `stretch`; or a rectangle of that share of the `area`
    flip         mirrors half of them
    enhance      colour of training truth as critics and perceptual terms see it: 1 as it is, 1.2 as DDColor has it
    input        the grey that is made of colour: `lab_l`, its lightness, or `luma`, as most programs do
    look         makes the grey of a training photograph look old instead; None: no look. Where it has a method
                 `for_input`, as `Film` has, that gives the look beside the grey of `input`
    exclude      a manifest of `colorize inspect`: what it leaves out of training is left out
    max_bad      training photographs that may be unreadable: a number, or a share below 1, which allows one at least
    num_workers  processes that load; `auto`: none where the CPU trains, else one for each core that this process may
                 use beside the others of its machine, eight at most
    order        makes the order of an epoch, of the numbers of the files that hold the photographs

    `notes` says in sentences what was left out.

    Validation takes the centre square, resized. Raises `UserError` for what is impossible.
    """

    def __init__(
        self,
        train: Collection,
        val: Collection,
        *,
        classes: Sequence[str] = (),
        val_description: str,
        order: Callable[[np.ndarray], ShardOrder] | None = None,
        size: Side = 96,
        geometry: Literal["square", "stretch", "area"] = "square",
        crop: Crop = (0.6, 1.0),
        flip: bool = True,
        enhance: Positive = 1.0,
        input: Literal["lab_l", "luma"] = "lab_l",
        look: Look | None = None,
        exclude: Name | None = None,
        max_bad: NonNegative = 0.01,
        num_workers: Processes | Literal["auto"] = "auto",
    ):
        check_arguments({**locals()}, DataModule, "data")
        if crop[0] > crop[1]:
            raise UserError(f"data.crop is {list(crop)}; it must be two fractions, 0 < low ≤ high ≤ 1")
        self.train = without_overlap(train, val)
        self.notes = list(dict.fromkeys([*train.table.notes, *val.table.notes]))
        if both := len(train) - len(self.train):
            self.notes.append(f"{both} photographs that validate are left out of training")
        if exclude is not None:
            self.train = exclude_listed(self.train, exclude)
        self.val, self.classes, self.val_description = val, list(classes), val_description
        files = self.train.files
        self.order = order(files) if order is not None and files is not None else None
        look = look.for_input(input) if look is not None and hasattr(look, "for_input") else look
        self.size, self.enhance, self.input, self.look = size, enhance, input, look
        self.geometry, self.crop, self.flip = geometry, (crop[0], crop[1]), flip
        self.max_bad = max(1, int(max_bad * len(self.train))) if 0 < max_bad < 1 else int(max_bad)
        self.num_workers, self.unreadable_files = num_workers, self.train.table.unreadable_files
        if self.val.table is not self.train.table and self.val.table.unreadable_files:
            file, why = next(iter(self.val.table.unreadable_files.items()))
            raise UserError(f"validation photographs are missing from {file}: {why}; fetch it again")

    def batches(
        self, draws: Iterable[SampleIndex], sizes: Sequence[int], workers: int, size: int | None = None
    ) -> Iterator[LoadedBatch]:
        """Training batches in the order of `draws`, of so many photographs each, over and over; `size` in pixels."""
        size = size or self.size
        crop = partial(random_crop, size=size, geometry=self.geometry, crop=self.crop, flip=self.flip)
        least = sqrt(self.crop[0]) if self.geometry == "area" else self.crop[0]
        shorter = ceil(size / least)  # pixels of a side that lose nothing in the smallest crop
        dataset = TrainDataset(self.train, shorter, crop, self.look)
        return load_batches(dataset, draws, sizes, workers, labelled=bool(self.classes))

    def centre(self, photo: Photo) -> Tensor:
        """The centre square of a validation photograph: (3, size, size) uint8.

        An unreadable one raises `UserError`: a score over fewer photographs would be another score.
        """
        try:
            square = centre_square(open_rgb(photo.read()), self.size)
        except UNREADABLE as error:
            raise UserError(f"cannot read {photo.where!r}: {first_line(error)}; repair or remove it") from error
        return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()

    def grey(self, rgb: Tensor) -> Tensor | None:
        """(B, 3, H, W) uint8 -> the grey (B, 1, H, W) uint8 to be coloured; None: that of its own lightness."""
        return luma(rgb) if self.input == "luma" else None

    def manifest(self, photos: Collection | None = None) -> str:
        """Identifies what validation measures: the names of its photographs and their size in pixels.

        photos  those of the validation photographs that are looked at; None: all
        """
        return lines_digest([str(self.size).encode()], (self.val if photos is None else photos).lines())

    def fingerprint(self) -> str:
        """Identifies all photographs by name, and which of them train."""
        return lines_digest(self.train.lines(), [], self.val.lines())

    def contents(self) -> str:
        """Identifies all photographs by name, class and bytes: those that lie elsewhere now are known by it.

        The bytes are counted of `COUNTED` photographs at most, evenly spread: a million would take minutes over a
        network.
        """
        return lines_digest(*(part for photos in (self.train, self.val) for part in fingerprint_parts(photos)))

    def workers(self, device: torch.device) -> int:
        if self.num_workers != "auto":
            return int(self.num_workers)
        return 0 if device.type == "cpu" else min(8, cores_of_process(os.environ))


def fingerprint_parts(photos: Collection) -> tuple[Iterable[bytes | memoryview], ...]:
    """Their names, classes, and bytes."""
    every = max(1, ceil(len(photos) / COUNTED))
    lengths = (b"%d\n" % photos[place].length for place in range(0, len(photos), every))
    return photos.lines(), [np.ascontiguousarray(photos.labels).tobytes()], lengths


def exclude_listed(photos: Collection, manifest: str) -> Collection:
    """Raises `UserError` where the manifest is of other photographs, or leaves none."""
    names = read_excluded(manifest)
    kept = photos.without(names)
    if names and len(kept) == len(photos):
        raise UserError(f"nothing that {manifest!r} leaves out is among the training photographs: inspect these")
    if not len(kept):
        raise UserError(f"{manifest!r} leaves out every training photograph")
    return kept
