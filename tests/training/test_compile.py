"""torch.compile: the same losses as without it, stopped, gone on with and evaluated like any run.

The gate traces the network as torch.compile does and runs the trace; what inductor and a C++ compiler make of it takes
a minute or two when it is made first, and is for --slow.
"""

import json
import shutil
from functools import partial

import pytest
import torch

from tests.helpers.configs import tiny_words
from tests.helpers.trainers import Record, cut_in_two, trainer_of

compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="there is no C++ compiler, which inductor needs")


@pytest.fixture(params=["eager", pytest.param("inductor", marks=[pytest.mark.slow, compiler])])
def graphs(request, monkeypatch):
    """How many programs torch.compile has made so far, of the network or of a part of it."""
    if request.param == "eager":
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    return lambda: torch._dynamo.utils.counters["stats"]["unique_graphs"]


def test_a_compiled_run_cut_in_two_ends_where_the_whole_run_ends(graphs, small, tmp_path):
    words = ("loss=l1", "checkpoint.every=100")
    plain, heard_plain = trainer_of(small("cnn", *words), tmp_path / "plain"), Record()
    plain.fit(heard_plain)
    cfg, before = small("cnn", *words, "trainer.compile=true"), graphs()
    whole, heard = trainer_of(cfg, tmp_path / "whole"), Record()
    assert whole.fit(heard)
    assert graphs() > before
    cut_in_two(cfg, tmp_path / "cut", whole, heard)
    losses = [
        [values["train/loss"] for _, values in lines.lines if "train/loss" in values] for lines in (heard, heard_plain)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)  # with two photographs, batch norm blows rounding up


@pytest.mark.slow
@pytest.mark.usefixtures("graphs")
def test_a_compiled_run_is_evaluated(inside, tmp_path):
    done = inside("train", *tiny_words("cnn", "l1"), "trainer.compile=true", "name=run")
    assert done.returncode == 0, done.stderr
    done = inside("evaluate", "run=outputs/run", "checkpoint=last", "metrics=quick")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "outputs/run/results/validation.json").read_text())
    summary = json.loads((tmp_path / "outputs/run/summary.json").read_text())
    assert result["rows"]["model"]["psnr"]["value"] == pytest.approx(summary["val"]["psnr"], rel=1e-4)
