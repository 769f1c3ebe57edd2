"""The public API: the calls that docs/ promise, and the arguments that networks keep."""

import pytest
import torch

import colorize
from colorize.models import CNN, Diffusion, MultiColor
from colorize.utils.errors import UserError


def test_a_network_takes_its_arguments_by_place_and_keeps_them():
    class Mine(CNN):
        def __init__(self, width: float = 1.0):
            super().__init__(width=width, global_size=32)

    assert Mine(0.1).settings == Mine(width=0.1).settings == {"width": 0.1}
    assert Mine().settings == {}


def test_the_calls_that_were_agreed():
    torch.manual_seed(0)
    for objective in ("noise", "velocity"):
        model = Diffusion(widths=(8, 16), time=16, dropout=0, steps=50, objective=objective).eval()
        L, clean, noise = 100 * torch.rand(2, 1, 16, 16), torch.randn(2, 2, 16, 16), torch.randn(2, 2, 16, 16)
        t = torch.tensor([3, 40])
        noisy = model.noise.add(clean, noise, t)
        said = model.predict_noise(noisy, t, L)
        x0 = model.noise.clean(noisy, model.denoise(L, noisy, t, model.look(L)), t)
        kept, added = model.noise.roots(t)
        assert torch.allclose(said, (noisy - kept * x0) / added, atol=1e-3)
    multi = MultiColor(
        encoder="test_convnext", pretrained=False, widths=(16, 16, 16), queries=8, dim=16, heads=2, feedforward=32,
        rounds=1, complement=(8, 16, 8),
    ).eval()  # fmt: skip
    L = 100 * torch.rand(1, 1, 32, 32)
    rgb = multi.predict_rgb(L)
    assert rgb.shape == (1, 3, 32, 32)
    assert torch.equal(multi.ab_of(rgb), multi.predict_ab(L))


def test_pretrained_weights_for_an_encoder_of_its_own_are_refused():
    with pytest.raises(UserError, match=r"needs an encoder of timm's"):
        Diffusion(widths=(8, 16), time=16, pretrained=True)


def test_the_package_lists_what_it_offers():
    assert {"load", "save"} <= set(dir(colorize))
