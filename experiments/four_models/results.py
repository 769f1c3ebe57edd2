"""What the runs of the study reached: their results, the scores of photographs, the verdicts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from declared import JUDGED, MARGINS, NETWORKS
from verdicts import Values, Verdict, judge, rank

from colorize.evaluation.entries import reorder
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.result import image_table_path
from colorize.metrics.metric_info import Interval, info_of
from colorize.sweeps.jobs import SweepJob, jobs_of
from colorize.utils.errors import UserError


@dataclass(frozen=True)
class Judged:
    """scores: metric -> network -> (n, S), more is better; ranking: the networks, the best first."""

    scores: Mapping[str, Values]
    verdicts: Sequence[Verdict]
    ranking: Sequence[str]


def judge_runs(folder: Path) -> Judged:
    """The verdicts of the primary metrics. Raises `UserError` where a network or a seed is missing."""
    scores = {metric: read_scores(folder, metric) for metric in MARGINS}
    verdicts = judge(scores)
    return Judged(scores, verdicts, rank(verdicts, scores["psnr"]))


def read_scores(folder: Path, metric: str) -> dict[str, np.ndarray]:
    """network -> (n, S) of the metric, oriented so that more is better, photographs in the same order."""
    tables = {key: read_image_values(image_table_path(path), "model") for key, path in result_files(folder, JUDGED)}
    seeds = sorted({seed for _, seed in tables})
    if missing := [f"{name} with seed {seed}" for name in NETWORKS for seed in seeds if (name, seed) not in tables]:
        raise UserError(f"{str(folder)!r} has no result {JUDGED!r} of {missing[0]}: run.py trains and measures it")
    if len(seeds) < 2:
        raise UserError(f"{str(folder)!r} has {len(seeds)} seeds with a result {JUDGED!r}; verdicts need two or more")
    names = next(iter(tables.values())).names
    ordered = {key: reorder(names, table, f"{key[0]}, seed {key[1]}") for key, table in tables.items()}
    oriented = info_of(metric).oriented
    return {name: oriented(np.stack([ordered[name, seed].values[metric] for seed in seeds], axis=1))
            for name in NETWORKS}  # fmt: skip


def result_files(folder: Path, name: str) -> Iterator[tuple[tuple[str, int], Path]]:
    """(network, seed), and where the job's result of that name is."""
    for job in jobs_of(folder):
        path = job.folder / "results" / f"{name}.json"
        if path.is_file():
            yield (network_of(job), seed_of_job(job)), path


def network_of(job: SweepJob) -> str:
    return job.values["experiment"].rsplit("/", 1)[-1]


def seed_of_job(job: SweepJob) -> int:
    return int(job.values.get("seed", 0))


def show(metric: str, cell: Interval | None) -> str:
    digits = info_of(metric).digits
    return "–" if cell is None else f"{cell.value:.{digits}f} ({cell.low:.{digits}f} to {cell.high:.{digits}f})"
