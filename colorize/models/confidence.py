"""How far predicted colours could be otherwise: the spread of several answers of a network. H W picture."""

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


@torch.no_grad()
def color_spread(model: Colorizer, L: Tensor, answers: Sequence[Tensor], *, key: str = "confidence") -> Tensor:
    """The root mean square distance of answers from their mean: (1, 1, H, W) in CIE units of the ab plane.

    L        (1, 1, H, W) lightness, 0…100
    answers  what the network has said of it already, (1, 2, H, W) each. A network that draws is asked until there are
             `DRAWS`; of any other the first counts, with its answers to the photograph flipped, shifted and at other
             sizes (`VIEWS`)
    key      of the further draws
    """
    if model.stochastic:
        more = range(len(answers), DRAWS)
        every = [*answers, *(model.colorize(L, [generator_of(key, i)], check=False) for i in more)]
    else:
        every = [answers[0], *(view.colorize(model, L) for view in VIEWS)]
    stack = torch.cat(every)
    return (stack - stack.mean(dim=0)).square().sum(dim=1, keepdim=True).mean(dim=0, keepdim=True).sqrt()
