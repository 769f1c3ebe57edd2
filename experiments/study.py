"""What the studies of experiments/ share: a sweep that trains and is measured, its scores, and where they are written.

A study is a sweep over networks, or over what they are trained on, and over seeds. Everything happens in this process,
by the verbs of the console command, so that Ctrl-C and SIGTERM save, as they do there.
"""

import csv
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.cli import main as colorize
from colorize.evaluation.entries import reorder
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.result import image_table_path, read_result
from colorize.metrics.metric_info import Interval, info_of
from colorize.sweeps.jobs import SweepJob, jobs_of
from colorize.utils.errors import UserError

Sets = Mapping[str, Sequence[str]]  # name of a result -> words of `evaluate`
Line = Sequence[str | int]  # of results.csv
BOTH_EXTRACTORS = "++protocol.extractors=[efficientnet_lite0,mobilenet_v2]"  # the second one trained no network
ALWAYS = ["checkpoint=last", "metrics=default", "+metrics.ciede2000={_target_: colorize.metrics.CIEDE2000}",
          "precision=float32", "track=false", "table=false"]  # fmt: skip


def train(folder: Path, *words: str) -> None:
    run("train", "-m", *words, "tracker=none", "hydra.callbacks.after_sweep.compare=false", f"hydra.sweep.dir={folder}")


def evaluate(folder: Path, sets: Sets) -> None:
    for name, words in sets.items():
        run("evaluate", f"run={folder}", f"name={name}", *words, *ALWAYS)


def paint(photographs: Sequence[Path], *words: str) -> list[Image.Image]:
    """What `colorize paint` with these words makes of the photographs."""
    with tempfile.TemporaryDirectory() as folder:
        run("paint", *map(str, photographs), *words, "-o", folder)
        return [Image.open(Path(folder) / f"{each.stem}.png").convert("RGB") for each in photographs]


def run(*words: str) -> None:
    """A verb of the console command. Where it fails or is stopped, so is this program, with its exit status."""
    if status := colorize([*words]):
        raise SystemExit(status)


def read_scores(
    folder: Path, name: str, metric: str, variants: Sequence[str], row: str = "model"
) -> dict[str, np.ndarray]:
    """variant -> (n, S) of the metric in the result `name`, oriented so that more is better, photographs in the same
    order. Raises `UserError` where a variant or a seed is missing."""
    tables = {key: read_image_values(image_table_path(path), row) for key, path in result_files(folder, name)}
    seeds = sorted({seed for _, seed in tables})
    if missing := [f"{each} with seed {seed}" for each in variants for seed in seeds if (each, seed) not in tables]:
        raise UserError(f"{str(folder)!r} has no result {name!r} of {missing[0]}: run.py trains and measures it")
    if len(seeds) < 2:
        raise UserError(f"{str(folder)!r} has {len(seeds)} seeds with a result {name!r}; verdicts need two or more")
    names = next(iter(tables.values())).names
    ordered = {key: reorder(names, table, f"{key[0]}, seed {key[1]}") for key, table in tables.items()}
    oriented = info_of(metric).oriented
    return {each: oriented(np.stack([ordered[each, seed].values[metric] for seed in seeds], axis=1))
            for each in variants}  # fmt: skip


def result_files(folder: Path, name: str) -> Iterator[tuple[tuple[str, int], Path]]:
    """(variant, seed), and where the job's result of that name is."""
    for job in jobs_of(folder):
        path = job.folder / "results" / f"{name}.json"
        if path.is_file():
            yield (variant_of(job), seed_of_job(job)), path


def variant_of(job: SweepJob) -> str:
    """What is compared in the sweep: the look of the training photographs, or else the recipe."""
    return job.values.get("data/look", job.values["experiment"].rsplit("/", 1)[-1])


def seed_of_job(job: SweepJob) -> int:
    return int(job.values.get("seed", 0))


def write_results(path: Path, folder: Path, head: str = "model", more: Iterable[Line] = ()) -> None:
    """A line for each variant, set, metric and seed; baselines, which have no seed, once; then `more` lines.

    head  of the column of variants
    """
    names = {file.stem for job in jobs_of(folder) for file in (job.folder / "results").glob("*.json")}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([head, "set", "metric", "seed", "value", "low", "high", "n"])
        for name in sorted(names):
            for number, ((variant, seed), place) in enumerate(sorted(result_files(folder, name))):
                for row, cells in read_result(place).rows.items():
                    if row.startswith("model"):
                        writer.writerows(result_lines(variant, name + row[5:].replace("_", "/", 1), seed, cells))
                    elif number == 0:
                        writer.writerows(result_lines(row, name, "", cells))
        writer.writerows(more)


def result_lines(variant: str, of: str, seed: int | str, cells: Mapping[str, Interval]) -> Iterator[Line]:
    """Of one row of a result; what a network made of another input, such as model_ortho, is a set of its own, such as
    period/ortho."""
    for metric, cell in cells.items():
        yield [variant, of, metric, seed, *(f"{each:.6g}" for each in (cell.value, cell.low, cell.high)), cell.n]


def flip(metric: str, cell: Interval) -> Interval:
    """From the scale on which more is better to the metric's own, or back."""
    lower = info_of(metric).better == "lower"
    return Interval(-cell.value, -cell.high, -cell.low, cell.n) if lower else cell


def show(metric: str, cell: Interval | None, sign: str = "") -> str:
    """Value and interval; with the sign "+", of a difference."""
    form = f"{sign}.{info_of(metric).digits}f"
    return "–" if cell is None else f"{cell.value:{form}} ({cell.low:{form}} to {cell.high:{form}})"


def replace_part(readme: Path, name: str, lines: Sequence[str]) -> None:
    """Put the lines between the marks of that name."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, _, rest = readme.read_text(encoding="utf-8").partition(begin)
    text = "\n".join(lines)
    readme.write_text(f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
