"""Lines and progress bars on the terminal; numbers and tables as text."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

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


RECENT = 600.0  # seconds whose speed says how much time is left: phases of a schedule differ in it


class ProgressBar:
    """How many of `total` things are done, and how fast. Off a terminal, a plain line every `every` seconds."""

    def __init__(self, verb: str, total: int, noun: str, every: float = 10.0, done: int = 0):
        self.verb, self.noun = verb, noun
        self.total, self.every = total, every
        self.began = self.printed = time.monotonic()
        self.progress = Progress(
            TextColumn(verb), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(elapsed_when_finished=True), console=console, disable=not console.is_terminal,
            speed_estimate_period=RECENT,
        )  # fmt: skip
        self.task = self.progress.add_task(verb, total=total, completed=done, status="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_) -> None:
        self.progress.stop()

    def update(self, done: int) -> None:
        rate = done / max(time.monotonic() - self.began, 1e-9)
        line = f"{self.verb}: {done:,} of {self.total:,} {self.noun} · {format_rate(rate)} a second"
        self.show(done, f"{format_rate(rate)} {self.noun}/s", line)

    def update_step(self, step: int, loss: float, images_per_second: float) -> None:
        """Of training, with the loss and images a second."""
        status = f"loss {loss:.4g} · {format_rate(images_per_second)} images/s"
        self.show(step, status, f"step {step}/{self.total} · {status}", at_once=step == self.total)

    def show(self, done: int, status: str, line: str, *, at_once: bool = False) -> None:
        """`status` stands beside the bar; `line`, with the time left, is printed where there is no terminal."""
        self.progress.update(self.task, completed=done, status=status)
        now = time.monotonic()
        if not console.is_terminal and (at_once or now - self.printed >= self.every):
            left = self.progress.tasks[0].time_remaining
            say(line if left is None else f"{line} · {duration(left)} left")
            self.printed = now


def format_rate(per_second: float) -> str:
    """With two digits where it is below 10: a slow network does more than nothing."""
    return f"{per_second:.0f}" if per_second >= 10 else f"{per_second:.2g}"


def duration(seconds: float) -> str:
    """As a person says it: 45 s, 12 min, 4 h 26 min, 3 d 2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def format_count(parameters: int) -> str:
    """How many parameters a network has: 55.0 M, 0.35 M, 3,000."""
    if parameters < 10_000:
        return f"{parameters:,}"
    return f"{parameters / 1e6:.1f} M" if parameters >= 10**6 else f"{parameters / 1e6:.2f} M"


def counted(count: int, noun: str = "photograph") -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def counted_part(count: int, whole: int) -> str:
    """24 photographs; or, where there are more, 6 of 5,000 photographs, a subset"""
    return counted(count) if count == whole else f"{count:,} of {counted(whole)}, a subset"


def percentage(part: int, whole: int) -> str:
    percent = 100 * part / whole
    if not part:
        return "0 %"
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return "" if value is None else " ".join(str(value).replace("|", "\\|").split("\n"))

    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)
