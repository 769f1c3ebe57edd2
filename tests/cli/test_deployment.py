"""Exports without PyTorch by `colorize export`: the folder, what it says, and its program that paints."""

import json
import subprocess
import sys
import venv
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.models import Diffusion, Transformer, UNet
from colorize.models.load import trained_size

pytest.importorskip("onnxscript")


def small_unet():
    torch.manual_seed(0)
    model = UNet(widths=(8, 8, 16)).eval()
    torch.nn.init.normal_(model.head[0].weight, std=0.3)
    return model


@pytest.fixture(scope="session")
def deployed(once):
    """A folder with `source`, a network as safetensors, and `onnx`, what `colorize export` made of it."""

    def make(folder):
        colorize.save(small_unet(), folder / "source", {"trained_size": 48, "name": "toy"})
        with run_in(folder):
            assert run_verb("export", "source", "-o", "onnx", "--format", "onnx") == 0

    return once("deployed", make)


@contextmanager
def run_in(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def run_verb(*words):
    from colorize.cli import main

    return main([*map(str, words)])


@pytest.fixture
def photos(tmp_path):
    """Of several sizes: one is smaller than what the network is shown; grey, transparent, turned by EXIF."""
    random, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for name, size, mode in [
        ("a.jpg", (301, 207), "RGB"), ("b.png", (37, 90), "L"), ("c.png", (64, 50), "RGBA"), ("d.jpg", (99, 60), "RGB"),
    ]:  # fmt: skip
        coarse = Image.fromarray(random.integers(0, 256, (6, 7, 4), dtype=np.uint8), "RGBA").convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "d.jpg" else 1
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / name, exif=exif)
    return folder


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


def test_the_program_paints_as_the_verb_does(deployed, photos, tmp_path):
    done = run_program(deployed, *sorted(photos.iterdir()), "-o", tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"{str(photos / 'a.jpg')!r} is painted: {str(tmp_path / 'alone' / 'a.png')!r}"
    assert len(done.stdout.splitlines()) == 4
    assert run_verb("paint", photos, "-w", deployed / "source", "-o", tmp_path / "verb") == 0
    assert_same_pictures(tmp_path / "verb", tmp_path / "alone", 4)
    with Image.open(tmp_path / "alone" / "c.png") as image:
        assert image.mode == "RGBA"
        assert "algorithmicallyEnhanced" in str(image.info)


def test_the_program_says_what_it_cannot_paint_and_paints_the_others(deployed, photos, tmp_path):
    (photos / "text.jpg").write_text("no picture")
    given = [photos / "text.jpg", photos, tmp_path / "none.jpg", photos / "a.jpg"]
    done = run_program(deployed, *given, "-o", tmp_path / "alone")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{str(photos / 'text.jpg')!r} is not painted: it is not a picture that Pillow reads",
        f"{str(photos)!r} is not painted: Is a directory ({photos})",
        f"{str(tmp_path / 'none.jpg')!r} is not painted: No such file or directory ({tmp_path / 'none.jpg'})",
    ]
    assert [path.name for path in (tmp_path / "alone").iterdir()] == ["a.png"]


def test_the_program_paints_over_no_file_and_makes_no_empty_folder(deployed, photos, tmp_path):
    before = (photos / "b.png").read_bytes()
    done = run_program(deployed, photos / "b.png", "-o", photos)
    assert (done.returncode, (photos / "b.png").read_bytes()) == (1, before)
    place = str(photos / "b.png")
    assert done.stderr == f"{place!r} is not painted: {place!r} exists already and is kept: name another output\n"
    assert run_program(deployed, tmp_path / "none.jpg", "-o", tmp_path / "empty").returncode == 1
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("photographs", "output", "message"),
    [
        (["one/x.jpg", "other/X.jpg"], "same", "'one/x.jpg' and 'other/X.jpg' would both become 'same/X.png'"),
        (["one/x.jpg", "two/y.jpg"], "out.png", "'one/x.jpg' and 'two/y.jpg' would both become 'out.png'"),
        (["one/x.jpg"], "out.tif", "'out.tif' cannot be written: name a folder, or a file that ends in .png or .jpg"),
    ],
)
def test_the_program_refuses_outputs_before_it_paints(photographs, output, message, deployed, tmp_path):
    done = run_program(deployed, *photographs, "-o", output, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


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
