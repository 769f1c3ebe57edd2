"""Published checkpoints: what they compute in our networks, and what is said to files that are not whole.

`published.npz` holds what the thesis's own code computes with the weights of `deterministic.py` (and, for gan.pth,
fastai 2.8.2's DynamicUnet): every 8th pixel, every 4th of the diffusion network's. Its inputs are below.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import colorize
from colorize.models import MultiColor
from colorize.models.load import recognise
from tests.helpers.configs import ROOT
from tests.helpers.ddcolor import layouts
from tests.helpers.published import KEYS, published, two_networks


def close(ours, theirs, tolerance=1e-3):
    """‖y − r‖ is small beside ‖r − its mean over batch and pixels‖, which a network that ignores its input fails."""
    theirs = torch.as_tensor(theirs)
    spread = theirs - theirs.mean(dim=(0, 2, 3), keepdim=True)
    assert ours.shape == theirs.shape
    assert (ours - theirs).norm() < tolerance * spread.norm()


def converted(state, container=lambda state: state, path=Path("file.pth")):
    return recognise(colorize.models.weights.extract_weights(container(state), path), path).eval()


@published
@torch.no_grad()
def test_the_thesis_cnn(foreign, deterministic):
    model = converted(foreign("thesis_cnn"), lambda state: {"model_state_dict": state, "epoch": 20})
    held, L = np.load(KEYS / "thesis_cnn.npz"), deterministic.luminance(2, 224, 224)
    ab, summary = model.see(L)
    close((ab[..., ::8, ::8] + 128) / 255, held["out0"])
    assert torch.allclose(model.classify(summary), torch.from_numpy(held["out1"]), rtol=1e-3, atol=1e-4)


@published
@pytest.mark.parametrize("container", ["params", "flat", "module", "old"])
@torch.no_grad()
def test_ddcolor_tiny(container, foreign, deterministic):
    state = foreign("ddcolor_tiny")
    held = {
        "params": {"params": state},
        "flat": state,
        "module": {"params": {"wrong": torch.zeros(1)}, "params_ema": {f"module.{k}": v for k, v in state.items()}},
        "old": {"params": state | {f"encoder.arch.head_cls.{k}": torch.zeros(4) for k in ("weight", "bias")}},
    }[container]
    model = converted(held)
    assert "parametrizations" not in "".join(model.state_dict())  # spectral norm is folded
    if container != "params":
        return
    ab = model.predict_ab(deterministic.luminance(2, 256, 256))
    close(ab[..., ::8, ::8], np.load(KEYS / "ddcolor_tiny.npz")["out0"])


NETWORKS = {
    "thesis_gan": (lambda state: {"generator_state_dict": state}, lambda model, L: model.predict_ab(L) / 128),
    "thesis_gan_plain": (lambda state: state, lambda model, L: model.predict_ab(L) / 128),
    "thesis_transformer": (lambda state: {"model_state_dict": state}, lambda model, L: model.predict_ab(L) / 128),
    "thesis_multicolor": (lambda state: {"model_state_dict": state}, lambda model, L: model.see(L)[1]),
}


@published
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_thesis_networks(name, foreign, deterministic):
    container, answer = NETWORKS[name]
    model, L = converted(foreign(name), container), deterministic.luminance(2, 256, 256)
    vectors = np.load(ROOT / "tests" / "data" / "published.npz")
    close(answer(model, L)[..., ::8, ::8], vectors[name], 1e-4)
    if isinstance(model, MultiColor):
        said, _ = model.see(L)
        for i, (space, unit) in enumerate([("lab", 128), ("hs", 1), ("yuv", 1)]):
            close(said[space][..., ::8, ::8] / unit, vectors[f"{name}_{i}"], 1e-4)


@published
@torch.no_grad()
def test_the_thesis_diffusion(foreign, deterministic):
    model = converted(foreign("thesis_diffusion"), two_networks)
    L = deterministic.luminance(2, 128, 128)
    noisy = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 2, 128, 128)).astype(np.float32))
    said = model.denoise(L, noisy, torch.tensor([3, 400]), model.look(L))
    close(said[..., ::4, ::4], np.load(ROOT / "tests" / "data" / "published.npz")["thesis_diffusion"], 1e-4)


@published
def test_ddcolor_large_has_a_place_for_every_weight():
    keys = json.loads((KEYS / "ddcolor_large_keys.json").read_text())["keys"]
    state = {k["name"]: torch.zeros(()).expand(k["shape"]) for k in keys}
    for name, value in state.items():
        if name.endswith(("weight_u", "weight_v")):
            state[name] = value + 1
    model = converted(state)
    assert model.settings["encoder"] == "convnext_large.fb_in22k"


@torch.no_grad()
def test_every_layout_gives_the_same_colours(small, tmp_path):
    model, state = small
    L = 100 * torch.rand(1, 1, 64, 96)
    expected = model.colorize(L)
    for path in layouts(state, tmp_path):
        found = colorize.load(path)
        assert not found.training
        assert torch.allclose(found.colorize(L), expected, atol=1e-4), path


def test_the_constants_of_the_file_are_honoured(small, tmp_path):
    _, state = small
    torch.save(state | {"mean": torch.full((1, 3, 1, 1), 0.25)}, tmp_path / "a.pth")
    assert colorize.load(tmp_path / "a.pth").encoder.mean.unique().tolist() == [0.25]
