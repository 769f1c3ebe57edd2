"""Evaluations: what a result says, what is not measured twice, and one sentence for each mistake."""

import csv
import io
import json
import re
import shutil
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest
import torch

from colorize.cli import main
from colorize.evaluation.result import read_result
from colorize.tracking import Tracker as NoTracker
from tests.helpers.configs import tiny_words
from tests.helpers.evaluations import noise

QUICK = ("protocol=demo", "metrics=quick", "+protocol.extractors=[]")  # what costs time, for tests that do not look
WIDE = ["metrics.lpips_alex.download=false", "metrics.lpips_vgg.download=false"]


@pytest.fixture
def run(inside, run_folder):
    """Verbs beside `outputs/toy`, a trained network, as small as can be."""
    run_folder("cnn", "l1")
    return inside


@pytest.fixture
def measured(once, trained, tmp_path):
    """`outputs/toy` with a result of all metrics; what was printed."""

    def measure(folder):
        run, printed = shutil.copytree(trained("cnn", "l1"), folder / "outputs" / "toy"), io.StringIO()
        with redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["colorize"])
            assert main(["evaluate", f"run={run}", "protocol=demo", *WIDE]) == 0
        (folder / "printed.txt").write_text(printed.getvalue(), encoding="utf-8")

    shutil.copytree(once("measured", measure), tmp_path, dirs_exist_ok=True)
    return (tmp_path / "printed.txt").read_text(encoding="utf-8")


def test_a_result_says_everything(measured, tmp_path):
    result = read_result(tmp_path / "outputs" / "toy" / "results" / "demo.json")
    assert result.protocol["id"].startswith("demo-24-")
    assert {"model", "grey", "mean_ab", "lab_roundtrip", "jpeg95", "split_half", "truth"} == set(result.rows)
    assert result.rows["lab_roundtrip"]["psnr"].value == 100
    assert result.rows["jpeg95"]["psnr"].value < 45
    assert result.absent["fd_inf_efficientnet_lite0"].startswith("24 pictures are too few for 1280 features")
    assert np.isnan(result.rows["model"]["fd_efficientnet_lite0"].low)
    told = "smoke-cnn-l1-demo-s0 was trained at 32², and this protocol shows it 96²"  # from the start
    assert told in " ".join(measured.split())
    assert result.weights["network"]["trained_at"] == 32
    assert told in (tmp_path / "outputs/toy/results/demo.html").read_text(encoding="utf-8")
    assert "weights are not at" in result.absent["lpips_alex"]
    assert torch.hub.get_dir() not in str(result)  # where files lie is for the terminal alone
    said = f"absent: lpips_alex: alexnet, ImageNet: the weights are not at '{torch.hub.get_dir()}"
    assert "".join(said.split()) in "".join(measured.split())
    cell = result.rows["model"]["psnr"]
    assert cell.low < cell.value < cell.high
    assert cell.n == 24
    assert result.versions["torch"] == torch.__version__.split("+")[0] or "torch" in result.versions
    assert len(result.weights["network"]["sha256"]) == 64
    summary = json.loads((tmp_path / "outputs/toy/summary.json").read_text())
    assert result.cost["parameters"] == summary["parameters"]
    assert result.cost["size"] == [96, 96]
    assert result.cost["gmacs"] > 0
    assert result.cost["seconds"] > 0
    assert f"{result.cost['gmacs']:.3g} GMACs at 96², " in measured
    rows = list(csv.DictReader((tmp_path / "outputs/toy/results/demo.csv").open(encoding="utf-8")))
    assert sum(row["row"] == "model" for row in rows) == 24
    assert np.mean([float(row["psnr"]) for row in rows if row["row"] == "model"]) == pytest.approx(cell.value)
    assert not (tmp_path / "outputs/toy/results/demo.work").exists()


@pytest.mark.usefixtures("measured")
def test_the_page_needs_nothing_else(tmp_path):
    text = (tmp_path / "outputs/toy/results/demo.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:image/jpeg;base64,)', text)
    assert text.count("<img") >= 2 * 9 * 3  # the best, middling and worst by two metrics, three pictures each
    assert "Unavailable metrics" in text
    for row in ("smoke-cnn-l1-demo-s0", "grey", "ground truth through Lab", "ground truth through JPEG 95"):
        assert row in text


@pytest.mark.usefixtures("measured")
def test_compare_writes_the_page_that_evaluate_writes(inside, tmp_path):
    """Of one run, into its folder."""
    done = inside("compare", "outputs/toy")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "outputs/toy/run.html").read_text(encoding="utf-8")
    assert page == (tmp_path / "outputs/toy/results/demo.html").read_text(encoding="utf-8")


def test_the_run_validates_as_it_trained(run_folder, inside, tmp_path):
    """The trainer's scores and those of the protocol `validation` are of the same pictures and the same metrics."""
    run_folder("cnn", "l1", "metrics=default")
    done = inside("evaluate", "run=outputs/toy", "checkpoint=last", "metrics=default")
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "outputs/toy/results/validation.json")
    summary = json.loads((tmp_path / "outputs/toy/summary.json").read_text())
    for name in ("psnr", "ssim", "colorfulness", "chroma", "features"):
        assert result.rows["model"][name].value == pytest.approx(summary["val"][name], rel=1e-4)
        assert result.rows["grey"][name].value == pytest.approx(summary["baseline"]["grey"][name], rel=1e-4)
    assert result.rows["mean_ab"]["psnr"].value == pytest.approx(summary["baseline"]["mean_ab"]["psnr"], rel=1e-4)


