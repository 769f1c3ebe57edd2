"""Validation while training: scores of the validation set, and historical samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.batch import Batch
from colorize.data.datamodule import DataModule
from colorize.data.sources import Historical, by_hash
from colorize.imaging.color import lab_to_rgb, lightness_to_rgb, to_uint8
from colorize.imaging.image_io import sample_grid
from colorize.imaging.transforms import centre_square
from colorize.metrics.colorfulness import Colorfulness, MeanChroma
from colorize.metrics.metric import Metric, Pair, Picture
from colorize.utils.console import Count, say
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of

# L (B, 1, H, W) and a source of chance for each picture -> ab (B, 2, H, W), CIE units
Paint = Callable[[Tensor, Sequence[torch.Generator]], Tensor]
KEEP_BELOW = 2**28  #                  bytes of decoded validation pixels that are kept in memory
Tell = Callable[[int], object]  #      hears of so many photographs that are done
ALONE = World()
MEAN_AB_OF = 512  #                    training photographs whose mean colour is the `mean_ab` baseline
GREY_BELOW = 5.0  #                    CIE chroma: grey when 95 % of the pixels lie below, as `colorize inspect` has it


@dataclass(frozen=True)
class ValidationBaselines:
    """What a network must beat, and what it aims at."""

    rows: dict[str, dict[str, float]]  #  grey, mean_ab: metric -> value
    truth: dict[str, float]  #            the true pictures' own scores, where these are finite
    mean_ab: tuple[float, float]  #       mean colour of the training photographs, CIE units


def _report_nothing(count: int) -> None:
    """Tells nobody."""


class Validator:
    """Scores on the centre square of every validation photograph, at the data's size, as 8-bit pixels.

    Networks that draw see the same chance for a photograph every time, whatever the batch.
    A network sees the photographs' `input`; lightness is that of the true colours, whatever it saw. Painted pictures
    are rounded to 8 bits before they are measured.
    """

    def __init__(self, photographs: DataModule, metrics: Mapping[str, Metric], *, batch_size: int, samples: int = 8):
        if batch_size < 1 or samples < 1:
            raise UserError(f"evaluate takes a batch_size and samples of 1 or more, not {batch_size} and {samples}")
        self.photographs, self.metrics = photographs, dict(metrics)
        self.batch_size, self.samples = batch_size, samples
        self.shown = sorted(
            by_hash(photographs.val)[:samples].tolist()
        )  # of a list by class the first are of one class
        self._keeps = len(photographs.val) * 3 * photographs.size**2 < KEEP_BELOW
        self._kept: dict[tuple[int, int], list[Tensor]] = {}

    def pixels(self, world: World = ALONE, tell: Tell = _report_nothing) -> Iterator[Tensor]:
        """(B, 3, H, W) uint8 of this process's share; `tell` hears of how many photographs each are. The first call
        reads the files, and finds out whether all can be read."""
        part = world.part(len(self.photographs.val))
        held, read = self._kept.get((part.start, part.stop)), []
        for rgb in held or self.photographs.validation(self.batch_size, part):
            if self._keeps and not held:
                read.append(rgb)
            yield rgb
            tell(len(rgb))
        self._kept[part.start, part.stop] = held or read

    @torch.no_grad()
    def score(
        self,
        paint: Paint,
        device: torch.device,
        world: World = ALONE,
        tell: Tell = _report_nothing,
    ) -> tuple[dict[str, float], Image.Image]:
        """Metric -> value, and a grid of a few photographs, those whose names have the smallest hashes: grey, painted,
        true.

        What no picture has a number of, such as the hue error of grey ones, is left out.
        Several processes each paint their share; all get the scores of the whole.
        """
        for metric in self.metrics.values():
            metric.reset()
        shown: list[tuple[Tensor, Tensor, Tensor]] = []
        place = world.part(len(self.photographs.val)).start
        for rgb in self.pixels(world, tell):
            true = rgb.to(device)
            batch = Batch.from_rgb(true, grey=self.photographs.grey(true))
            chances = [torch.Generator().manual_seed(seed_of("evaluate", place + i)) for i in range(len(true))]
            ab = paint(batch.input, chances)
            painted = to_uint8(lab_to_rgb(batch.L, ab))
            pair = Pair(Picture(painted), Picture(true), L=batch.L, ab=ab)
            for metric in self.metrics.values():
                metric.add(pair)
            if few := [sample - place for sample in self.shown if place <= sample < place + len(true)]:
                grey = to_uint8(lightness_to_rgb(batch.input[few]))
                shown.append((grey.cpu(), painted[few].cpu(), rgb[few]))
            place += len(true)
        tiles = [tile for process in world.gather(shown) for tile in process]
        for metric in self.metrics.values():
            metric.merge(world.gather(metric.parts()))
        scores = {name: metric.compute() for name, metric in self.metrics.items()}
        return {name: value for name, value in scores.items() if not isnan(value)}, self._grid(tiles)

    def baselines(self, device: torch.device) -> ValidationBaselines:
        """The scores of painting grey, and of painting the training photographs' mean colour everywhere."""
        mean = self.mean_ab().to(device).view(1, 2, 1, 1)
        zero = torch.zeros_like(mean)
        colorfulness = self.metrics.get("colorfulness")
        done = 0
        with Count("baselines", len(self.photographs.val) * (3 if colorfulness else 2), "photographs") as progress:

            def tell(count: int) -> None:
                nonlocal done
                progress.update(done := done + count)

            named = (("grey", zero), ("mean_ab", mean))
            rows = {name: self.score(constant_ab(ab), device, tell=tell)[0] for name, ab in named}
            if colorfulness:
                colorfulness.reset()
                for rgb in self.pixels(tell=tell):
                    colorfulness.update(rgb, rgb)
        truth = {"colorfulness": colorfulness.compute()} if colorfulness else {}
        return ValidationBaselines(rows, truth, tuple(mean.flatten().tolist()))

    def mean_ab(self) -> Tensor:
        """(2,) mean colour of the training photographs' centre squares; of the 512 whose names have the smallest
        hashes, those that can be read."""
        total, count = torch.zeros(2), 0
        train, grey = self.photographs.train, 0
        drawn = train.select(by_hash(train)[:MEAN_AB_OF])
        with Count("mean colour", len(drawn), "training photographs") as progress:
            for place, photo in enumerate(drawn, start=1):
                try:
                    ab = Batch.from_rgb(self.photographs.centre(photo)[None]).ab
                except UserError:  # training names and counts it
                    continue
                total, count = total + ab.mean(dim=(0, 2, 3)), count + 1
                grey += int(float((ab.norm(dim=1) < GREY_BELOW).float().mean()) >= 0.95)
                progress.update(place)
        if 2 * grey > count:
            say(
                f"{grey} of {count} training photographs that were looked at are grey: a network learns no colour from "
                "them; colorize inspect finds them, and data.exclude leaves them out"
            )
        return total / max(count, 1)

    def _grid(self, shown: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Image.Image:
        rows = zip(("grey input", "prediction", "truth"), zip(*shown, strict=True), strict=True)
        names = [self.photographs.val[place].name for place in self.shown]
        return sample_grid({name: torch.cat(tiles) for name, tiles in rows}, names)


def constant_ab(ab: Tensor) -> Paint:
    """Paints `ab` (1, 2, 1, 1) everywhere."""
    return lambda L, _: ab.expand(len(L), 2, *L.shape[2:])


class HistoricalSamples:
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


def open_historical_samples(historical: bool | str | None, size: int, samples: int) -> HistoricalSamples | None:
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
    return HistoricalSamples([photo.name for photo in photos], grey)
