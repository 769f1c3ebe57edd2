"""Phases of training: learning-rate curves, pure functions of a counter, and each step's batches."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import torch
from annotated_types import Interval, Len

from colorize.batch import Batch
from colorize.data.datamodule import DataModule
from colorize.data.loader import FeistelPermutation, LoadedBatch, SampleIndex, ShardOrder, Shuffle, permuted
from colorize.imaging.decode import CONVERSIONS
from colorize.utils.console import say
from colorize.utils.distributed import World, photographs_per_process
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of
from colorize.utils.validation import Between, Count, Fraction, NonNegative, Positive, Share, Side, check_arguments

Curve = Callable[[float], float]  # progress through the phase, 0…1 -> factor on every learning rate


class Phase:
    """A stretch of training, `steps` optimizer steps long, or as many as `epochs` passes over its photographs take.

    fraction      share of the photographs that an epoch sees
    redraw_every  epochs after which another random subset is drawn
    lr            curve of the learning rate over the phase
    weights       loss weights that differ from the loss's own in this phase; 0 switches a term off
    optimizer     optimizer arguments that differ in this phase; `critic` in it holds those of the critics
    size          pixels of a side of the training pictures; null: the data's. Evaluation keeps the data's
    frozen        prefixes of the names of the model's parameters that are frozen in this phase, such as encoder
    """

    def __init__(
        self,
        *,
        steps: Count | None = None,
        epochs: Positive | None = None,
        fraction: Share = 1.0,
        redraw_every: Count = 1,
        lr: Curve | None = None,
        weights: Mapping[str, NonNegative] | None = None,
        optimizer: Mapping[str, Any] | None = None,
        size: Side | None = None,
        frozen: Sequence[str] = (),
    ):
        check_arguments({**locals()}, Phase, "phase")
        if isinstance(lr, partial):
            check_arguments(dict(lr.keywords), lr.func, "lr")
        if (steps is None) == (epochs is None):
            raise UserError(f"a phase has either steps or epochs; here steps={steps} and epochs={epochs}")
        self._steps, self._epochs = steps, epochs
        self.fraction, self.redraw_every = fraction, redraw_every
        self.lr = lr or constant
        check_curve(self.lr)
        self.weights, self.optimizer = dict(weights or {}), dict(optimizer or {})
        self.size, self.frozen = size, tuple(frozen)

    def seen(self, size: int) -> int:
        """How many of `size` photographs an epoch sees."""
        return max(1, round(self.fraction * size))

    def steps(self, size: int, batch_size: int, scale: float = 1.0) -> int:
        """The length in optimizer steps, for `size` photographs; `scale` times as long as said, to the nearest step."""
        exact = self._steps or self._epochs * self.seen(size) / batch_size  # type: ignore[operator]
        return math.ceil(exact) if scale == 1 else max(1, round(exact * scale))

    def subset(self, size: int, epoch: int, *key: int | str) -> Shuffle:
        """An epoch's photographs, in order: which ones changes every `redraw_every` epochs, their order always.

        A pure function of its arguments (`key` starts with the seed).
        """
        drawn = FeistelPermutation(size, seed_of(*key, "subset", epoch // self.redraw_every))
        order = FeistelPermutation(self.seen(size), seed_of(*key, "order", epoch))
        return lambda places: drawn(order(places))

    def draws(
        self, size: int, start: int, *key: int | str, step: int = 1, order: ShardOrder | None = None
    ) -> Iterator[SampleIndex]:
        """The endless stream of training samples from its position `start` on: epoch after epoch, without a gap.

        Steps of `step` samples are cut from this stream, so each is full and every photograph of an epoch comes exactly
        once. A pure function of its arguments; `key` starts with the seed. `order` reads tar files one after the other.
        """
        position, seen = start, self.seen(size)
        while True:
            epoch, first = divmod(position, seen)
            shuffle = self.subset(size, epoch, *key)
            if order is not None:
                shuffle = order(shuffle, seen, epoch * seen, step, seed_of(*key, "shards", epoch))
            for place, index in enumerate(permuted(shuffle, first, seen), start=first):
                yield SampleIndex(index, seed_of(*key, "augment", epoch, place))
            position = (epoch + 1) * seen


def phase_lengths(schedule: Mapping[str, Phase], size: int, batch_size: int, scale: float = 1.0) -> dict[str, int]:
    """phase -> its length in optimizer steps, as `Phase.steps` has it."""
    return {name: phase.steps(size, batch_size, scale) for name, phase in schedule.items()}


def phase_at(lengths: Mapping[str, int], step: int) -> tuple[str, int]:
    """The phase that takes optimizer step number `step` (from 0), and the step's number inside it."""
    for name, length in lengths.items():
        if step < length:
            return name, step
        step -= length
    raise ValueError("the schedule is over")


