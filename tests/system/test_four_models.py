"""experiments/four_models: equal compute, and verdicts on made scores."""

import csv
from math import inf

import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from colorize.evaluation.entries import variance_components
from colorize.metrics.metric_info import Interval
from tests.helpers.configs import ROOT

STUDY = ROOT / "experiments" / "four_models"
NETWORKS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")


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
