"""results.csv, verdicts.csv and the tables in README.md, from the results of the study's runs."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from declared import JUDGED, NETWORKS
from power import ASSUMED, Deviations
from results import Judged, judge_runs
from scaling import read_points, write_scaling
from study import flip, replace_part, result_files, seed_of_job, show, variant_of, write_results
from verdicts import ALPHA, MARGINS, Verdict, by_pair, decide_pair, pooled_seed_variance, seeds_that_decide

from colorize.evaluation.entries import seeds_interval, variance_components
from colorize.evaluation.result import Result, read_result
from colorize.metrics.metric_info import Interval, info_of
from colorize.sweeps.jobs import jobs_of

UNITS = {"psnr": "dB", "ciede2000": "ΔE"}
DEVIATIONS = {
    "photographs": "of a photograph, on one network and not on another",
    "interactions": "of a seed, on one photograph",
    "seeds": "of a seed, on all photographs",
}
SHOWN = ("psnr", "ciede2000", "ssim", "chroma", "kd_paired_mobilenet_v2")  # in the README; all are in results.csv


def write_report(here: Path, runs: Path, scaled: Path) -> int:
    """Into the folder `here`. The runs of other lengths are in a folder of `scaled` that has the network's name."""
    judged = judge_runs(runs)
    write_results(here / "results.csv", runs)
    write_verdicts(here / "verdicts.csv", judged)
    tables = {"networks": network_table(runs, judged), "deviations": deviation_table(judged),
              "pairs": pair_table(judged)}  # fmt: skip
    if points := read_points(runs, scaled / judged.ranking[0]):
        tables["scaling"] = write_scaling(here / "scaling.svg", points, judged.ranking[0])
    for name, lines in tables.items():
        replace_part(here / "README.md", name, lines)
        print("\n".join(["", *lines]))
    return 0


def write_verdicts(path: Path, judged: Judged) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["a", "b", "metric", "verdict", "advantage", "low", "high", "p", "p_equal", "seeds", "n"])
        for each in judged.verdicts:
            cell = each.advantage
            numbers = [f"{x:.4g}" for x in (cell.value, cell.low, cell.high, each.p, each.p_equal)]
            needed = seeds_that_decide(each, len(judged.verdicts)) if each.word == "open" else None
            writer.writerow([each.a, each.b, each.metric, each.word, *numbers, needed or "", cell.n])


def network_table(folder: Path, judged: Judged) -> list[str]:
    """The networks in their order: minutes, seed deviation, and metrics with intervals over photographs and seeds."""
    jobs = {(variant_of(job), seed_of_job(job)): job for job in jobs_of(folder)}
    results = {key: read_result(path) for key, path in result_files(folder, JUDGED)}
    operations = read_operations()
    heads = [
        "network",
        "steps",
        "10¹² operations",
        "minutes",
        *(info_of(metric).heading for metric in SHOWN),
        "between seeds, dB, ΔE",
    ]
    lines = [f"| {' | '.join(heads)} |", f"| --- | {' | '.join('--:' for _ in heads[1:])} |"]
    for name in judged.ranking:
        of = {seed: result for (network, seed), result in results.items() if network == name}
        summaries = [jobs[name, seed].summary for seed in of]
        minutes = np.mean([summary["seconds"] for summary in summaries]) / 60
        cells = [show(metric, of_seeds(metric, list(of.values()), judged, name)) for metric in SHOWN]
        spread = ", ".join(f"{deviation(judged.scores[metric][name]):.2f}" for metric in MARGINS)
        cost = f"{summaries[0]['steps']:,} | {operations[name]:.1f} | {minutes:.1f}"
        lines.append(f"| {name} | {cost} | {' | '.join(cells)} | {spread} |")
    one = next(iter(results.values()))
    for row in (row for row in ("grey", "mean_ab") if row in one.rows):
        cells = [show(metric, one.rows[row].get(metric)) for metric in SHOWN]
        lines.append(f"| {row} | – | – | – | {' | '.join(cells)} | – |")
    return lines


