"""The training photographs of each optimizer step, as this process gets them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import torch

from colorize.batch import Batch
from colorize.data import Photographs
from colorize.data.decode import TREATMENT
from colorize.data.loading import Pixels
from colorize.distributed import World, share
from colorize.errors import UserError
from colorize.schedule import Phase
from colorize.terminal import say


class Stream:
    """Cuts the endless stream of a phase into optimizer steps of `effective_batch` photographs, and those into passes
    of `batch_size` at most; of several processes each gets its share.

    What comes at which step is a function of the seed alone, so a step can be entered anywhere, in any number of
    processes.
    """

    def __init__(
        self, photographs: Photographs, schedule: Mapping[str, Phase], device: torch.device, world: World, *,
        effective_batch: int, batch_size: int, seed: int,
    ):  # fmt: skip
        self.photographs, self.schedule, self.device, self.world = photographs, schedule, device, world
        self.effective_batch, self.seed = effective_batch, seed
        self.passes = even_parts(share(effective_batch, world, len(photographs.train)), batch_size)
        self.unreadable: dict[str, str] = {}  # file -> why
        self.treated: set[str] = set()  #       keys of `TREATMENT` that were said

    def __call__(self, name: str, done: int) -> Iterator[list[Batch]]:
        """The batches of each step of the phase `name`, from its step number `done` on; without end."""
        data, phase, step = self.photographs, self.schedule[name], self.effective_batch
        draws = phase.draws(len(data.train), done * step, self.seed, name, step=step, order=data.order)
        mine = self.world.part(step)
        ours = (draw for i, draw in enumerate(draws) if mine.start <= i % step < mine.stop)
        self.remember_unreadable(data.broken.items())
        batches = []
        for pixels in data.batches(ours, self.passes, data.workers(self.device), phase.size):
            self.remember_unreadable(pixels.unreadable)
            self.say_treated(pixels.treated)
            batches.append(self.batch(pixels))
            if len(batches) == len(self.passes):
                yield batches
                batches = []

    def batch(self, pixels: Pixels) -> Batch:
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

    def say_treated(self, found: Iterable[tuple[str, str]]) -> None:
        for file, how in found:
            if how not in self.treated:
                self.treated.add(how)
                say(f"{file} is {TREATMENT[how]}, and so are others like it")


def even_parts(count: int, most: int) -> list[int]:
    """`count` divided into as few parts of at most `most` as can be, as even as can be."""
    parts = math.ceil(count / most)
    return [count * (i + 1) // parts - count * i // parts for i in range(parts)]
