"""Run folders, exports and results of a version before the modules moved (tests/data/before_move) go on to work."""

import json
import shutil

import pytest
import torch

import colorize
from tests.helpers.configs import ROOT

KEPT = ROOT / "tests" / "data" / "before_move"
WORDS = (
    "experiment=smoke", "model=cnn", "loss=iizuka", "model.width=0.01", "model.global_size=32", "tracker=none",
    "evaluate.samples=1", "evaluate.historical=false", "data.people=false",
)  # fmt: skip


@pytest.fixture
def old(tmp_path):
    """A copy of one of them in `outputs/` of the test's folder."""
    return lambda name: shutil.copytree(KEPT / name, tmp_path / "outputs" / name)


def test_a_stopped_run_goes_on(old, inside):
    run = old("stopped")
    begun = (run / "metrics.jsonl").read_text()
    done = inside("train", "resume=outputs/stopped")
    assert done.returncode == 0, done.stderr
    log = (run / "metrics.jsonl").read_text()
    assert log.startswith(begun)
    lines = [json.loads(line) for line in log[len(begun) :].splitlines()]
    assert lines[0]["step"] == 9
    prefixes = {name.partition("/")[0] for line in lines for name in line if "/" in name}
    assert prefixes == {"train", "perf", "val", "train_slice"}  # today's judges, less what the run left out
    assert json.loads((run / "summary.json").read_text())["steps"] == 100


def test_the_same_command_finds_its_run(old, inside):
    log = old("finished") / "metrics.jsonl"
    trained = log.read_text()
    done = inside("train", *WORDS, "name=finished")
    assert done.returncode == 0, done.stderr
    assert log.read_text() == trained  # all four steps are taken
    joined = inside("train", *WORDS[:-1], "name=finished")  # with the photographs of people that joined later
    assert joined.returncode == 2
    assert "the photographs are not those" in joined.stderr
    other = inside("train", *WORDS, "name=finished", "optimizer.lr=1")
    assert other.returncode == 2
    assert "holds a run with another config" in other.stderr


def test_a_run_and_its_export_are_one_network(old):
    run, export = colorize.load(old("finished")), colorize.load(KEPT / "export")
    lightness = torch.rand(1, 1, 32, 32) * 100
    torch.testing.assert_close(run.colorize(lightness), export.colorize(lightness), atol=0.1, rtol=0)


def test_a_new_seed_is_pooled_with_an_old_result(old, inside):
    old("finished")
    assert inside("train", *WORDS, "name=again", "seed=1").returncode == 0
    assert inside("evaluate", "run=outputs/again", "metrics=quick").returncode == 0
    done = inside("compare", "outputs/finished", "outputs/again", "--pool", "--markdown", "table.md")
    assert done.returncode == 2  # since then a protocol says what becomes of colours outside the gamut
    assert "gamut is not said in outputs/finished and chroma in outputs/again" in done.stderr
    assert inside("evaluate", "run=outputs/finished", "metrics=quick", "overwrite=true").returncode == 0
    done = inside("compare", "outputs/finished", "outputs/again", "--pool", "--markdown", "table.md")
    assert done.returncode == 0, done.stderr
    assert "2 seeds" in done.stdout + done.stderr


def test_a_source_of_ones_own_finds_its_base_class():
    """Run folders name it; it was written when the base class had another name."""
    from colorize.data import DataModule, Photographs

    assert Photographs is DataModule
