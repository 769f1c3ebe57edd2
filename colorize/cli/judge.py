"""The verb `judge`: a page on which people choose between the colours of runs, and what their choices come to."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path

from rich.table import Table

from colorize.cli.compare import expand_runs
from colorize.cli.parser import ArgumentParser
from colorize.evaluation.compare import check_comparable, find_results
from colorize.evaluation.entries import run_labels
from colorize.evaluation.preferences import (
    HEADER,
    Preferences,
    Study,
    check_each_once,
    fit_preferences,
    goodness_of,
    read_choices,
    read_study,
)
from colorize.evaluation.result import read_result
from colorize.evaluation.samples import PAINTED, SampleFiles, find_samples
from colorize.evaluation.significance import format_number
from colorize.metrics.metric_info import Interval, info_of
from colorize.reports.page import file_uri, write_page
from colorize.utils.console import console, say
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, write_text

PAGE, PEOPLE = "judge.html", "people.json"


def judge_options(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="runs that were evaluated, as `colorize compare` takes")
    parser.add_argument("--protocol", metavar="NAME", help="whose pictures are shown, where runs have several results")
    parser.add_argument("--read", nargs="+", type=Path, metavar="CSV", help="judgements that people saved on the page")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the page; --read: else the first CSV's")


def judge(args: Namespace) -> int:
    """Write the page that shows the runs, or read the judgements that were made on it; the exit status."""
    if bool(args.runs) == bool(args.read):
        raise UserError("name the runs of a new page, or read judgements with --read CSV …")
    if args.read:
        tell_preferences(args.read, args.output or args.read[0].parent)
    elif args.output is None:
        raise UserError("say with -o FOLDER where the page goes")
    else:
        write_judge_page(args.runs, args.protocol, args.output)
    return 0


def write_judge_page(words: Sequence[str], protocol: str | None, folder: Path) -> None:
    """Raises `UserError` for fewer than two runs, runs without results, and runs without a picture in common."""
    places, notes = expand_runs(words)
    for note in notes:
        say(note)
    if len(places) < 2:
        raise UserError(f"people choose between two runs or more, and {' '.join(words)} is one")
    paths = find_results(places, protocol)
    if not paths:
        raise UserError(f"none of {', '.join(places)} has a result: python evaluate.py run=… first")
    results = {place: read_result(path) for place, path in paths.items()}
    check_comparable(results)
    labels = run_labels({place: result.name for place, result in results.items()})
    samples = {labels[place]: find_samples(path) for place, path in paths.items()}
    shared = shared_photographs(samples)
    goodness = {labels[place]: goodness_of(result) for place, result in results.items()}
    study = Study(next(iter(results.values())).protocol["id"], shared, goodness)
    pictures = {
        name: {label: file_uri(files[name][PAINTED], None) for label, files in samples.items()} for name in shared
    }
    write_page(
        folder / PAGE, "judge", "Which colours are more believable?", source=study.protocol, count=len(shared),
        runs=len(samples), study={"page": study.page, "header": HEADER, "pictures": pictures},
    )  # fmt: skip
    study.write(folder)
    pairs = len(shared) * len(samples) * (len(samples) - 1) // 2
    say(f"{str(folder / PAGE)!r} asks for up to {pairs} choices, of {len(shared)} photographs by {len(samples)} runs")


def shared_photographs(samples: dict[str, SampleFiles]) -> list[str]:
    """Raises `UserError` where there is none, naming a run whose pictures were not kept."""
    for label, files in samples.items():
        if not files:
            raise UserError(f"of {label} there are no pictures: evaluate it again with overwrite=true")
    first = next(iter(samples.values()))
    shared = [name for name in first if all(PAINTED in files.get(name, {}) for files in samples.values())]
    if not shared:
        raise UserError(f"{', '.join(samples)} have no picture of the same photograph: evaluate them again")
    return shared


def tell_preferences(files: Sequence[Path], folder: Path) -> None:
    study = read_study(folder)
    choices = [choice for path in files for choice in read_choices(path, study)]
    check_each_once(choices)
    found = fit_preferences(choices, study)
    judges = len({choice.judge for choice in choices})
    title = f"{len(choices)} choices by {judges} judge{'s' * (judges > 1)}, 95 % intervals"
    print_preferences(found, title)
    if not found.correlations:
        say("metrics are not ranked beside people: that takes three runs or more")
    known = {part: {name: known_ends(cell) for name, cell in cells.items()} for part, cells in vars(found).items()}
    write_text(folder / PEOPLE, as_json({"choices": len(choices), "judges": judges, **known}, indent=2) + "\n")
    say(f"kept in {str(folder / PEOPLE)!r}")


def print_preferences(found: Preferences, title: str) -> None:
    strengths = {run: ends(cell) for run, cell in found.strengths.items()}
    score_lines(title, "log odds against the average run", strengths)
    if found.correlations:
        metrics = {info_of(metric).label: ends(cell) for metric, cell in found.correlations.items()}
        score_lines("how each metric ranks the runs beside people", "Spearman's correlation", metrics)


def known_ends(cell: Interval) -> dict[str, float]:
    return {name: value for name, value in asdict(cell).items() if not isnan(value)}


def ends(cell: Interval) -> tuple[str, str]:
    low, high = (format_number(end, 2) for end in (cell.low, cell.high))
    return format_number(cell.value, 2), f"{low} to {high}"


def score_lines(title: str, heading: str, lines: dict[str, tuple[str, str]]) -> None:
    table = Table(title=title, title_justify="left")
    for name, side in (("", "left"), (heading, "right"), ("", "left")):
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    for name, cells in lines.items():
        table.add_row(name, *cells)
    console.print(table)