def check_curve(lr: Curve) -> None:
    """A curve that cannot be evaluated fails here, not in the middle of training. Raises `UserError` where it gives no
    learning rate."""
    for progress in (1e-6, 0.25, 0.5, 0.75, 1.0):
        factor = lr(progress)
        if not 0 <= factor < math.inf:
            raise UserError(f"lr gives {factor} at {progress:g} of its phase; a learning rate is 0 or more")


def constant(progress: float) -> float:
    return 1.0


def warmup_cosine(progress: float, *, warmup: Fraction = 0.05, floor: Fraction = 0.0) -> float:
    """A straight climb over the first `warmup` of the phase, then half a cosine down to `floor`."""
    if progress < warmup or warmup == 1:
        return progress / warmup
    return floor + (1 - floor) * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup))) / 2


def linear_decay(
    progress: float, *, start: Annotated[float, Interval(ge=0, lt=1)] = 0.5, floor: Fraction = 0.0
) -> float:
    """The full rate up to `start`, then a straight line down to `floor` at the end."""
    return 1 - (1 - floor) * max(0.0, (progress - start) / (1 - start))


def multistep(progress: float, *, milestones: Annotated[Sequence[Between], Len(1)], factor: Share = 0.5) -> float:
    """The rate falls to `factor` of itself after each of the `milestones`, which are shares of the phase."""
    return factor ** sum(progress > milestone for milestone in milestones)


class StepBatches:
    """Cuts the endless stream of a phase into optimizer steps of `effective_batch` photographs, and those into passes
    of `batch_size` at most; of several processes each gets its share.

    Which photographs a step has is a function of the seed alone, so training resumes at any step, in any number of
    processes.
    """

    def __init__(
        self, photographs: DataModule, schedule: Mapping[str, Phase], device: torch.device, world: World, *,
        effective_batch: int, batch_size: int, seed: int,
    ):  # fmt: skip
        self.photographs, self.schedule, self.device, self.world = photographs, schedule, device, world
        self.effective_batch, self.seed = effective_batch, seed
        own = photographs_per_process(effective_batch, world, len(photographs.train))
        self.passes = micro_batch_sizes(own, batch_size)
        self.unreadable: dict[str, str] = {}  # file -> why
        self.conversions: set[str] = set()  #       keys of `CONVERSIONS` that were said

    def __call__(self, name: str, done: int) -> Iterator[list[Batch]]:
        """The batches of each step of the phase `name`, from its step number `done` on; without end."""
        data, phase, step = self.photographs, self.schedule[name], self.effective_batch
        draws = phase.draws(len(data.train), done * step, self.seed, name, step=step, order=data.order)
        mine = self.world.shard(step)
        ours = (draw for i, draw in enumerate(draws) if mine.start <= i % step < mine.stop)
        self.remember_unreadable(data.unreadable_files.items())
        batches = []
        for pixels in data.batches(ours, self.passes, data.workers(self.device), phase.size):
            self.remember_unreadable(pixels.unreadable)
            self.say_conversions(pixels.conversions)
            batches.append(self.batch(pixels))
            if len(batches) == len(self.passes):
                yield batches
                batches = []

    def batch(self, pixels: LoadedBatch) -> Batch:
        rgb, label, grey = (
            None if part is None else part.to(self.device, non_blocking=True)
            for part in (pixels.rgb, pixels.label, pixels.grey)
        )
        assert rgb is not None
        grey = self.photographs.grey(rgb) if grey is None else grey
        return Batch.from_rgb(rgb, label, pixels.seeds, grey=grey, enhance=self.photographs.enhance)

    def remember_unreadable(self, found: Iterable[tuple[str, str]]) -> None:
        """Name each photograph that training skips, once. Raises `UserError` where there are too many."""
        for file, why in found:
            if file not in self.unreadable:
                self.unreadable[file] = why
                say(f"skipped {file}: {why}")
        if len(self.unreadable) > self.photographs.max_bad:
            raise UserError(
                f"{len(self.unreadable)} training photographs cannot be read, and data.max_bad allows "
                f"{self.photographs.max_bad}: find them with colorize inspect, or allow more"
            )

    def say_conversions(self, found: Iterable[tuple[str, str]]) -> None:
        for file, how in found:
            if how not in self.conversions:
                self.conversions.add(how)
                say(f"{file} is {CONVERSIONS[how]}, and so are others like it")


def micro_batch_sizes(count: int, most: int) -> list[int]:
    """`count` divided into as few parts of at most `most` as can be, as even as can be."""
    parts = math.ceil(count / most)
    return [count * (i + 1) // parts - count * i // parts for i in range(parts)]
