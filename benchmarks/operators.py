"""Where the time of a training step goes, by kind of operation, and how near each kind comes to the machine's limit.

Every operation that autograd sends to the CPU is timed, backward passes and optimizer included, and its multiplications
are counted. The kinds are few and add up to the step, which a profiler's table of a hundred rows does not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

KINDS = {  # the first that is part of an operation's name
    "attention": "attention", "norm": "normalisation", "var_mean": "normalisation",
    "upsample": "resampling", "pool": "resampling", "pixel_": "copies",
    "relu": "activation", "gelu": "activation", "silu": "activation", "sigmoid": "activation", "tanh": "activation",
    "threshold": "activation", "softmax": "activation", "mm": "matrix product",
    "copy": "copies", "clone": "copies", "cat": "copies", "pad": "copies", "fill": "copies", "zero": "copies",
    "slice_backward": "copies", "select_backward": "copies", "empty": "copies", "new_": "copies", "ones": "copies",
    "full": "copies",
}  # fmt: skip


class OperatorTimes(TorchDispatchMode):
    """Seconds, floating-point operations and calls by kind, of what runs inside."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list] = defaultdict(lambda: [0.0, 0, 0])
        self.stepping = False  # all that an optimizer's step does is of one kind

    def follow(self, optimizer: Optimizer) -> None:
        optimizer.register_step_pre_hook(lambda *_: setattr(self, "stepping", True))
        optimizer.register_step_post_hook(lambda *_: setattr(self, "stepping", False))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        began = time.perf_counter()
        out = func(*args, **(kwargs or {}))
        took = time.perf_counter() - began
        row = self.found["optimizer" if self.stepping else kind_of(func.overloadpacket, args)]
        count = flop_registry.get(func.overloadpacket)
        row[0] += took
        row[1] += count(*args, **(kwargs or {}), out_val=out) if count else 0
        row[2] += 1
        return out


def kind_of(op: Any, args: tuple) -> str:
    name = op.__name__
    if "convolution" in name:
        way, first = ("backward", 2) if "backward" in name else ("forward", 1)  # where the weight stands
        _, _, _, _, _, transposed, _, groups = args[first : first + 8]
        kind = "depthwise" if groups > 1 else "transposed" if transposed else ""
        height, width = args[first].shape[2:]
        return f"convolution {height}×{width} {kind}, {way}".replace(" ,", ",")
    return next((kind for part, kind in KINDS.items() if part in name), "elementwise and sums")


def print_operators(found: dict[str, list], limit: float, title: str) -> None:
    """A table of the kinds, the slowest first; `limit` in floating-point operations a second."""
    table = Table(title=title, title_justify="left")
    for column in ("operation", "calls", "ms", "share", "GFLOP", "of limit", "ms beyond the limit"):
        table.add_column(column, justify="left" if column == "operation" else "right")
    timed = sum(seconds for seconds, _, _ in found.values())
    for kind, (seconds, flops, calls) in sorted(found.items(), key=lambda item: -item[1][0]):
        table.add_row(
            kind, str(calls), f"{1000 * seconds:.1f}", f"{100 * seconds / timed:.1f} %", f"{flops / 1e9:.1f}",
            f"{flops / seconds / limit:.2f}" if flops else "", f"{1000 * (seconds - flops / limit):.1f}",
        )  # fmt: skip
    Console(width=120).print(table)
