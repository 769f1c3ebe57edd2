"""Hints: pixels of a photograph whose colour is given, in pictures or as spots. H W photograph, N hinted pixels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval, Len
from torch import Tensor

from colorize.imaging.color import rgb_to_lab
from colorize.imaging.image_io import open_photograph
from colorize.utils.errors import UserError, first_line
from colorize.utils.validation import NonNegative, check_arguments

OPAQUE = 255
SPOTS = 'a list of {x, y, rgb, radius}, such as [{"x": 120, "y": 80, "rgb": [180, 40, 40], "radius": 6}]'
Level = Annotated[int, Interval(ge=0, le=255)]


@dataclass(frozen=True)
class Spot:
    """A disc of one colour.

    x, y    its centre, in pixels from the left and from the top: 0, 0 is the middle of the first pixel
    rgb     sRGB, 0…255
    radius  in pixels; 0: one pixel
    """

    x: float
    y: float
    rgb: Annotated[Sequence[Level], Len(3, 3)]
    radius: NonNegative = 0.0

    def places(self, size: tuple[int, int]) -> np.ndarray:
        """The pixels of a photograph of `size` (H, W) that it covers: (N,) row · W + column, its own first."""
        height, width = size
        column, row = round(self.x), round(self.y)
        left, right = (int(max(0, min(width - 1, column + sign * self.radius))) for sign in (-1, 1))
        top, bottom = (int(max(0, min(height - 1, row + sign * self.radius))) for sign in (-1, 1))
        rows, columns = np.mgrid[top : bottom + 1, left : right + 1]
        covered = (rows - self.y) ** 2 + (columns - self.x) ** 2 <= self.radius**2
        return np.union1d((rows * width + columns)[covered], row * width + column)


@dataclass(frozen=True)
class Hints:
    """Colours of single pixels: their lightness is the photograph's, whatever the hint's was.

    Only the hinted pixels are held, so that hints of a large photograph take little memory.
    """

    size: tuple[int, int]  # H, W
    places: np.ndarray  #    (N,) row · W + column, ascending, each once
    ab: Tensor  #            (N, 2) CIE units

    @classmethod
    def of_picture(cls, rgb: np.ndarray, alpha: np.ndarray | None) -> "Hints":
        """`rgb` (H, W, 3) and `alpha` (H, W), uint8: its opaque pixels. Raises `UserError` where there are none, and
        where all are: that is a picture, and no hint."""
        opaque = np.ones(rgb.shape[:2], bool) if alpha is None else alpha == OPAQUE
        if opaque.all() or not opaque.any():
            found = "is opaque everywhere" if opaque.all() else "has no opaque pixel"
            raise UserError(f"it {found}: its opaque pixels are the hints, and all others must be transparent")
        places = np.flatnonzero(opaque)
        return cls((rgb.shape[0], rgb.shape[1]), places, ab_of(rgb.reshape(-1, 3)[places]))

    @classmethod
    def of_spots(cls, spots: Sequence[Spot], size: tuple[int, int]) -> "Hints":
        """Where two lie on each other, the later one counts. Raises `UserError` for one outside the photograph."""
        for i, spot in enumerate(spots):
            if not (0 <= round(spot.x) < size[1] and 0 <= round(spot.y) < size[0]):
                raise UserError(
                    f"hint {i + 1} lies at x={spot.x:g}, y={spot.y:g}, outside the photograph of {size[1]}×{size[0]}"
                )
        covered = [spot.places(size) for spot in reversed(spots)]
        places, first = np.unique(np.concatenate(covered), return_index=True)
        colors = np.repeat([spot.rgb for spot in reversed(spots)], [len(each) for each in covered], axis=0)
        return cls(size, places, ab_of(colors[first].astype(np.uint8)))

    def resized(self, size: tuple[int, int]) -> "Hints":
        """For the photograph at another size: a pixel that holds several has their mean."""
        (height, width), (old_height, old_width) = size, self.size
        if height > old_height or width > old_width:
            rows, columns = np.arange(height) * old_height // height, np.arange(width) * old_width // width
            whole = (rows[:, None] * old_width + columns).ravel()
            at = np.searchsorted(self.places, whole).clip(max=len(self.places) - 1)
            found = np.flatnonzero(self.places[at] == whole)
            return Hints(size, found, self.ab[torch.from_numpy(at[found])])
        rows, columns = self.places // old_width * height // old_height, self.places % old_width * width // old_width
        places, which = np.unique(rows * width + columns, return_inverse=True)
        sums = torch.zeros(len(places), 2).index_add_(0, torch.from_numpy(which.ravel()), self.ab)
        return Hints(size, places, sums / torch.from_numpy(np.bincount(which.ravel()))[:, None])

    def put(self, ab: Tensor, first: int = 0) -> Tensor:
        """`ab` (1, 2, n, W) of the rows from `first` on, in which the hinted pixels get their colours."""
        width = self.size[1]
        low, high = np.searchsorted(self.places, [first * width, (first + ab.shape[2]) * width])
        places = torch.from_numpy(self.places[low:high] - first * width).to(ab.device)
        ab[0, :, places // width, places % width] = self.ab[low:high].T.to(ab)
        return ab


def ab_of(rgb: np.ndarray) -> Tensor:
    """sRGB (N, 3) uint8 -> ab (N, 2)"""
    return rgb_to_lab(torch.from_numpy(rgb.copy()).T[..., None])[1:, :, 0].T.contiguous()


def parse_spots(found: Any) -> list[Spot]:
    """Plain values, as JSON has them. Raises `UserError` for what is no list of spots."""
    if not isinstance(found, Sequence) or not found or not all(isinstance(each, Mapping | Spot) for each in found):
        raise UserError(f"hints must be {SPOTS}")
    given = [asdict(each) if isinstance(each, Spot) else dict(each) for each in found]
    for i, each in enumerate(given):
        hint = f"hint {i + 1}"
        if unknown := [name for name in each if name not in Spot.__annotations__]:
            raise UserError(f"{hint} has {unknown[0]!r}: use {', '.join(Spot.__annotations__)}")
        if missing := [name for name in ("x", "y", "rgb") if name not in each]:
            raise UserError(f"{hint} has no {missing[0]!r}: hints must be {SPOTS}")
        levels = each["rgb"] if isinstance(each["rgb"], list | tuple) else []
        if wrong := [level for level in levels if isinstance(level, int | float) and not 0 <= level <= 255]:
            raise UserError(f"{hint}: rgb holds {wrong[0]}; each number must be from 0 to 255")
        try:
            check_arguments(each, Spot, "")
        except UserError as error:
            raise UserError(f"{hint}: {error}") from error
    return [Spot(**each) for each in given]


def to_hints(hints: "Hints | Tensor | np.ndarray | Sequence[Any]", size: tuple[int, int]) -> Hints:
    """Hints for a photograph of `size` (H, W), of what a caller has: a picture with transparency, uint8 (4, H, W), or
    spots, `Spot` or {x, y, rgb, radius}. Raises `UserError` for hints of another size or outside the photograph."""
    if isinstance(hints, Tensor | np.ndarray):
        picture = np.asarray(hints.cpu() if isinstance(hints, Tensor) else hints)
        if picture.dtype != np.uint8 or picture.ndim != 3 or len(picture) != 4:
            raise UserError(
                f"a picture of hints must be uint8 (4, H, W), sRGB and opacity; it is {picture.dtype} {picture.shape}"
            )
        hints = Hints.of_picture(np.moveaxis(picture[:3], 0, -1), picture[3])
    elif not isinstance(hints, Hints):
        hints = Hints.of_spots(parse_spots(hints), size)
    if tuple(hints.size) != tuple(size):
        (height, width), (own_height, own_width) = size, hints.size
        raise UserError(f"the hints have {own_width}×{own_height} pixels, and the photograph {width}×{height}")
    return hints


def read_hints(path: Path, size: tuple[int, int]) -> Hints:
    """Hints for a photograph of `size` (H, W), upright: a picture of that size whose opaque pixels are the colours, or
    JSON, a list of {x, y, rgb, radius}.

    Raises `UserError`, which names the file, for what is neither and for hints that do not fit the photograph.
    """
    try:
        if path.suffix.lower() == ".json":
            return to_hints(json.loads(path.read_text(encoding="utf-8")), size)
        picture = open_photograph(path)
        alpha = None if picture.alpha is None else np.asarray(picture.alpha)
        return to_hints(Hints.of_picture(picture.rgb, alpha), size)
    except UserError as error:
        raise UserError(f"hints {str(path)!r}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"hints {str(path)!r}: it is no JSON ({first_line(error)}); it must be {SPOTS}") from error
