"""Times named jobs in turns (A B A B …), says how far the times lie apart, and names the processor.

    timings = measure({"published": slow, "ours": fast}, rounds=5)
    print_processor(); print(verdict_of(timings) or f"{timings['published'].median / timings['ours'].median:.2f} times")
    print(json.dumps({**summary(timings)}))     # seconds, quartiles, "busy", "processor"

Jobs that take turns share what the machine does meanwhile, so that their ratio holds where their seconds do not. Where
a job's times spread by more than `SPREAD`, something else was running, and no verdict is given.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

SPREAD = 0.15  # interquartile range over median; a quiet machine stays below 0.05
FEWEST = 4  #    rounds from which quartiles say something
FLAGS = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512f", "avx2")


class Timing(NamedTuple):
    """Seconds of one job over the rounds."""

    low: float  # first quartile
    median: float
    high: float  # third quartile
    best: float
    rounds: int

    @property
    def spread(self) -> float:
        return (self.high - self.low) / self.median


def timing_of(seconds: Sequence[float]) -> Timing:
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else 3 * [*seconds]
    return Timing(low, median, high, min(seconds), len(seconds))


def measure(
    jobs: Mapping[str, Callable[[], object]], rounds: int, device: torch.device | None = None, *, warm: int = 1
) -> dict[str, Timing]:
    """Seconds of each job, which take turns for `rounds`, after `warm` rounds that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(warm + rounds):
        for name, job in jobs.items():
            seconds = timed(job, device)
            if number >= warm:
                taken[name].append(seconds)
    return {name: timing_of(seconds) for name, seconds in taken.items()}


def timed(job: Callable[[], object], device: torch.device | None = None) -> float:
    """Seconds of one call, on a GPU until it has done what it was told."""
    synchronise(device)
    began = time.perf_counter()
    job()
    synchronise(device)
    return time.perf_counter() - began


def synchronise(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def verdict_of(timings: Mapping[str, Timing]) -> str | None:
    """Why these times allow no verdict; None where they do."""
    if busy(timings):
        return f"no verdict: the machine was busy (spread {100 * max(of.spread for of in timings.values()):.0f} %)"
    fewest = min(of.rounds for of in timings.values())
    return f"no verdict: {fewest} rounds, of {FEWEST} that it takes" if fewest < FEWEST else None


def busy(timings: Mapping[str, Timing]) -> bool:
    return max(of.spread for of in timings.values()) > SPREAD


def against(value: float, bar: float) -> str:
    """Whether a ratio is what it should be, in words."""
    return f"the bar of {bar:g} is {'met' if value >= bar else 'missed'}"


def summary(timings: Mapping[str, Timing], device: torch.device | None = None) -> dict[str, Any]:
    """For the JSON: each job's median and quartiles, whether the machine was busy, and which it is."""
    return {
        "seconds": {name: of.median for name, of in timings.items()},
        "quartiles": {name: [of.low, of.high] for name, of in timings.items()},
        "busy": busy(timings), "processor": processor(device),
    }  # fmt: skip


def processor(device: torch.device | None = None) -> dict[str, Any]:
    """Model, those of `FLAGS` that it has, torch's threads; of a GPU its name."""
    if device is not None and device.type == "cuda":
        return {"model": torch.cuda.get_device_name(device), "flags": [], "threads": torch.get_num_threads()}
    file, known = Path("/proc/cpuinfo"), {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        name, _, value = line.partition(":")
        known.setdefault(name.strip(), value.strip())
    held = known.get("flags", "").split()
    return {
        "model": known.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in held], "threads": torch.get_num_threads(),
    }  # fmt: skip


def print_processor(device: torch.device | None = None) -> None:
    of = processor(device)
    flags = " ".join(of["flags"]) or "no flags that matter"
    print(f"processor: {of['model']} ({flags}), {of['threads']} threads")


def rounded(figures: Any, digits: int = 5) -> Any:
    """The same with every number rounded, for the last line."""
    return json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), digits))
