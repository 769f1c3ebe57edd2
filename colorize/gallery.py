"""Old photographs that a run paints at every evaluation, beside those that it is scored on. N of them, H W picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.batch import Batch
from colorize.color import lab_to_rgb, lightness_to_rgb, to_uint8
from colorize.data.historical import Historical
from colorize.data.sources import by_hash
from colorize.data.transforms import centre_square
from colorize.evaluate import Paint
from colorize.metrics import Colorfulness, MeanChroma, Metric, Pair, Picture
from colorize.pictures import sample_grid
from colorize.seeds import seed_of


class Gallery:
    """A few black-and-white photographs, whose true colours nobody knows: their centre squares at `size`².

    names   of the photographs, for captions
    grey    (N, 3, size, size) uint8
    """

    def __init__(self, names: Sequence[str], grey: Tensor):
        self.names, self.grey = list(names), grey
        self.metrics: dict[str, Metric] = {"colorfulness": Colorfulness(), "chroma_mean": MeanChroma()}

    @torch.no_grad()
    def score(self, paint: Paint, device: torch.device, batch_size: int) -> tuple[dict[str, float], Image.Image]:
        """How colourful they are painted, and a grid: grey, painted. Each sees the same chance every time."""
        for metric in self.metrics.values():
            metric.reset()
        shown, painted = [], []
        for place, few in enumerate(self.grey.split(batch_size)):
            L = Batch.from_rgb(few.to(device)).L
            chances = [
                torch.Generator().manual_seed(seed_of("historical", place * batch_size + i)) for i in range(len(few))
            ]
            ab = paint(L, chances)
            painted.append(to_uint8(lab_to_rgb(L, ab)))
            shown.append(to_uint8(lightness_to_rgb(L)))
            for metric in self.metrics.values():
                metric.add(Pair(Picture(painted[-1]), L=L, ab=ab))
        grid = sample_grid({"grey input": torch.cat(shown), "prediction": torch.cat(painted)}, self.names)
        return {name: metric.compute() for name, metric in self.metrics.items()}, grid


def open_gallery(historical: bool | str | None, size: int, samples: int) -> Gallery | None:
    """`samples` photographs of a folder, or with True of those that come with the package: those whose names have the
    smallest hashes, in the order of their names. Else None.

    Raises `UserError` where the folder has none, or has colour photographs.
    """
    if not historical:
        return None
    source = Historical(None if historical is True else str(historical))
    source.photos = source.photos.select(np.sort(by_hash(source.photos)[:samples]))
    photos = list(source)
    squares = [np.array(centre_square(Image.fromarray(photo.grey), size).convert("RGB")) for photo in photos]
    grey = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()
    return Gallery([photo.name for photo in photos], grey)
