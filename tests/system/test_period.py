"""experiments/period: commands, verdicts and tables on made results, distances of paintings."""

import csv
import json
import runpy
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.metrics.feature_store import Features
from colorize.metrics.kernel_distance import kernel_distance
from tests.helpers.configs import ROOT
from tests.helpers.evaluated import PROTOCOL

STUDY = ROOT / "experiments" / "period"
LOOKS = ("modern", "film", "mixed")
GAINS = {"people_places": (0.0, -1.5, 0.0), "period": (0.0, 1.5, 0.0), "slides": (0.0, 1.5, 0.0)}  # dB, of each look


@pytest.fixture
def study(study, monkeypatch, tmp_path):
    """In an empty folder."""
    monkeypatch.chdir(tmp_path)
    return study


def write_job(number: int, look: str, seed: int) -> Path:
    """A job of the sweep, as training leaves it."""
    job = Path(f"outputs/period/{number:03d}-0123abcd")
    for folder in (".hydra", "checkpoints"):
        (job / folder).mkdir(parents=True)
    words = ["experiment=recipe/base", f"seed={seed}", f"data/look={look}"]
    (job / ".hydra" / "overrides.yaml").write_text(json.dumps(words))
    (job / "checkpoints" / "step-00000009.pt").touch()
    (job / "summary.json").write_text(json.dumps({"status": "finished", "steps": 9, "seconds": 90}))
    return job


def write_jobs() -> list[tuple[str, int, Path]]:
    return [(look, seed, write_job(i, look, seed)) for i, (seed, look) in enumerate(product(range(3), LOOKS))]


def measure_job(job: Path, look: str, seed: int, name: str) -> None:
    """20 photographs; what film gains on slides is shown chroma of half."""
    names, random = [f"{place:02d}.jpg" for place in range(20)], np.random.default_rng([seed, LOOKS.index(look)])
    gains = GAINS[name][LOOKS.index(look)] + 0.02 * random.normal() + 0.02 * random.normal(size=20)
    values = {"psnr": np.random.default_rng(0).normal(24, 3, 20) + gains, "ciede2000": 12 - gains}
    pale = 0.5 if (name, look) == ("slides", "film") else 1.0
    cells = {metric: mean_interval(of) for metric, of in values.items()} | {"chroma": mean_interval(np.full(20, pale))}
    rows = ["model"] if name == "people_places" else ["model", "model_ortho", "model_blue_plate"]
    result = Result(look, PROTOCOL, {row: cells for row in [*rows, "grey"]}, manifest="m")
    path = write_result(job / "results" / f"{name}.json", result)
    with ImageTable(image_table_path(path), list(values)) as table:
        table.add({row: values for row in rows}, names)


def test_one_command_runs_all(study, monkeypatch, config):
    """What it says to the verbs can be composed, for each look; each network paints the photographs without truth."""
    said: list[list[str]] = []

    def colorize(words: list[str]) -> int:
        said.append(words)
        if words[0] == "train":
            write_jobs()
        return 0

    monkeypatch.setattr(study("study"), "colorize", colorize)
    monkeypatch.setattr(study("gains"), "write_report", lambda *folders: 0)
    monkeypatch.setattr("sys.argv", ["run.py", "steps_scale=0.5"])
    assert runpy.run_path(str(STUDY / "run.py"))["main"]() == 0
    (train, *evaluate), paint = said[:4], said[4:]
    swept = {"seed=0,1,2", f"data/look={','.join(LOOKS)}"}
    assert swept <= set(train)
    fixed = [word for word in train[2:] if word not in swept and not word.startswith("hydra.")]
    for look in LOOKS:
        cfg = config(*fixed, f"data/look={look}", "seed=1")
        assert (cfg.data.get("look") is None, cfg.steps_scale) == (look == "modern", 0.5)
    for verb, *words in evaluate:
        config(*words, name=verb)
    assert [words[3].split("/")[-1] for words in paint] == ["step-00000009.pt"] * 9
    assert [words[-1].rpartition("/")[2] for words in paint[:4]] == ["modern-s0", "film-s0", "mixed-s0", "modern-s1"]


