"""The verb `compare`: runs side by side on the terminal, as a page, in Markdown and LaTeX."""

import glob
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from colorize.cli.paths import check_output_file
from colorize.evaluation.compare import compare_results
from colorize.evaluation.comparison import Comparison, Rows
from colorize.evaluation.entries import run_labels
from colorize.evaluation.result import read_summaries, row_label
from colorize.metrics.metric_info import info_of, measured_on, score_table
from colorize.reports.comparison_page import write_comparison, write_trained
from colorize.reports.conclusions import Sentence, explain_tests, metric_verdicts
from colorize.reports.tables import TOO_FEW, latex, markdown, metric_texts, table_title
from colorize.sweeps.jobs import SweepJob, jobs_of
from colorize.utils.console import console, counted, say
from colorize.utils.errors import UserError
from colorize.utils.files import write_text


def compare_runs(args: Namespace) -> int:
    """Compare the runs named in `args`; the exit status."""
    if not args.runs:
        raise UserError("compare takes run folders: python compare.py outputs/a outputs/b")
    places, notes = expand_runs(args.runs)
    for note in notes:
        say(note)
    one = Path(places[0])
    folder = one.parent.parent if one.suffix == ".json" else one
    page = args.html or (folder / "run.html" if len(places) == 1 else Path("compare.html"))
    for path in filter(None, (page, args.markdown, args.latex)):
        check_output_file(path)
    comparison = compare_results(places, args.protocol, pool=args.pool)
    if comparison is None:
        if args.protocol or args.pool or args.markdown or args.latex:
            raise UserError(
                f"none of {', '.join(places)} has a result of a named protocol: python evaluate.py run=… first"
            )
        compare_trained(places, page)
        return 0
    print_comparison(comparison)
    replaced = ", in place of an earlier one; --html FILE names another" if not args.html and page.exists() else ""
    write_comparison(page, comparison)
    say(f"the page is {str(page)!r}{replaced}")
    for path, write in ((args.markdown, markdown), (args.latex, latex)):
        if path:
            text = write(comparison)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
            say(f"kept in {str(path)!r}")
    return 0


def compare_trained(places: Sequence[str], page: Path) -> None:
    """Show runs that were not evaluated by the scores that their training ended with."""
    summaries = read_summaries(places)
    labels = run_labels({folder: summary["name"] for folder, summary in summaries.items()})
    by_label = {labels[folder]: summary for folder, summary in summaries.items()}
    first = next(iter(summaries.values()))
    beside = {row_label(row): scores for row, scores in {**first["baseline"], "truth": first["truth"]}.items()}
    validation = first["validation"]
    title = f"{measured_on(validation['photographs'], validation['size'])}; the last weights"
    score_table({label: summary["val"] for label, summary in by_label.items()} | beside, title)
    write_trained(page, by_label, {labels[folder]: Path(folder) for folder in summaries})
    say("no run has a result of a named protocol: these are the scores that training ended with, without intervals")
    say(f"the page is {str(page)!r}")


def expand_runs(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(run folders and result files, sentences on what was left out).

    words  run folders, result files, patterns such as `outputs/cpu-*`, and folders of sweeps
    Raises `UserError` for a word that means none.
    """
    places, notes = list[str](), list[str]()
    for word in words:
        exists, others = Path(word).exists(), list[str]()
        found = list[str]()
        for place in [word] if exists else sorted(glob.glob(word)):  # noqa: PTH207 (a pattern may begin anywhere)
            if Path(place).is_dir() and not is_run(place) and (jobs := jobs_of(place)):
                finished, left_out = finished_jobs(place, jobs)
                found, notes = found + finished, notes + left_out
            elif exists or is_run(place) or place.endswith(".json"):
                found.append(place)
            else:
                others.append(place)
        if not found:
            there = f": {', '.join(others)} are none" if others else ""
            raise UserError(
                f"{'no run folder matches' if glob.has_magic(word) else 'there is no run folder'} {word!r}{there}"
            )
        notes += [f"left out, as no run folder: {', '.join(others)}"] if others else []
        places += [place for place in found if found == [word] or place not in places]
    return places, notes


def is_run(place: str | Path) -> bool:
    return any(Path(place, name).is_dir() for name in (".hydra", "results"))


def finished_jobs(folder: str, jobs: Sequence[SweepJob]) -> tuple[list[str], list[str]]:
    """The jobs of a sweep that have finished; a sentence on those that have not, where there are any."""
    rest = [job for job in jobs if job.status != "finished"]
    if len(rest) == len(jobs):
        raise UserError(f"no job of the sweep {str(folder)!r} has finished: {job_statuses(rest)}")
    left_out = [f"left out of {str(folder)!r}, as not finished: {job_statuses(rest)}"] if rest else []
    return [str(job.folder) for job in jobs if job.status == "finished"], left_out


def job_statuses(jobs: Sequence[SweepJob]) -> str:
    return ", ".join(f"{job.folder.name} ({job.status})" for job in jobs)


def print_comparison(comparison: Comparison) -> None:
    """A line for each metric, a column for each run; the rows to read it next to; then what it comes to in words, for
    the metrics that are told first: the page has the others."""
    leaders = {metric: comparison.leaders(metric) for metric in comparison.metrics}
    print_metrics(comparison.runs, table_title(comparison), leaders, truth=comparison.has_order)
    first = comparison.leading()
    if comparison.sanity:
        baselines = {row_label(row): cells for row, cells in comparison.sanity.items()}
        shown = dict.fromkeys((metric for metric in comparison.metrics if metric in first), ())
        print_metrics(baselines, "to read these next to", shown, ends=False, truth=comparison.has_order)
    told = list[Sentence]()
    for metric in first:
        verdicts = metric_verdicts(comparison, metric)
        for sentence in [Sentence(verdicts.summary)] if verdicts.summary else verdicts.sentences:
            say("".join(sentence))
        told += [] if verdicts.summary else verdicts.sentences
    if len(comparison.runs) > 1 and (more := len(comparison.metrics) - len(first)):
        say(f"verdicts on {counted(more, 'other metric')} are on the page")
    for line in [*explain_tests(comparison.verdicts, told), *comparison.notes]:
        say(line)


def print_metrics(
    rows: Rows, title: str, leaders: Mapping[str, Collection[str]] | None = None, *, ends: bool = True,
    truth: bool = True,
) -> None:  # fmt: skip
    """A line for each metric, a column for each row of a result.

    leaders  metric -> labels in bold, of the metrics that are shown; without, all are
    ends     whether the intervals' ends stand below the values
    truth    whether the true colours are known
    """
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for label in rows:
        table.add_column(label, justify="right", overflow="fold")
    measured = dict.fromkeys(metric for row in rows.values() for metric in row)
    for metric, bold in (leaders or dict.fromkeys(measured, ())).items():
        if metric in measured:
            cells = []
            for label, row in rows.items():
                value, around = metric_texts(row.get(metric), metric)
                shown = Text(value, style="bold" if label in bold else "")
                below = around if ends or around == TOO_FEW else ""
                cells.append(shown.append(f"\n{below}", style="not bold") if below else shown)
            table.add_row(info_of(metric).with_truth(truth).heading, *cells)
    console.print(table)
