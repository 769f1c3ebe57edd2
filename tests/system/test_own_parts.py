"""The model and the loss term of docs/extending.md inside the package: trained, exported, loaded; tests find them."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

import colorize
import colorize.losses
import colorize.models
from colorize.data.sources import DEMO
from tests.helpers.configs import ROOT
from tests.helpers.documented import own_parts

PARTS = own_parts()
FILES = {
    "colorize/models/mine.py": PARTS["mine/model.py"],
    "colorize/losses/mine.py": PARTS["mine/term.py"],
    "conf/model/mine.yaml": PARTS["mine/conf/model/mine.yaml"].replace("mine.model.", "colorize.models.mine."),
    "conf/loss/mine.yaml": PARTS["mine/conf/loss/mine.yaml"].replace("mine.term.", "colorize.losses.mine."),
}


def write_into(home):
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The files in a folder of their own, as if they lay in the package; and the words that name its configs."""
    home, packages = tmp_path / "added", (colorize.models, colorize.losses)
    write_into(home)
    for package in packages:
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(home / package.__name__.replace(".", "/"))])
    yield ["--config-dir", str(home / "conf"), "experiment=smoke", "tracker=none", "evaluate.historical=false",
           "model=mine"]  # fmt: skip
    for package in packages:
        sys.modules.pop(f"{package.__name__}.mine", None)
        vars(package).pop("mine", None)


@pytest.mark.parametrize("loss", [["loss=l1"], []], ids=["l1", "its own"])
def test_it_trains_is_exported_loads_and_paints(loss, mine, inside, tmp_path):
    done = inside("train", *mine, *loss, "name=run")
    assert done.returncode == 0, done.stderr
    assert inside("export", "outputs/run", "-o", "mine").returncode == 0
    L = 100 * torch.rand(1, 1, 40, 48, generator=torch.Generator().manual_seed(0))
    painted = [colorize.load(place).colorize(L) for place in ("mine", "outputs/run")]
    assert type(colorize.load("mine")).__name__ == "Mine"
    assert torch.equal(*painted)
    assert painted[0].abs().max() > 0
    photograph = min(DEMO.glob("*.jpg"))
    for weights in ("mine", "outputs/run"):
        assert inside("paint", photograph, "--weights", weights, "-o", f"by-{weights[-3:]}.png").returncode == 0
    with Image.open(tmp_path / "by-ine.png") as picture, Image.open(photograph) as original:
        assert picture.size == original.size


def test_a_model_without_a_loss_of_its_own_asks_for_one(mine, inside, tmp_path):
    (tmp_path / "added/conf/loss/mine.yaml").unlink()
    done = inside("train", *mine)
    assert done.returncode == 2
    assert done.stderr.startswith("model=mine has no loss of its own: use loss=…; the options are cnn, ddcolor, ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_tests_find_it_and_pass(tmp_path):
    """In a copy of the repository. The others are those that look at every model, every loss or all terms at once."""
    for name in ("colorize", "conf", "tests", "docs", "experiments", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    write_into(tmp_path)
    others = "finding_what_is_reached or every_pair or truth_costs_least or one_colour or what_runs_log or up_to_date"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--slow", "-k", f"mine or {others}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 40
