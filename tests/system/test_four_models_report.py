"""experiments/four_models: report, strengths and pictures of made results, and what run.py says to the verbs."""

import csv
import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import gray2rgb, lab2rgb
from skimage.metrics import peak_signal_noise_ratio

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.imaging.color import rgb_to_lab
from colorize.metrics.metric_info import Interval
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT
from tests.helpers.evaluated import PROTOCOL

STUDY = ROOT / "experiments" / "four_models"
NETWORKS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")


def write_job(folder, number, words, gain, measured=True):
    """A job of a sweep, as run.py leaves it: 30 photographs, `gain` dB above 24 and as many ΔE below 12."""
    random, names = np.random.default_rng([number, 1]), [f"{place:02d}.jpg" for place in range(30)]
    job = folder / f"{number:03d}-0123abcd"
    (job / ".hydra").mkdir(parents=True)
    (job / ".hydra" / "overrides.yaml").write_text(f"[{', '.join(words)}]")
    (job / "summary.json").write_text(json.dumps({"status": "finished", "steps": 9, "seconds": 90}))
    if measured:
        gains = gain + 0.02 * random.normal() + 0.02 * random.normal(size=30)
        values = {"psnr": np.random.default_rng(0).normal(24, 3, 30) + gains, "ciede2000": 12 - gains}
        cells = {metric: mean_interval(of) for metric, of in values.items()}
        rows = {"model": cells, "model_ortho": cells, "grey": {"psnr": Interval(21.0, 20.0, 22.0, 30)}}
        path = write_result(job / "results" / "people_places.json", Result(words[-1], PROTOCOL, rows, manifest="m"))
        with ImageTable(image_table_path(path), list(values)) as table:
            table.add({"model": values}, names)


@pytest.fixture
def runs(tmp_path):
    """A sweep's folder: six networks with three seeds. The networks are half a decibel apart, but for the last two,
    which are equal."""

    def make(missing=()):
        for number, (seed, place) in enumerate((seed, place) for seed in range(3) for place in range(6)):
            name = NETWORKS[place]
            words = [f"seed={seed}", f"experiment=four_models/{name}"]
            write_job(tmp_path / "runs", number, words, 0.5 * min(place, 4), (name, seed) not in missing)
        return tmp_path / "runs"

    return make


