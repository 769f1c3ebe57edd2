"""experiments/four_models: equal compute, and verdicts, tables and commands on made results."""

import csv
import json
import runpy
from importlib import import_module
from math import inf
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import t, ttest_rel
from skimage.color import gray2rgb, lab2rgb
from skimage.metrics import peak_signal_noise_ratio

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.entries import variance_components
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.imaging.color import rgb_to_lab
from colorize.metrics.metric_info import Interval
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT
from tests.helpers.evaluated import PROTOCOL

STUDY = ROOT / "experiments" / "four_models"
NETWORKS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")


@pytest.fixture
def study(monkeypatch):
    """A module of the study by its name."""
    monkeypatch.syspath_prepend(STUDY.parent)
    monkeypatch.syspath_prepend(STUDY)
    return import_module


@pytest.mark.parametrize("name", NETWORKS)
def test_training_flops_are_equal(name, study):
    """Of the recipe as it stands, counted on a few photographs: operations are proportional to them."""
    declared, flops = study("declared"), study("flops")
    counts = flops.count_training(f"four_models/{name}", "trainer.batch_size=2")
    total = sum(8 * each.total for each in counts)
    assert total == pytest.approx(declared.BUDGET, rel=0.05)
    with (STUDY / "compute.csv").open(encoding="utf-8") as file:
        kept = [row for row in csv.DictReader(file) if row["model"] == name]
    assert [(row["phase"], int(row["steps"])) for row in kept] == [(each.phase, each.steps) for each in counts]
    assert sum(float(row["tflops"]) for row in kept) == pytest.approx(total / 1000, rel=0.01)


def test_operations_of_a_step_by_hand(study):
    """The first layer of the CNN has no gradient to hand on; all else is done three times, with 0.395 GMACs
    (experiments/six_models)."""
    (count,) = study("flops").count_training("four_models/cnn", "trainer.batch_size=2")
    assert count.gflops == pytest.approx(3 * 2 * 2 * 0.395, rel=0.01)


def made(means, deviations, n=40, seeds=6, photographs=0.0, interactions=0.0):
    """network -> (n, seeds) scores, for as many networks as there are means."""
    random = np.random.default_rng(5)
    found = {}
    for name, mean, deviation in zip(NETWORKS, means, deviations, strict=False):
        parts = (photographs * random.normal(size=(n, 1)), interactions * random.normal(size=(n, seeds)))
        found[name] = mean + sum(parts) + deviation * random.normal(size=(1, seeds))
    return found


def test_where_photographs_do_not_differ_a_verdict_is_the_t_test_with_pooled_variance(study):
    """Of means of seeds, with 6 · 5 degrees of freedom (Fisher's LSD), and so is Schuirmann's. Where the pair's own
    variance is larger, it stands in the place of the pooled one."""
    scores = made((24.0, 24.1, 24.3, 25.0, 23.0, 24.2), (0.1, 0.3, 0.2, 0.1, 0.1, 0.2))
    verdicts = study("verdicts").judge({"psnr": scores})
    seeds = {name: side.mean(axis=0) for name, side in scores.items()}
    pooled = np.mean([each.var(ddof=1) for each in seeds.values()])
    chances = []
    for each in verdicts:
        own = (seeds[each.a].var(ddof=1) + seeds[each.b].var(ddof=1)) / 2
        error = (2 / 6 * max(pooled, own)) ** 0.5
        gap = seeds[each.a].mean() - seeds[each.b].mean()
        chances.append(2 * t.sf(abs(gap) / error, 30))
        assert each.advantage.value == pytest.approx(gap)
        assert each.advantage.high - gap == pytest.approx(t.ppf(0.975, 30) * error)
        assert each.p_equal == pytest.approx(
            max(t.cdf((gap - 0.3) / error, 30), t.sf((gap + 0.3) / error, 30)), rel=0.01
        )
    ranks = np.argsort(np.argsort(chances))
    assert [each.p for each in verdicts] == pytest.approx(
        [max(min(1, chances[j] * (15 - ranks[j])) for j in range(15) if ranks[j] <= ranks[i]) for i in range(15)],
        rel=0.01, abs=1e-7,
    )  # fmt: skip
    assert {each.word for each in verdicts} == {"better", "worse", "equal", "open"}


