"""Exponential moving averages (EMA) of a network's weights, and the post-hoc choice of their length.

A run may track averages of several lengths at once (`trainer.ema_lengths`), each with a power function for its profile,
p(t) ∝ t^γ: it grows with the training, and its relative width σ_rel stays. Of snapshots of these averages, any other
length is reconstructed after training (Karras et al. 2024, Analyzing and Improving the Training Dynamics of Diffusion
Models, section 3 and appendix C).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from colorize.models.base import converge_spectral_norms
from colorize.models.load import best_state
from colorize.utils.checkpoint import SNAPSHOTS, is_count, peek, step_of
from colorize.utils.errors import UserError
from colorize.utils.serialization import is_intact

KEPT = 16  # snapshots of a training, evenly: lengths between those that are tracked miss their profile by less than 1 %
UNIFORM = 0.2887  # the relative width of a plain mean, 1/√12

Tensors = tuple[Tensor, ...] | list[Tensor]
Update = Callable[[Tensors, Tensors, Tensor | int], None]  # of averages, by values, after so many updates


def constant_decay(decay: float) -> Update:
    """An average of one decay, which starts low, (1 + n)/(10 + n) after n updates."""

    @torch.no_grad()
    def update(averages: Tensors, values: Tensors, count: Tensor | int) -> None:
        n = float(count)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def power_function(length: float) -> Update:
    """An average of a relative width: decay (1 - 1/t)^(γ + 1) at step t."""
    gamma = exponent_of(length)

    @torch.no_grad()
    def update(averages: Tensors, values: Tensors, count: Tensor | int) -> None:
        torch._foreach_lerp_(averages, values, 1 - (1 - 1 / (float(count) + 1)) ** (gamma + 1))

    return update


def exponent_of(length: float) -> float:
    """γ of a relative width: the largest root of (γ + 2)² (γ + 3) = (γ + 1) / σ_rel²."""
    inverse = length**-2
    return float(np.roots([1, 7, 16 - inverse, 12 - inverse]).real.max())


def profile_product(t_a, gamma_a, t_b, gamma_b) -> np.ndarray:
    """The inner product of the profiles of two averages, at the steps t_a and t_b: arrays that broadcast."""
    exponent = np.where(t_a < t_b, gamma_b, -gamma_a)
    latest = np.maximum(t_a, t_b)
    return (gamma_a + 1) * (gamma_b + 1) * (t_a / t_b) ** exponent / ((gamma_a + gamma_b + 1) * latest)


def posthoc_coefficients(steps, gammas, step: float, gamma: float) -> tuple[np.ndarray, float]:
    """The share of each snapshot (N,) in the average with exponent `gamma` at `step`, whose profile theirs come nearest
    to by least squares; and how far, relative to that profile, they stay from it.

    steps, gammas   (N,) of the snapshots
    """
    t, exponents = np.asarray(steps, float), np.asarray(gammas, float)
    products = profile_product(t[:, None], exponents[:, None], t, exponents)
    wanted = profile_product(t, exponents, float(step), gamma)
    shares = np.linalg.lstsq(products, wanted, rcond=None)[0]
    shares /= shares.sum()
    own = float(profile_product(float(step), gamma, float(step), gamma))
    missed = shares @ products @ shares - 2 * shares @ wanted + own
    return shares, float((max(missed, 0) / own) ** 0.5)


def read_snapshot(path: Path) -> list[tuple[int, float, Mapping[str, Tensor]]]:
    """Of each average in a file: its step, its exponent, and its state, left in the file until it is read.

    Raises `UserError` for a file that is damaged, or none of ours.
    """
    with path.open("rb") as file:
        held = peek(path) if is_intact(file) else None
    if isinstance(held, dict) and is_count(step := held.get("steps")) and isinstance(held.get("averages"), dict):
        averages: dict[Any, Any] = held["averages"]
        if step and averages and all(isinstance(each, float) and 0 < each < UNIFORM for each in averages):
            return [(step, exponent_of(length), state) for length, state in averages.items()]
    raise UserError(f"{str(path)!r} is damaged, or no snapshot of averages: restore it from a copy")


def load_average(model: nn.Module, run: Path, length: float) -> tuple[int, float]:
    """Fill `model`, of the run in a folder, with its averaged weights of a length: the step of its newest snapshot, to
    which they belong, and how far their profile is from that length's, relative to it.

    Buffers are those of the newest snapshot. Raises `UserError` where there are no snapshots, or they do not fit.
    """
    files = sorted((run / SNAPSHOTS).glob("step-*.pt"), key=lambda path: step_of(path) or 0)
    if not files:
        raise UserError(
            f"{str(run)!r} has no averages to choose from: train it with trainer.ema_lengths=[0.05,0.1] from the start"
        )
    steps, gammas, averages = zip(*(each for path in files for each in read_snapshot(path)), strict=True)
    shares, missed = posthoc_coefficients(steps, gammas, steps[-1], exponent_of(length))
    try:
        weights = {name: sum(share * average[f"module.{name}"].double()
                             for share, average in zip(shares, averages, strict=True))
                   for name, _ in model.named_parameters()}  # fmt: skip
        model.load_state_dict(best_state({"average": averages[-1]}) | weights)
    except (KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise UserError(f"the averages in {str(files[0].parent)!r} are of another network than the run's") from error
    converge_spectral_norms(model)
    return steps[-1], missed
