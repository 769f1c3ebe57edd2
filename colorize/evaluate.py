"""Scoring: paint every validation photograph once, and let every metric read the same pixels.

B batch, H W picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from colorize.batch import Batch
from colorize.color import lab_to_rgb, lightness_to_rgb, to_uint8
from colorize.data import Photographs
from colorize.distributed import World
from colorize.errors import UserError
from colorize.metrics import Metric
from colorize.pictures import sample_grid
from colorize.seeds import seed_of

# L (B, 1, H, W) and a source of chance for each picture -> ab (B, 2, H, W), CIE units
Paint = Callable[[Tensor, Sequence[torch.Generator]], Tensor]
KEEP_BELOW = 2**28  #                  bytes of decoded validation pixels that are kept in memory
ALONE = World()
MEAN_AB_OF = 512  #                    training photographs whose mean colour is the `mean_ab` baseline


@dataclass(frozen=True)
class Baselines:
    """What a network must beat, and what it aims at."""

    rows: dict[str, dict[str, float]]  #  grey, mean_ab: metric -> value
    truth: dict[str, float]  #            the true pictures' own scores, where these are finite


class Evaluator:
    """Scores on the centre square of every validation photograph, at the data's size, as 8-bit pixels.

    Networks that draw see the same chance for a photograph every time, whatever the batch.
    A network sees the photographs' `input`; lightness is that of the true colours, whatever it saw. Painted pictures
    are rounded to 8 bits before they are measured.
    """

    def __init__(self, photographs: Photographs, metrics: Mapping[str, Metric], *, batch_size: int, samples: int = 8):
        if batch_size < 1 or samples < 1:
            raise UserError(f"evaluate takes a batch_size and samples of 1 or more, not {batch_size} and {samples}")
        self.photographs, self.metrics = photographs, dict(metrics)
        self.batch_size, self.samples = batch_size, samples
        self._keeps = len(photographs.val) * 3 * photographs.size**2 < KEEP_BELOW
        self._kept: dict[tuple[int, int], list[Tensor]] = {}

    def pixels(self, world: World = ALONE) -> Iterator[Tensor]:
        """(B, 3, H, W) uint8 of this process's share. The first call reads the files, and finds out whether all can be
        read."""
        part = world.part(len(self.photographs.val))
        if held := self._kept.get((part.start, part.stop)):
            yield from held
            return
        read = []
        for rgb in self.photographs.validation(self.batch_size, part):
            if self._keeps:
                read.append(rgb)
            yield rgb
        self._kept[part.start, part.stop] = read

    @torch.no_grad()
    def score(self, paint: Paint, device: torch.device, world: World = ALONE) -> tuple[dict[str, float], Image.Image]:
        """Metric -> value, and a grid of the first photographs: grey, painted, true.

        Several processes each paint their share; all get the scores of the whole.
        """
        for metric in self.metrics.values():
            metric.reset()
        shown: list[tuple[Tensor, Tensor, Tensor]] = []
        place = world.part(len(self.photographs.val)).start
        for rgb in self.pixels(world):
            true = rgb.to(device)
            batch = Batch.from_rgb(true, grey=self.photographs.grey(true))
            chances = [torch.Generator().manual_seed(seed_of("evaluate", place + i)) for i in range(len(true))]
            painted = to_uint8(lab_to_rgb(batch.L, paint(batch.input, chances)))
            for metric in self.metrics.values():
                metric.update(painted.float() / 255, true.float() / 255)
            if place < self.samples:
                shown.append((to_uint8(lightness_to_rgb(batch.input)).cpu(), painted.cpu(), rgb))
            place += len(true)
        tiles = [tile for process in world.gather(shown) for tile in process]
        for metric in self.metrics.values():
            metric.merge(world.gather(metric.parts()))
        return {name: metric.compute() for name, metric in self.metrics.items()}, self._grid(tiles)

    def baselines(self, device: torch.device) -> Baselines:
        """The scores of painting grey, and of painting the training photographs' mean colour everywhere."""
        mean = self.mean_ab().to(device).view(1, 2, 1, 1)
        zero = torch.zeros_like(mean)
        rows = {name: self.score(constant(ab), device)[0] for name, ab in (("grey", zero), ("mean_ab", mean))}
        if colorfulness := self.metrics.get("colorfulness"):
            colorfulness.reset()
            for rgb in self.pixels():
                colorfulness.update(rgb.float() / 255, rgb.float() / 255)
        return Baselines(rows, {"colorfulness": colorfulness.compute()} if colorfulness else {})

    def mean_ab(self) -> Tensor:
        """(2,) mean colour of the training photographs' centre squares; of the first 512 that can be read."""
        total, count = torch.zeros(2), 0
        for photo in self.photographs.train[:MEAN_AB_OF]:
            try:
                rgb = self.photographs.centre(photo)
            except UserError:  # training names and counts it
                continue
            total, count = total + Batch.from_rgb(rgb[None]).ab.mean(dim=(0, 2, 3)), count + 1
        return total / max(count, 1)

    def _grid(self, shown: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Image.Image:
        rows = zip(("grey input", "prediction", "truth"), zip(*shown, strict=True), strict=True)
        names = [photo.name for photo in self.photographs.val[: self.samples]]
        return sample_grid({name: torch.cat(tiles)[: self.samples] for name, tiles in rows}, names)


def constant(ab: Tensor) -> Paint:
    """Paints `ab` (1, 2, 1, 1) everywhere."""
    return lambda L, _: ab.expand(len(L), 2, *L.shape[2:])
