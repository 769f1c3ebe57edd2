"""Verdicts on what is best near the ground truth: of the two numbers of the table, each test once, and with a sign."""

import numpy as np
import pytest

from colorize.cli.compare import print_comparison
from colorize.evaluation.bootstrap import absolute_interval, function_interval, mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.permutation import holm
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.metrics import Chroma
from colorize.metrics.metric_info import function_of_means
from colorize.reports.conclusions import draw_conclusions
from tests.helpers.evaluated import NAMES, PROTOCOL

TRUTH = 48.5 + np.linspace(-20, 20, 40)
SPREAD = 30 * np.sin(np.arange(40) * 2.4)  # of pictures, around any mean
SPREAD -= SPREAD.mean()


@pytest.fixture
def painted(tmp_path):
    """A result whose pictures have these values of colourfulness and of chroma."""

    def make(name, colorfulness, *, seed=0, group=""):
        columns = {"colorfulness": colorfulness, "delta_colorfulness_painted": colorfulness,
                   "delta_colorfulness_truth": TRUTH, "delta_colorfulness_pictures": np.abs(colorfulness - TRUTH),
                   "chroma_mean": colorfulness / 3, "chroma_painted": colorfulness / 3,
                   "chroma_truth": TRUTH / 3}  # fmt: skip
        ratio = np.stack([columns["chroma_painted"], columns["chroma_truth"]], axis=1)
        cells = {metric: mean_interval(columns[metric])
                 for metric in ("colorfulness", "delta_colorfulness_pictures", "chroma_mean")}  # fmt: skip
        cells |= {"delta_colorfulness": absolute_interval(colorfulness - TRUTH),
                  "chroma": function_interval(ratio, function_of_means(Chroma))}  # fmt: skip
        of_truth = {"colorfulness": TRUTH, "chroma_mean": TRUTH / 3}
        rows = {"model": cells, "truth": {metric: mean_interval(values) for metric, values in of_truth.items()}}
        result = Result(name, PROTOCOL, rows, manifest="m", versions={"torch": "2"}, seed=seed, group=group)
        path = write_result(tmp_path / name / "results" / "toy.json", result)
        with ImageTable(image_table_path(path), list(columns)) as table:
            table.add({"model": columns}, NAMES)
            table.add({"truth": of_truth}, NAMES)
        return str(tmp_path / name)

    return make


def of_metric(comparison, metric):
    return next(verdict for verdict in comparison.verdicts if verdict.metric == metric)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("near", "far"), [(26.8, 25.1), (48.5, 60.0), (50.0, 46.0)])  # of 48.5
def test_the_difference_is_that_of_the_two_distances_shown(near, far, swapped, painted):
    """The nearer one's pictures are the farther from their own ground truth."""
    places = [painted("near", near + SPREAD), painted("far", far + 0.1 * SPREAD)]
    found = compare_results(places[::-1] if swapped else places)
    shown = {label: row["colorfulness"].value for label, row in found.runs.items()}
    distance = {label: abs(value - found.sanity["truth"]["colorfulness"].value) for label, value in shown.items()}
    expected = distance["far"] - distance["near"]
    assert expected > 0
    sign = -1 if swapped else 1
    for metric, scale in (("colorfulness", 1), ("delta_colorfulness", 1), ("chroma_mean", 1 / 3)):
        advantage = of_metric(found, metric).difference.advantage
        assert advantage.value == pytest.approx(sign * scale * expected, abs=1e-6)
        assert advantage.low < advantage.value < advantage.high
    pictures = of_metric(found, "delta_colorfulness_pictures").difference.advantage
    assert np.sign(pictures.value) == -sign  # which is another question


def test_seeds_are_compared_in_the_same_way(painted):
    places = [painted(f"{name}{seed}", mean + SPREAD + seed / 100, seed=seed, group=name)
              for name, mean in (("near", 45.0), ("far", 30.0)) for seed in range(2)]  # fmt: skip
    verdict = of_metric(compare_results(places, pool=True), "colorfulness")
    assert verdict.difference.basis == "seeds"
    assert verdict.difference.advantage.value == pytest.approx(15.0, abs=1e-6)
    assert verdict.winner.startswith("near")


def test_no_test_is_counted_twice(painted):
    """ΔCF of means is colourfulness', and chroma is mean chroma's."""
    found = compare_results([painted("near", 28.0 + SPREAD), painted("far", 25.1 + 0.9 * SPREAD)])
    by_metric = {verdict.metric: verdict for verdict in found.verdicts}
    alone = [by_metric[m].difference.p for m in ("colorfulness", "chroma_mean", "delta_colorfulness_pictures")]
    adjusted = holm(alone)
    assert by_metric["colorfulness"].adjusted == by_metric["delta_colorfulness"].adjusted == adjusted[0]
    assert by_metric["chroma_mean"].adjusted == by_metric["chroma"].adjusted == adjusted[1]
    assert any("Holm's correction over 3 tests" in note for note in draw_conclusions(found).notes)


def test_the_sign_is_explained_once_where_verdicts_are_listed(painted, capsys):
    found = compare_results([painted("near", 26.8 + SPREAD), painted("far", 25.1 + SPREAD)])
    print_comparison(found)
    printed = " ".join(capsys.readouterr().out.split())
    for text in (printed, " ".join(draw_conclusions(found).lines())):
        assert text.count("a positive difference: the first of the two is better") == 1
        assert "its mean is nearer" in text


def test_d_is_explained_where_there_is_one(painted, evaluated):
    found = compare_results([painted("near", 26.8 + SPREAD), painted("far", 26.8 + SPREAD[::-1])])
    assert not any("standard deviation" in note for note in draw_conclusions(found).notes)
    found = compare_results([evaluated("plain"), evaluated("better", 0.5)])
    assert "d is the mean difference over its standard deviation" in draw_conclusions(found).notes
