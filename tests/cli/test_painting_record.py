"""What is written of a painting: the network's checksum, sidecars, marks in a crowded JPEG, reports that are there."""

import json
from argparse import Namespace
from hashlib import sha256

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.cli.painting_record import network_digest
from colorize.imaging.provenance import KEYS, read_marks
from colorize.models import CNN, named_weights
from tests.helpers.metadata import XMP

GREY = Image.fromarray(np.tile(np.arange(20, 220, 5, dtype=np.uint8), (30, 1)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CNN(width=0.1, global_size=32).eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    return colorize.save(network, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


def test_the_checksum_is_that_of_the_tensors(network, weights):
    by_hand = sha256()
    for name in sorted(network.state_dict()):
        tensor = network.state_dict()[name]
        by_hand.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        by_hand.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    assert network_digest(network) == by_hand.hexdigest()
    again = colorize.load(weights)
    assert network_digest(again) == network_digest(network)  # of its export, whatever memory format it has
    other = colorize.load(weights)
    next(other.parameters()).data.view(-1)[0] += 1e-6
    assert network_digest(other) != network_digest(network)
    assert len(network_digest(colorize.load(weights).bfloat16())) == 64


def test_the_sidecar_says_what_the_file_says(weights, inside, tmp_path):
    GREY.save(tmp_path / "a.png")
    done = inside("paint", "a.png", "-w", weights, "-o", "out.png", "--sidecar", "--seed", -3)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out.png.colorize.json").read_text(encoding="utf-8"))
    assert record.pop("painted") == "out.png"
    assert record.pop("painted_sha256") == sha256((tmp_path / "out.png").read_bytes()).hexdigest()
    assert record == read_marks(tmp_path / "out.png")
    assert (record["network"], record["weights"]) == (weights.name, weights.name)  # no folder of this machine
    assert record["source_sha256"] == sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert (record["source"], record["settings"]["seed"], record["settings"]["strength"]) == ("a.png", -3, 1)
    assert record.keys() <= KEYS.keys()
    (tmp_path / "out.png.colorize.json").unlink()
    assert "painted 1 of 1" in inside("paint", "a.png", "-w", weights, "-o", "out.png", "--sidecar").stdout


def test_a_page_and_a_command_line_write_the_same_bytes(weights, inside, tmp_path):
    pytest.importorskip("gradio")
    from colorize.cli.sessions import Session, load_networks
    from colorize.cli.web_app import paint_defaults

    GREY.save(tmp_path / "a.png")
    session, told = (
        Session(),
        {"format": "png", "strength": 1, "max_chroma": 40, "size": 48},
    )  # numbers as JSON has them
    networks = load_networks([str(weights)], None, "cpu")
    list(session.paint([tmp_path / "a.png"], networks, Namespace(**vars(paint_defaults()) | told)))
    page = session.results["a.png"][weights.name].file
    assert inside("paint", "a.png", "-w", weights, "-o", "b.png", "--max-chroma", 40, "--size", 48).returncode == 0
    assert page.read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "1 of 1 agree" in inside("verify", page, "--source", ".", "-w", weights).stdout
    session.close()


def test_the_weights_that_are_shipped_have_their_name(network, inside, tmp_path, monkeypatch):
    colorize.save(network, tmp_path / "shipped" / "base", {"trained_size": 32})
    monkeypatch.setattr(named_weights, "WEIGHTS", tmp_path / "shipped")
    (tmp_path / "in").mkdir()
    GREY.save(tmp_path / "in" / "a.png")
    assert inside("paint", "in", "-o", "out", "--report").returncode == 0
    record = read_marks(tmp_path / "out" / "a.png")
    assert (record["network"], record["weights"]) == ("base", "base")
    assert "colorize paint · base<" in (tmp_path / "out" / "painted.html").read_text(encoding="utf-8")
    assert "1 of 1 agree" in inside("verify", "out", "--source", "in").stdout


def test_in_a_jpeg_the_marks_come_before_other_xmp(weights, inside, tmp_path):
    long = XMP.replace(b'dc:title="Nave"', b'dc:title="' + b"Nave " * 13000 + b'"')
    GREY.save(tmp_path / "a.tif", tiffinfo={700: long})
    done = inside("paint", "a.tif", "-w", weights, "-o", "out.jpg")
    assert "its XMP is left out: a JPEG holds 64 kB of it" in done.stdout
    assert read_marks(tmp_path / "out.jpg")["source"] == "a.tif"


def test_a_photograph_in_colour_is_said_to_be(weights, inside, tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((80, 60)).save(tmp_path / "colour.png")
    GREY.convert("RGB").save(tmp_path / "grey.png")
    lines = inside("paint", "*.png", "-w", weights, "-o", "out").stdout.splitlines()
    said = [line for line in lines if "it is in colour already: its lightness is painted" in line]
    assert [line.split(" -> ")[0] for line in said] == ["colour.png"]


def test_reports_of_others_stay_and_lines_of_before_too(weights, inside, tmp_path):
    for name in ("a.png", "b.png"):
        GREY.save(tmp_path / name)
    words = ("-w", weights, "-o", "out", "--report")
    for name in ("a.png", "b.png"):
        assert inside("paint", name, *words).returncode == 0
    (tmp_path / "c.png").write_text("no picture")
    assert inside("paint", "c.png", *words).returncode == 1
    lines = (tmp_path / "out" / "painted.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["../a.png", "a.png"],
        ["../b.png", "b.png"],
        ["../c.png", ""],
    ]
    page = (tmp_path / "out" / "painted.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 2
    assert "<h1>2 of 3 photographs painted</h1>" in page
    assert '../c<span class="suffix">.png</span></td>' in page
    assert "it is a text file" in page
    for name, option in {"painted.csv": ("--report",), "manifest.json": ("--iiif", "https://example.org")}.items():
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_text("{}")
        done = inside("paint", "a.png", "-w", weights, "-o", "mine", *option)
        assert done.returncode == 2
        assert "is another" in done.stderr
        assert (tmp_path / "mine" / name).read_text() == "{}"
        (tmp_path / "mine" / name).unlink()


def test_an_original_and_a_painted_file_of_one_name_are_refused(weights, inside, tmp_path):
    for name in ("a.png", "A.jpg.original.png"):
        GREY.save(tmp_path / name)
    iiif = ("--format", "jpg", "--iiif", "https://example.org")
    done = inside("paint", "a.png", "A.jpg.original.png", "-w", weights, "-o", "out", *iiif)
    assert done.returncode == 2
    assert "would be the original of 'a.png' and what 'A.jpg.original.png' becomes" in done.stderr
