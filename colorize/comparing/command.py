"""The verb `compare`: a table on the terminal, a page, and Markdown and LaTeX where wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from colorize.arguments import Arguments
from colorize.checkpoint import write_text
from colorize.comparing.core import compare_results
from colorize.comparing.places import find_runs, labels_of
from colorize.comparing.summaries import print_summaries, read_summaries
from colorize.comparing.tables import latex, markdown, print_comparison
from colorize.errors import UserError
from colorize.report import write_comparison, write_trained
from colorize.terminal import say


def compare_runs(argv: list[str]) -> int:
    """Compare the runs named in `argv`; the exit status."""
    words = parse(argv)
    places, notes = find_runs(words.runs)
    for note in notes:
        say(note)
    page = words.html or page_of(places)
    comparison = compare_results(places, words.protocol, pool=words.pool)
    if comparison is None:
        if words.protocol or words.pool or words.markdown or words.latex:
            raise UserError(
                f"none of {', '.join(places)} has a result of a named protocol: python evaluate.py run=… first"
            )
        show_trained(places, page)
        return 0
    print_comparison(comparison)
    write_comparison(page, comparison)
    say(f"the page is {str(page)!r}")
    for path, write in ((words.markdown, markdown), (words.latex, latex)):
        if path:
            text = write(comparison)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
            say(f"kept in {str(path)!r}")
    return 0


def show_trained(places: Sequence[str], page: Path) -> None:
    """Runs that were not evaluated, by what training told of them."""
    summaries = read_summaries(places)
    labels = labels_of({folder: summary["name"] for folder, summary in summaries.items()})
    print_summaries(summaries, labels)
    by_label = {labels[folder]: summary for folder, summary in summaries.items()}
    write_trained(page, by_label, {labels[folder]: Path(folder) for folder in summaries})
    say("no run has a result of a named protocol: these are the scores that training ended with, without intervals")
    say(f"the page is {str(page)!r}")


def page_of(places: Sequence[str]) -> Path:
    """Where the page goes if nobody says: of one run, into its folder."""
    if len(places) > 1:
        return Path("compare.html")
    (place,) = map(Path, places)
    return (place.parent.parent if place.suffix == ".json" else place) / "run.html"


def parse(argv: list[str]):
    parser = Arguments("compare", "Put runs side by side that were measured alike, with intervals and tests.")
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="run folders, result files in them, 'outputs/cpu-*', a sweep's folder"
    )
    parser.add_argument("--protocol", metavar="NAME", help="which results, where the runs have several")
    parser.add_argument("--pool", action="store_true", help="take runs that differ by their seed alone together")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="the page (default: compare.html; of one run, run.html in its folder)",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table and the verdicts there")
    parser.add_argument("--latex", type=Path, metavar="FILE", help="also write the table there, for booktabs")
    words = parser.parse_args(argv)
    if not words.runs:
        raise UserError("compare takes run folders: python compare.py outputs/a outputs/b")
    return words
