"""The verb `paint`: photographs of any kind and size, and what is said to those that cannot be painted."""

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import colorize
from colorize.batch import Batch
from colorize.imaging.image_io import open_photograph
from colorize.models import CNN, Diffusion
from colorize.utils.checkpoint import peek


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 64})


@pytest.fixture
def picture():
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(60, 200, (5, 7), dtype=np.uint8)).resize((70, 50), Image.Resampling.BICUBIC)


def lightness(image):
    return Batch.from_rgb(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]).L


MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"]


def in_mode(picture, mode):
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    if mode in ("LA", "RGBA"):
        seen = picture.convert(mode)
        seen.putalpha(Image.new("L", picture.size, 128))
        return seen
    return picture.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_keeps_its_size_and_lightness(mode, picture, weights, inside, tmp_path):
    source = tmp_path / ("in.jpg" if mode in ("CMYK", "YCbCr") else "in.png")
    in_mode(picture, mode).save(source, **({"quality": 100, "subsampling": 0} if source.suffix == ".jpg" else {}))
    done = inside("paint", source, "--weights", weights, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    painted = Image.open(tmp_path / "out" / "in.png")
    assert painted.size == picture.size
    assert painted.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    colored = np.ptp(np.asarray(painted.convert("RGB")).astype(int), axis=2).max() > 5
    assert colored == (mode != "1")  # black and white have no colour at their lightness
    if mode != "1":  # pure black and white have no room for colour
        assert (
            lightness(painted) - lightness(Image.open(source).convert("L") if mode != "I;16" else picture)
        ).abs().mean() < 1


def test_an_oriented_photograph_is_turned_and_keeps_its_exif(picture, weights, inside, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    picture.save(tmp_path / "in.jpg", exif=exif)
    assert inside("paint", tmp_path / "in.jpg", "-w", weights, "-o", tmp_path / "out.jpg").returncode == 0
    painted = Image.open(tmp_path / "out.jpg")
    assert painted.size == (picture.height, picture.width)
    assert painted.getexif().get(0x0112) is None
    assert painted.getexif()[0x010F] == "a maker"
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(painted.info["icc_profile"])))


