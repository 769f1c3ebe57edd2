"""Exports without PyTorch, and their program in a process of its own."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.models import UNet


def small_unet():
    torch.manual_seed(0)
    model = UNet(widths=(8, 8, 16)).eval()
    torch.nn.init.normal_(model.head[0].weight, std=0.3)
    return model


@contextmanager
def run_in(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def run_verb(*words):
    from colorize.cli import main

    return main([*map(str, words)])


def run_program(deployed, *words, **options):
    """In a process of its own, as its user has it: a second or two."""
    program = [sys.executable, deployed / "onnx" / "paint.py", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, env={"PATH": ""}, **options)


def assert_same_pictures(one, other, count):
    names = sorted(path.name for path in one.glob("*.png"))
    assert names == sorted(path.name for path in other.glob("*.png"))
    assert len(names) == count
    for name in names:
        pair = [np.asarray(Image.open(folder / name)).astype(int) for folder in (one, other)]
        assert pair[0].shape == pair[1].shape, name
        assert (abs(pair[0] - pair[1]) <= 1).mean() >= 0.999, name
        assert np.ptp(pair[0][..., :3], axis=-1).mean() > 3, f"{name} is grey"
