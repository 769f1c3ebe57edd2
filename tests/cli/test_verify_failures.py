"""The verb `verify` where a sidecar, a file below the source, or a text of a painted PNG is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.models import CNN


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def paint(weights, inside, tmp_path):
    """`paint("--sidecar")` of the folder `in`, which has three grey photographs, into `out`."""
    (tmp_path / "in").mkdir()
    tones = np.random.default_rng(0).integers(90, 160, (5, 7), dtype=np.uint8)
    for i, name in enumerate(("a.png", "b.png", "b.confidence.jpg")):
        Image.fromarray(tones + i).resize((70, 50), Image.Resampling.BICUBIC).save(tmp_path / "in" / name)
    return lambda *words: inside("paint", "in", "-w", weights, "-o", "out", *words)


@pytest.fixture
def verify(weights, inside):
    return lambda: inside("verify", "out", "--source", "in", "-w", weights)


def test_a_picture_that_is_called_as_a_map_is_verified_and_a_map_is_not(paint, verify, inside, tmp_path, weights):
    assert paint().returncode == 0
    assert inside("paint", "in/a.png", "-w", weights, "-o", "out", "--overwrite", "--confidence").returncode == 0
    assert (tmp_path / "out" / "a.confidence.png").is_file()
    assert "3 of 3 agree" in verify().stdout


def test_a_sidecar_is_of_its_file(paint, verify, tmp_path):
    assert paint("--sidecar").returncode == 0
    sidecar = tmp_path / "out" / "a.png.colorize.json"
    record = json.loads(sidecar.read_text())
    digest = record["painted_sha256"]
    sidecar.write_text(json.dumps({**record, "painted_sha256": digest[:-1] + ("1" if digest[-1] == "0" else "0")}))
    done = verify()
    assert (done.returncode, "2 of 3 agree" in done.stdout) == (1, True)
    assert "a.png: it differs: every byte agrees, and its sidecar has the SHA-256 of another file" in done.stderr


def test_what_cannot_be_read_below_the_source_is_passed_over(paint, verify, tmp_path, monkeypatch):
    (tmp_path / "hints.json").write_text('[{"x": 9, "y": 9, "rgb": [180, 40, 40]}]')
    for name in ("b.png", "b.confidence.jpg"):
        (tmp_path / "in" / name).unlink()
    assert paint("--hints", "hints.json").returncode == 0
    (tmp_path / "hints.json").rename(tmp_path / "in" / "hints.json")
    (tmp_path / "in" / "a.png").rename(tmp_path / "in" / "again.png")  # so that all are read
    for name in ("bad.jpg", "bad.json"):
        (tmp_path / "in" / name).touch()
    usual = Path.open

    def refuse(path, *rest, **options):
        if path.stem == "bad":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path, *rest, **options)

    monkeypatch.setattr(Path, "open", refuse)
    done = verify()
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("bad.jpg", "bad.json"):
        assert f"in/{name} is passed over: Permission denied" in done.stdout


def test_a_damaged_text_of_a_png_is_told_in_one_sentence(paint, verify, tmp_path, caplog):
    assert paint().returncode == 0
    path = tmp_path / "out" / "a.png"
    data = bytearray(path.read_bytes())
    at = data.index(b"iTXt")
    data[at + 4 + int.from_bytes(data[at - 4 : at])] ^= 1  # of its checksum
    path.write_bytes(data)
    done = verify()
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert not caplog.records
    data[at + 4 + int.from_bytes(data[at - 4 : at])] ^= 1
    path.write_bytes(data[:-40])  # of the pixels
    assert verify().stderr.endswith("a.png: it differs: it is damaged: its pixels cannot be decoded\n")
