"""docs/extending.md followed to the letter: each of its six parts, in a package and a folder outside of ours."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import colorize
from colorize.cli import main
from colorize.data.sources import DEMO
from colorize.evaluation.compare import compare_results
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT
from tests.helpers.documented import commands, own_parts

SHORT = {"train": ["evaluate.historical=false"]}


def write_parts(home: Path) -> None:
    """The package `mine`; and photographs with two lists of names."""
    for name, text in own_parts().items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    (home / "photos").mkdir()
    for place, path in enumerate(sorted(DEMO.glob("*.jpg"))[:8]):
        shutil.copy(path, home / "photos")
        with (home / "photos" / ("train.txt" if place < 5 else "val.txt")).open("a") as names:
            names.write(f"{path.name}\n")
    shutil.copy(path, home / "a.jpg")


@pytest.fixture(scope="module")
def followed(once):
    """The folder in which every command of the page was run."""

    def make(folder: Path) -> None:
        write_parts(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "path", list(sys.path))
            for line in commands(ROOT / "docs" / "extending.md"):
                program, *words = shlex.split(line.replace("python train.py", "colorize train").replace(
                    "python evaluate.py", "colorize evaluate"))  # fmt: skip
                patch.setattr(sys, "argv", [program])
                assert main([*words, *SHORT.get(words[0], [])]) == 0, line
        forget()

    return once("extending", make)


def forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "mine"]:
        del sys.modules[name]


@pytest.fixture
def home(followed, tmp_path, monkeypatch):
    """A copy that may be written into; the package can be imported from there."""
    shutil.copytree(followed, tmp_path, symlinks=True, dirs_exist_ok=True)  # W&B links to its logs
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget()


def test_a_model_is_kept_loaded_and_painted_with(home, inside):
    assert (home / "a-by-mine.png").is_file()
    with pytest.raises(UserError, match=r"trust=\[mine\]"):
        colorize.load("outputs/mine")
    assert inside("export", "outputs/mine", "-o", "exported", "--trust", "mine").returncode == 0
    assert type(colorize.load("exported", trust=["mine"])).__name__ == "Mine"


def test_a_run_of_ones_own_parts_is_resumed(home, inside):
    (home / "outputs" / "mine" / "summary.json").unlink()
    done = inside("train", "resume=outputs/mine", "--config-dir", "mine/conf", "trust=[mine]")
    assert done.returncode == 0, done.stderr


COMMAND = Path(sys.executable).with_name("colorize")


@pytest.mark.parametrize("program", [[COMMAND], [sys.executable, "-m", "colorize"]], ids=["colorize", "python -m"])
def test_a_process_of_its_own_finds_the_package(program, home):
    """In the working folder, which Python does not search for a console command."""
    (home / "outputs" / "mine" / "summary.json").unlink()
    words = ["train", "resume=outputs/mine", "--config-dir", "mine/conf", "trust=[mine]"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*program, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((home / "outputs" / "mine" / "summary.json").read_text())["status"] == "finished"


def test_a_loss_term_is_logged_by_its_name(followed):
    assert '"train/closeness"' in (followed / "outputs" / "mine" / "metrics.jsonl").read_text()


def test_a_metric_has_its_title_unit_and_direction_everywhere(home, inside):
    result = json.loads((home / "outputs/mine/results/mine.json").read_text())
    assert result["rows"]["model"]["saturation"]["value"] > 0
    assert result["rows"]["lab_roundtrip"]["saturation"]["value"] < 1
    page = (home / "outputs/mine/results/mine.html").read_text()
    value = f"{result['rows']['model']['saturation']['value']:.3f}"
    for shown in ("saturation error % ↓", f">{value}", ">saturation error</"):
        assert shown in page, shown
    assert re.search(r"saturation error: (network is|no significant difference between network and grey)", page)
    assert re.search(r"saturation error \d+\.\d{3} %", page)  # of the best and the worst photographs
    assert page.index("saturation error") < page.index("PSNR")  # it is the most prominent
    kept = {"label": "saturation error", "better": "lower", "unit": "%", "digits": 3, "low": 0.0, "prominence": 7,
            "views": ["curve", "samples", "grey"]}  # fmt: skip
    summary = json.loads((home / "outputs/mine/summary.json").read_text())
    assert result["measures"]["saturation"] == summary["measures"]["saturation"] == kept
    other = shutil.copytree(home / "outputs" / "mine", home / "outputs" / "other")
    kept = json.loads((other / "results" / "mine.json").read_text())
    (other / "results" / "mine.json").write_text(json.dumps({**kept, "name": "other"}))
    done = inside("compare", "outputs/mine", "outputs/other")
    assert done.returncode == 0, done.stderr
    page = (home / "compare.html").read_text()
    assert "saturation error % ↓" in page
    assert f">{value}" in page
    assert list(compare_results(["outputs/mine", "outputs/other"]).leading())[:2] == ["saturation", "psnr"]


def test_a_data_source_trains_and_validates(followed):
    summary = json.loads((followed / "outputs" / "mine-data" / "summary.json").read_text())
    assert (summary["status"], summary["validation"]["photographs"]) == ("finished", 3)


def test_a_tracker_gets_the_scores(followed):
    scores = (followed / "outputs" / "scores.txt").read_text()
    assert re.search(r"^mine 4 val/saturation [\d.]+$", scores, re.M), scores


def test_a_protocol_names_its_results(followed):
    result = json.loads((followed / "outputs/mine/results/mine.json").read_text())
    assert result["protocol"]["id"].startswith("mine-8-")
    assert (result["protocol"]["filter"], result["protocol"]["size"]) == ("area", 64)
    assert result["rows"]["model_green"]["psnr"]["value"] > 0
    assert "green filter" in (followed / "outputs/mine/results/mine.html").read_text()
