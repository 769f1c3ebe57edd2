"""The verb `judge`: a page on which people choose between the colours of runs, and what their choices come to."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from pathlib import Path

from rich.table import Table

from colorize.cli.compare import expand_runs
from colorize.cli.paths import new_folder
from colorize.evaluation.compare import check_comparable, find_results
from colorize.evaluation.entries import run_labels
from colorize.evaluation.preferences import (
    HEADER,
    STUDY,
    Preferences,
    Study,
    fit_preferences,
    goodness_of,
    merge_choices,
    read_choices,
    read_study,
)
from colorize.evaluation.result import read_result
from colorize.evaluation.samples import PAINTED, SampleFiles, find_samples
from colorize.metrics.metric_info import Interval, info_of
from colorize.reports.page import file_uri, write_page
from colorize.reports.tables import texts
from colorize.utils.console import console, counted, say
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, digest_of, short_digest, write_text

PAGE, PEOPLE = "judge.html", "people.json"


def judge(args: Namespace) -> int:
    """Write the page that shows the runs, or read the judgements that were made on it; the exit status."""
    if bool(args.runs) == bool(args.read):
        raise UserError("name the runs of a new page, or read judgements with --read CSV …")
    if args.read:
        tell_preferences(args.read, args.output or args.read[0].parent)
    elif args.output is None:
        raise UserError("say with -o FOLDER where the page goes")
    else:
        folder = new_folder(args.output, overwrite=True)  # what it may hold is seen once the page is known
        write_judge_page(args.runs, args.protocol, folder, overwrite=args.overwrite)
    return 0


def write_judge_page(words: Sequence[str], protocol: str | None, folder: Path, *, overwrite: bool) -> None:
    """Raises `UserError` for fewer than two runs, runs without results, runs without a picture in common, and another
    page in the folder that is not to be overwritten."""
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
    shown = " ".join(digest_of(files[name][PAINTED]) for name in shared for files in samples.values())
    study = Study(next(iter(results.values())).protocol["id"], shared, goodness, short_digest(shown))
    if (folder / STUDY).is_file() and not overwrite and (kept := read_study(folder)).page != study.page:
        raise UserError(
            f"{str(folder)!r} holds another page, of {', '.join(kept.runs)}: judgements that were made on it could not "
            "be read any more; name another folder, or replace it with --overwrite"
        )
    pictures = {
        name: {label: file_uri(files[name][PAINTED], None) for label, files in samples.items()} for name in shared
    }
    write_page(
        folder / PAGE, "judge", "Which colours are more believable?", source=study.protocol, count=len(shared),
        runs=len(samples), study={"page": study.page, "header": HEADER, "pictures": pictures},
    )  # fmt: skip
    study.write(folder)
    pairs = len(shared) * len(samples) * (len(samples) - 1) // 2
    of = f"{counted(pairs, 'choice')}, of {counted(len(shared))} by {len(samples)} runs"
    say(f"{str(folder / PAGE)!r} asks for up to {of}")


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
    choices = merge_choices({path: read_choices(path, study) for path in files})
    found = fit_preferences(choices, study)
    judges = len({choice.judge for choice in choices})
    print_preferences(found, f"{counted(len(choices), 'choice')} by {counted(judges, 'judge')}, 95 % intervals")
    if found.unknown:
        say(f"strengths have no interval: {found.unknown}")
    if not found.correlations:
        say("metrics are not ranked beside people: that takes three runs or more")
    known = {
        part: {name: known_ends(cell) for name, cell in getattr(found, part).items()}
        for part in ("strengths", "correlations")
    }
    write_text(folder / PEOPLE, as_json({"choices": len(choices), "judges": judges, **known}, indent=2) + "\n")
    say(f"kept in {str(folder / PEOPLE)!r}")


def print_preferences(found: Preferences, title: str) -> None:
    strengths = {run: texts(cell, 2) for run, cell in found.strengths.items()}
    score_lines(title, "log odds against the average run", strengths)
    if found.correlations:
        metrics = {info_of(metric).label: texts(cell, 2) for metric, cell in found.correlations.items()}
        score_lines("how each metric ranks the runs beside people", "Spearman's correlation", metrics)


def known_ends(cell: Interval) -> dict[str, float]:
    return {name: value for name, value in asdict(cell).items() if not isnan(value)}


def score_lines(title: str, heading: str, lines: dict[str, tuple[str, str]]) -> None:
    table = Table(title=title, title_justify="left")
    for name, side in (("", "left"), (heading, "right"), ("", "left")):
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    for name, cells in lines.items():
        table.add_row(name, *cells)
    console.print(table)
