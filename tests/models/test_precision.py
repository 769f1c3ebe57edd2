"""The precision of predictions: chosen for many of them, and said by results and painted files."""

import json
from functools import partial

import pytest
import torch

import colorize
from colorize.evaluation.result import read_result
from colorize.models import CNN, Diffusion
from colorize.models.precision import set_precision
from colorize.utils import precision

ARGUMENTS = {"size": 33, "photographs": 2, "passes": 1000}


@pytest.fixture
def probed(monkeypatch, tmp_path):
    """Every network is large enough for a probe, whose passes are taken and whose seconds are pretended; what asked."""
    asked = []

    def measure(self):
        for dtype in precision.PRECISIONS.values():
            self.take_pass(self.photographs, precision.autocast("cpu", dtype))
        asked.append((self.key["use"], self.key["size"], self.photographs, self.passes))
        return {"float32": 1.0, "bfloat16": 0.5}

    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(precision.Probe, "measure", measure)
    monkeypatch.setattr(precision, "PARAMETERS", 1)
    return asked


def in_float32(layer, x):
    with torch.autocast("cpu", enabled=False):
        return type(layer).forward(layer, x.float())


def test_the_network_predicts_in_the_precision_that_was_chosen(probed):
    torch.manual_seed(0)
    model = Diffusion(widths=[8, 16, 16], time=16, steps=4, sampling_steps=2).eval()
    L, draw = torch.rand(2, 1, 40, 33) * 100, lambda: [torch.Generator().manual_seed(i) for i in range(2)]
    plain, random = model.colorize(L, draw()), torch.get_rng_state()
    assert set_precision(model, "auto", "evaluation", **ARGUMENTS).by == "probe"
    assert torch.equal(torch.get_rng_state(), random)
    assert probed == [("evaluation", 34, 2, 1000)]  # of a size that the network takes
    stem = next(part for part in model.modules() if isinstance(part, torch.nn.Conv2d))
    with pytest.MonkeyPatch.context() as patch, torch.autocast("cpu", torch.bfloat16):
        patch.setattr(stem, "forward", partial(in_float32, stem))
        expected = model.draw(torch.nn.functional.pad(L, (0, 1, 0, 0), mode="replicate"), 1, draw())[:, 0, :, :, :33]
    found = model.colorize(L, draw())
    assert torch.equal(found, expected.clamp(-128, 128))
    assert found.dtype == torch.float32
    assert 0 < (found - plain).abs().max() < 20
    for name in ("float32", "bfloat16"):
        assert set_precision(model, name, "evaluation", **ARGUMENTS).by == "config"
    assert set_precision(model, "auto", "painting", **ARGUMENTS | {"passes": 10}).chosen == "float32"
    assert torch.equal(model.colorize(L, draw()), plain)
    assert len(probed) == 1


def test_a_painted_file_says_so_and_is_painted_again_alike(probed, photographs, inside, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    weights = colorize.save(model, tmp_path / "weights", {"trained_size": 32})
    words = ("paint", photographs, "-w", weights, "--sidecar", "-o")
    settings = {}
    for name in ("auto", "float32", "bfloat16"):
        assert inside(*words, name, "--precision", name).returncode == 0
        records = [json.loads(path.read_text())["settings"] for path in (tmp_path / name).rglob("*.json")]
        settings[name] = [held.get("precision") for held in records]
    assert not probed
    assert settings == {"auto": [None] * 14, "float32": [None] * 14, "bfloat16": ["bfloat16"] * 14}
    monkeypatch.setattr(precision, "PASSES", 14)
    done = inside(*words, "many")
    assert "precision of painting: bfloat16; a photograph takes 1 s in float32 and 0.5 s in bfloat16" in done.stdout
    assert probed == [("painting", 32, 1, 14)]
    for name in ("float32", "many"):
        assert "14 of 14 agree" in inside("verify", name, "--source", photographs, "-w", weights).stdout


def test_a_result_says_in_which_precision_it_was_measured(probed, run_folder, inside, monkeypatch):
    path = run_folder("cnn", "l1") / "results" / "demo.json"
    words = ("evaluate", "run=outputs/toy", "protocol=demo", "metrics=quick", "+protocol.extractors=[]", "track=false")
    assert inside(*words).returncode == 0
    assert "precision" not in read_result(path).cost
    assert not probed
    monkeypatch.setattr(precision, "PASSES", 6)
    assert "measured already" in inside(*words).stdout
    done = inside(*words, "overwrite=true")
    assert "precision of evaluation: bfloat16" in done.stdout
    assert "bfloat16" in done.stdout.rsplit("precision of evaluation", 1)[1].split("\n", 1)[1]  # beside the seconds
    assert probed == [("evaluation", 96, 4, 6)]
    assert read_result(path).cost["precision"] == "bfloat16"
    assert "measured already" in inside(*words, "precision=bfloat16").stdout
    assert "measured already" not in inside(*words, "precision=float32").stdout
    assert "precision" not in read_result(path).cost
