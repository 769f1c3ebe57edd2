"""Noise against its formulas, and the samplers on a toy whose answer is known."""

import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from colorize.models import Diffusion
from colorize.models.diffusion_process import SAMPLERS, NoiseSchedule, ddim, ddpm, dpm, levels
from colorize.utils.errors import UserError

MEAN, SPREAD = 0.7, 0.2  # the toy: every value is drawn from N(0.7, 0.2²), and the best denoiser is known


def kept_of(schedule, count):
    kept = schedule.alpha_bar.double()
    return [*kept[levels(kept.tolist(), count)].tolist(), 1.0]


def best(kept):
    """E[x_0 | x_t] of the toy, for each level visited."""

    def clean(x, i):
        root = math.sqrt(kept[i])
        gain = SPREAD**2 * root / (SPREAD**2 * kept[i] + 1 - kept[i])
        return MEAN + gain * (x - root * MEAN)

    return clean


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ({"steps": 500}, 6.35e-3),
        ({"steps": 350}, 2.9e-2),
        ({"steps": 1000, "rescale": True}, 4.0e-5),
        ({"steps": 500, "rescale": True}, 3.8e-5),
    ],
)
def test_what_is_left_of_the_picture_at_the_last_level(arguments, last):
    schedule = NoiseSchedule(**arguments)
    assert schedule.alpha_bar[-1].item() == pytest.approx(last, rel=0.02)
    first = 1e-4 * (1000 / arguments["steps"] if "rescale" in arguments else 1)
    assert schedule.alpha_bar[0].item() == pytest.approx(1 - first)


