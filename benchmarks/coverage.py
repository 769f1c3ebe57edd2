"""How often 95 % intervals cover the truth: of means, of functions of means, and of runs with several seeds.

    python benchmarks/coverage.py [--repetitions 2000] [--resamples 2000]

A toy whose true mean is known is drawn again and again; each time an interval is made, and it is counted whether the
truth lies in it. The toys are the shapes that per-picture scores have: PSNR is nearly normal, SSIM is skewed to the
left, LPIPS and colour differences to the right like a log-normal of σ 0.5, squared errors like one of σ 1. The methods
for a mean are `t`, the studentised bootstrap of `colorize.evaluation.bootstrap.mean_interval`, scipy's `bca` and
`percentile` bootstraps, and Student's t. A pooled PSNR is a function of a mean.
Seeds: a picture's score is normal, and so is what a training seed adds to all pictures, with a third of its spread.
`two levels` redraws pictures and seeds and takes percentiles; `crossed` is
`colorize.evaluation.entries.seeds_interval`.
The last line is one JSON object: {toy: {n: {method: percent covered}}}.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from math import exp, log10

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import stdtrit
from scipy.stats import bootstrap

from colorize.evaluation.bootstrap import TAILS, function_interval, mean_interval
from colorize.evaluation.entries import seeds_interval
from colorize.metrics.metric_info import Interval

Draw = Callable[[np.random.Generator, int], np.ndarray]
MEANS: dict[str, tuple[Draw, float]] = {
    "normal (PSNR)": (lambda random, n: random.normal(24, 3, n), 24),
    "beta (SSIM)": (lambda random, n: random.beta(18, 2, n), 0.9),
    "exponential": (lambda random, n: random.exponential(1, n), 1),
    "log-normal σ 0.5 (LPIPS)": (lambda random, n: random.lognormal(0, 0.5, n), exp(0.125)),
    "log-normal σ 1 (squared error)": (lambda random, n: random.lognormal(0, 1, n), exp(0.5)),
}
SEED_SPREAD = 1 / 3
METHODS = ("t", "bca", "percentile", "Student")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=2000)
    words = parser.parse_args()
    table = Table("toy", "n", *METHODS, title=f"% of {words.repetitions} intervals that cover the truth")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for n in (24, 200):
        for toy, (draw, true) in MEANS.items():
            covered = coverage(lambda values: of_means(values, words.resamples), draw, true, n, words.repetitions)
            tell(table, found, toy, str(n), covered)
        function, true = pooled(words.resamples), -10 * log10(exp(0.5))
        covered = coverage(function, MEANS["log-normal σ 1 (squared error)"][0], true, n, words.repetitions)
        tell(table, found, "pooled PSNR", str(n), dict.fromkeys(METHODS) | covered)
    seeds = Table("toy", "pictures", "two levels", "crossed", title="the same, of runs with seeds")
    for count in (2, 3, 5, 10):
        for n in (24, 200):
            covered = coverage(lambda v: of_seeds(v, words.resamples), seeded(count), 0, n, words.repetitions)
            tell(seeds, found, f"{count} seeds", str(n), covered)
    for each in (table, seeds):
        Console(width=120).print(each)
    print(json.dumps(found, ensure_ascii=False))


def coverage(intervals, draw: Draw, true: float, n: int, repetitions: int) -> dict[str, float]:
    """Percent of `repetitions` in which each method's interval holds `true`."""
    random = np.random.default_rng(n)
    held: dict[str, int] = {}
    for _ in range(repetitions):
        for method, interval in intervals(draw(random, n)):
            held[method] = held.get(method, 0) + (interval.low <= true <= interval.high)
    return {method: round(100 * count / repetitions, 1) for method, count in held.items()}


def of_means(values: np.ndarray, resamples: int) -> Iterator[tuple[str, Interval]]:
    seed = int(values[0] * 2**20)  # each repetition's resamples are its own
    yield "t", mean_interval(values, resamples=resamples, seed=seed)
    for method in ("bca", "percentile"):
        found = bootstrap((values,), np.mean, method=method, n_resamples=resamples, rng=abs(seed))
        ends = found.confidence_interval
        yield method, Interval(values.mean(), float(ends.low), float(ends.high), len(values))
    margin = values.std(ddof=1) / len(values) ** 0.5 * stdtrit(len(values) - 1, TAILS[1])
    yield "Student", Interval(values.mean(), values.mean() - margin, values.mean() + margin, len(values))


def pooled(resamples: int):
    def intervals(values: np.ndarray) -> Iterator[tuple[str, Interval]]:
        def decibels(means: np.ndarray) -> np.ndarray:
            return -10 * np.log10(means[..., 0])

        seed = int(values[0] * 2**20)
        yield "t", function_interval(values[:, None], decibels, resamples=resamples, seed=seed)

    return intervals


def seeded(seeds: int) -> Draw:
    """(n, S) scores of n pictures by S trainings, of mean 0."""

    def draw(random: np.random.Generator, n: int) -> np.ndarray:
        pictures, trainings = random.normal(size=(n, 1)), SEED_SPREAD * random.normal(size=(1, seeds))
        return pictures + trainings + 0.3 * random.normal(size=(n, seeds))

    return draw


def of_seeds(values: np.ndarray, resamples: int) -> Iterator[tuple[str, Interval]]:
    n, seeds = values.shape
    random = np.random.default_rng(abs(int(values[0, 0] * 2**20)))
    of_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds  # (R, S)
    of_picture = random.multinomial(n, np.full(n, 1 / n), resamples) / n  # (R, n)
    low, high = np.quantile(((of_picture @ values) * of_seed).sum(axis=1), TAILS)
    yield "two levels", Interval(values.mean(), low, high, n)
    yield "crossed", seeds_interval(values)


def tell(table: Table, found: dict, toy: str, n: str, covered: dict) -> None:
    found.setdefault(toy, {})[n] = {method: value for method, value in covered.items() if value is not None}
    table.add_row(toy, n, *("" if value is None else f"{value:.1f}" for value in covered.values()))


if __name__ == "__main__":
    main()
