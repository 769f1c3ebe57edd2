"""A comparison on the terminal, in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from rich.table import Table
from rich.text import Text

from colorize.comparing.core import Comparison, Rows
from colorize.comparing.verdicts import Verdict
from colorize.evaluation.words import PAINTING, painting_cells
from colorize.statistics import Interval, measure, number
from colorize.terminal import console, say

PAIRS = 3  # of runs, whose verdicts are read at once
BOLD = "bold: no other run is better"
LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "∞": r"$\infty$", "Δ": r"$\Delta$", "−": "$-$", "°": r"$^\circ$", "–": "--",
}  # fmt: skip


def print_comparison(comparison: Comparison) -> None:
    """A line for each metric, a column for each run; the rows to read it next to; then what it comes to in words, for
    the metrics that are told first: the page has the others."""
    _print(comparison, comparison.runs, f"{_title(comparison)}; {BOLD}", comparison.metrics)
    if comparison.sanity:
        _print(comparison, comparison.sanity, "to read these next to", comparison.leading(), ends=False)
    first = comparison.leading()
    for metric in first:
        for line in told_shortly(comparison, metric):
            say(line)
    if more := len(comparison.metrics) - len(first):
        say(f"verdicts on the other {more} metrics are on the page")
    for line in [*_tests(comparison), *comparison.notes]:
        say(line)


def told_shortly(comparison: Comparison, metric: str) -> list[str]:
    """The verdicts on a metric; of more than three pairs, a line on who leads and how many can be told apart."""
    of_metric, title = [v for v in comparison.verdicts if v.metric == metric], measure(metric).title
    if len(of_metric) <= PAIRS:
        return [f"{title}: {verdict.sentence}{strength(verdict)}" for verdict in of_metric]
    apart = sum(verdict.winner is not None for verdict in of_metric)
    leaders = sorted(comparison.leaders(metric))
    first = f"no other is better than {' or '.join(leaders)}" if leaders else "there is no leader"
    return [f"{title}: {first}; {apart} of {len(of_metric)} pairs can be told apart"]


def _print(comparison: Comparison, rows: Rows, title: str, metrics: Sequence[str], *, ends: bool = True) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for label in rows:
        table.add_column(label, justify="right", overflow="fold")
    for metric in metrics:
        if not any(metric in row for row in rows.values()):
            continue
        leaders, cells = comparison.leaders(metric) if ends else (), []
        for label, row in rows.items():
            value, around = texts(row.get(metric), measure(metric).digits)
            shown = Text(value, style="bold" if label in leaders else "")
            cells.append(shown.append(f"\n{around}", style="not bold") if ends and around else shown)
        table.add_row(measure(metric).heading, *cells)
    console.print(table)


def markdown(comparison: Comparison) -> str:
    """A line for each run and each row to read it next to, a column for each metric, and what painting costs where that
    is known; then the verdicts in words."""
    heads = ["", *(measure(metric).heading for metric in comparison.metrics), *_cost_heads(comparison)]
    lines = [[_cell_of_markdown(text) for text in heads], ["---", *("---:" for _ in heads[1:])]]
    for place, rows in enumerate((comparison.runs, comparison.sanity)):
        for label, row in rows.items():
            cells = [_cell_of_markdown(label)]
            for metric in comparison.metrics:
                value, ends = texts(row.get(metric), measure(metric).digits)
                cells.append(_marked(value, ends, not place and label in comparison.leaders(metric), "**{}**"))
            cells += map(_cell_of_markdown, _cost_cells(comparison, label))
            lines.append(cells)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    told = "\n".join(f"- {line}" for line in _sentences(comparison))
    return f"{_title(comparison)}; {BOLD}.\n\n{table}\n\n{told}\n"


def latex(comparison: Comparison) -> str:
    """The same table as a `tabular` that needs the package booktabs; the verdicts are comments below it."""
    heads = ["", *(measure(metric).heading for metric in comparison.metrics), *_cost_heads(comparison)]
    lines = [f"% {_title(comparison)}; {BOLD}", rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule"]
    lines += [rf"{' & '.join(map(_escaped, heads))} \\", r"\midrule"]
    for place, rows in enumerate((comparison.runs, comparison.sanity)):
        lines += [r"\midrule"] if place and rows else []
        for label, row in rows.items():
            cells = [_escaped(label)]
            for metric in comparison.metrics:
                value, ends = (_escaped(text) for text in texts(row.get(metric), measure(metric).digits))
                leads = not place and label in comparison.leaders(metric)
                cells.append(_marked(value, ends, leads, r"\textbf{{{}}}"))
            cells += map(_escaped, _cost_cells(comparison, label))
            lines.append(rf"{' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {line}" for line in _sentences(comparison))]
    return "\n".join(lines) + "\n"


def _cost_heads(comparison: Comparison) -> list[str]:
    """The columns on painting; none where that is known of no run."""
    return [*PAINTING] if any(comparison.cost.values()) else []


def _cost_cells(comparison: Comparison, label: str) -> list[str]:
    found = painting_cells(comparison.cost.get(label, {})) if _cost_heads(comparison) else []
    return [_marked(value, of, False, "") for value, of in found]


def _title(comparison: Comparison) -> str:
    return f"protocol {comparison.protocol['id']}, 95 % intervals"


def _sentences(comparison: Comparison) -> list[str]:
    """Verdicts by metric, then what they rest on, then notes."""
    lines = [f"{measure(v.metric).title}: {v.sentence}{strength(v)}" for v in comparison.verdicts]
    return [*lines, *_tests(comparison), *comparison.notes]


def _tests(comparison: Comparison) -> list[str]:
    """What p and d mean, where there are any."""
    if not (tests := sum(verdict.adjusted is not None for verdict in comparison.verdicts)):
        return []
    return [
        f"p is two-sided, after Holm's correction over {tests} tests; of pictures, it is that of swapping the two "
        "runs at random; d is the mean difference over its standard deviation"
    ]


def strength(verdict: Verdict) -> str:
    difference, told = verdict.difference, []
    apart = difference.advantage.low > 0 or difference.advantage.high < 0  # where p denies it, the sentence says so
    if verdict.adjusted is not None and (verdict.winner or not apart):
        told.append(f"p {'< 0.0001' if verdict.adjusted < 1e-4 else f'= {verdict.adjusted:.2g}'}")
    if difference.effect is not None and verdict.winner:
        told.append(f"d = {number(abs(difference.effect), 2)}")
    if difference.share is not None and verdict.winner:
        share = difference.share if verdict.winner == verdict.a else 1 - difference.share
        told.append(f"on {100 * share:.0f} % of the pictures")
    return f"; {', '.join(told)}" if told else ""


def texts(interval: Interval | None, digits: int) -> tuple[str, str]:
    """The value, and its ends; "–" where there is none."""
    if interval is None:
        return "–", ""
    value, low, high = (number(each, digits) for each in (interval.value, interval.low, interval.high))
    return value, "" if isnan(interval.low) or isnan(interval.high) else f"{low} to {high}"


def _marked(value: str, ends: str, leads: bool, bold: str) -> str:
    value = bold.format(value) if leads else value
    return f"{value} ({ends})" if ends else value


def _cell_of_markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