def test_the_report(runs, study, tmp_path, capsys):
    report = study("report")
    (tmp_path / "README.md").write_text((STUDY / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    folder = runs()
    best = study("results").judge_runs(folder).ranking[0]
    write_job(tmp_path / "scaled" / best, 89, ["steps_scale=2", f"experiment=four_models/{best}"], 2, measured=False)
    for number, scale in enumerate((0.25, 4)):
        words = [f"steps_scale={scale}", f"experiment=four_models/{best}"]
        write_job(tmp_path / "scaled" / best, 90 + number, words, 2 + np.log2(scale) / 2)
    for _ in range(2):
        assert report.write_report(tmp_path, folder, tmp_path / "scaled") == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "15 of 15 pairs are decided." in text
    assert "| cnn, gan_unet | gan_unet better by 0.5" in text
    assert "| transformer, multicolor | equal within 0.3 dB (" in text
    scales = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| × ")]
    assert scales == ["| × 0.25", "| × 1", "| × 4"]
    assert "<polyline" in (tmp_path / "scaling.svg").read_text(encoding="utf-8")
    assert text.count("<!-- begin pairs -->") == text.count("## More and less compute") == 1
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["model", "set", "metric", "seed", "value", "low", "high", "n"]
    mine = [row for row in rows if row["set"] == "people_places" and row["metric"] == "psnr"]
    assert [(row["model"], row["seed"]) for row in mine if row["seed"]] == [
        (name, str(seed)) for name in sorted(NETWORKS) for seed in range(3)
    ]  # fmt: skip
    assert [row["model"] for row in mine if not row["seed"]] == ["grey"]
    assert sum(row["set"] == "people_places/ortho" for row in rows) == 36
    with (tmp_path / "verdicts.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 30


def test_measured_deviations_are_those_of_the_scores(runs, study):
    found = study("report").measured_deviations(study("results").judge_runs(runs()), "psnr")
    assert found.photographs < 0.01  # which move all networks alike
    assert found.interactions == pytest.approx(0.02, rel=0.2)
    assert found.seeds == pytest.approx(0.02, rel=0.5)


def test_strength_0_is_grey_and_1_what_the_network_predicts(study, monkeypatch):
    strength = study("strength")
    rgb = torch.from_numpy(np.random.default_rng(0).integers(60, 200, (3, 3, 8, 8), np.uint8))
    lab = rgb_to_lab(rgb)
    monkeypatch.setattr(strength, "load", lambda _: SimpleNamespace(colorize=lambda L, _: lab[:, 1:]))
    values = dict(zip(strength.STRENGTHS, strength.measure_strengths(STUDY, [rgb]), strict=True))
    grey = gray2rgb(lab2rgb(np.pad(lab[:, :1].movedim(1, -1).numpy(), [(0, 0)] * 3 + [(0, 2)]))[..., 0])
    expected = [peak_signal_noise_ratio(a, (b * 255).round().astype(np.uint8))
                for a, b in zip(rgb.movedim(1, -1).numpy(), grey, strict=True)]  # fmt: skip
    assert values[0] == pytest.approx(np.mean(expected), abs=0.05)
    assert max(values, key=values.__getitem__) == 1
    assert values[1] > 45


def test_the_table_of_strengths_takes_one_for_all_seeds(study, tmp_path):
    rows = [f"{name},{seed},{strength},{20 + seed - abs(strength - 0.5)},9\n"
            for name in NETWORKS for seed in range(2) for strength in (0.0, 0.5, 1.0)]  # fmt: skip
    (tmp_path / "strength.csv").write_text("model,seed,strength,psnr,n\n" + "".join(rows))
    assert study("strength").strength_table(tmp_path / "strength.csv")[2] == "| cnn | 20.00 | 0.5 | 20.50 | +0.50 |"


def test_the_pictures_are_those_of_seed_0(runs, study, tmp_path, monkeypatch):
    pictures, said = study("pictures"), []

    def paint(verb, *words):
        said.append((verb, Path(words[-3]).parent.name))
        for word in words[: words.index("--weights")]:
            Image.new("RGB", (9, 6)).save(Path(words[-1]) / f"{Path(word).stem}.png")

    monkeypatch.setattr(pictures, "RUNS", runs())
    monkeypatch.setattr(pictures, "HERE", tmp_path)
    monkeypatch.setattr(pictures.RunFolder, "checkpoint", lambda self, which: self.folder / f"{which}.pt")
    monkeypatch.setattr(study("study"), "run", paint)
    monkeypatch.setattr("sys.argv", ["pictures.py"])
    assert pictures.main() == 0
    assert said == [("paint", f"{number:03d}-0123abcd") for number in range(6)]
    assert Image.open(tmp_path / "pictures.jpg").width > 8 * 100


def test_a_missing_run_is_named(runs, study):
    with pytest.raises(UserError, match="has no result 'people_places' of gan with seed 2"):
        study("results").judge_runs(runs(missing=[("gan", 2)]))


def test_one_command_runs_all(runs, study, tmp_path, monkeypatch, config):
    """What it says to the verbs can be composed; where one of them fails or is stopped, it ends with its status."""
    program = runpy.run_path(str(STUDY / "run.py"))
    said: list[list[str]] = []
    status = [0]
    run = program["main"].__globals__
    monkeypatch.setattr(study("study"), "colorize", lambda words: said.append(words) or status[0])
    monkeypatch.setitem(run, "find_best", lambda folder: "gan")
    monkeypatch.setattr("sys.argv", ["run.py"])
    monkeypatch.setattr(study("report"), "write_report", lambda *folders: 0)
    assert program["main"]() == 0
    assert [words[0] for words in said] == ["train", *["evaluate"] * 3, "train", "evaluate", "compare"]
    for verb, *words in said[:-1]:
        first = [word.split(",")[0] if verb == "train" else word for word in words if word != "-m"]
        config(*(word for word in first if not word.startswith("hydra.")), name=verb)
    assert "seed=0,1,2,3,4,5" in said[0]
    assert "experiment=four_models/gan" in said[4]
    said.clear()
    status[0] = 130
    with pytest.raises(SystemExit, match="130"):
        program["main"]()
    assert len(said) == 1
