"""Exports without PyTorch by `colorize export`: the folder, what it says, and its program that paints."""

import json
import subprocess
import sys
import venv

import pytest
import torch

import colorize
from colorize.models import Diffusion, Transformer
from colorize.models.load import trained_size
from tests.helpers.deployed import assert_same_pictures, run_in, run_verb, small_unet

pytest.importorskip("onnxscript")


def test_an_export_says_how_far_it_is_from_pytorch(deployed):
    config = json.loads((deployed / "onnx" / "config.json").read_text())
    assert (config["runtime"], config["network"], config["trained_size"]) == ("onnx", "UNet", 48)
    assert config["compared"]["photographs"] == 24
    assert config["compared"]["largest_difference_ab"] < 1e-3
    card = (deployed / "onnx" / "README.md").read_text()
    assert "operator set 20" in card
    assert "python paint.py" in card
    model = colorize.load(deployed / "onnx")
    assert trained_size(deployed / "onnx") == model.usual_size == 48
    assert colorize.load(deployed / "onnx" / "model.onnx").usual_size == 48
    L = 100 * torch.rand(2, 1, 45, 70)
    assert torch.allclose(model.colorize(L), small_unet().colorize(L), atol=1e-3)


def test_an_export_leaves_what_is_there(deployed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("mine")
    with run_in(tmp_path):
        assert run_verb("export", deployed / "source", "-o", "out", "--format", "onnx") == 2
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_the_export_is_painted_and_evaluated_with(deployed, photos, inside, tmp_path):
    done = inside("paint", photos / "a.jpg", "-w", deployed / "onnx", "-o", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr
    assert "48 pixels of the shorter side" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["source", "--half", "--format", "onnx"], "--half is for --format safetensors and ddcolor"),
        (["source", "--int8"], "--int8 is for --format onnx and openvino"),
        (["onnx", "--format", "onnx"], "is an export without PyTorch's weights"),
        (["source", "--format", "onxx"], "invalid choice: 'onxx'"),
        (["draws", "--format", "onnx", "--int8"], "--int8 is for networks that answer in one pass"),
    ],
)
def test_what_cannot_be_exported_is_refused(words, message, deployed, inside, tmp_path):
    if words[0] == "draws":
        colorize.save(Diffusion(widths=(8, 16), time=16), tmp_path / "draws")
    place = tmp_path / "draws" if words[0] == "draws" else deployed / words[0]
    refused = inside("export", place, *words[1:], "-o", tmp_path / "out")
    assert refused.returncode == 2
    assert message in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_training_cannot_begin_from_it(deployed, inside):
    refused = inside("train", "experiment=smoke", "model=gan_unet", f"init_from={deployed / 'onnx'}", "tracker=none")
    assert refused.returncode == 2
    assert "is an export without PyTorch's weights" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("build", [small_unet, lambda: Transformer(
    encoder="test_convnext", pretrained=False, widths=(16, 16, 16), queries=8, dim=16, heads=2, feedforward=32, rounds=1
)])  # fmt: skip
def test_int8_says_what_it_costs(build, inside, tmp_path):
    colorize.save(build().eval(), tmp_path / "source", {"trained_size": 48})
    done = inside("export", tmp_path / "source", "-o", tmp_path / "int8", "--format", "onnx", "--int8")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "int8" / "config.json").read_text())["int8"]
    assert told["protocol"] == "protocol=demo protocol.size=48"
    assert abs(told["after"]["psnr"] - told["before"]["psnr"]) < 0.1
    assert "| CIEDE2000 |" in (tmp_path / "int8" / "README.md").read_text()


@pytest.mark.slow
def test_openvino_and_a_diffusion_model_are_exported(inside, tmp_path, photos):
    torch.manual_seed(0)
    colorize.save(
        Diffusion(widths=(8, 16, 16), time=16, sampling_steps=3).eval(), tmp_path / "source", {"trained_size": 32}
    )
    for runtime in ("openvino", "onnx"):
        done = inside("export", tmp_path / "source", "-o", tmp_path / runtime, "--format", runtime)
        assert done.returncode == 0, done.stderr
    verb = inside("paint", photos, "-w", tmp_path / "source", "-o", tmp_path / "verb")
    assert verb.returncode == 0, verb.stderr
    program = [sys.executable, tmp_path / "onnx" / "paint.py", *sorted(photos.iterdir()), "-o", tmp_path / "alone"]
    subprocess.run(program, check=True)
    assert_same_pictures(tmp_path / "verb", tmp_path / "alone", 4)


@pytest.mark.slow
def test_the_folder_needs_no_pytorch(deployed, photos, tmp_path):
    """In a virtual environment of onnxruntime, numpy and Pillow; skips where pip reaches no index."""
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    packages = ["onnxruntime", "numpy", "Pillow"]
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", *packages], capture_output=True, text=True, check=False
    )
    if installed.returncode:
        pytest.skip(f"pip cannot install {', '.join(packages)}: {installed.stderr.strip().splitlines()[-1]}")
    size = sum(path.stat().st_size for path in (tmp_path / "bare" / "lib").rglob("*") if path.is_file())
    assert size <= 200e6
    program = [python, deployed / "onnx" / "paint.py", *sorted(photos.iterdir()), "-o", tmp_path / "alone"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env={"PATH": ""}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run_verb("paint", photos, "-w", deployed / "source", "-o", tmp_path / "verb") == 0
    assert_same_pictures(tmp_path / "verb", tmp_path / "alone", 4)
