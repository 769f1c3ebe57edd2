"""Blocks that networks share, against torch's own and by hand."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Generator
from torch.overrides import TorchFunctionMode

from colorize.models import Transformer
from colorize.models.base import Dropout, seed_dropout
from colorize.models.critics import SelfAttention
from colorize.models.dual_decoder import read_map, sine_places
from colorize.models.encoders import with_convolutions


def test_self_attention_is_sagans():
    """Zhang et al. 2019, eq. 1 to 3: β_ji = softmax over i of f(x_i)·g(x_j), o_j = Σ_i β_ji h(x_i), y = γ o + x."""
    layer = SelfAttention(16).double().eval()
    torch.nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(2, 16, 3, 5, dtype=torch.float64)
    f, g, h = (part(x).flatten(2) for part in (layer.key, layer.query, layer.value))
    beta = torch.einsum("bci,bcj->bij", f, g).softmax(dim=1)
    expected = 0.7 * torch.einsum("bci,bij->bcj", h, beta).view_as(x) + x
    assert torch.allclose(layer(x), expected, atol=1e-12)


def test_place_codes_by_hand():
    """DETR's: place counted from 1 over the last place, times 2π, divided by 10000^(2⌊k/2⌋/half); sin, cos in turn."""
    codes = sine_places(torch.zeros(1, 1, 3, 4, dtype=torch.float64), 8).permute(1, 2, 0)
    for row, column, k in [(0, 0, 0), (2, 3, 1), (1, 2, 2), (2, 0, 3)]:
        period = 10000 ** (2 * (k // 2) / 4)
        wave = math.sin if k % 2 == 0 else math.cos
        assert codes[row, column, k] == pytest.approx(wave((row + 1) / 3 * 2 * math.pi / period), abs=1e-5)
        assert codes[row, column, 4 + k] == pytest.approx(wave((column + 1) / 4 * 2 * math.pi / period), abs=1e-5)


def test_reading_a_map_is_torchs_attention():
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(16, 4, batch_first=True).double()
    torch.nn.init.normal_(attention.in_proj_bias)
    query, keys, values = (torch.randn(2, *shape, dtype=torch.float64) for shape in ((5, 16), (16, 3, 4), (16, 3, 4)))
    expected, _ = attention(query, keys.flatten(2).mT, values.flatten(2).mT)
    assert torch.allclose(read_map(attention, query, keys, values), expected, atol=1e-12)


def test_a_convnext_of_convolutions_is_the_same_network():
    torch.manual_seed(0)
    plain = timm.create_model("test_convnext", features_only=True, out_indices=(0, 1, 2, 3)).eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    options = {"features_only": True, "out_indices": (0, 1, 2, 3), "in_chans": 3}
    ours = with_convolutions("test_convnext", plain, options).eval()
    x = torch.randn(1, 3, 64, 64)
    for one, other in zip(ours(x), plain(x), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)
    assert with_convolutions("resnet18", plain, {}) is plain


def test_spectral_norm_bounds_the_pixel_decoder():
    torch.manual_seed(0)
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False)
    for convolution in (model.pixels.last, model.refine, model.pixels.steps[0].up, model.pixels.steps[0].mix):
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_a_fresh_pixel_shuffle_draws_no_checkerboard():
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False, spectral=False)
    grid = F.pixel_shuffle(model.pixels.last(torch.randn(1, 256, 2, 2)), 4).view(1, 256, 2, 4, 2, 4)
    assert torch.allclose(grid, grid[:, :, :, :1, :, :1].expand_as(grid))


class Copies(TorchFunctionMode):
    """Notes what tensors are turned into."""

    def __init__(self):
        super().__init__()
        self.copies = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.to:
            self.copies.append(args[1:])
        return func(*args, **(kwargs or {}))


def test_dropout_draws_where_it_is_used(monkeypatch):
    """A mask belongs to its photograph, in whatever batch, and is drawn on the device of what it drops."""
    layer, x = Dropout(0.3), torch.ones(4, 8, 16, 16)
    seed_dropout(layer, [5, 6, 7, 8])
    devices = []
    monkeypatch.setattr(torch, "Generator", lambda device: devices.append(device) or Generator(device))
    with (watch := Copies()):
        whole = layer(x)
    assert devices == [x.device]
    assert watch.copies == [(torch.float32,)]  # a type, and no place
    assert whole.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (whole == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    seed_dropout(layer, [7, 8])
    assert torch.equal(layer(x[2:]), whole[2:])  # as another process would
    assert not torch.equal(whole[0], whole[1])
