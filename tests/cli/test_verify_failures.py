"""The verb `verify` where a sidecar, a file below the source, or a text of a painted PNG is damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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


@pytest.mark.parametrize(("old", "new"), [('"seed": 0', '"seed": 5'), ('"source": "a.png"', '"source": "o.png"')])
def test_a_sidecar_says_what_the_file_says(old, new, paint, verify, tmp_path):
    assert paint("--sidecar").returncode == 0
    sidecar = tmp_path / "out" / "a.png.colorize.json"
    assert old in sidecar.read_text()
    sidecar.write_text(sidecar.read_text().replace(old, new))
    done = verify()
    assert "2 of 3 agree" in done.stdout
    assert "a.png: it differs: its sidecar and its XMP say different things of s" in done.stderr


def test_a_changed_word_of_the_marks_is_found_without_a_sidecar(paint, verify, tmp_path):
    assert paint("--format", "jpg").returncode == 0
    path = tmp_path / "out" / "a.jpg"
    data = path.read_bytes()
    assert b'"seed": 0' in data
    path.write_bytes(data.replace(b'"seed": 0', b'"seed": 1'))
    done = verify()
    assert "2 of 3 agree" in done.stdout
    assert "a.jpg: what it says of how it was painted was changed: its checksum is another" in done.stderr


def test_a_map_of_confidence_is_made_again_too(paint, verify, tmp_path):
    (tmp_path / "in" / "b.confidence.jpg").unlink()
    assert paint("--confidence").returncode == 0
    assert "2 of 2 agree" in verify().stdout
    path = tmp_path / "out" / "a.confidence.png"
    with Image.open(path) as image:
        told = PngInfo()
        for key, text in image.text.items():
            told.add_text(key, text)
        Image.eval(image, lambda level: level ^ 1).save(path, pnginfo=told)
    done = verify()
    assert "1 of 2 agree" in done.stdout
    assert "a.png: it differs: its map of confidence, a.confidence.png, is another" in done.stderr


def test_a_painted_file_that_is_gone_is_missed(paint, verify, tmp_path):
    assert paint("--sidecar").returncode == 0
    (tmp_path / "out" / "a.png").unlink()
    done = verify()
    assert (done.returncode, "2 of 3 agree" in done.stdout) == (1, True)
    assert "a.png: it is not there, and its sidecar is" in done.stderr


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
