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


def rows_of(found: dict[str, list], limit: float) -> dict[str, dict[str, float]]:
    """By kind, the slowest first: calls, ms, share of all that was timed, GFLOP, rate as a share of `limit` (operations
    a second), and `beyond`: the share of all that goes beyond what its multiplications take at the limit."""
    whole = sum(seconds for seconds, _, _ in found.values())
    return {
        kind: {
            "calls": calls, "ms": 1000 * seconds, "share": seconds / whole, "gflop": flops / 1e9,
            "of_limit": flops / seconds / limit, "beyond": (seconds - flops / limit) / whole,
        }
        for kind, (seconds, flops, calls) in sorted(found.items(), key=lambda item: -item[1][0])
    }  # fmt: skip


def print_operators(rows: dict[str, dict[str, float]], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("operation", "calls", "ms", "% of the step", "GFLOP", "of limit", "% beyond the limit"):
        table.add_column(column, justify="left" if column == "operation" else "right")
    for kind, row in rows.items():
        table.add_row(
            kind, f"{row['calls']}", f"{row['ms']:.1f}", f"{100 * row['share']:.1f}", f"{row['gflop']:.1f}",
            f"{row['of_limit']:.2f}" if row["gflop"] else "", f"{100 * row['beyond']:.1f}",
        )  # fmt: skip
    Console(width=120).print(table)
