"""What another program needs: `load` and what it imports, `colorize`, and what single networks say besides."""

import json
import subprocess
import sys
from inspect import signature
from typing import get_type_hints

import pytest
import torch
from torch import Tensor, nn

import colorize
from colorize.models import CNN, Colorizer, Diffusion, MultiColor

SLOW = {"hydra", "omegaconf", "antlr4", "wandb", "lpips", "torch_fidelity"}
PROGRAM = """
import json, sys
import colorize

found = [colorize.load(place) and sorted(sys.modules) for place in sys.argv[1:]]
print(json.dumps([sorted({name.split(".")[0] for name in names}) for names in found]))
"""


@pytest.fixture(scope="module")
def before_move(request):
    return request.config.rootpath / "tests" / "data" / "before_move"


def test_an_export_is_loaded_with_torch_and_timm_alone(before_move):
    """A run folder may take omegaconf, which reads its config; neither takes what only training or evaluation uses."""
    places = (before_move / "export", before_move / "export" / "model.safetensors", before_move / "finished")
    done = subprocess.run([sys.executable, "-c", PROGRAM, *map(str, places)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    export, file, run = map(set, json.loads(done.stdout))
    assert "colorize" in export
    assert (export | file) & SLOW == set()
    assert run & SLOW <= {"omegaconf", "antlr4"}


def test_the_public_functions_are_typed():
    for function in (
        colorize.load, colorize.save, Colorizer.colorize, Colorizer.predict_ab, Diffusion.predict_noise,
        MultiColor.predict_rgb,
    ):  # fmt: skip
        hints = get_type_hints(function)
        assert hints.keys() == {*signature(function).parameters, "return"} - {"self"}, function


@pytest.fixture(scope="module")
def cnn():
    torch.manual_seed(0)
    return CNN(width=0.05, global_size=32).eval()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_lightness_of_any_type_gives_float32(cnn, dtype):
    L = (100 * torch.rand(1, 1, 17, 20)).to(dtype)
    ab = cnn.colorize(L)
    assert ab.dtype == torch.float32
    assert torch.equal(ab, cnn.colorize(L.float()))


def test_a_network_in_half_precision_gives_float32(cnn):
    half = CNN(width=0.05, global_size=32).eval()
    half.load_state_dict(cnn.state_dict())
    L = 100 * torch.rand(1, 1, 32, 32)
    ab = half.to(torch.bfloat16).colorize(L)
    assert ab.dtype == torch.float32
    assert torch.allclose(ab, cnn.colorize(L), atol=3)


class Elsewhere(Colorizer):
    """A network on another device: that which needs no hardware."""

    answers = frozenset({"ab"})

    def __init__(self, fixed_size: int | None = None):
        super().__init__()
        self.fixed_size, self.weight = fixed_size, nn.Parameter(torch.ones(1, device="meta"))

    def predict_ab(self, L: Tensor) -> Tensor:
        assert L.device.type == "meta"
        return torch.full((len(L), 2, *L.shape[2:]), 5.0)


@pytest.mark.parametrize("fixed_size", [None, 32])
def test_lightness_goes_to_the_network_and_colour_comes_back(fixed_size):
    ab = Elsewhere(fixed_size).colorize(100 * torch.rand(2, 1, 16, 24))
    assert ab.device.type == "cpu"
    assert ab.shape == (2, 2, 16, 24)
    assert ab.allclose(torch.tensor(5.0))


@pytest.mark.parametrize(
    ("build", "size"),
    [(lambda: CNN(width=0.05, global_size=32), 224), (lambda: Diffusion(widths=(8, 8, 8), time=8), 128)],
)
def test_networks_say_at_which_size_they_predict(build, size):
    assert build().usual_size == size
    assert Colorizer.usual_size == 256
