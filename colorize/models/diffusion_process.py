"""How a diffusion model adds noise (Ho et al. 2020), and the samplers that make a picture of it. B batch.

x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε, with t an index 0…T−1; ᾱ falls from nearly 1 to nearly 0.

Samplers, over any number of the trained noise levels: ancestral DDPM, DDIM and DPM-Solver++ (2M). Each takes
`clean(x, t)`, which tells x_0 from x_t; x_T (B, C, H, W); ᾱ at the levels visited, from noisy to clean, and a last 1;
and `draw()`, fresh noise of x_T's shape.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from colorize.utils.errors import UserError


class NoiseSchedule(nn.Module):
    """β rises on a straight line; ᾱ_t = Π (1 − β).

    steps           T, the number of noise levels
    beta            first and last β
    rescale         β times 1000/T: the line is meant for 1000 levels
    zero_terminal   shift and scale √ᾱ so that nothing is left of the picture at T − 1 (Lin et al. 2024)
    objective       what the network says: noise, ε; or velocity, √ᾱ ε − √(1 − ᾱ) x_0 (Salimans and Ho 2022)
    min_snr         γ: each level counts as much as min(SNR, γ) does for x_0 (Hang et al. 2023); null: all the same.
                    A last level of pure noise (zero_terminal), whose SNR is 0, counts 1: sampling begins there
    """

    alpha_bar: Tensor  # (T,)
    weights: Tensor | None  # (T,) how much each level counts; None: all the same

    def __init__(
        self, *, steps: int = 500, beta: Sequence[float] = (1e-4, 0.02), rescale: bool = False,
        zero_terminal: bool = False, objective: str = "noise", min_snr: float | None = None,
    ):  # fmt: skip
        super().__init__()
        scale = 1000 / steps if rescale else 1.0
        if steps < 2 or not 0 < beta[0] * scale <= beta[1] * scale < 1:
            raise UserError(
                f"model.steps is {steps} and model.beta {list(beta)}: it takes two steps or more, and 0 < first β ≤ "
                f"last β < 1{f' after scaling by {scale:g}' if rescale else ''}"
            )
        if zero_terminal and objective == "noise":
            raise UserError(
                "model.zero_terminal leaves pure noise at the last level, where the noise tells nothing of the "
                "picture: it needs model.objective=velocity"
            )
        line = torch.linspace(beta[0] * scale, beta[1] * scale, steps, dtype=torch.float64, device="cpu")
        root = torch.cumprod(1 - line, 0).sqrt()
        if zero_terminal:
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        self.kept: list[float] = root.square().tolist()  # ᾱ, as numbers
        self.register_buffer("alpha_bar", torch.tensor(self.kept), persistent=False)
        self.steps, self.objective, self.min_snr = steps, objective, min_snr
        self.register_buffer("weights", self._weights(), persistent=False)

    def roots(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """√ᾱ_t and √(1 − ᾱ_t) of t (B,), each (B, 1, 1, 1)"""
        kept = self.alpha_bar[t].view(-1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()

    def add(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t, Ho et al.'s eq. 4"""
        kept, added = self.roots(t)
        return kept * clean + added * noise

    def target(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the network is to say of x_t."""
        kept, added = self.roots(t)
        return noise if self.objective == "noise" else kept * noise - added * clean

    def clean(self, noisy: Tensor, said: Tensor, t: Tensor) -> Tensor:
        """x_0 from x_t and what the network said of it."""
        kept, added = self.roots(t)
        return (noisy - added * said) / kept if self.objective == "noise" else kept * noisy - added * said

    def weight(self, t: Tensor) -> Tensor | None:
        """(B,) how much each level counts; None: all the same."""
        return None if self.weights is None else self.weights[t]

    def _weights(self) -> Tensor | None:
        """Of all levels, computed on the CPU: Apple's GPUs have no doubles."""
        if self.min_snr is None:
            return None
        kept = torch.tensor(self.kept, dtype=torch.float64, device="cpu")
        snr = kept / (1 - kept)
        own = snr if self.objective == "noise" else snr + 1  # ‖ε̂ − ε‖² = SNR ‖x̂ − x‖², ‖v̂ − v‖² = (SNR + 1) ‖x̂ − x‖²
        return torch.where(snr > 0, snr.clamp(max=self.min_snr) / own, 1).float()


Clean = Callable[[Tensor, int], Tensor]
Draw = Callable[[], Tensor]


def ddpm(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """Ho et al. 2020, algorithm 2, with σ² = β. Over all levels it is the published chain; over some, β is that of
    the leap. The last level, too, is left without noise."""
    for i, (now, then) in enumerate(pairwise(kept)):
        beta = 1 - now / then
        x0 = clean(x, i)
        mean = (math.sqrt(then) * beta * x0 + math.sqrt(now / then) * (1 - then) * x) / (1 - now)  # their eq. 7
        x = mean + math.sqrt(beta) * draw() if then < 1 else mean
    return x


def ddim(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """Song et al. 2021, eq. 12 with η = 0: no chance but that of x_T."""
    for i, (now, then) in enumerate(pairwise(kept)):
        x0 = clean(x, i)
        noise = (x - math.sqrt(now) * x0) / math.sqrt(1 - now)
        x = math.sqrt(then) * x0 + math.sqrt(1 - then) * noise
    return x


def dpm(clean: Clean, x: Tensor, kept: Sequence[float], draw: Draw) -> Tensor:
    """DPM-Solver++ (2M) of Lu et al. 2022, algorithm 2, deterministic; of first order in its first and last leap."""
    before: Tensor | None = None
    leap_before = 0.0
    for i, (now, then) in enumerate(pairwise(kept)):
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


def sampler_table(sampler: str, kept: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """A sampler without its code: (a, b, c, d) of each leap, x ← a x + b x_0 + c (x_0 of the leap before) + d ε.

    kept  ᾱ at the levels visited, and a last 1
    """
    rows, leap_before = [], 0.0
    for now, then in pairwise(kept):
        a, b, c, d = 0.0, 1.0, 0.0, 0.0
        if sampler == "ddpm":
            beta = 1 - now / then
            a, b = math.sqrt(now / then) * (1 - then) / (1 - now), math.sqrt(then) * beta / (1 - now)
            d = math.sqrt(beta) if then < 1 else 0.0
        elif sampler == "ddim":
            a = math.sqrt((1 - then) / (1 - now))
            b = math.sqrt(then) - a * math.sqrt(now)
        elif then < 1:
            leap = half_log_snr(then) - half_log_snr(now)
            ratio = leap / (2 * leap_before) if leap_before else 0.0
            a, towards = math.sqrt((1 - then) / (1 - now)), -math.sqrt(then) * math.expm1(-leap)
            b, c, leap_before = towards * (1 + ratio), -towards * ratio, leap
        rows.append((a, b, c, d))
    return rows
