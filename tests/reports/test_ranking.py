"""The order of a page's runs, tried with networks that paint grey, gaudily, well, and nearly the truth."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from colorize.cli import main
from colorize.evaluation import predictors
from colorize.evaluation.compare import compare_results
from colorize.evaluation.comparison import Comparison
from colorize.evaluation.permutation import compare_pairs, holm
from colorize.evaluation.significance import verdict_on
from colorize.reports.comparison_page import forests
from tests.helpers.pages import cells, page_of, section

QUICK = ("protocol=demo", "++protocol.photographs=12", "metrics=default", "~metrics.features", "table=false",
         "track=false", "metrics.lpips_alex.download=false")  # fmt: skip


def painted(kind, truth):
    """(B, 2, H, W): what a run that paints so predicts, from the true ab."""
    if kind == "grey":
        return torch.zeros_like(truth)
    if kind == "gaudy":
        return -1.5 * truth + 20
    if kind == "good":
        return 0.8 * truth
    return truth + 0.5  # nearly the truth


@pytest.fixture(scope="module")
def adversaries(once, trained):
    """Run folders, each with a result on the demo photographs, by what they paint."""

    def make(folder: Path):
        for kind in ("grey", "gaudy", "good", "nearly"):
            run = shutil.copytree(trained("cnn", "l1"), folder / kind)
            (run / ".hydra" / "token").unlink(missing_ok=True)

            def predictor(model, mode, *_, kind=kind, **__):
                return lambda batch: batch.pair(batch.pixels_of(painted(kind, batch.ab)), painted(kind, batch.ab))

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(predictors, "network_predictor", predictor)
                patch.setattr(sys, "argv", ["colorize"])
                assert main(["evaluate", f"run={run}", *QUICK]) == 0
            path = run / "results" / "demo.json"
            held = json.loads(path.read_text())
            path.write_text(json.dumps({**held, "name": kind}))

    return once("adversaries", make)


def test_the_good_one_is_first_and_grey_says_so(adversaries, tmp_path):
    folders = [str(adversaries / kind) for kind in ("grey", "gaudy", "good")]
    comparison, page = page_of(tmp_path, *folders)
    assert next(iter(comparison.net_wins())) == "good"
    assert comparison.places()["good"] == "1"
    assert comparison.no_better_than_grey() >= {"grey"}
    assert "good" not in comparison.no_better_than_grey()
    head, *rows = cells(section(page, "Ranking"))
    assert head[:3] == ["", "place", "wins − losses"]
    assert rows[0][0] == "good"
    noted = [row[0] for row in rows if "no better" in row[0]]
    assert "grey|no better than grey" in noted[:2]  # the run; the row of grey itself says nothing
    assert len(noted) == len(comparison.no_better_than_grey())
    assert "leads in" not in page
    assert "against the other runs in PSNR, SSIM, " in page
    assert comparison.leading()[-1].startswith("kd_paired_")


def test_a_run_has_one_color_in_all_charts(adversaries):
    comparison = compare_results([str(adversaries / kind) for kind in ("gaudy", "good")])
    first = comparison.leading()[0]
    gaudy, good = comparison.runs
    lacks = {metric: cell for metric, cell in comparison.runs[gaudy].items() if metric != first}
    charts = forests(replace(comparison, runs={gaudy: lacks, good: comparison.runs[good]}))
    assert [row.label for row in charts[0].rows] == [good]
    assert {row.color for chart in charts for row in chart.rows if row.label == good} == {charts[0].rows[0].color}
    assert charts[0].rows[0].color != charts[1].rows[0].color


def test_a_gaudy_run_wins_nothing_from_grey(adversaries):
    comparison = compare_results([str(adversaries / kind) for kind in ("gaudy", "nearly")])
    assert "gaudy" in comparison.no_better_than_grey()
    assert "nearly" not in comparison.no_better_than_grey()
    assert comparison.net_wins()["gaudy"] < 0


@pytest.mark.parametrize(("photographs", "ahead", "told"), [(4, 9, False), (7, 9, False), (8, 9, False), (8, 0, True)])
def test_a_run_is_no_better_than_grey_only_where_that_can_be_told(photographs, ahead, told):
    """Of 7 photographs the smallest p is 2/128; over six tests that is 0.09."""
    noise = np.random.default_rng(0).normal(size=(photographs, 6))
    differences = compare_pairs(ahead + noise - noise.mean(axis=0))
    chances = holm([difference.p for difference in differences])
    verdicts = [verdict_on("psnr", "run", "grey", *each) for each in zip(differences, chances, strict=True)]
    comparison = Comparison({}, [], {"run": {}}, {}, {}, [], [], grey={"run": verdicts})
    assert comparison.no_better_than_grey() == ({"run"} if told else set())


def test_nothing_is_bold_where_no_two_runs_differ(adversaries):
    twin = adversaries.parent / "twin"
    if not twin.exists():
        shutil.copytree(adversaries / "good", twin)
    comparison = compare_results([str(adversaries / "good"), str(twin)])
    assert all(comparison.leaders(metric) == set() for metric in comparison.metrics)
    assert set(comparison.places().values()) == {"1="}


def test_without_truth_there_is_no_order_and_nothing_bold(adversaries, inside, tmp_path):
    folders = []
    for kind in ("good", "gaudy"):
        run = shutil.copytree(adversaries / kind, tmp_path / kind)
        assert inside("evaluate", f"run={run}", "protocol=historical", *QUICK[1:]).returncode == 0
        folders.append(str(run))
    comparison = compare_results(folders, "historical")
    assert not comparison.has_order
    assert all(comparison.leaders(metric) == set() for metric in comparison.metrics)
