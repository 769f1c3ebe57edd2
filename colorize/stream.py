"""The training photographs of each optimizer step, as this process gets them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch

from colorize.batch import Batch
from colorize.data import Photographs
from colorize.distributed import World, share
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

    def __call__(self, name: str, done: int) -> Iterator[list[Batch]]:
        """The batches of each step of the phase `name`, from its step number `done` on; without end."""
        phase, size = self.schedule[name], len(self.photographs.train)
        draws = phase.draws(size, done * self.effective_batch, self.seed, name)
        mine = self.world.part(self.effective_batch)
        ours = (draw for i, draw in enumerate(draws) if mine.start <= i % self.effective_batch < mine.stop)
        workers = self.photographs.workers(self.device)
        batches = []
        for pixels in self.photographs.batches(ours, self.passes, workers, phase.size):
            self.remember_unreadable(pixels.unreadable)
            rgb = pixels.rgb.to(self.device, non_blocking=True)
            label = None if pixels.label is None else pixels.label.to(self.device, non_blocking=True)
            batches.append(Batch.from_rgb(rgb, label, pixels.seeds))
            if len(batches) == len(self.passes):
                yield batches
                batches = []

    def remember_unreadable(self, found: Sequence[tuple[str, str]]) -> None:
        """Name each photograph that training skips, once."""
        for file, why in found:
            if file not in self.unreadable:
                self.unreadable[file] = why
                say(f"skipped {file}: {why}")


def even_parts(count: int, most: int) -> list[int]:
    """`count` divided into as few parts of at most `most` as can be, as even as can be."""
    parts = math.ceil(count / most)
    return [count * (i + 1) // parts - count * i // parts for i in range(parts)]
