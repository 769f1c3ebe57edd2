"""The precision of a run: measured without a trace when it begins, and kept by every later start."""

import json

import pytest
import torch

from colorize.training.build import build_parts, build_trainer
from colorize.training.precision import probe_of_training
from colorize.utils import precision
from colorize.utils.precision import PRECISIONS, autocast
from colorize.utils.stored_config import read_yaml
from tests.helpers.commands import refused
from tests.helpers.resumed import cut
from tests.helpers.trainers import Record, same, trainer_of


@pytest.fixture
def probed(monkeypatch, tmp_path):
    """Every network is large enough for a probe, whose passes are taken and whose seconds are pretended; the number of
    photographs in each round."""
    counts = []

    def seconds_of_round(self, count):
        for dtype in PRECISIONS.values():
            self.take_pass(count, autocast("cpu", dtype))
        counts.append(count)
        return {"float32": 1.0, "bfloat16": 0.5}

    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(precision.Probe, "seconds_of_round", seconds_of_round)
    monkeypatch.setattr(precision, "PASSES", 1)
    monkeypatch.setattr(precision, "PARAMETERS", 1)
    return counts


@pytest.mark.parametrize(("model", "loss"), [("gan", "pix2pix"), ("transformer", "ddcolor")])
def test_a_probe_leaves_everything_as_it_was(model, loss, small, tmp_path):
    """Batch norms, spectral norms, a critic, gradients and torch's random numbers: the steps that follow are the same
    bits."""
    cfg = small(model, f"loss={loss}", "evaluate.every=100")
    plain, probed = (trainer_of(cfg, tmp_path / name) for name in ("plain", "probed"))
    random, probe = torch.get_rng_state(), probe_of_training(probed)
    for dtype in PRECISIONS.values():
        probe.take_pass(2, autocast("cpu", dtype))
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for part in (probed.model, probed.loss) for p in part.parameters())
    probed.set_precision(plain.precision)
    assert same(plain.state()["players"], probed.state()["players"])
    for trainer in (plain, probed):
        assert trainer.fit(Record())
    assert same(plain.state()["players"], probed.state()["players"])


def test_a_new_run_asks_a_probe_and_another_does_not(probed, small, tmp_path):
    def precision_of(*words, **settings):
        cfg = small("cnn", "loss=l1", *words)
        parts = build_parts(cfg)
        trainer = build_trainer(cfg, parts, tmp_path, **settings)
        assert trainer.optimizer_step.autocast.__class__ is autocast("cpu", trainer.precision.dtype).__class__
        return trainer.precision.chosen, trainer.precision.by, parts.resolved.get("trainer.precision")

    assert precision_of() == ("float32", "device", "float32")
    assert precision_of("trainer.deterministic=true", new=True) == ("float32", "device", "float32")
    assert precision_of("trainer.precision=float32", new=True) == ("float32", "config", None)
    assert not probed
    assert precision_of(new=True) == ("bfloat16", "probe", "bfloat16")
    assert set(probed) == {2}
    assert precision_of(new=True) == ("bfloat16", "cache", "bfloat16")
    assert precision_of("model.width=0.12", new=True) == ("bfloat16", "probe", "bfloat16")


def test_a_run_keeps_the_precision_that_it_began_with(finished, probed, inside, monkeypatch):
    words = [word for word in finished.words if "run.dir" not in word and not word.startswith("name=")]
    done = inside("train", *words, "name=begun")
    assert "precision of training: bfloat16; a photograph takes 0.5 s in float32 and 0.25 s in bfloat16" in done.stdout
    folder = finished.folder.with_name("begun")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["precision"] == {"chosen": "bfloat16", "by": "probe", "seconds": {"float32": 0.5, "bfloat16": 0.25}}
    assert read_yaml(folder / ".hydra" / "resolved.yaml")["trainer.precision"] == "bfloat16"

    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)  # on another machine
    done = inside("train", f"resume={folder}", "schedule.all.steps=6")
    assert "resumes after step 4" in done.stdout, done.stderr
    assert json.loads((folder / "summary.json").read_text())["precision"] == {"chosen": "bfloat16", "by": "resume"}
    refused(inside("train", *words, "name=begun", "trainer.precision=float32"), "trainer.precision ('auto' there")
    refused(
        inside("train", f"resume={folder}", "trainer.precision=float32"), "which trainer.precision=float32 would change"
    )


def test_a_run_of_an_older_version_goes_on_in_float32(finished, probed, inside):
    (finished.folder / ".hydra" / "resolved.yaml").write_text("{}\n")
    cut(finished)
    assert "resumes after step 2" in inside("train", *finished.words).stdout
    assert not probed
    assert json.loads((finished.folder / "summary.json").read_text())["precision"]["chosen"] == "float32"
