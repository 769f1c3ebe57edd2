"""From photographs' files to batches as a protocol measures them. B batch, H W picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.data.collection import Photo
from colorize.data.sources import black_and_white, plate
from colorize.evaluation.protocol import INPUTS, Protocol
from colorize.imaging.color import grey_to_lightness, lab_to_rgb, rgb_to_lab, to_uint8
from colorize.imaging.decode import UNREADABLE, open_rgb
from colorize.imaging.gamut import into_gamut
from colorize.imaging.image_io import open_photograph
from colorize.imaging.plates import is_composed
from colorize.imaging.transforms import placement, resize_to
from colorize.metrics.metric import Pair, Picture
from colorize.metrics.perceptual import imagenet_indices
from colorize.utils.errors import UserError, first_line


class EvalImage(NamedTuple):
    """A photograph at the protocol's size.

    rgb   (3, H, W) ground truth: uint8, or float in 0…1 where the filter does not round; None: unknown
    grey  (1, H, W) likewise: a period exposure, or a photograph without colours
    """

    name: str
    rgb: Tensor | None
    grey: Tensor | None


def read_eval_image(photo: Photo, protocol: Protocol) -> EvalImage:
    """Raises `UserError` for a photograph that cannot be read: a score over fewer would be another score."""
    try:
        rgb, grey = READ[protocol.reader](photo)
        height, width = (rgb if rgb is not None else grey).shape[:2]  # type: ignore[union-attr]
        assert protocol.size is not None
        box, size = placement(width, height, protocol.geometry, protocol.size)
        parts = [None if part is None else resize_to(part, box, size, protocol.filter) for part in (rgb, grey)]
    except UNREADABLE as error:
        raise UserError(f"cannot read {photo.where!r}: {first_line(error)}; repair or remove it") from error
    return EvalImage(photo.name, *parts)


def _period(photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """Ground truth and the blue exposure; of a photograph that is composed already, its blue channel."""
    pixels = open_photograph(photo.path).rgb
    if is_composed(pixels):
        return pixels, pixels[..., 2]
    composed = plate(photo)
    assert composed.rgb is not None
    return composed.rgb, composed.grey


READ: dict[str, Callable[[Photo], tuple[np.ndarray | None, np.ndarray | None]]] = {
    "photographs": lambda photo: (np.asarray(open_rgb(photo.read())), None),
    "black_and_white": lambda photo: (None, black_and_white(photo).grey),
    "period": _period,
}


@dataclass(frozen=True)
class EvalBatch:
    """Photographs of one size on a device.

    places  index of each in its set, which its random numbers depend on
    L       (B, 1, H, W) lightness that predictions get
    ab      (B, 2, H, W) ground truth; None where it is unknown
    true    the ground truth as metrics see it; None likewise
    grey    (B, 1, H, W) lightness of a period exposure, where there is one
    """

    places: Sequence[int]
    names: Sequence[str]
    labels: Sequence[str]
    protocol: Protocol
    L: Tensor
    ab: Tensor | None = None
    true: Picture | None = None
    grey: Tensor | None = None

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """Name in `INPUTS` -> lightness (B, 1, H, W) that a network is shown."""
        if self.true is None:  # the protocol has no other input then
            return {"lab_l": self.L}
        return {name: INPUTS[name].lightness(self.L, self.true.pixels, self.grey) for name in self.protocol.input}

    def pixels_of(self, ab: Tensor) -> Picture:
        """8-bit pixels with this ab (B, 2, H, W), rounded and brought into the gamut as the protocol has it. Where they
        are the ground truth's, it is the very picture, of which much is known."""
        rgb, outside = into_gamut(self.L, ab, self.protocol.gamut)
        pixels = (rgb * 255).byte() if self.protocol.rounding == "truncate" else to_uint8(rgb)
        picture = Picture(pixels)
        if self.true is not None and torch.equal(pixels, self.true.pixels):
            picture = self.true
        picture.once(("outside", ab), lambda: outside)
        return picture

    def pair(self, picture: Picture, ab: Tensor | None = None, samples: Tensor | None = None) -> Pair:
        """What metrics get: a prediction, its ab (B, 2, H, W) in CIE units before it became pixels, if there is any,
        other samples (K, B, 3, H, W) uint8 of a stochastic model, and the ground truth."""
        return Pair(picture, self.true, L=self.L, ab=ab, label=self._imagenet_labels(), samples=samples)

    def _imagenet_labels(self) -> Tensor | None:
        """(B,); None where no photograph has a class of ImageNet's."""
        found = [imagenet_indices().get(label, -1) for label in self.labels]
        return torch.tensor(found) if any(index >= 0 for index in found) else None


def make_eval_batch(
    images: Sequence[EvalImage], labels: Sequence[str], first: int, protocol: Protocol, device: torch.device
) -> EvalBatch:
    """Images of one size; `first` is the index of the first of them."""
    places, names = range(first, first + len(images)), [image.name for image in images]
    grey = _stacked([image.grey for image in images], device)
    rgb = _stacked([image.rgb for image in images], device)
    exposure = None if grey is None else grey_to_lightness(grey)
    if rgb is None:
        assert exposure is not None
        return EvalBatch(places, names, labels, protocol, exposure)
    lab = rgb_to_lab(rgb)
    batch = EvalBatch(places, names, labels, protocol, lab[:, :1], lab[:, 1:], grey=exposure)
    true = lab_to_rgb(batch.L, lab[:, 1:]) if protocol.truth == "lab_roundtrip" else rgb
    picture = Picture(true if true.dtype == torch.uint8 else to_uint8(true))
    if picture.pixels is rgb:
        picture.lab = lab  # as its own conversion would have it
    return replace(batch, true=picture)


def _stacked(parts: Sequence[Tensor | None], device: torch.device) -> Tensor | None:
    return None if parts[0] is None else torch.stack(parts).to(device)  # type: ignore[arg-type]
