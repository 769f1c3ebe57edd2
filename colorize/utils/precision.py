"""Precision: float32, or bfloat16 by autocast where a probe finds that this processor is faster with it; cached."""

import json
import platform
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch

from colorize.utils.console import say
from colorize.utils.devices import is_out_of_memory
from colorize.utils.download import cache_path
from colorize.utils.environment import own_version
from colorize.utils.files import as_json, file_lock, short_digest, write_text

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PASSES = 100  # of a network: for fewer, a probe would take longer than bfloat16 can save
PARAMETERS = 1_000_000  # of a network: the layers of a smaller one are too narrow to gain
GAIN = 1.05  # times as fast bfloat16 has to be, to be chosen
LEAST, MOST = 5, 9  # rounds of a probe, each of one pass in float32 and one in bfloat16
ENOUGH, LONGEST = 3.0, 20.0  # seconds: after which no round is added to the least; that a probe's passes should take


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a network's passes.

    chosen   float32 or bfloat16
    by       what chose it: config (the user), device (what is known of it), length (too few passes for a probe), size
             (too small a network), memory (too little of it), probe, cache (an earlier probe), or resume (the run's
             first start)
    seconds  of a photograph in each, as the probe measured them
    """

    chosen: str
    by: str
    seconds: Mapping[str, float] | None = None

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.chosen]

    def record(self) -> dict[str, Any]:
        """As summary.json has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def notes(self, use: str) -> list[str]:
        """For the terminal, where a probe was asked; `use`: training, evaluation or painting."""
        if self.seconds is None:
            return []
        took = " and ".join(f"{seconds:.3g} s in {name}" for name, seconds in self.seconds.items())
        when = "measured now" if self.by == "probe" else "measured earlier on this processor"
        return [f"precision of {use}: {self.chosen}; a photograph takes {took}, {when}"]


@dataclass(frozen=True)
class Probe:
    """A measurement of passes of a network, in float32 and in bfloat16 by turns.

    take_pass    takes one of a number of photographs under a context; it leaves everything as it was
    photographs  in a pass of the work at hand
    passes       of it
    parameters   of the network
    key          what seconds depend on, beside the processor, its threads and versions
    """

    take_pass: Callable[[int, AbstractContextManager], None]
    photographs: int
    passes: int
    parameters: int
    key: Mapping[str, Any]

    def answer(self) -> Precision:
        """From the cache; else measured, and kept there."""
        key = {
            "processor": processor(), "threads": torch.get_num_threads(), "torch": torch.__version__,
            "colorize": own_version(), "photographs": self.photographs, **self.key,
        }  # fmt: skip
        path = cache_path("precision", f"{short_digest(json.dumps(key, sort_keys=True))}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path.with_suffix(".lock")):  # of several runs at a time one measures
            if seconds := read_seconds(path, key):
                return Precision(faster(seconds), "cache", seconds)
            try:
                seconds = self.measure()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                say("memory ran out while the seconds of float32 and bfloat16 were compared: float32 is used")
                return Precision("float32", "memory")
            write_text(path, as_json({"key": key, "seconds": seconds}, indent=1))
        return Precision(faster(seconds), "probe", seconds)

    def measure(self) -> dict[str, float]:
        """Medians, in seconds of a photograph. A pass takes fewer of them where the probe would take too long."""
        least = min(2, self.photographs)  # a batch norm needs two
        self.seconds_of_round(least)  # oneDNN makes its programs
        estimate = sum(self.seconds_of_round(least).values()) / least
        count = max(least, min(self.photographs, int(LONGEST / LEAST / estimate)))
        if count > least:
            self.seconds_of_round(count)
        rounds, spent = list[dict[str, float]](), 0.0
        while len(rounds) < LEAST or (spent < ENOUGH and len(rounds) < MOST):
            rounds.append(self.seconds_of_round(count))
            spent += sum(rounds[-1].values())
        return {name: median(each[name] for each in rounds) / count for name in PRECISIONS}

    def seconds_of_round(self, count: int) -> dict[str, float]:
        found = {}
        for name, dtype in PRECISIONS.items():
            began = perf_counter()
            self.take_pass(count, autocast("cpu", dtype))
            found[name] = perf_counter() - began
        return found


def choose_precision(name: str, device: torch.device, probe: Probe | None = None) -> Precision:
    """`auto` is bfloat16 on a GPU that has it in hardware (Nvidia's since Ampere, AMD's), and on a CPU that has it
    (AVX512-BF16, AMX) where the `probe` finds it faster; without a probe, and elsewhere, float32."""
    if name != "auto":
        return Precision(name, "config")
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("bfloat16", "device")
    if device.type != "cpu" or probe is None or not has_bfloat16():
        return Precision("float32", "device")
    if probe.passes < PASSES or probe.parameters < PARAMETERS:
        return Precision("float32", "length" if probe.passes < PASSES else "size")
    return probe.answer()


def faster(seconds: Mapping[str, float]) -> str:
    """bfloat16 where it is so by a margin."""
    return "bfloat16" if seconds["float32"] >= GAIN * seconds["bfloat16"] else "float32"


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware, and torch uses it."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def autocast(device: str, dtype: torch.dtype) -> AbstractContextManager:
    """torch.autocast to `dtype`; nothing for float32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device, dtype)


def processor() -> str:
    """The processor's name, with its family and model: the name alone is the same for several in the cloud."""
    known = Path("/proc/cpuinfo")
    if not known.exists():
        return platform.processor()
    lines = (line.partition(":") for line in known.read_text(encoding="utf-8", errors="replace").splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines}
    return " ".join(said.get(name, "") for name in ("model name", "cpu family", "model", "stepping")).strip()


def read_seconds(path: Path, key: Mapping[str, Any]) -> dict[str, float] | None:
    """What an earlier probe measured; None where there was none, or its file is damaged, which is said."""
    if not path.exists():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        held = None
    seconds = held.get("seconds") if isinstance(held, dict) and held.get("key") == key else None
    if isinstance(seconds, dict) and seconds.keys() == PRECISIONS.keys() and all(map(is_duration, seconds.values())):
        return seconds
    say(f"{str(path)!r} is damaged: which precision is the faster one is measured again")
    return None


def is_duration(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value) and value > 0
