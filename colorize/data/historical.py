"""Old photographs to judge a network by, never to train it on: black-and-white ones, and two kinds in period colour.

Everything is read when its turn comes: a folder may be larger than the memory. H W picture.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from colorize.color import lightness_to_rgb, rgb_to_lab, to_uint8
from colorize.data.collection import Collection, Photo
from colorize.data.decode import open_rgb
from colorize.data.listing import list_folder
from colorize.data.plates import BALANCES, compose, open_scan
from colorize.errors import UserError
from colorize.home import at_home
from colorize.ranges import Name, Side

SHIPPED = Path(__file__).parent / "historical"
CREDITS = "CREDITS.tsv"
COLOURFUL = 5.0  #                          CIE units between a pixel's a and b and those usual for its lightness
LEVELS = 20  #                              of lightness
STRIP = 2**20  #                            pixels that are converted at a time


class HistoricalPhoto(NamedTuple):
    name: str  #              relative to its folder, with "/" on every system
    rgb: np.ndarray | None  # (H, W, 3) uint8 sRGB, its true colours; None where nobody knows them
    grey: np.ndarray  #       (H, W) uint8, what is to be coloured
    credit: str  #            from CREDITS.tsv beside it; empty where there is none


class EvaluationOnly:
    """Photographs of `root` in the order of their names, read lazily by `read`; none to train on.

    `option` is its name in `conf/data`, `size` the side in pixels at which they are scored.
    """

    def __init__(self, root: str | Path, read: Callable[[Photo, str], HistoricalPhoto], *, option: str, size: int):
        self.option, self.size = option, size
        self.photos = Collection(list_folder(root))
        self.read = read
        self.credits = read_credits(at_home(root) / CREDITS)

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[HistoricalPhoto]:
        for photo in self.photos:
            try:
                yield self.read(photo, self.credits.get(photo.name, ""))
            except UserError as error:
                raise UserError(f"cannot use {str(photo.path)!r}: {error}") from error


class Historical(EvaluationOnly):
    """Black-and-white photographs of a folder; without one, those that come with the package. Nobody knows the truth.

    Raises `UserError` for a folder without photographs and, in its turn, for a file that cannot be read.
    """

    def __init__(self, root: Name | None = None, *, size: Side = 256):
        super().__init__(SHIPPED if root is None else root, black_and_white, option="historical", size=size)


class Plates(EvaluationOnly):
    """Photographs in the colours of their time: scans of three exposures below each other, and composed ones.

    A grey picture is taken for a scan, and its blue exposure is the input; a coloured one for a composed photograph,
    and its lightness is the input. `balance` is that of `colorize.data.plates.compose`.
    """

    def __init__(self, root: Name, *, balance: Literal["none", "percentile"] = "percentile", size: Side = 256):
        if balance not in BALANCES:
            raise UserError(f"data.balance is {balance!r}; it must be one of {', '.join(BALANCES)}")
        self.balance = balance
        super().__init__(root, self.either, option="plates", size=size)

    def either(self, photo: Photo, credit: str) -> HistoricalPhoto:
        pixels = np.asarray(open_rgb(photo.path))
        if is_colourful(pixels):
            return HistoricalPhoto(photo.name, pixels, grey_of(pixels), credit)
        return plate(photo, credit, self.balance)


def read_black_and_white(folder: str | Path) -> Iterator[HistoricalPhoto]:
    """Grey or toned photographs, without truth."""
    return iter(EvaluationOnly(folder, black_and_white, option="historical", size=256))


def read_colour(folder: str | Path) -> Iterator[HistoricalPhoto]:
    """Photographs in period colour that are composed already; the input is their lightness."""
    return iter(EvaluationOnly(folder, in_colour, option="plates", size=256))


def read_plates(folder: str | Path, *, balance: str = "percentile") -> Iterator[HistoricalPhoto]:
    """Scans of three exposures below each other; the truth is their composite, the input the blue exposure."""
    return iter(EvaluationOnly(folder, lambda photo, credit: plate(photo, credit, balance), option="plates", size=256))


def black_and_white(photo: Photo, credit: str) -> HistoricalPhoto:
    pixels = np.asarray(open_rgb(photo.path))
    if is_colourful(pixels):
        raise UserError("it is a colour photograph, and the folder is for black-and-white ones")
    return HistoricalPhoto(photo.name, None, grey_of(pixels), credit)


def in_colour(photo: Photo, credit: str) -> HistoricalPhoto:
    pixels = np.asarray(open_rgb(photo.path))
    return HistoricalPhoto(photo.name, pixels, grey_of(pixels), credit)


def plate(photo: Photo, credit: str, balance: str) -> HistoricalPhoto:
    composed = compose(open_scan(photo.path), balance=balance)
    return HistoricalPhoto(photo.name, composed.rgb, composed.blue, credit)


def strips(pixels: np.ndarray) -> Iterator[torch.Tensor]:
    """(H, W, 3) uint8 -> Lab (3, rows, W), from the top."""
    rows = max(1, STRIP // pixels.shape[1])
    for first in range(0, len(pixels), rows):
        yield rgb_to_lab(torch.from_numpy(pixels[first : first + rows].copy()).permute(2, 0, 1))


def grey_of(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) uint8, the grey of the same CIE lightness: sepia loses its tone and nothing else."""
    return torch.cat([to_uint8(lightness_to_rgb(lab[:1]))[0] for lab in strips(pixels)]).numpy()


def is_colourful(pixels: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 shows several colours: a and b that lightness does not tell, as a print's tone does."""
    lab = torch.cat([strip[:, ::4, ::4].flatten(1) for strip in strips(pixels)], dim=1)  # (3, N)
    level = (lab[0] * (LEVELS / 100.001)).long().clamp(0, LEVELS - 1)
    count = torch.bincount(level, minlength=LEVELS).clamp(min=1)
    tone = torch.stack([torch.bincount(level, weights=row, minlength=LEVELS) / count for row in lab[1:]])  # (2, LEVELS)
    return float((lab[1:] - tone[:, level]).norm(dim=0).mean()) > COLOURFUL


def read_credits(path: Path) -> dict[str, str]:
    """File -> title, photographer, year and rights in a line; empty where there is no such list."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    parts = ("title", "photographer", "year", "rights")
    return {row["file"]: ", ".join(row[part] for part in parts if row.get(part)) for row in rows if row.get("file")}
