"""The verb `paint` where something fails: one sentence, nothing lost, and the other photographs painted."""

import errno
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.models import CNN
from colorize.utils import files
from colorize.utils.files import digest_of

PHOTOGRAPHS = ("a", "b", "c")
IIIF = ("--iiif", "https://example.org")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def paint(weights, inside, tmp_path):
    """`paint("in", "--report")` of three grey photographs of 70×50 pixels into `out`."""
    (tmp_path / "in").mkdir()
    tones = np.random.default_rng(0).integers(90, 160, (5, 7), dtype=np.uint8)
    for name in PHOTOGRAPHS:
        Image.fromarray(tones).resize((70, 50), Image.Resampling.BICUBIC).save(tmp_path / "in" / f"{name}.png")
    return lambda *words: inside("paint", "-w", weights, "-o", "out", *words)


@pytest.fixture
def full_disk(monkeypatch):
    """The disk is full when a file of this name is written: `full_disk("b.png")`."""
    usual = os.fsync

    def fill(name):
        def fsync(file):
            if os.path.basename(os.readlink(f"/proc/self/fd/{file}")) == f"{name}.part":  # noqa: PTH115, PTH119
                raise OSError(errno.ENOSPC, "No space left on device")
            usual(file)

        monkeypatch.setattr(files.os, "fsync", fsync)

    yield fill
    monkeypatch.setattr(files.os, "fsync", usual)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the names of open files are not in /proc here")  # noqa: PTH112
@pytest.mark.parametrize("name", ["b.png", "b.png.colorize.json", "b.confidence.png", "b.png.original.jpg"])
def test_a_disk_that_is_full_costs_the_photograph_that_is_being_saved(name, paint, full_disk, tmp_path):
    words = ("in", "--sidecar", "--confidence", "--report", *IIIF)
    full_disk(name)
    done = paint(*words)
    assert done.returncode == 1
    assert done.stderr == f"in/b.png: cannot write it: No space left on device (out/{name})\n"
    assert "painted 2 of 3; 1 could not be" in done.stdout
    assert {"a.png", "c.png", "c.confidence.png", "painted.csv"} < set(names_in(tmp_path / "out"))
    assert name not in names_in(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.part"))
    assert "in/b.png,,,,,,,,,,cannot write it" in (tmp_path / "out" / "painted.csv").read_text()
    full_disk("none")
    again = paint(*words)
    assert again.returncode == 0
    assert "painted 1 of 3; 2 already exist" in again.stdout


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the names of open files are not in /proc here")  # noqa: PTH112
@pytest.mark.parametrize("name", ["painted.csv", "painted.html", "manifest.json"])
def test_a_disk_that_is_full_at_the_end_costs_the_report_alone(name, paint, full_disk, tmp_path):
    assert paint("in/a.png", "--report", *IIIF).returncode == 0
    before = (tmp_path / "out" / name).read_bytes()
    full_disk(name)
    done = paint("in", "--report", *IIIF)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write it: No space left on device" in done.stderr
    assert f"out/{name}" in done.stderr
    assert "painted 2 of 3; 1 already exists" in done.stdout
    assert (tmp_path / "out" / name).read_bytes() == before


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the names of open files are not in /proc here")  # noqa: PTH112
def test_what_was_painted_before_outlasts_a_full_disk(paint, full_disk, tmp_path):
    assert paint("in").returncode == 0
    before = (tmp_path / "out" / "b.png").read_bytes()
    full_disk("b.png")
    assert paint("in", "--overwrite", "--strength", 0.5).returncode == 1
    assert (tmp_path / "out" / "b.png").read_bytes() == before


def described(folder):
    """The painted files that have a sidecar, each of which is of what it describes."""
    found = {path.name.removesuffix(".colorize.json"): path for path in folder.glob("*.colorize.json")}
    for name, path in found.items():
        assert json.loads(path.read_text())["painted_sha256"] == digest_of(folder / name)
    return sorted(found)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the names of open files are not in /proc here")  # noqa: PTH112
@pytest.mark.parametrize("name", ["b.png.colorize.json", "b.png.original.jpg"])
def test_what_described_an_older_picture_describes_no_other_where_the_disk_is_full(name, paint, full_disk, tmp_path):
    words, out = ("in", "--sidecar", "--confidence", *IIIF), tmp_path / "out"
    assert paint(*words).returncode == 0
    before = (out / "b.png").read_bytes()
    full_disk(name)
    assert paint(*words, "--overwrite", "--strength", 0.5).returncode == 1
    assert (out / "b.png").read_bytes() != before
    assert "b.confidence.png" not in names_in(out)
    assert described(out) == (["a.png", "c.png"] if "json" in name else ["a.png", "b.png", "c.png"])
    assert "b.png.original.jpg" not in names_in(out)
    full_disk("none")
    assert "painted 1 of 3; 2 already exist" in paint(*words).stdout
    assert described(out) == ["a.png", "b.png", "c.png"]


def test_what_described_an_older_picture_goes_with_it(paint, tmp_path):
    """Also where no new one is asked for; a photograph that is called as a map stays."""
    out = tmp_path / "out"
    assert paint("in", "--sidecar", "--confidence", *IIIF).returncode == 0
    (tmp_path / "in" / "a.png").rename(tmp_path / "in" / "c.confidence.png")
    (out / "c.confidence.png").unlink()
    assert paint("in/c.confidence.png").returncode == 0
    assert paint("in/b.png", "in/c.png", "--overwrite", "--strength", 0.5).returncode == 0
    assert described(out) == ["a.png"]
    originals = [f"{name}.png.original.jpg" for name in PHOTOGRAPHS]  # which are of the photographs
    painted = ["a.confidence.png", "a.png", "a.png.colorize.json", "b.png", "c.confidence.png", "c.png"]
    assert names_in(out) == sorted([*painted, *originals, "manifest.json"])


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([{"x": 70, "y": 1, "rgb": [9, 9, 9]}], "hint 1 lies at x=70, y=1, outside the photograph of 70×50"),
        ([{"x": 7, "y": -3, "rgb": [9, 9, 9]}], "hint 1 lies at x=7, y=-3, outside the photograph"),
        ([{"x": float("inf"), "y": 1, "rgb": [9, 9, 9]}], "x"),
        ([{"x": float("nan"), "y": 1, "rgb": [9, 9, 9]}], "x"),
        ([{"x": 7, "y": 1, "rgb": [9, 9, 900]}], "rgb"),
        ([{"x": 7, "y": 1, "rgb": [9, 9, 9], "radius": float("inf")}], "radius"),
        ([], "hints must be a list of"),
        ((50, 70), "the hints have 50×70 pixels, and the photograph 70×50"),
        ((70, 50), "it has no opaque pixel: its opaque pixels are the hints"),
    ],
)
def test_hints_that_do_not_fit_cost_one_photograph(hints, message, paint, tmp_path):
    (tmp_path / "hints").mkdir()
    if isinstance(hints, list):
        (tmp_path / "hints" / "b.json").write_text(json.dumps(hints))
    else:
        picture = Image.new("RGBA", hints)
        picture.paste((200, 60, 60, 255 if hints == (50, 70) else 128), (3, 3, 9, 9))
        picture.save(tmp_path / "hints" / "b.png")
    done = paint("in", "--hints", "hints")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("in/b.png: hints 'hints/b.")
    assert message in done.stderr
    assert names_in(tmp_path / "out") == ["a.png", "c.png"]


