"""The diffusion model: samples, speed, and colour at another size than lightness."""

import pytest
import torch

from colorize.batch import Batch
from colorize.models import Diffusion
from colorize.models.diffusion_process import SAMPLERS, NoiseSchedule
from colorize.utils.errors import UserError

SMALL = {"widths": (8, 16, 16), "time": 16, "dropout": 0.0}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Diffusion(**SMALL).eval()


def test_all_levels_are_trained(model):
    """Index t − 1 of the papers, 0…T − 1: none is left out."""
    seen = set()
    model.denoise = lambda L, noisy, t, grey: seen.update(t.tolist()) or torch.zeros_like(noisy)
    model.look = lambda L: []
    model.noise = NoiseSchedule(steps=4)
    torch.manual_seed(0)
    for _ in range(20):
        model(Batch(torch.full((4, 1, 4, 4), 50.0), torch.zeros(4, 2, 4, 4)))
    assert seen == {0, 1, 2, 3}


def test_the_grey_picture_is_looked_at_once(model):
    seen, asked = [], []
    encoder, denoiser = model.encoder.forward, model.denoiser.forward
    model.encoder.forward = lambda grey: seen.append(len(grey)) or encoder(grey)
    model.denoiser.forward = lambda noisy, *rest: asked.append(len(noisy)) or denoiser(noisy, *rest)
    samples = model.sample(100 * torch.rand(2, 1, 16, 16), 3)
    assert samples.shape == (2, 3, 2, 16, 16)
    assert seen == [2]
    assert asked == [6] * 10


def test_samples_differ_and_one_of_them_is_what_colorize_draws(model):
    L = 100 * torch.rand(1, 1, 16, 16)
    one, two = model.sample(L, 2, torch.Generator().manual_seed(0))[0]
    assert not torch.allclose(one, two)
    alone = model.sample(L, 1, torch.Generator().manual_seed(5))[:, 0]
    assert torch.equal(alone, model.colorize(L, torch.Generator().manual_seed(5)))
    with pytest.raises(UserError, match="1 pictures need 1 generators"):
        model.sample(L, 2, [torch.Generator(), torch.Generator()])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("options", [{}, {"objective": "velocity", "zero_terminal": True}])
def test_every_sampler_gives_colours_for_every_kind_of_noise(sampler, options):
    torch.manual_seed(0)
    model = Diffusion(**SMALL, **options, steps=20, sampling_steps=None, sampler=sampler).eval()
    L = 100 * torch.rand(1, 1, 16, 16)
    ab = model.colorize(L, torch.Generator().manual_seed(0))
    assert ab.isfinite().all()
    assert ab.std() > 0


def test_sampling_at_another_speed(model):
    model.sample_with("ddim", 4)
    assert len(model.sampling_steps) == 4
    model.sample_with("ddpm", None)
    assert len(model.sampling_steps) == 500


def test_colour_at_half_the_size():
    model = Diffusion(**SMALL, shrink=2).eval()
    pred = model(Batch(100 * torch.rand(1, 1, 32, 32), torch.zeros(1, 2, 32, 32)))
    assert pred.noise.shape == pred.noise_hat.shape == (1, 2, 16, 16)
    assert model.multiple == 4
    assert model.colorize(100 * torch.rand(1, 1, 30, 31)).shape == (1, 2, 30, 31)
