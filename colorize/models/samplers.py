"""From noise to a picture: ancestral DDPM, DDIM and DPM-Solver++ (2M), over any number of the trained noise levels.

Each takes `clean(x, t)`, which tells x_0 from x_t; x_T (B, C, H, W); ᾱ at the levels visited, from noisy to clean,
and a last 1; and `draw()`, fresh noise of x_T's shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from colorize.errors import UserError

Clean = Callable[[Tensor, int], Tensor]
Draw = Callable[[], Tensor]


def ddpm(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """Ho et al. 2020, algorithm 2, with σ² = β. Over all levels it is the published chain; over some, β is that of
    the leap. The last level, too, is left without noise."""
    for i in range(len(kept) - 1):
        now, then = kept[i], kept[i + 1]
        beta = 1 - now / then
        x0 = clean(x, i)
        mean = (math.sqrt(then) * beta * x0 + math.sqrt(now / then) * (1 - then) * x) / (1 - now)  # their eq. 7
        x = mean + math.sqrt(beta) * draw() if then < 1 else mean
    return x


def ddim(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """Song et al. 2021, eq. 12 with η = 0: no chance but that of x_T."""
    for i in range(len(kept) - 1):
        now, then = kept[i], kept[i + 1]
        x0 = clean(x, i)
        noise = (x - math.sqrt(now) * x0) / math.sqrt(1 - now)
        x = math.sqrt(then) * x0 + math.sqrt(1 - then) * noise
    return x


def dpm(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """DPM-Solver++ (2M) of Lu et al. 2022, algorithm 2, deterministic; of first order in its first and last leap."""
    before: Tensor | None = None
    leap_before = 0.0
    for i in range(len(kept) - 1):
        now, then = kept[i], kept[i + 1]
        x0 = clean(x, i)
        if then == 1:
            return x0
        leap = half_log_snr(then) - half_log_snr(now)
        ahead = x0 if before is None else x0 + (leap / (2 * leap_before)) * (x0 - before)
        x = math.sqrt((1 - then) / (1 - now)) * x - math.sqrt(then) * math.expm1(-leap) * ahead
        before, leap_before = x0, leap
    return x


def half_log_snr(kept: float) -> float:
    """λ = log(√ᾱ / √(1 − ᾱ)); a level that keeps nothing at all is taken for one that keeps very little."""
    kept = max(kept, 1e-8)
    return 0.5 * math.log(kept / (1 - kept))


LOWEST = -5.0  # λ below which nothing is left to tell: levels are not spent there

SAMPLERS = {"ddpm": ddpm, "ddim": ddim, "dpm++": dpm}


def levels(kept: Sequence[float], count: int) -> list[int]:
    """`count` of the levels T − 1 … 0, both ends among them, evenly spaced in λ: where a solver's error grows.

    `kept` holds ᾱ of all levels, from clean to noisy.
    """
    total = len(kept)
    if not 1 <= count <= total:
        raise UserError(f"sampling takes from 1 to {total} steps, not {count}")
    scale = [max(half_log_snr(value), LOWEST) for value in kept]
    chosen = [total - 1]
    for i in range(1, count):
        wanted = scale[-1] + (scale[0] - scale[-1]) * i / (count - 1)
        nearest = min(range(total), key=lambda level: abs(scale[level] - wanted))
        chosen.append(max(min(nearest, chosen[-1] - 1), count - 1 - i))  # each once, and enough left for the rest
    return chosen
