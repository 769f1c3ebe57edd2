"""Validation while training: scores and samples of a network on a set of photographs, and the baselines beside them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from colorize.batch import Batch
from colorize.data.datamodule import DataModule
from colorize.data.sources import sample_squares
from colorize.evaluation.predictors import PredictAb, constant_ab
from colorize.evaluation.validation_set import ValidationSet, _Squares
from colorize.imaging.color import lightness_to_rgb, to_uint8
from colorize.imaging.gamut import lab_to_rgb_reduced
from colorize.imaging.image_io import sample_grid
from colorize.metrics.colorfulness import without_truth
from colorize.metrics.metric import Metric, Pair, Picture
from colorize.utils.console import ProgressBar, say
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from colorize.utils.processes import ignore_stop_signals
from colorize.utils.seeds import generator_of

CACHE_LIMIT_BYTES = 2**28  #  of decoded pixels that are kept in memory
ALONE = World()
MEAN_AB_OF = 512  #           training photographs whose mean colour is the `mean_ab` baseline
GREY_BELOW = 5.0  #           CIE chroma: grey when 95 % of the pixels lie below, as `colorize inspect` has it


@dataclass(frozen=True)
class ValidationBaselines:
    """What a network must beat, and what it aims at."""

    rows: dict[str, dict[str, float]]  #  grey, mean_ab: metric -> value
    truth: dict[str, float]  #            the true pictures' own scores, where these are finite
    mean_ab: tuple[float, float]  #       mean colour of the training photographs, CIE units


class Validator:
    """Scores a network on every photograph of a set, as 8-bit pixels.

    Stochastic networks see the same chance for a photograph every time, whatever the batch.
    A network sees the set's grey; lightness is that of the true colours, whatever it saw. Predictions are brought into
    the gamut of sRGB by reducing chroma, and rounded to 8 bits, before they are measured. Without true colours, metrics
    are those that need none.

    prefix    of its scores in the log
    every     optimizer steps between two scores
    shown     places of the photographs in the grid of samples
    folder    of a run folder, for these grids
    """

    def __init__(
        self, photographs: ValidationSet, metrics: Mapping[str, Metric], *, shown: Sequence[int] = (),
        batch_size: int = 16, prefix: str = "val", every: int = 200, folder: str = "samples",
    ):  # fmt: skip
        self.photographs, self.shown, self.batch_size = photographs, shown, batch_size
        self.metrics = dict(metrics) if photographs.truth else without_truth()
        self.prefix, self.every, self.folder = prefix, every, folder
        self._cache: dict[tuple[int, int], list[Tensor]] = {}

    def __len__(self) -> int:
        return len(self.photographs.names)

    def pixels(self, world: World = ALONE, workers: int = 0) -> Iterator[Tensor]:
        """(B, 3, S, S) uint8 of this process's share. The first call reads the files, and finds out whether all can
        be read."""
        part = world.shard(len(self))
        held, read = self._cache.get((part.start, part.stop)), []
        loader = DataLoader(
            _Squares(self.photographs.read), self.batch_size, sampler=range(part.start, part.stop),
            num_workers=workers, collate_fn=list, worker_init_fn=ignore_stop_signals,
        )  # fmt: skip
        for squares in loader if held is None else ():
            if error := next((each for each in squares if isinstance(each, UserError)), None):
                raise error
            rgb = torch.stack(squares)
            if len(self) * rgb[0].numel() < CACHE_LIMIT_BYTES:
                read.append(rgb)
            yield rgb
        if read:
            self._cache[part.start, part.stop] = read
        yield from held or ()

    @torch.no_grad()
    def score(
        self, predict: PredictAb, device: torch.device, world: World = ALONE, progress: ProgressBar | None = None
    ) -> tuple[dict[str, float], Image.Image | None]:
        """Metric -> value, and a grid of the photographs that are shown: grey, prediction, truth.

        What no picture has a number of, such as the hue error of grey ones, is left out.
        Several processes each predict their share; all get the scores of the whole.
        """
        for metric in self.metrics.values():
            metric.reset()
        shown: list[tuple[Tensor, ...]] = []
        error = None
        try:
            shown = self._score_share(predict, device, world, progress)
        except UserError as raised:
            error = raised
        if error := next(filter(None, world.gather(error)), None):  # no process waits for one that has given up
            raise error
        tiles = [tile for process in world.gather(shown) for tile in process]
        for metric in self.metrics.values():
            metric.merge(world.gather(metric.parts()))
        scores = {name: metric.compute() for name, metric in self.metrics.items()}
        return {name: value for name, value in scores.items() if not isnan(value)}, self._grid(tiles)

    def _score_share(
        self, predict: PredictAb, device: torch.device, world: World, progress: ProgressBar | None
    ) -> list[tuple[Tensor, ...]]:
        """Hand this process's share to the metrics; its pictures of the grid."""
        shown: list[tuple[Tensor, ...]] = []
        place = first = world.shard(len(self)).start
        for rgb in self.pixels(world, self.photographs.workers(device)):
            true = rgb.to(device)
            batch = Batch.from_rgb(true, grey=self.photographs.grey(true))
            ab = predict(batch.input, [generator_of(self.photographs.seed, place + i) for i in range(len(true))])
            predicted = to_uint8(lab_to_rgb_reduced(batch.L, ab))
            labels = self.photographs.labels
            pair = Pair(
                Picture(predicted), Picture(true) if self.photographs.truth else None, L=batch.L, ab=ab,
                label=None if labels is None else labels[place : place + len(true)],
            )  # fmt: skip
            for metric in self.metrics.values():
                metric.add(pair)
            if few := [sample - place for sample in self.shown if place <= sample < place + len(true)]:
                grey = to_uint8(lightness_to_rgb(batch.input[few]))
                shown.append((grey.cpu(), predicted[few].cpu(), rgb[few])[: 3 if self.photographs.truth else 2])
            place += len(true)
            if progress:
                progress.update(place - first)
        return shown

    def _grid(self, shown: Sequence[tuple[Tensor, ...]]) -> Image.Image | None:
        rows = zip(("grey input", "prediction", "truth"), zip(*shown, strict=True), strict=False)
        names = [self.photographs.names[place] for place in self.shown]
        return sample_grid({name: torch.cat(tiles) for name, tiles in rows}, names) if names else None


