"""Fixtures of this folder's tests."""

import pytest
import torch

from colorize.data import Demo
from colorize.metrics.feature_store import Features
from tests.helpers.features import Measured, toy


@pytest.fixture(scope="session")
def photographs():
    """The 24 validation photographs, (24, 3, 256, 256) uint8."""
    demo = Demo(size=256)
    return torch.stack([demo.centre(photo) for photo in demo.val])


@pytest.fixture(scope="session")
def pairs():
    """20 demo photographs and distorted copies, (20, 3, 64, 64) uint8."""
    demo = Demo(size=64)
    true = torch.stack([demo.centre(photo) for photo in demo.val[:20]])
    strength = torch.linspace(0, 1, 20).view(-1, 1, 1, 1)
    grey = true.float().mean(dim=1, keepdim=True)
    noise = 20 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    painted = strength * grey + (1 - strength) * true + noise
    return painted.round().clamp(0, 255).to(torch.uint8), true


@pytest.fixture
def measured(pairs, monkeypatch, tmp_path):
    """The pairs, fed in uneven batches."""
    monkeypatch.setattr("colorize.metrics.distribution.MANIFOLD", 4)
    monkeypatch.setattr("colorize.metrics.feature_store.AT_ONCE", 3)
    measured = Measured(toy("inception"), tmp_path)
    for start, stop in ((0, 1), (1, 8), (8, 20)):
        measured.add(pairs[0][start:stop], pairs[1][start:stop].float() / 255)
    return measured


@pytest.fixture(scope="session")
def repeated():
    """200 repetitions of 60 pairs of correlated pictures in 14 dimensions, and the true distance."""
    random = torch.Generator().manual_seed(4)
    scale = torch.linspace(0.5, 1.5, 14).double()
    found = []
    for _ in range(200):
        z, e = torch.randn(2, 60, 14, dtype=torch.float64, generator=random)
        found.append((Features(z.numpy()), Features(((0.8 * z + 0.6 * e) * scale + 0.2).numpy())))
    return found, ((scale - 1) ** 2).sum().item() + 14 * 0.04
