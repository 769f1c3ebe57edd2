"""The photographs that validation while training looks at: their pixels, in order, read ahead by worker processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from colorize.data.collection import Collection
from colorize.data.datamodule import DataModule
from colorize.data.sources import SHIPPED, EvaluationOnly, black_and_white, by_hash
from colorize.imaging.transforms import centre_square
from colorize.metrics.perceptual import imagenet_indices
from colorize.utils.errors import UserError


@dataclass(frozen=True)
class ValidationSet:
    """The photographs of a validator, as squares of one size.

    names   of the photographs
    read    place -> (3, S, S) uint8
    truth   whether their colours are true; else they are black and white
    grey    (B, 3, S, S) uint8 -> the grey (B, 1, S, S) uint8 to be coloured; None: that of its own lightness
    seed    what each photograph's own chance is drawn from, besides its place
    workers   processes that read photographs ahead, on a device
    manifest  identifies the photographs and their size
    labels    (n,) index of each photograph among ImageNet's classes, -1 where it has none; None: none has one
    """

    names: Sequence[str]
    read: Callable[[int], Tensor]
    truth: bool = True
    grey: Callable[[Tensor], Tensor | None] = lambda rgb: None
    seed: str = "evaluate"
    workers: Callable[[torch.device], int] = lambda device: 0
    manifest: str = ""
    labels: Tensor | None = None


def squares_of(photographs: DataModule, photos: Collection) -> ValidationSet:
    """The centre squares of `photos`, at the size and with the input of the training data."""
    return ValidationSet(
        list(photos.names()), partial(_read_square, photographs, photos), grey=photographs.grey,
        workers=photographs.workers, manifest=photographs.manifest(photos),
        labels=imagenet_labels(photographs.classes, photos),
    )  # fmt: skip


def _read_square(photographs: DataModule, photos: Collection, place: int) -> Tensor:
    return photographs.centre(photos[place])


def imagenet_labels(classes: Sequence[str], photos: Collection) -> Tensor | None:
    """(n,) as in `ValidationSet`; of data whose classes are WordNet ids."""
    known = [imagenet_indices().get(name, -1) for name in classes]
    found = [known[label] if label >= 0 else -1 for label in photos.labels.tolist()] if known else []
    return torch.tensor(found) if any(label >= 0 for label in found) else None


def black_and_white_squares(folder: str | None, size: int, count: int) -> ValidationSet:
    """The centre squares of `count` photographs of a folder, or of those that come with the package: those whose names
    have the smallest hashes, in the order of their names.

    Raises `UserError` where the folder has none, or has colour photographs.
    """
    source = EvaluationOnly(folder or SHIPPED, black_and_white)
    source.photos = first_by_hash(source.photos, count)
    photos = list(source)
    squares = [np.array(centre_square(Image.fromarray(photo.grey), size).convert("RGB")) for photo in photos]
    grey = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()
    return ValidationSet([photo.name for photo in photos], grey.__getitem__, truth=False, seed="historical")


def first_by_hash(photos: Collection, count: int | None) -> Collection:
    """`count` of them at most, those whose names have the smallest hashes, in their own order."""
    return photos if count is None or count >= len(photos) else photos.select(np.sort(by_hash(photos)[:count]))


@dataclass(frozen=True)
class _Squares(Dataset):
    """For a loader: an error of the user's comes back whole, as a worker process would wrap it."""

    read: Callable[[int], Tensor]

    def __getitem__(self, place: int) -> Tensor | UserError:
        try:
            return self.read(place)
        except UserError as error:
            return error
