"""A reference: a colour photograph whose colours a prediction takes over, region by region. H W picture, N places."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize.imaging.transforms import Upsampling, resize
from colorize.models.encoders import Encoder

ENCODER = "tf_efficientnet_lite0"  # whose ImageNet weights a package carries
REDUCTIONS = (8, 16)
AREA = 2**17  #      pixels at which the encoder looks, so that there are at most some 2000 places
TEMPERATURE = 0.05  # of cosines: places that differ by more are of another region
NOISE = 1.0  #       CIE units²: a variance below it says nothing
LARGEST_GAIN = 2.0


class Places(NamedTuple):
    """What the encoder sees of a photograph, at an eighth of its size."""

    L: Tensor  #        (1, 1, h, w)
    features: Tensor  # (N, C), N = h · w
    ab: Tensor  #       (N, 2)


class Reference:
    """The colours of a photograph, for others: each place of theirs gets mean and standard deviation of a and b from
    the places of the reference that look alike to an encoder (EfficientNet-Lite0, of the grey pictures), as Reinhard et
    al. 2001, "Color Transfer between Images", do it for whole pictures. Where nothing looks alike, all of it counts.
    """

    def __init__(self, L: Tensor, ab: Tensor):
        """L (1, 1, H, W) and ab (1, 2, H, W) of the colour photograph."""
        self.encoder = Encoder(ENCODER, pretrained=True, reductions=REDUCTIONS, freeze=True).eval().to(L.device)
        self.places = self.look(L, ab)

    @torch.no_grad()
    def transfer(self, L: Tensor, ab: Tensor) -> Tensor:
        """L (1, 1, H, W) and the predicted ab (1, 2, H, W) -> ab (1, 2, H, W)"""
        own, other = self.look(L, ab), self.places
        centre = torch.cat([own.features, other.features]).mean(dim=0)
        mean, deviation = local_statistics(own.features - centre, own.features - centre, own.ab)
        wanted_mean, wanted_deviation = local_statistics(own.features - centre, other.features - centre, other.ab)
        gain = (wanted_deviation / deviation).clamp(1 / LARGEST_GAIN, LARGEST_GAIN)
        gain, offset = (self.enlarge(each, own.L, L) for each in (gain, wanted_mean - gain * mean))
        return gain * ab + offset

    def look(self, L: Tensor, ab: Tensor) -> Places:
        share = min(1.0, (AREA / L.numel()) ** 0.5)
        size = [max(16, round(share * side / 16) * 16) for side in L.shape[2:]]
        maps, _ = self.encoder.see_grey(resize(L, size))
        grid = (maps[0].shape[2], maps[0].shape[3])
        alike = [F.normalize(F.interpolate(each, grid, mode="bilinear"), dim=1) for each in maps]
        return Places(resize(L, grid), torch.cat(alike, dim=1).flatten(2)[0].T, resize(ab, grid).flatten(2)[0].T)

    def enlarge(self, values: Tensor, small: Tensor, L: Tensor) -> Tensor:
        """(N, 2) values of the places -> (1, 2, H, W), along the edges of lightness"""
        grid = values.T.reshape(1, 2, *small.shape[2:])
        return Upsampling(small, grid, (L.shape[2], L.shape[3]), "guided").rows(L, 0)


def local_statistics(features: Tensor, others: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (N, 2) of the `ab` (M, 2) of those of `others` (M, C) that look like `features`
    (N, C)."""
    alike = F.normalize(features, dim=1) @ F.normalize(others, dim=1).T
    weights = (alike / TEMPERATURE).softmax(dim=1)
    mean = weights @ ab
    return mean, ((weights @ ab.square() - mean.square()).clamp(min=0) + NOISE).sqrt()
