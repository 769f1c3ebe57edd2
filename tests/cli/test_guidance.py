"""The verb `paint` with strength, a largest chroma, hints, a reference and the map of confidence."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.imaging.color import rgb_to_lab
from colorize.models import CNN, Diffusion

RED = (200, 60, 60)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 64})


@pytest.fixture
def paint(weights, inside, tmp_path):
    """`paint("a.png", "--strength", 0)`, of a grey photograph of 70×50 pixels, into `out`."""
    random = np.random.default_rng(0)
    grey = Image.fromarray(random.integers(90, 160, (5, 7), dtype=np.uint8)).resize((70, 50), Image.Resampling.BICUBIC)
    for name in ("a.png", "b.png"):
        grey.save(tmp_path / name)
    return lambda *words: inside("paint", "-w", weights, "-o", "out", "--overwrite", *words)


def painted(path):
    """Lab (3, H, W)"""
    return rgb_to_lab(torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1))


def hints_picture(path, size=(70, 50)):
    image = Image.new("RGBA", size)
    image.paste((*RED, 255), (30, 20, 34, 24))
    image.save(path)


def test_strength_and_the_largest_chroma(paint, tmp_path):
    chroma = {}
    for words in ((), ("--strength", 0), ("--strength", 0.5), ("--max-chroma", 5)):
        assert paint("a.png", *words).returncode == 0
        chroma[words[1:]] = painted(tmp_path / "out" / "a.png")[1:].norm(dim=0)
    assert chroma[(0,)].max() < 1
    assert chroma[(0.5,)].mean() == pytest.approx(float(chroma[()].mean()) / 2, rel=0.1)
    assert chroma[(5,)].max() < 6.5 < chroma[()].max()  # 8-bit pixels are a unit apart


@pytest.mark.parametrize("kind", ["png", "json"])
def test_hints_are_exact_and_spread(kind, paint, tmp_path):
    plain = paint("a.png")
    before = painted(tmp_path / "out" / "a.png")
    if kind == "png":
        hints_picture(tmp_path / "hints.png")
    else:
        spots = [{"x": x, "y": y, "rgb": RED} for x in range(30, 34) for y in range(20, 24)]
        (tmp_path / "hints.json").write_text(json.dumps(spots))
    done = paint("a.png", "--hints", f"hints.{kind}", "--reach", 0.25)
    assert plain.returncode == done.returncode == 0, done.stderr
    after = painted(tmp_path / "out" / "a.png")
    wanted = rgb_to_lab(torch.tensor(RED, dtype=torch.uint8).view(3, 1, 1))
    assert (after[1:, 20:24, 30:34] - wanted[1:]).abs().max() < 2  # of 8-bit pixels
    assert (after[0] - before[0]).abs().mean() < 0.5  # lightness is the photograph's
    near, far = ((after - before)[1:].norm(dim=0)[place].mean() for place in (np.s_[16:28, 26:38], np.s_[:5, 60:]))
    assert near > 20
    assert far < 0.3 * near


def test_hints_of_several_photographs_lie_in_a_folder(paint, tmp_path):
    (tmp_path / "hints").mkdir()
    hints_picture(tmp_path / "hints" / "b.png")
    done = paint("a.png", "b.png", "--hints", "hints")
    assert done.returncode == 0, done.stderr
    assert "photographs with hints: 1 of 2" in done.stdout
    a, b = (painted(tmp_path / "out" / name) for name in ("a.png", "b.png"))
    assert (a - b)[1:, 22, 32].norm() > 20
    hints_picture(tmp_path / "hints" / "b.png", (50, 70))
    done = paint("a.png", "b.png", "--hints", "hints")
    assert done.returncode == 1
    assert "the hints have 50×70 pixels, and the photograph 70×50" in done.stderr
    assert "painted 1 of 2" in done.stdout
    hints_picture(tmp_path / "hints" / "aa.png")
    done = paint("a.png", "b.png", "--hints", "hints")
    assert "hints of none of these photographs: hints/aa.png" in done.stdout


def test_a_reference_gives_its_colours(paint, tmp_path):
    green = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")) * np.array([0.5, 1.0, 0.5])
    green[:, :35] = green[:, :35] * np.array([1.6, 0.9, 1.0])
    Image.fromarray(green.astype(np.uint8)).save(tmp_path / "green.png")
    done = paint("a.png", "--reference", "green.png")
    assert done.returncode == 0, done.stderr
    a, wanted = (painted(tmp_path / name)[1:].mean(dim=(1, 2)) for name in ("out/a.png", "green.png"))
    assert (a - wanted).norm() < 0.4 * wanted.norm()


def test_the_map_of_confidence(paint, tmp_path):
    hints_picture(tmp_path / "hints.png")
    assert paint("a.png", "--confidence", "--hints", "hints.png").returncode == 0
    image = Image.open(tmp_path / "out" / "a.confidence.png")
    assert (image.mode, image.size) == ("L", (70, 50))
    grey = np.asarray(image)
    assert grey.min() < 255
    assert grey[21:23, 31:33].min() > 250


def test_the_map_of_a_network_that_draws(inside, tmp_path):
    torch.manual_seed(0)
    weights = colorize.save(Diffusion(widths=(8, 16, 16), time=16, sampling_steps=2), tmp_path / "w")
    Image.new("L", (20, 20), 128).save(tmp_path / "a.png")
    words = ("paint", "a.png", "-w", weights, "-o", "out", "--size", 16, "--samples", 2, "--confidence")
    assert inside(*words).returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-1.png", "a-2.png", "a.confidence.png"]
    assert np.asarray(Image.open(tmp_path / "out" / "a.confidence.png")).min() < 255
    assert "2 already exist" not in inside(*words).stdout
    (tmp_path / "out" / "a.confidence.png").unlink()
    assert "painted 1 of 1" in inside(*words).stdout


def test_a_photograph_in_colour_is_painted_from_its_lightness_and_that_is_said(paint, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((70, 50)).save(tmp_path / "color.png")
    assert "it is in colour already: its lightness is painted" in paint("color.png").stdout
    assert "in colour" not in paint("a.png").stdout
    (tmp_path / "out" / "a.png").rename(tmp_path / "painted.png")
    assert "it is painted by colorize already: its lightness is painted" in paint("painted.png").stdout


def test_bad_input_gets_one_sentence(paint, tmp_path):
    hints_picture(tmp_path / "hints.png")
    (tmp_path / "empty").mkdir()
    for name in ("a.confidence.jpg", "c.jpg", "c.confidence.png"):
        Image.open(tmp_path / "a.png").save(tmp_path / name)
    for words, message in [
        (("a.png", "--strength", 2), "--strength is 2.0; it must be between 0 and 1.5"),
        (("a.png", "--max-chroma", -1), "--max-chroma is -1.0; it must be 0 or more"),
        (("a.png", "--reach", 0), "--reach is 0.0; it must be between 0.01 and 1"),
        (("a.png", "--hints", "none.png"), "--hints: there is no file or folder 'none.png'"),
        (("a.png", "--hints", "empty"), "--hints: there are none for these photographs: looked for"),
        (("a.png", "b.png", "--hints", "hints.png"), "is one file for 2 photographs"),
        (("a.png", "--reference", "b.png"), "'b.png' is grey, or of one tone"),
        (("a.png", "--reference", "none.jpg"), "--reference: 'none.jpg': there is no such photograph"),
        (("a.png", "--reference", "empty"), "--reference: 'empty': there is no such photograph"),
        (("a.png", "a.confidence.jpg", "--confidence"), "would be painted where the confidence of 'a.png' goes"),
        (("c.jpg", "c.confidence.png", "--confidence", "--format", "tif", "-o", "."), "is one of the photographs"),
    ]:
        done = paint(*words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1
        assert message in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_what_was_guided_is_verified_with_its_hints_and_reference(paint, weights, inside, tmp_path):
    for folder in ("sources", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a.png").rename(tmp_path / "sources" / "a.png")
    hints_picture(tmp_path / "sources" / "hints.png")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((70, 50)).save(tmp_path / "sources" / "color.png")
    words = ("--hints", "sources/hints.png", "--reference", "sources/color.png", "--strength", 0.7)
    assert paint("sources/a.png", *words, "--sidecar").returncode == 0
    verify = ("verify", "out/a.png", "-w", weights, "--source", "sources")
    assert "1 of 1 agree" in inside(*verify).stdout
    (tmp_path / "sources" / "hints.png").rename(tmp_path / "elsewhere" / "hints.png")
    done = inside(*verify)
    assert done.returncode == 1
    assert "the file that it was given as --hints (" in done.stderr
    assert "is not in 'sources'" in done.stderr