def test_where_seeds_do_not_differ_a_verdict_is_the_paired_t_test(study):
    scores = made((24.0, 24.2), (0.0, 0.0), n=200, photographs=1.0)
    (verdict,) = study("verdicts").judge({"psnr": scores})
    expected = ttest_rel(*(side.mean(axis=1) for side in scores.values()))
    assert verdict.p == pytest.approx(expected.pvalue, rel=0.01)
    assert (verdict.advantage.low, verdict.advantage.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert study("verdicts").seeds_that_decide(verdict, 1) in (None, 6)  # more seeds change nothing


def test_as_many_seeds_as_are_told_decide_as_often_as_is_told(study):
    verdicts = study("verdicts")
    verdict = next(each for each in verdicts.judge({"psnr": made((24.0, 24.45), (0.4, 0.4), 60, 4, 0.3, 0.3)}))
    needed = verdicts.seeds_that_decide(verdict, 1)
    assert needed is not None
    assert needed > 4
    random, spread, decided = np.random.default_rng(0), verdict.spread, 0
    for _ in range(200):
        sides = {}
        for name, mean in (("cnn", abs(verdict.advantage.value)), ("gan", 0.0)):
            shares = ((spread.of_photographs / 2, (60, 1)), (spread.interactions / 2, (60, needed)),
                      (spread.between_seeds, (1, needed)))  # fmt: skip
            sides[name] = mean + sum(variance**0.5 * random.normal(size=shape) for variance, shape in shares)
        decided += verdicts.judge({"psnr": sides})[0].word != "open"
    assert 0.7 < decided / 200 < 0.95


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("better", "open"), "better"), (("equal", "worse"), "worse"), (("better", "worse"), "mixed"),
        (("equal", "equal"), "equal"), (("equal", "open"), "open"), (("open", "open"), "open"),
    ],
)  # fmt: skip
def test_what_two_metrics_say_together(words, expected, study):
    verdicts = study("verdicts")
    told = {"better": (1.0, 0.01, 0.9), "worse": (-1.0, 0.01, 0.9), "equal": (0.0, 0.9, 0.01), "open": (0.2, 0.3, 0.3)}
    given = []
    for metric, word in zip(("psnr", "ciede2000"), words, strict=True):
        value, p, equal = told[word]
        given.append(verdicts.Verdict("cnn", "gan", metric, Interval(value, -inf, inf, 40), p, equal, None))
    assert verdicts.decide_pair(given) == expected


def test_the_simulation_draws_what_it_assumes(study):
    power = study("power")
    scores = power.draw(np.random.default_rng(0), (0.0,) * 6, (1.0,) * 6, 40)
    for metric, assumed in power.ASSUMED.items():
        components = [variance_components(side) for side in scores[metric].values()]
        seeds, interactions = np.mean(components, axis=0) ** 0.5
        assert seeds == pytest.approx(assumed.seeds, rel=0.2)
        assert interactions == pytest.approx(assumed.interactions, rel=0.02)
    decided, better, equal, mixed, false, _ = power.repeat((0.0, 0.0, 0.0, 5.0, 5.0, 5.0), (1.0,) * 6, 6, 2)
    assert decided == better + equal + mixed >= 9
    assert 0 <= false <= 1


def test_unequal_deviations_between_seeds_make_no_more_false_verdicts(study):
    """The larger of the two variances is what keeps the error at 5 % where two networks' seeds differ more."""
    power = study("power")
    own, pooled = (power.repeat((0.0,) * 6, (1, 1, 6, 6, 1, 1), 6, 40, own=own)[4] for own in (True, False))
    assert own <= 0.1 <= pooled


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
    monkeypatch.setattr(pictures, "run", paint)
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
