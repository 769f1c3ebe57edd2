"""What is installed is whole: configs, photographs and credits are in the wheel, and it runs without the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from colorize.models.named_weights import WEIGHTS
from tests.helpers.configs import CONF, ROOT, tiny_words

LARGEST = 25e6  # bytes of a wheel, with photographs and weights


@pytest.fixture
def wheel(once):
    """The wheel of a copy of the checkout, unpacked; built with what is installed, without a network."""
    return once("wheel", build) / "unpacked"


def build(home):
    kept = shutil.ignore_patterns(".*", "outputs", "build", "*.egg-info", "__pycache__")
    source = shutil.copytree(ROOT, home / "source" / "tree", ignore=kept)
    for name in ("config.json", "model.safetensors", "README.md"):  # as weights that are shipped lie
        (source / "colorize" / "weights" / "made").mkdir(parents=True, exist_ok=True)
        (source / "colorize" / "weights" / "made" / name).touch()
    offline = ["--no-build-isolation", "--no-deps", "--no-index"]
    words = [sys.executable, "-m", "pip", "wheel", *offline, "-w", home, source]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = home.glob("colorize_lab-*.whl")
    assert path.stat().st_size <= LARGEST
    assert path.stat().st_size <= 25e6
    with zipfile.ZipFile(path) as archive:
        archive.extractall(home / "unpacked")


def test_every_config_and_photograph_is_in_the_wheel(wheel):
    configs = {path.relative_to(CONF) for path in CONF.rglob("*.yaml")}
    assert {
        path.relative_to(wheel / "colorize" / "conf") for path in (wheel / "colorize" / "conf").rglob("*.yaml")
    } == configs
    for folder in ("photos", "historical"):
        held = ROOT / "colorize" / "data" / folder
        assert {p.name for p in (wheel / "colorize" / "data" / folder).iterdir()} == {p.name for p in held.iterdir()}
    weights = {path.relative_to(WEIGHTS) for path in WEIGHTS.rglob("*.*")}
    weights |= {Path("made", name) for name in ("config.json", "model.safetensors", "README.md")}
    held = wheel / "colorize" / "weights"
    assert {path.relative_to(held) for path in held.rglob("*.*")} == weights
    modules = {p.relative_to(ROOT) for p in (ROOT / "colorize").rglob("*.py")}
    assert {p.relative_to(wheel) for p in (wheel / "colorize").rglob("*.py")} == modules
    assert (wheel / "colorize" / "reports" / "templates" / "style.css").is_file()
    assert (wheel / "colorize" / "models" / "model_card.md.j2").is_file()
    assert (wheel / "colorize" / "data" / "findings.yaml").is_file()


def test_the_wheel_runs_without_the_checkout(wheel, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    words = [sys.executable, "-m", "colorize", "train", *tiny_words("cnn", "l1")]
    where = [sys.executable, "-c", "import colorize; print(colorize.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert found.startswith(str(wheel))
    subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (summary,) = tmp_path.glob("outputs/*/summary.json")
    assert json.loads(summary.read_text())["status"] == "finished"


def test_the_plain_requirements_are_plain():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    plain = setup["options"]["install_requires"]
    for name in ("torch", "torchvision", "hydra-core", "omegaconf", "wandb", "timm", "einops", "lpips"):
        assert f"\n{name}>=" in plain
    assert "==" not in plain


def test_importing_the_package_touches_no_signal_and_nothing_heavy():
    code = (
        "import signal, sys; before = {n: signal.getsignal(n) for n in signal.valid_signals()};"
        "import colorize, colorize.cli.app; assert 'torch' not in sys.modules;"
        "import colorize.training.run; assert before == {n: signal.getsignal(n) for n in before}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_benchmark_of_the_loop_measures_every_side(monkeypatch, small):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import loop

    monkeypatch.setattr(
        loop, "config", lambda model, *words: small(model, "loss=l1", "schedule.all.steps=1000", *words)
    )
    took = loop.measure("cnn", steps=1)
    assert took.keys() == {"bare", "loop", "average", "loading", "checkpoints", "checkpoints_waited"}
    assert all(took[name] > 0 for name in took.keys() - {"checkpoints"})  # a difference, in steps of milliseconds


@pytest.mark.slow
def test_the_benchmark_ends_with_its_figures():
    words = [sys.executable, ROOT / "benchmarks" / "loop.py", "--steps", "1", "--models", "cnn"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert all(figures[name]["cnn"] > 0 for name in ("loop", "average", "loading", "checkpoints_waited"))
    assert figures["import_seconds"] > 0
    assert figures["resume_seconds"] > 0