def test_a_colour_profile_is_converted(tmp_path):
    """sRGB's own profile with the primaries of red and blue exchanged: what its numbers call red is blue."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    red = Image.new("RGB", (8, 8), (200, 10, 10))
    for name, profile in (("same", srgb), ("swapped", swapped), ("broken", b"no profile")):
        red.save(tmp_path / f"{name}.png", icc_profile=profile)
    pixels = {name: open_photograph(tmp_path / f"{name}.png").rgb[0, 0] for name in ("same", "swapped", "broken")}
    assert abs(pixels["same"].astype(int) - (200, 10, 10)).max() <= 1
    assert abs(pixels["swapped"].astype(int) - (10, 10, 200)).max() <= 4
    assert tuple(pixels["broken"]) == (200, 10, 10)
    assert "does not fit" in open_photograph(tmp_path / "broken.png").notes[0]


def test_bad_files_are_named_and_the_others_painted(picture, weights, inside, tmp_path):
    folder = tmp_path / "in [1]"
    folder.mkdir()
    picture.save(folder / "good.png")
    picture.save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:200])
    (folder / "text.png").write_text("no picture")
    Image.fromarray(np.full((4, 4), 1000, dtype=np.float32)).save(folder / "float.tif")
    done = inside("paint", folder, "-w", weights, "-o", tmp_path / "out")
    assert done.returncode == 1
    lines = sorted(done.stderr.strip().splitlines())
    assert [line.split(": ")[0].rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for line in lines] == [
        "cut.jpg",
        "float.tif",
        "text.png",
    ]
    assert "painted 1 of 4; 3 could not be" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]  # and no half file


def test_the_same_command_goes_on(picture, weights, inside, tmp_path):
    for name in ("a.png", "b.png"):
        picture.save(tmp_path / name)
    words = ("paint", tmp_path / "*.png", "-w", weights, "-o", tmp_path / "out")
    assert inside("paint", tmp_path / "a.png", "-w", weights, "-o", tmp_path / "out").returncode == 0
    before = (tmp_path / "out" / "a.png").stat().st_mtime_ns
    done = inside(*words)
    assert "painted 1 of 2" in done.stdout
    assert "already exists" in done.stdout
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == before
    assert "painted 2 of 2" in inside(*words, "--overwrite").stdout


def test_impossible_words_get_one_sentence(picture, weights, inside, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("a.png", "x/a.png"):
        picture.save(tmp_path / name)
    a, again, out = tmp_path / "a.png", tmp_path / "x" / "a.png", tmp_path / "out"
    for words, message in [
        ((a, again, "-w", weights, "-o", out), "would both become"),
        ((a, "-w", weights, "-o", tmp_path), "is one of the photographs"),
        ((a, "-w", weights, "-o", a), "is one of the photographs"),
        ((a, again, "-w", weights, "-o", tmp_path / "out.png"), "is one file for 2 photographs"),
        ((tmp_path / "no.png", "-w", weights, "-o", out), "there is no photograph or folder"),
        ((tmp_path / "emty", "-w", weights, "-o", out), f"did you mean {tmp_path / 'empty'}?"),
        ((tmp_path / "empty", "-w", weights, "-o", out), "no photographs in"),
        ((a, "-w", weights, "-o", out, "--upsampel", "guided"), "did you mean --upsample?"),
        ((a, "-w", weights, "-o", out, "--gamut", "chrome"), "invalid choice: 'chrome'"),
        ((a, "-w", weights, "-o", out, "--size", "0"), "--size is 0"),
        ((a, "-w", weights, "-o", out, "--size", "big"), "'big' is neither a number of pixels nor auto"),
        ((a, "-w", weights, "-o", out, "--samples", "2"), "--samples is for diffusion"),
        ((a, "-w", tmp_path / "none.pth", "-o", out), "no file or folder"),
        ((a, "-w", weights, "-o", out, "--device", "tpu"), "--device='tpu' is not here: use auto"),
    ]:
        done = inside("paint", *words)
        assert done.returncode == 2, words
        assert len(done.stderr.strip().splitlines()) == 1
        assert message in done.stderr, done.stderr


def test_diffusion_gives_as_many_as_asked_and_the_same_again(picture, inside, tmp_path):
    torch.manual_seed(0)
    weights = colorize.save(Diffusion(widths=(8, 16, 16), time=16, sampling_steps=2), tmp_path / "w")
    picture.save(tmp_path / "a.png")
    for out in ("one", "two"):
        words = ("-w", weights, "-o", tmp_path / out, "--samples", 2, "--size", 16)
        assert inside("paint", tmp_path / "a.png", *words).returncode == 0
    files = [tmp_path / out / f"a-{i}.png" for out in ("one", "two") for i in (1, 2)]
    first, second, again, _ = (np.asarray(Image.open(file)) for file in files)
    assert (first != second).any()
    assert (first == again).all()


def test_the_chosen_size_is_said_and_written_and_painted_again(picture, weights, inside, tmp_path):
    picture.save(tmp_path / "a.png")
    done = inside("paint", "a.png", "-w", weights, "-o", "out", "--size", "auto", "--sidecar", "--report")
    assert done.returncode == 0, done.stderr
    assert "colour predicted at 64 or 48 or 32 pixels" in done.stdout
    size = json.loads((tmp_path / "out" / "a.png.colorize.json").read_text())["settings"]["size"]
    assert size == colorize.choose_size(colorize.load(weights), lightness(picture), 64)
    assert f"colour predicted at {size}" in (tmp_path / "out" / "painted.csv").read_text()
    assert inside("paint", "a.png", "-w", weights, "-o", "fixed", "--size", size).returncode == 0
    assert (tmp_path / "fixed" / "a.png").read_bytes() == (tmp_path / "out" / "a.png").read_bytes()
    assert "1 of 1 agree" in inside("verify", "out", "--source", "a.png", "-w", weights).stdout


def test_the_terminal_and_the_card_are_of_the_checkpoint_that_is_used(picture, run_folder, inside, tmp_path):
    """Its step and its scores, where the run went on beyond its best."""
    folder = run_folder()
    held = peek(folder / "checkpoints" / "best.pt")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "steps": 999, "val": {"psnr": 99.0}}))
    picture.save(tmp_path / "a.png")
    step = f"CNN (best.pt, step {held['steps']})"
    assert f"{step} on cpu" in inside("paint", "a.png", "-w", folder, "-o", "b.png", "--device", "cpu").stdout
    assert f"{step} in 'exported'" in inside("export", folder, "-o", "exported").stdout
    card = (tmp_path / "exported" / "config.json").read_text() + (tmp_path / "exported" / "README.md").read_text()
    assert "99" not in re.findall(r"\b\d+\b", card)
    assert "999" not in re.findall(r"\b\d+\b", card)