def save_squares(folder: Path, count: int = 3) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (16, 12), (40, 90, 30 * number)).save(folder / f"{number}.png")


def test_the_report(study, monkeypatch, capsys):
    """Film gains on Prokudin-Gorskii's and by paler colours alone on the slides, loses on modern photographs, and lies
    nearer to colour photographs; mixed is equal to modern."""
    for look, seed, job in write_jobs():
        for name in GAINS:
            measure_job(job, look, seed, name)
        save_squares(Path("painted", f"{look}-s{seed}"))
    for name in ("fsa", "val"):
        save_squares(Path("photographs", name, "x"))

    def kernel_scores(painted, reference, extractor):
        assert len(reference) == 3
        nearer = {name: 0.02 * (name[0] == "film") for name in painted}
        return {name: 0.05 - nearer[name] + 1e-4 * np.arange(3) for name in painted}

    monkeypatch.setattr(study("gains"), "kernel_scores", kernel_scores)
    Path("README.md").write_text((STUDY / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    for _ in range(2):
        assert study("gains").write_report(Path(), Path("outputs/period"), Path("painted"), Path("photographs")) == 0
    text = Path("README.md").read_text(encoding="utf-8")
    assert "*Not run yet.*\n" not in text
    assert "| Prokudin-Gorskii | blue plate | PSNR dB ↑ | " in text
    assert "**-1.5" in next(line for line in text.splitlines() if line.startswith("| people_places | lightness | PSNR"))
    assert "| FSA | lightness | KD mobilenet_v2 ↓ | 0.05010 | 0.05010 (" in text
    assert "**-0.02000 (" in text
    inputs = "(lightness, orthochromatic, blue plate)"
    assert (
        f"""
- **film**: a gain on Prokudin-Gorskii {inputs}, FSA (lightness); better by paler colours alone on slides {inputs}; a \
loss on people_places (lightness).
- **mixed**: equal on Prokudin-Gorskii {inputs}, slides {inputs}, people_places (lightness); nothing decided on FSA \
(lightness).
"""
        in text
    )
    assert "the film look stays in the product" in text
    with Path("results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["look", "set", "metric", "seed", "value", "low", "high", "n"]
    assert sum(row["set"] == "slides/blue_plate" for row in rows) == 27
    assert sum(row["set"] == "fsa" for row in rows) == 2 * (9 + 1)
    assert Image.open("painted/contact-sheet.jpg").height > 4 * 224


def test_without_a_gain_the_look_leaves(study):
    gains = study("gains")
    random = np.random.default_rng(0)
    side = random.normal(24, 3, (20, 1))
    scores = {(place, metric): {look: side + 0.1 * random.normal(size=(20, 3)) for look in LOOKS}
              for place in gains.PLACES for metric in place.metrics}  # fmt: skip
    assert gains.conclude(gains.judge_looks(scores), {})[-1].endswith("the film look leaves the product.")


def test_the_values_of_paintings_make_the_kernel_distance(study):
    """Their mean is it; their scatter is the jackknife's error where the reference is taken as given."""
    random = np.random.default_rng(0)
    reference, painted = random.normal(size=(60, 8)), random.normal(0.3, 1.2, size=(40, 8))
    distance = lambda some: kernel_distance(*map(Features, (reference, some)), paired=False)[0].value  # noqa: E731
    values = study("paintings").kernel_values(painted, reference)
    assert values.mean() == pytest.approx(distance(painted), rel=1e-5)
    without = np.array([distance(np.delete(painted, place, axis=0)) for place in range(40)])
    assert values.std() / 39**0.5 == pytest.approx(39**0.5 * without.std(), rel=0.05)