def test_noise_with_nothing_left_of_the_picture():
    plain, zero = NoiseSchedule(), NoiseSchedule(zero_terminal=True, objective="velocity")
    assert zero.alpha_bar[-1] == 0
    assert zero.alpha_bar[0] == pytest.approx(plain.alpha_bar[0].item())
    root = np.sqrt(plain.alpha_bar.double().numpy())  # Lin et al. 2024, algorithm 1
    expected = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    assert np.allclose(zero.alpha_bar.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("objective", ["noise", "velocity"])
def test_the_picture_can_be_told_from_the_right_answer(objective):
    schedule = NoiseSchedule(objective=objective)
    clean, noise = torch.randn(6, 2, 4, 4), torch.randn(6, 2, 4, 4)
    t = torch.tensor([0, 1, 100, 250, 400, 499])
    noisy = schedule.add(clean, noise, t)
    assert torch.allclose(schedule.clean(noisy, schedule.target(clean, noise, t), t), clean, atol=1e-4)
    betas = np.linspace(1e-4, 0.02, 500)
    for i, level in enumerate(t):
        kept = np.prod(1 - betas[: level + 1])
        expected = math.sqrt(kept) * clean[i] + math.sqrt(1 - kept) * noise[i]
        assert torch.allclose(noisy[i], expected, atol=1e-5)


@pytest.mark.parametrize("objective", ["noise", "velocity"])
def test_min_snr_weighs_the_error_of_the_picture(objective):
    """Hang et al. 2023: every objective's error, weighed, is min(SNR, γ) times the squared error of x_0."""
    schedule = NoiseSchedule(objective=objective, min_snr=5.0)
    t = torch.tensor([3, 60, 200, 480])
    clean, noise, said = (torch.randn(4, 2, 8, 8) for _ in range(3))
    noisy = schedule.add(clean, noise, t)
    error = (said - schedule.target(clean, noise, t)).square().mean(dim=(1, 2, 3))
    of_picture = (schedule.clean(noisy, said, t) - clean).square().mean(dim=(1, 2, 3))
    kept = schedule.alpha_bar[t]
    expected = (kept / (1 - kept)).clamp(max=5) * of_picture
    assert torch.allclose(schedule.weight(t) * error, expected, rtol=1e-3)


def test_ddpm_over_all_levels_is_the_published_chain():
    """Ho et al. 2020, algorithm 2, in the form of the noise, with the same draws."""
    schedule = NoiseSchedule(steps=200)
    kept = kept_of(schedule, 200)
    draws = [torch.randn(3, 5, dtype=torch.float64) for _ in range(200)]
    clean, queue = best(kept), iter(draws[1:])
    ours = ddpm(clean, draws[0], kept, lambda: next(queue))
    x, z = draws[0], iter(draws[1:])
    for i in range(200):
        alpha = kept[i] / kept[i + 1]
        noise = (x - math.sqrt(kept[i]) * clean(x, i)) / math.sqrt(1 - kept[i])
        x = (x - (1 - alpha) / math.sqrt(1 - kept[i]) * noise) / math.sqrt(alpha)
        if i < 199:
            x = x + math.sqrt(1 - alpha) * next(z)
    assert torch.allclose(ours, x, atol=1e-9)


def test_ddpm_draws_from_the_toys_distribution():
    kept = kept_of(NoiseSchedule(steps=500, rescale=True), 500)
    torch.manual_seed(0)
    x = ddpm(best(kept), torch.randn(40_000), kept, lambda: torch.randn(40_000))
    assert x.mean().item() == pytest.approx(MEAN, abs=0.005)
    assert x.std().item() == pytest.approx(SPREAD, rel=0.02)


def along_the_flow(start, kept):
    """Where the probability flow of the toy leads: what lies k spreads from the mean stays k spreads from it."""
    root = math.sqrt(kept[0])
    return MEAN + SPREAD * (start - root * MEAN) / math.sqrt(SPREAD**2 * kept[0] + 1 - kept[0])


def no_chance():
    raise AssertionError("a deterministic sampler drew noise")


@pytest.mark.parametrize("sampler", [ddim, dpm])
def test_deterministic_samplers_follow_the_flow(sampler):
    schedule = NoiseSchedule(steps=500, rescale=True)
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    errors = {}
    for count in (5, 20, 500):
        kept = kept_of(schedule, count)
        end = sampler(best(kept), start, kept, no_chance)
        assert torch.equal(end, sampler(best(kept), start, kept, no_chance))
        errors[count] = (end - along_the_flow(start, kept)).abs().max().item()
    assert errors[500] < 0.01
    assert errors[500] < errors[20] < errors[5]


def test_the_second_order_pays():
    kept = kept_of(NoiseSchedule(steps=500, rescale=True), 10)
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    ends = {name: (SAMPLERS[name](best(kept), start, kept, no_chance)) for name in ("ddim", "dpm++")}
    errors = {name: (end - along_the_flow(start, kept)).abs().max().item() for name, end in ends.items()}
    assert errors["dpm++"] < 0.1 * errors["ddim"]


def test_min_snr_spares_the_level_where_sampling_begins():
    schedule = NoiseSchedule(zero_terminal=True, objective="velocity", min_snr=5.0)
    kept = np.array(schedule.kept)
    snr = kept[:-1] / (1 - kept[:-1])
    weights = schedule.weight(torch.arange(500))
    assert weights[-1] == 1  # nothing is left of the picture, whose error the others weigh
    assert weights[:-1].tolist() == pytest.approx((np.minimum(snr, 5) / (snr + 1)).tolist(), rel=1e-6)
    with pytest.raises(UserError, match=r"model\.min_snr is 0; it must be greater than 0 or null"):
        Diffusion(min_snr=0)


def test_nothing_is_computed_in_double_precision_on_the_device():
    """Apple's GPUs have none."""
    schedule = NoiseSchedule(min_snr=5.0)
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            said = func(*args, **(kwargs or {}))
            seen.extend([said.dtype] if isinstance(said, torch.Tensor) else [])
            return said

    with Watch():
        schedule.weight(torch.tensor([3, 4]))
    assert seen
    assert torch.float64 not in seen


@pytest.mark.parametrize("schedule", [NoiseSchedule(), NoiseSchedule(zero_terminal=True, objective="velocity")])
def test_levels_are_even_in_the_logarithm_of_snr(schedule):
    kept = schedule.alpha_bar.double().numpy().clip(1e-8)
    snr = np.log(kept / (1 - kept)).clip(-10)
    for count in (1, 2, 10, 60, 499, 500):
        chosen = levels(schedule.alpha_bar.double().tolist(), count)
        assert len(set(chosen)) == count
        assert chosen == sorted(chosen, reverse=True)
        assert chosen[0] == 499
        assert count == 1 or chosen[-1] == 0
    gaps = np.diff(snr[levels(schedule.alpha_bar.double().tolist(), 6)])
    assert gaps.std() < 0.2 * gaps.mean()
    with pytest.raises(UserError, match="from 1 to 500 steps, not 0"):
        levels(schedule.alpha_bar.tolist(), 0)
