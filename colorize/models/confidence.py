"""How far predicted colours may be from the true ones: the spread of several answers of a network, and what it leaves
out. H W picture."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize.imaging.transforms import resize
from colorize.models.base import Colorizer
from colorize.utils.seeds import generator_of

DRAWS = 8  # of a network that draws


class View(NamedTuple):
    """The same photograph, as a network may as well be shown it."""

    flip: bool = False
    shift: int = 0  #     pixels to the right and down; the border is repeated
    scale: float = 1.0

    def colorize(self, model: Colorizer, L: Tensor) -> Tensor:
        """L (1, 1, H, W) -> ab (1, 2, H, W), mapped back"""
        size = (L.shape[2], L.shape[3])
        seen = resize(L, [max(1, round(self.scale * side)) for side in size]) if self.scale != 1 else L
        seen = F.pad(seen, (self.shift, 0, self.shift, 0), mode="replicate")
        seen = seen.flip(-1) if self.flip else seen
        ab = model.colorize(seen, check=False)
        ab = (ab.flip(-1) if self.flip else ab)[..., self.shift :, self.shift :]
        return resize(ab, size) if self.scale != 1 else ab


VIEWS = (View(flip=True), View(shift=13), View(scale=0.75), View(scale=1.25), View(flip=True, shift=7, scale=0.9))


CHROMA = 0.25  # of the error per CIE unit of predicted chroma: strong colours err more
UNKNOWN = 20.0  # CIE units of error that no answer shows, halfway between black and white


@torch.no_grad()
def several_answers(model: Colorizer, L: Tensor, answers: Sequence[Tensor], *, key: str = "confidence") -> Tensor:
    """A network's answers to one photograph as it may as well be asked: (N, 2, H, W), the first given one first.

    L        (1, 1, H, W) lightness, 0…100
    answers  what the network has said of it already, (1, 2, H, W) each. A network that draws is asked until there are
             `DRAWS`; of any other the first counts, with its answers to the photograph flipped, shifted and at other
             sizes (`VIEWS`)
    key      of the further draws
    """
    if model.stochastic:
        more = range(len(answers), DRAWS)
        return torch.cat([*answers, *(model.colorize(L, [generator_of(key, i)], check=False) for i in more)])
    return torch.cat([answers[0], *(view.colorize(model, L) for view in VIEWS)])


def color_spread(answers: Tensor) -> Tensor:
    """(N, 2, H, W) -> the root mean square distance of answers from their mean: (1, 1, H, W) in CIE units."""
    return _length(answers - answers.mean(dim=0)).square().mean(dim=0, keepdim=True).sqrt()


def expected_error(L: Tensor, answers: Tensor) -> Tensor:
    """L (1, 1, H, W) and a network's answers (N, 2, H, W) -> how far from the true colours its own may be: (1, 1, H, W)
    in CIE units of the ab plane.

    The root of the sum of three squares: the spread s of the answers; a share of the chroma c of the first; and what
    cannot be seen in them, which is most in the middle tones and nothing in black and white, where sRGB has grey alone:

        √(s² + (c / 4)² + (20 · 4 t (1 − t))²),  t = L / 100

    The numbers are not fitted to a network. Of 15 weights and sets of photographs they were those among 64 with which
    the pixels of the last tenth by this value err most, compared with those of the first, where that is least; the mean
    is near the mean error (benchmarks/confidence.py).
    """
    t = L / 100
    unseen = UNKNOWN * 4 * t * (1 - t)
    return (color_spread(answers).square() + (CHROMA * _length(answers[:1])).square() + unseen.square()).sqrt()


def _length(ab: Tensor) -> Tensor:
    return ab.norm(dim=1, keepdim=True)
