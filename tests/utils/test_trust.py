"""What comes from a run folder, an export or a file is data: it runs nothing, and a user's own code only with trust."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from omegaconf import OmegaConf

import colorize
from colorize.cli import main
from colorize.config import check_config
from colorize.run_folder import RunFolder
from colorize.utils.errors import UserError
from colorize.utils.stored_config import read_config, settled
from colorize.utils.trust import packages
from tests.faults import stranger_folders as strangers
from tests.faults.strangers import MARK
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


@pytest.fixture
def stored(trained):
    """The config of a run, as its folder keeps it."""
    return lambda: read_config(trained() / ".hydra" / "config.yaml")


@pytest.mark.parametrize("place", strangers.PLACES)
def test_no_way_of_naming_code_is_taken_anywhere(place, stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call, node in strangers.CALLS.items():
        if (place, call) == ("loss.terms.pixel", "another kind"):
            continue
        config = stored()
        OmegaConf.update(config, place, node, merge=False, force_add=True)
        with pytest.raises(UserError) as caught:
            check_config(config, (), "here")
        assert place.split(".")[0] in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", strangers.CONFIGS)
def test_a_config_that_asks_grows_or_is_none_is_refused(name, run_folder, capsys):
    folder = run_folder()
    strangers.CONFIGS[name](folder)
    if name == "empty":
        assert not RunFolder(folder).read_config()
        return
    with pytest.raises(UserError) as caught:
        check_config(RunFolder(folder).read_config(), (), "here")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("held", strangers.RESOLVED, ids=str)
def test_what_was_left_open_is_plain(held, run_folder):
    folder = run_folder()
    strangers.write(folder, "resolved.yaml", held)
    with pytest.raises(UserError, match=r"resolved\.yaml' is damaged"):
        RunFolder(folder).read_resolved()


@pytest.mark.parametrize("words", strangers.WORDS, ids=str)
def test_rerun_takes_choices_and_values_alone(words, inside, run_folder, tmp_path):
    strangers.arranged(run_folder(), tmp_path / "case", lambda folder: strangers.write(folder, "overrides.yaml", words))
    refused(inside("train", f"rerun={tmp_path / 'case' / 'run'}", "experiment=smoke"), "overrides.yaml")
    assert not list(tmp_path.rglob(MARK))


ATTACKS = {
    "model.branches: os.system": lambda folder: strangers.planted(folder, "model.branches", strangers.SHELL),
    "tracker: pickle": lambda folder: strangers.planted(folder, "tracker", strangers.CALLS["pickle"]),
    "data: beside": lambda folder: strangers.planted(folder, "data", strangers.CALLS["beside"]),
    "resolved": lambda folder: strangers.write(folder, "resolved.yaml", {"model._target_": "os.system"}),
}


@pytest.mark.parametrize("reader", strangers.READERS["all"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_verb_refuses(attack, reader, run_folder, tmp_path, monkeypatch, capsys):
    home = tmp_path / "case"
    strangers.arranged(run_folder(), home, ATTACKS[attack])
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["colorize"])
    reads_model_alone = attack.startswith(("tracker", "data")) and reader in ("paint", "export", "init_from")
    code = strangers.READERS["all"][reader]()
    assert code == 0 if reads_model_alone else code == 2
    assert not list(home.rglob(MARK))


@pytest.mark.parametrize("name", sorted(set(strangers.PLANTED) - set(strangers.HARMLESS)))
def test_a_folder_that_would_write_elsewhere_is_not_gone_on_with(name, run_folder, tmp_path, monkeypatch):
    home = tmp_path / "case"
    strangers.arranged(run_folder(), home, strangers.PLANTED[name])
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["colorize"])
    assert main(["train", "resume=run"]) == 2
    assert not list(tmp_path.rglob(MARK))
    assert [path for path in (tmp_path / "victims").rglob("*") if path.is_file()] == []


def test_half_written_files_do_not_follow_links(tmp_path):
    victim, target = tmp_path / "victim", tmp_path / "file"
    victim.write_text("mine")
    (tmp_path / "file.part").symlink_to(victim)
    colorize.utils.files.write_whole(target, lambda part: part.write_text("new"))
    assert (victim.read_text(), target.read_text()) == ("mine", "new")


def test_what_a_config_asked_this_machine_for_is_kept_as_the_value(tmp_path, config, monkeypatch):
    monkeypatch.setenv("SIDE", "64")
    cfg = config("experiment=smoke", "checkpoint.every=${seed}")
    OmegaConf.update(cfg, "data.size", "${oc.decode:${oc.env:SIDE}}")
    OmegaConf.save(settled(cfg), tmp_path / "config.yaml")
    kept = read_config(tmp_path / "config.yaml")
    assert kept.data.size == 64
    assert "${seed}" in (tmp_path / "config.yaml").read_text()  # a reference stays one
    check_config(kept, (), "here")


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


def test_the_best_of_a_sweep_are_evaluated_with_its_trust(tmp_path, monkeypatch):
    from colorize.cli import after_sweep

    said = []
    monkeypatch.setattr(after_sweep, "went_well", lambda verb, words, shown: said.append((verb, list(words))) or True)
    after_sweep.side_by_side(tmp_path, [tmp_path / "a", tmp_path / "b"], ["validation"], ["mymodel", "other"])
    assert "trust=[mymodel,other]" in said[0][1]


def test_a_pruner_in_a_jobs_folder_is_optunas(tmp_path):
    optuna = pytest.importorskip("optuna")
    from colorize.sweeps.study import pruner_of

    node = {"_target_": "optuna.pruners.PatientPruner", "patience": 2,
            "wrapped_pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 3}}  # fmt: skip
    assert isinstance(pruner_of(node, (), "here"), optuna.pruners.PatientPruner)
    for target in ("os.system", "optuna.pruners.BasePruner.__init__", "optuna.create_study", "mymodel.Pruner"):
        with pytest.raises(UserError, match="pruner"):
            pruner_of({"_target_": target}, (), "here")


def test_a_card_of_the_networks_of_this_package_asks_for_no_trust(trained, tmp_path):
    colorize.save(colorize.load(trained()), tmp_path / "out")
    assert "trust" not in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / "config.json").read_text())["network"] == "CNN"