def score_all(
    validators: Iterable[Validator], predict: PredictAb, device: torch.device, world: World = ALONE
) -> tuple[dict[str, float], dict[str, Image.Image]]:
    """PREFIX/metric -> value, and folder -> grid, of all of them."""
    scores: dict[str, float] = {}
    grids: dict[str, Image.Image] = {}
    for validator in validators:
        found, grid = validator.score(predict, device, world)
        scores |= {f"{validator.prefix}/{name}": value for name, value in found.items()}
        grids |= {} if grid is None else {validator.folder: grid}
    return scores, grids


def measure_baselines(
    validator: Validator, photographs: DataModule, device: torch.device, world: World = ALONE
) -> ValidationBaselines:
    """The scores of predicting grey, and the training photographs' mean colour everywhere; every process measures its
    share, and has them all."""
    mean = world.on_main_then_broadcast(lambda: mean_ab(photographs).tolist())
    rows, count = {}, len(range(len(validator))[world.shard(len(validator))])
    for name, ab in (("grey", (0.0, 0.0)), ("mean_ab", mean)):
        with ProgressBar(f"baseline {name.replace('_', ' ')}", count, "validation photographs") as progress:
            rows[name] = validator.score(constant_ab(ab), device, world, progress)[0]
    unknown = {name: metric for name, metric in validator.metrics.items() if metric.better == "truth"
               and metric.target is None and not metric.needs}  # fmt: skip
    for metric in unknown.values():
        metric.reset()
    for pair in (Pair(Picture(rgb)) for rgb in validator.pixels(world, validator.photographs.workers(device))):
        for metric in unknown.values():
            metric.add(pair)
    for metric in unknown.values():
        metric.merge(world.gather(metric.parts()))
    truth = {name: metric.compute() for name, metric in unknown.items()}
    return ValidationBaselines(rows, truth, tuple(mean))


def mean_ab(photographs: DataModule) -> Tensor:
    """(2,) mean colour of the training photographs' centre squares; of the 512 whose names have the smallest hashes,
    those that can be read."""
    total, count, grey = torch.zeros(2), 0, 0
    drawn = min(MEAN_AB_OF, len(photographs.train))
    with ProgressBar("mean colour", drawn, "training photographs") as progress:
        for count, rgb in enumerate(sample_squares(photographs, drawn), start=1):
            ab = Batch.from_rgb(rgb[None]).ab
            total += ab.mean(dim=(0, 2, 3))
            grey += int(float((ab.norm(dim=1) < GREY_BELOW).float().mean()) >= 0.95)
            progress.update(count)
    if 2 * grey > count:
        say(
            f"{grey} of {count} training photographs that were looked at are grey: a network learns no colour from "
            "them; colorize inspect finds them, and data.exclude leaves them out"
        )
    return total / max(count, 1)
