"""The verb `compare`: a table on the terminal, a page, and Markdown and LaTeX where wanted."""

from __future__ import annotations

from pathlib import Path

from colorize.arguments import Arguments
from colorize.checkpoint import write_whole
from colorize.comparing.core import compare_results
from colorize.comparing.summaries import compare_summaries
from colorize.comparing.tables import latex, markdown, print_comparison
from colorize.errors import UserError
from colorize.report import write_comparison
from colorize.terminal import say


def compare_runs(argv: list[str]) -> int:
    """Compare the runs named in `argv`; the exit status."""
    words = parse(argv)
    comparison = compare_results(words.runs, words.protocol, pool=words.pool)
    if comparison is None:
        if words.protocol or words.pool or words.markdown or words.latex:
            raise UserError(
                f"none of {', '.join(words.runs)} has a result of a named protocol: python evaluate.py run=… first"
            )
        compare_summaries(words.runs)
        say("no run has a result of a named protocol: these are the scores that training ended with, without intervals")
        return 0
    print_comparison(comparison)
    write_comparison(words.html, comparison)
    say(f"the page is {str(words.html)!r}")
    for path, write in ((words.markdown, markdown), (words.latex, latex)):
        if path:
            text = write(comparison)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda part, text=text: part.write_text(text, encoding="utf-8"))
            say(f"kept in {str(path)!r}")
    return 0


def parse(argv: list[str]):
    parser = Arguments("compare", "Put runs side by side that were measured alike, with intervals and tests.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="run folders, or result files in them")
    parser.add_argument("--protocol", metavar="NAME", help="which results, where the runs have several")
    parser.add_argument("--pool", action="store_true", help="take runs that differ by their seed alone together")
    parser.add_argument(
        "--html", type=Path, default=Path("compare.html"), metavar="FILE", help="the page (default: compare.html)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table and the verdicts there")
    parser.add_argument("--latex", type=Path, metavar="FILE", help="also write the table there, for booktabs")
    words = parser.parse_args(argv)
    if not words.runs:
        raise UserError("compare takes run folders: python compare.py outputs/a outputs/b")
    return words
