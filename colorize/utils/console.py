"""Lines and progress bars on the terminal; numbers in words."""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

FIRST = os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0"  # of several processes one speaks
WIDTH = None if sys.stdout.isatty() else 120  # of a log, which has none of its own
# Text in brackets and between colons is text: names of files may hold either
console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False, quiet=not FIRST, width=WIDTH)


def say(sentence: str) -> None:
    """One line for the user."""
    console.print(sentence)


def printable(name: str | os.PathLike) -> str:
    """A name with escapes for what would break a line, move the cursor or is no text in UTF-8."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(name))


class Bar:
    """Steps, loss, images a second and time left. Off a terminal, a plain line every `every` seconds."""

    def __init__(self, total: int, done: int, every: float = 10.0):
        self.total, self.done, self.every = total, done, every
        self.first, self.began, self.said = done, time.monotonic(), time.monotonic()
        self.progress = Progress(
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(elapsed_when_finished=True), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.progress.add_task("training", total=total, completed=done, told="")

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(self, *_) -> None:
        self.progress.stop()

    def update(self, step: int, loss: float, images_per_second: float) -> None:
        told = f"loss {loss:.4g} · {images_per_second:.0f} images/s"
        self.progress.update(self.task, completed=step, told=told)
        now = time.monotonic()
        if not console.is_terminal and (now - self.said >= self.every or step == self.total):
            left = (now - self.began) / max(step - self.first, 1) * (self.total - step)
            say(f"step {step}/{self.total} · {told} · {duration(left)} left")
            self.said = now


def duration(seconds: float) -> str:
    """As a person says it: 45 s, 12 min, 4 h 26 min, 3 d 2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def count_of(parameters: int) -> str:
    """How many parameters a network has: 55.0 M, 0.35 M, 3,000."""
    if parameters < 10_000:
        return f"{parameters:,}"
    return f"{parameters / 1e6:.1f} M" if parameters >= 10**6 else f"{parameters / 1e6:.2f} M"


class Count:
    """How many of `total` things are done, and how fast. Off a terminal, a plain line every `every` seconds."""

    def __init__(self, verb: str, total: int, noun: str, every: float = 10.0):
        self.verb, self.total, self.noun, self.every = verb, total, noun, every
        self.began = self.said = time.monotonic()
        self.progress = Progress(
            TextColumn(verb), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(elapsed_when_finished=True), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.progress.add_task(verb, total=total, told="")

    def __enter__(self) -> Count:
        self.progress.start()
        return self

    def __exit__(self, *_) -> None:
        self.progress.stop()

    def update(self, done: int) -> None:
        now = time.monotonic()
        rate = done / max(now - self.began, 1e-9)
        self.progress.update(self.task, completed=done, told=f"{rate:.0f} {self.noun}/s")
        if not console.is_terminal and now - self.said >= self.every:
            left = (self.total - done) / rate
            say(f"{self.verb}: {done:,} of {self.total:,} {self.noun} · {rate:.0f} a second · {duration(left)} left")
            self.said = now


def counted(count: int) -> str:
    return f"{count:,} photograph" + ("" if count == 1 else "s")


def percentage(part: int, whole: int) -> str:
    percent = 100 * part / whole
    if not part:
        return "0 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"