def read_operations() -> dict[str, float]:
    """network -> 10¹² operations of a training, as flops.py counted them."""
    found = dict.fromkeys(NETWORKS, 0.0)
    with (Path(__file__).parent / "compute.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["model"]] += float(row["tflops"])
    return found


def of_seeds(metric: str, results: Sequence[Result], judged: Judged, network: str) -> Interval | None:
    """The mean over seeds: with an interval where it is a primary metric's, else with the lowest and highest seed."""
    if metric in judged.scores:
        return info_of(metric).clip(flip(metric, seeds_interval(judged.scores[metric][network])))
    found = [result.rows["model"][metric].value for result in results if metric in result.rows["model"]]
    return Interval(float(np.mean(found)), min(found), max(found), len(found)) if found else None


def deviation(side: np.ndarray) -> float:
    """Standard deviation between seeds of (n, S) values."""
    return max(variance_components(side)[0], 0.0) ** 0.5


def deviation_table(judged: Judged) -> list[str]:
    """The deviations that power.py assumed, and the measured ones: root mean squares over pairs or networks."""
    units = [f"{word}, {UNITS[metric]}" for metric in MARGINS for word in ("assumed", "measured")]
    lines = [f"| deviation | {' | '.join(units)} |", f"| --- |{' --: |' * len(units)}"]
    found = {metric: measured_deviations(judged, metric) for metric in MARGINS}
    for name in Deviations._fields:
        pairs = [f"{getattr(each[metric], name):.2f}" for metric in MARGINS for each in (ASSUMED, found)]
        lines.append(f"| {DEVIATIONS[name]} | {' | '.join(pairs)} |")
    return lines


def measured_deviations(judged: Judged, metric: str) -> Deviations:
    spreads = [each.spread for each in judged.verdicts if each.metric == metric]
    interactions = [variance_components(side)[1] for side in judged.scores[metric].values()]
    variances = (
        np.mean([each.of_photographs for each in spreads]) / 2,
        np.mean(interactions),
        pooled_seed_variance(judged.scores[metric]),
    )
    return Deviations(*(float(each) ** 0.5 for each in variances))


def pair_table(judged: Judged) -> list[str]:
    """The 15 pairs: what each metric says, and both together."""
    heads = ["pair", *(f"{info_of(metric).label}, {UNITS[metric]}" for metric in MARGINS), "together"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' --- |' * (len(heads) - 1)}"]
    words = []
    for (a, b), both in by_pair(judged.verdicts).items():
        words.append(decide_pair(both))
        cells = [describe(each, len(judged.verdicts)) for each in both]
        lines.append(f"| {a}, {b} | {' | '.join(cells)} | {together(a, b, words[-1])} |")
    decided = len(words) - words.count("open")
    return [*lines, "", f"{decided} of {len(words)} pairs are decided."]


def describe(verdict: Verdict, tests: int) -> str:
    cell = verdict.advantage
    value, low, high = (f"{each:.2f}" for each in (abs(cell.value), *ends(cell)))
    unit, margin = UNITS[verdict.metric], MARGINS[verdict.metric]
    if verdict.word in ("better", "worse"):
        winner = verdict.a if verdict.word == "better" else verdict.b
        small = f", less than {margin}" if verdict.p_equal <= ALPHA else ""
        return f"{winner} better by {value} {unit} ({low} to {high}){small}"
    if verdict.word == "equal":
        return f"equal within {margin} {unit} ({cell.low:+.2f} to {cell.high:+.2f})"
    needed = seeds_that_decide(verdict, tests)
    advice = f"{needed} seeds would decide" if needed else "more photographs would decide, more seeds alone would not"
    return f"open ({cell.low:+.2f} to {cell.high:+.2f}): {advice}"


def ends(cell: Interval) -> tuple[float, float]:
    """Of the size of a difference whose interval leaves out 0."""
    return (cell.low, cell.high) if cell.value > 0 else (-cell.high, -cell.low)


def together(a: str, b: str, word: str) -> str:
    return {"better": f"**{a}**", "worse": f"**{b}**"}.get(word, word)
