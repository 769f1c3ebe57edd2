"""What every network must do, whichever conf/model comes to hold; and the published architectures by their numbers."""

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import options
from hydra.utils import instantiate
from torch import nn

from colorize.batch import Batch
from colorize.errors import UserError
from colorize.models import CNN, PatchCritic, Transformer
from colorize.models.transformer import sine_places


def build(config, name):
    torch.manual_seed(0)
    return instantiate(config(f"model={name}", "loss=l1").model, _convert_="all")


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", options("model"))
def test_it_answers_what_it_promises(name, config):
    node = config(f"model={name}", "loss=l1").model
    if "classes" in node:
        node.classes = 5
    model = instantiate(node, _convert_="all")
    rgb = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    pred = model(Batch.from_rgb(rgb))
    assert pred.answered() == model.answers
    assert pred.ab.shape == (2, 2, 64, 96)


@pytest.mark.parametrize("size", [(96, 96), (33, 70), (1, 1), (100, 37)])
@pytest.mark.parametrize("name", options("model"))
def test_it_colours_any_size_in_cie_units(name, size, config):
    model = build(config, name).eval()
    L = 100 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    ab = model.colorize(L)
    assert ab.shape == (2, 2, *size)
    assert ab.dtype == torch.float32
    assert ab.abs().max() <= 128
    assert torch.equal(ab, model.colorize(L))
    one_by_one = torch.cat([model.colorize(L[:1]), model.colorize(L[1:])])
    assert torch.allclose(ab, one_by_one, atol=1e-3)


@pytest.mark.parametrize("name", options("model"))
def test_every_parameter_gets_a_gradient(name, config):
    model = build(config, name)
    model(Batch.from_rgb(torch.rand(2, 3, 64, 64))).ab.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 3, 64, 64)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match="L must be"):
        CNN(width=0.1, global_size=32).colorize(torch.zeros(shape))


def test_iizukas_network_has_the_published_size():
    assert parameters(CNN(classes=1000)) == 42_567_050


def test_ddcolor_tiny_has_the_published_size():
    # 1,536 fewer than the 55,006,640 of the official class: the encoder's final norm, which nothing uses, is left out
    assert parameters(Transformer(pretrained=False)) == 55_006_640 - 1_536


def test_the_patch_critic_is_the_70_by_70_one():
    critic = PatchCritic()
    assert parameters(critic) == 2_766_529
    (judged,) = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert judged.shape == (1, 1, 30, 30)
    for layer in critic.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    L = torch.full((1, 1, 256, 256), 50.0, requires_grad=True)
    critic.judge(L, torch.zeros(1, 2, 256, 256))[0, 0, 15, 15].backward()
    rows = L.grad[0, 0].abs().sum(dim=1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_a_critic_judges_each_colouring_on_its_own():
    critic = PatchCritic(width=8)
    L, ab = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 30
    alone, beside = critic(L, ab)[0], critic(L, torch.zeros_like(ab), ab)[1]
    assert torch.equal(alone, beside)


def test_the_global_branch_reuses_what_the_main_branch_saw():
    model = CNN(width=0.1, global_size=64).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    local = model.low(L / 100)
    assert model.low_of_copy(L / 100, local) is local
    assert model.low_of_copy(torch.rand(1, 1, 128, 64), local).shape == local.shape


def test_fusion_equals_the_published_order():
    """Published: shuffle and blur 256 channels at full size, then E·F, then a 1×1 convolution on [maps, picture]."""
    torch.manual_seed(0)
    model = Transformer(
        encoder="tf_efficientnet_lite0", pretrained=False, widths=(32, 32, 16), queries=10, dim=32
    ).double()
    queries = torch.randn(2, 10, 16, dtype=torch.float64)
    sub_pixels = torch.randn(2, 256, 6, 5, dtype=torch.float64)
    grey = torch.randn(2, 3, 24, 20, dtype=torch.float64)
    full = F.pixel_shuffle(sub_pixels, 4)
    full = F.avg_pool2d(F.pad(full, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
    maps = torch.einsum("bqc,bchw->bqhw", queries, full)
    model.eval()
    assert torch.allclose(
        model.fuse(queries, sub_pixels, grey), model.refine(torch.cat([maps, grey], dim=1)), atol=1e-10
    )


def test_place_codes_by_hand():
    """DETR's: place counted from 1 over the last place, times 2π, divided by 10000^(2⌊k/2⌋/half); sin, cos in turn."""
    codes = sine_places(torch.zeros(1, 1, 3, 4, dtype=torch.float64), 8).view(3, 4, 8)
    for row, column, k in [(0, 0, 0), (2, 3, 1), (1, 2, 2), (2, 0, 3)]:
        period = 10000 ** (2 * (k // 2) / 4)
        wave = math.sin if k % 2 == 0 else math.cos
        assert codes[row, column, k] == pytest.approx(wave((row + 1) / 3 * 2 * math.pi / period), abs=1e-5)
        assert codes[row, column, 4 + k] == pytest.approx(wave((column + 1) / 4 * 2 * math.pi / period), abs=1e-5)


def test_spectral_norm_bounds_the_pixel_decoder():
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False)
    for convolution in (model.pixels.last, model.refine, model.pixels.steps[0].up, model.pixels.steps[0].mix):
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_a_fresh_pixel_shuffle_draws_no_checkerboard():
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False, spectral=False)
    grid = F.pixel_shuffle(model.pixels.last(torch.randn(1, 256, 2, 2)), 4).view(1, 256, 2, 4, 2, 4)
    assert torch.allclose(grid, grid[:, :, :, :1, :, :1].expand_as(grid))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder": "efficientnet_lite7"}, "timm has no encoder .*did you mean"),
        ({"encoder": "vit_tiny_patch16_224"}, "choose another"),
        ({"pretrained": "perhaps"}, "true, false or auto"),
        ({"widths": (1, 2)}, "three numbers"),
        ({"dim": 63}, "multiple of 4"),
        ({"pretrained": True, "encoder": "convnext_atto"}, "cannot be had"),
    ],
)
def test_impossible_transformers_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Transformer(**{"encoder": "tf_efficientnet_lite0", **arguments})