def test_what_was_measured_is_not_measured_again(run, tmp_path):
    words = ("evaluate", "run=outputs/toy", *QUICK)
    assert run(*words).returncode == 0
    path = tmp_path / "outputs/toy/results/demo.json"
    before = path.stat().st_mtime_ns
    done = run(*words)
    assert "has been measured already" in done.stdout
    assert path.stat().st_mtime_ns == before
    assert run(*words, "overwrite=true").returncode == 0
    assert path.stat().st_mtime_ns > before


def test_another_result_is_not_lost(run, tmp_path):
    assert run("evaluate", "run=outputs/toy", *QUICK).returncode == 0
    done = run("evaluate", "run=outputs/toy", *QUICK, "protocol.size=64")
    assert done.returncode == 2
    assert re.search(r"demo.json' holds demo-24-\w+, and this is demo-24-\w+: use name=… to keep both", done.stderr)
    done = run("evaluate", "run=outputs/toy", *QUICK, "protocol.size=64", "name=other")
    assert done.returncode == 0
    done = run("compare", "outputs/toy/results/demo.json", "outputs/toy/results/other.json")
    assert done.returncode == 2
    assert "cannot be compared: size is 96 in outputs/toy/results/demo.json and 64 in" in done.stderr


def test_an_export_and_a_run_at_once(run, tmp_path):
    """An export has the same weights and knows no seed, data or mean colour; both are read next to the same rows."""
    assert run("export", "outputs/toy", "-o", "exported").returncode == 0
    done = run("evaluate", "run=[outputs/toy,exported]", *QUICK)
    assert done.returncode == 0, done.stderr
    one, other = (read_result(tmp_path / "outputs" / name / "results/demo.json") for name in ("toy", "exported"))
    assert one.rows["model"]["psnr"] == other.rows["model"]["psnr"]
    assert one.weights["network"]["sha256"] == other.weights["network"]["sha256"]
    assert "mean_ab" not in other.rows
    assert "is unknown" in other.absent["mean_ab"]
    assert run("compare", "outputs/toy", "outputs/exported").returncode == 0


def test_old_photographs_without_truth(run, tmp_path):
    done = run("evaluate", "run=outputs/toy", "protocol=historical", *WIDE)
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "outputs/toy/results/historical.json")
    assert result.absent["psnr"] == "needs the true colours"
    assert {"colorfulness", "kd_efficientnet_lite0"} <= set(result.rows["model"])
    assert set(result.rows) == {"model", "grey", "split_half"}
    pictures = list((tmp_path / "outputs/toy/results/historical.pictures").glob("*.jpg"))
    assert len(pictures) == 2 * result.rows["model"]["colorfulness"].n
    text = (tmp_path / "outputs/toy/results/historical.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"]+)"', text):
        assert (tmp_path / "outputs/toy/results" / link).is_file()


def test_period_photographs_side_by_side(run, tmp_path):
    (tmp_path / "period").mkdir()
    for seed in range(3):
        noise(seed, 60, 80).save(tmp_path / "period" / f"{seed}.png")
    done = run("evaluate", "run=outputs/toy", "protocol=period", "source=period", "metrics=quick")
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "outputs/toy/results/period.json")
    assert {"model", "model_ortho", "model_blue_plate"} <= set(result.rows)
    assert result.rows["model"]["psnr"] != result.rows["model_blue_plate"]["psnr"]


def test_the_tracker_hears_of_it(inside, tmp_path, monkeypatch):
    """Under the id that training gave the run; and `track=false` keeps quiet."""
    heard = []

    class Service(NoTracker):
        def __init__(self, run_id, name, settings, **options):
            self.id = run_id

        def summary(self, values):
            heard.append((self.id, dict(values)))

    monkeypatch.setattr("colorize.tracking.WandB", Service)
    assert inside("train", *tiny_words("cnn", "l1"), "tracker=wandb", "name=toy").returncode == 0
    trained = heard.pop()[0]
    heard.clear()
    assert inside("evaluate", "run=outputs/toy", *QUICK, "track=false").returncode == 0
    assert not heard
    assert inside("evaluate", "run=outputs/toy", *QUICK, "overwrite=true").returncode == 0
    [(name, values)] = heard
    assert name == trained
    assert values["eval/demo/psnr/low"] < values["eval/demo/psnr"] < values["eval/demo/psnr/high"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run=gone",), "there is no file or folder 'gone'"),
        (("run=outputs/toy", "protocol=clean"), "use source=FOLDER"),
        (("run=outputs/toy", "checkpoint=17"), "has no checkpoint '17'"),
        (("run=outputs/toy", "protocol=clean-val5k", "source=demo"), "has a name of the protocol"),
        (("run=outputs/toy", "protocol=demo", "strict=true", *WIDE), "metric 'lpips_alex' is unavailable"),
        (("run=[outputs/toy,outputs/toy]", "out=x"), "out=x is one folder for 2 networks"),
        (("protocol=demo",), "run has no value"),
    ],
)
def test_one_sentence_for_each_mistake(run, words, sentence):
    done = run("evaluate", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_checkpoint_that_is_half_written(run, tmp_path):
    path = tmp_path / "outputs/toy/checkpoints/best.pt"
    path.write_bytes(path.read_bytes()[:1000])
    done = run("evaluate", "run=outputs/toy", "protocol=demo")
    assert done.returncode == 2
    assert "best.pt" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_picture_that_is_gone_stops_evaluation(run, many, tmp_path):
    (many / "050.png").write_bytes(b"")
    done = run("evaluate", "run=outputs/toy", "protocol=clean", f"source={many}", "metrics=quick",
               "protocol.extractors=[]")  # fmt: skip
    assert done.returncode == 2
    assert "050.png" in done.stderr
    shutil.rmtree(many)
