"""A user's own code only with trust, and a stranger's never."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from omegaconf import OmegaConf

import colorize
from colorize.config import check_config
from colorize.utils.errors import UserError
from colorize.utils.stored_config import read_config
from colorize.utils.trust import packages
from tests.helpers.commands import refused
from tests.helpers.configs import BIN, tiny_words

OWN = """
import torch
from torch import nn
from colorize.batch import Batch, Prediction
from colorize.losses import Term
from colorize.models import Colorizer

class Mine(Colorizer):
    answers = frozenset({"ab"})

    def __init__(self, width: int = 4):
        super().__init__()
        self.net = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, batch: Batch) -> Prediction:
        return Prediction(ab=self.predict_ab(batch.input))

    def predict_ab(self, L):
        return 128 * self.net(L / 100)

class Half(Term):
    def forward(self, pred, batch):
        return (pred.ab - batch.ab).abs().mean() / 2
"""
MODEL = "# @package _global_\nnames: {model: mine}\nmodel: {_target_: mymodel.Mine, width: 4}\n"


@pytest.fixture(scope="module")
def own(once):
    """A run of a network and a loss of the user's own, which lie beside the user and are named by --config-dir."""

    def make(folder):
        (folder / "mymodel.py").write_text(OWN)
        (folder / "conf" / "model").mkdir(parents=True)
        (folder / "conf" / "model" / "mine.yaml").write_text(MODEL)
        words = ["experiment=smoke", "tracker=none", "evaluate.historical=false", "model=mine", "loss=l1"]
        words += ["loss.terms.pixel._target_=mymodel.Half", "~loss.terms.pixel.unit", "name=own"]
        words = [word for word in words if not word.startswith("~")]
        done = subprocess.run(
            [BIN / "colorize", "train", "--config-dir=conf", *words], cwd=folder, check=False, text=True,
            capture_output=True, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    return once("own", make)


def test_a_network_of_ones_own_beside_the_user_needs_trust_to_be_read_back(own, inside, tmp_path, monkeypatch):
    shutil.copytree(own, tmp_path, dirs_exist_ok=True)
    run = "outputs/own"
    with pytest.raises(UserError, match=r"'mymodel.Mine', which is not of this program.* trust=\[mymodel\]"):
        colorize.load(tmp_path / run)
    refused(inside("export", run, "-o", "out"), "--trust mymodel")
    done = inside("export", run, "-o", "out", "--trust", "mymodel")
    assert done.returncode == 0, done.stderr
    assert 'trust=["mymodel"]' in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(UserError, match="mymodel"):
        colorize.load(tmp_path / "out")
    one, other = (colorize.load(tmp_path / place, trust=["mymodel"]) for place in (run, "out"))
    assert torch.equal(one.net.weight, other.net.weight)
    evaluate = ("evaluate", f"run={run}", "protocol=validation", "metrics=quick", "+protocol.extractors=[]")
    refused(inside(*evaluate), "trust=[mymodel]")
    done = inside(*evaluate, "trust=[mymodel]")
    assert done.returncode == 0, done.stderr
    (tmp_path / run / "summary.json").unlink()
    refused(inside("train", f"resume={run}"), "trust=[mymodel]")
    done = inside("train", f"resume={run}", "trust=[mymodel]")
    assert done.returncode == 0, done.stderr
    refused(inside("train", f"rerun={run}", "--config-dir=conf"), "'mymodel.Half', which is not of this program")
    done = inside("train", f"rerun={run}", "--config-dir=conf", "trust=[mymodel]", "schedule.all.steps=2")
    assert done.returncode == 0, done.stderr


def test_trust_is_for_the_kind_alone(own, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(own), *sys.path])
    config = read_config(own / "outputs" / "own" / ".hydra" / "config.yaml")
    check_config(config, ("mymodel",), "here")
    others = ("mymodel.Half", "mymodel.torch.load", "mymodel.nn.Conv2d", "mymodels.Mine")
    for place, target in [("loss.terms.pixel", "mymodel.Mine"), *(("model", other) for other in others)]:
        other = config.copy()
        OmegaConf.update(other, f"{place}._target_", target)
        with pytest.raises(UserError, match=place):
            check_config(other, ("mymodel",), "here")


@pytest.mark.parametrize("trust", ["", "a b", "os;x", ["../x"], [5], ["a..b"]])
def test_trust_names_packages(trust):
    if trust == "":
        assert packages([]) == packages(None) == ()
        return
    with pytest.raises(UserError, match="trust is"):
        packages(trust)


def test_a_part_that_cannot_be_imported_is_one_sentence_with_the_cause(inside, tmp_path):
    (tmp_path / "broken.py").write_text("import torch\n\nclass Mine(Colorizer):\n    pass\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    words = tiny_words("cnn", "l1")
    for target, message in [
        ("broken.Mine", "NameError: name 'Colorizer' is not defined ("),
        ("wrong.Mine", "SyntaxError"),
        ("nowhere.Mine", "No module named 'nowhere'"),
        ("colorize.models.Nothing", "is no class or function that can be imported"),
    ]:
        done = inside("train", *words[:3], f"model._target_={target}", *words[3:])
        refused(done, message)


def test_the_best_of_a_sweep_are_evaluated_with_its_trust(trained, tmp_path, monkeypatch):
    from colorize.cli import after_sweep
    from colorize.sweeps.jobs import SweepJob

    said = []
    monkeypatch.setattr(after_sweep, "run_verb", lambda verb, words, shown: said.append((verb, list(words))) or True)
    jobs = [SweepJob(number, trained("cnn", "l1")) for number in range(2)]
    after_sweep.compare_jobs(tmp_path, [[job] for job in jobs], ["validation"], ["mymodel", "other"])
    assert "trust=[mymodel,other]" in said[0][1]


def test_a_pruner_in_a_jobs_folder_is_optunas(tmp_path):
    optuna = pytest.importorskip("optuna")
    from colorize.sweeps.study import build_pruner

    node = {"_target_": "optuna.pruners.PatientPruner", "patience": 2,
            "wrapped_pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3}}  # fmt: skip
    assert isinstance(build_pruner(node, (), "here"), optuna.pruners.PatientPruner)
    for target in ("os.system", "optuna.pruners.BasePruner.__init__", "optuna.create_study", "mymodel.Pruner"):
        with pytest.raises(UserError, match="pruner"):
            build_pruner({"_target_": target}, (), "here")


def test_a_card_of_the_networks_of_this_package_asks_for_no_trust(trained, tmp_path):
    colorize.save(colorize.load(trained()), tmp_path / "out")
    assert "trust" not in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["network"] == "CNN"