def test_a_reference_that_is_damaged_is_said_before_anything_is_painted(paint, tmp_path):
    (tmp_path / "cut.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:200])
    done = paint("in", "--reference", "cut.png")
    assert done.returncode == 2
    assert done.stderr.startswith("--reference: 'cut.png': ")
    assert not (tmp_path / "out").exists()


def test_mistakes_are_said_also_where_all_is_painted_already(paint):
    assert paint("in/a.png").returncode == 0
    for option, value, message in (
        ("--hints", "none.json", "--hints: there is no file or folder 'none.json'"),
        ("--reference", "none.jpg", "--reference: 'none.jpg': there is no such photograph"),
        ("--reference", "in/a.png", "'in/a.png' is grey, or of one tone"),
        ("--device", "gpu", "--device='gpu' is not here"),
    ):
        done = paint("in/a.png", option, value)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "another network", "odd size"])
def test_weights_that_do_not_load_are_said_before_anything_is_painted(damage, paint, weights, inside, tmp_path):
    held = (weights / "model.safetensors").read_bytes()
    config = json.loads((weights / "config.json").read_text())
    (tmp_path / "bad").mkdir()
    data = {"empty": b"", "cut": held[: len(held) // 2], "text": b"<!doctype html>"}.get(damage, held)
    (tmp_path / "bad" / "model.safetensors").write_bytes(data)
    if damage == "another network":
        config["settings"] = {"width": 0.2, "global_size": 32}
    if damage == "odd size":
        config["trained_size"] = "large"
    (tmp_path / "bad" / "config.json").write_text(json.dumps(config))
    done = inside("paint", "in", "-w", "bad", "-o", "out")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not (tmp_path / "out").exists()
