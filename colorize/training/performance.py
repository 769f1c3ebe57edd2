"""How fast a run trains: FLOPs a second, model FLOPs utilization (MFU), and a profile of a few steps."""

import os
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from colorize.utils.console import say
from colorize.utils.files import write_text
from colorize.utils.flops import StepFlopCounter, matrix_product_rate


class StepFlops:
    """The FLOPs of an optimizer step of this process, counted in the first step of each kind.

    precision   of the matrix product that utilization is measured by
    compiled    the network is under torch.compile: none are counted, since it would run uncompiled for that
    """

    def __init__(self, device: torch.device, precision: torch.dtype, compiled: bool = False):
        self.device, self.precision, self.compiled = device, precision, compiled
        self.counts: dict[Hashable, int] = {}
        self.kind: Hashable = None

    @contextmanager
    def counted(self, *kind: Hashable) -> Iterator[None]:
        """Around a step of this kind: steps of one kind take as many."""
        self.kind = kind
        if self.compiled or kind in self.counts:
            yield
            return
        with StepFlopCounter() as counter:
            yield
        self.counts[kind] = counter.total

    def read(self, seconds: float) -> dict[str, float]:
        """Of the newest step, which took so long: 10¹² FLOPs a second, and their share of a large matrix product's."""
        if self.compiled:
            return {}
        rate = self.counts[self.kind] / seconds
        share = rate / matrix_product_rate(self.device, self.precision)
        return {"perf/tflops": float(f"{rate / 1e12:.4g}"), "perf/mfu": float(f"{share:.4g}")}


WARM_UP = 4  # steps before those that are profiled
PROFILED = 10
ROWS = 100  #  of the table


class StepProfiler(profile):
    """While it is entered, profiles the steps 5 to 14 of those that `step` ends, into `folder`: `trace.json.gz` for
    chrome://tracing and ui.perfetto.dev, and `operations.txt`, a table by the time that operations take themselves.
    """

    def __init__(self, folder: Path):
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its own lines, such as that there is no GPU
        self.folder, self.written = folder, False
        steps = schedule(wait=WARM_UP - 1, warmup=1, active=PROFILED, repeat=1)
        super().__init__(schedule=steps, on_trace_ready=lambda _: self.write())

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        if not self.written:
            say(f"no profile: it is of the steps after {WARM_UP}, and only {self.step_num} were taken")

    def write(self) -> None:
        """The profiler has recorded the last of its steps, or training ends before."""
        if self.step_num <= WARM_UP:
            return
        self.written = True
        self.folder.mkdir(parents=True, exist_ok=True)
        trace, table = self.folder / "trace.json.gz", self.folder / "operations.txt"
        self.export_chrome_trace(str(trace))
        device = "cpu" if self.activities == {ProfilerActivity.CPU} else "device"
        write_text(table, self.key_averages().table(sort_by=f"self_{device}_time_total", row_limit=ROWS))
        steps = self.step_num - WARM_UP
        say(f"a profile of {steps} steps: {str(trace)!r} for ui.perfetto.dev, and the table {str(table)!r}")
