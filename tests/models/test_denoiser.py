"""The denoising U-Net: attention and time codes by hand."""

import math

import numpy as np
import pytest
import torch

from colorize.models.denoiser import LinearAttention, Standardise, TimeCode


@pytest.mark.parametrize("kind", ["published", "transposed"])
def test_linear_attention_by_hand(kind):
    """q softmax over the head's width, k over the pixels, v / pixels; the context is Σ_n k_dn v_en. Published: its
    keys' index meets the query's. Transposed: its values' index does."""
    torch.manual_seed(0)
    layer = LinearAttention(12, kind, "instance", heads=3, width=4).double().eval()
    x = torch.randn(2, 12, 5, 7, dtype=torch.float64)
    qkv = np.einsum("oc,bchw->bohw", layer.qkv.weight[:, :, 0, 0].detach().numpy(), x.numpy()).reshape(2, 3, 3, 4, 35)
    expected = np.zeros((2, 3, 4, 35))
    for b in range(2):
        for h in range(3):
            q, k, v = qkv[b, 0, h], qkv[b, 1, h], qkv[b, 2, h] / 35
            q = np.exp(q) / np.exp(q).sum(axis=0) / 2
            k = np.exp(k) / np.exp(k).sum(axis=1, keepdims=True)
            context = k @ v.T  # (d, e)
            expected[b, h] = context.T @ q if kind == "published" else context @ q
    expected = torch.from_numpy(expected.reshape(2, 12, 5, 7))
    assert torch.allclose(layer(x), layer.out(expected), atol=1e-10)


def test_the_time_code_by_hand():
    code = TimeCode(8)(torch.tensor([0, 3]))
    rates = [math.exp(-k * math.log(10000) / 3) for k in range(4)]
    expected = [math.sin(3 * rate) for rate in rates] + [math.cos(3 * rate) for rate in rates]
    assert code[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert code[1].tolist() == pytest.approx(expected, abs=1e-6)


def test_standardised_filters():
    weight = Standardise()(torch.randn(6, 4, 3, 3) * 5 + 2)
    assert torch.allclose(weight.mean(dim=(1, 2, 3)), torch.zeros(6), atol=1e-6)
    assert torch.allclose(weight.var(dim=(1, 2, 3), unbiased=False), torch.ones(6), atol=1e-4)
