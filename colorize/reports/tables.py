"""Tables of runs as records, and the same in Markdown and LaTeX; texts of their cells."""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

from colorize.evaluation.comparison import Comparison, Rows
from colorize.evaluation.result import row_label
from colorize.evaluation.significance import format_number
from colorize.metrics.metric_info import Interval, info_of
from colorize.reports.conclusions import draw_conclusions, weights_of_runs

PAINTING = ("M parameters", "GMACs", "seconds a photograph")
BOLD = "bold: significantly better than another run, and significantly worse than none"
TOO_FEW = "too few pictures"
OWN = "†"  # of a number whose network the run was trained with
LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "∞": r"$\infty$", "Δ": r"$\Delta$", "−": "$-$", "†": r"\dag{}", "°": r"$^\circ$", "–": "--",
}  # fmt: skip


class TableCell(NamedTuple):
    """A text with small print below it.

    own    whether it is bold: significantly better than another run, and significantly worse than none
    title  what appears under the pointer
    """

    text: str
    small: str = ""
    own: bool = False
    title: str = ""


class TableRow(NamedTuple):
    """kind  "beside" for a row that the others are read next to; note: below its name"""

    name: str
    cells: Sequence[TableCell]
    kind: str = ""
    note: str = ""


class TextTable(NamedTuple):
    """A head for the rows' names and for each cell of a row.

    kind   its classes in the style sheet
    texts  places of the columns that are text; those of numbers stand on the right
    """

    heads: Sequence[str]
    rows: Sequence[TableRow]
    kind: str = ""
    texts: Collection[int] = (0,)


def metric_cells(
    row: Mapping[str, Interval], metrics: Sequence[str], best: Collection[str] = (), own: Collection[str] = ()
) -> list[TableCell]:
    """A value with its interval for each of the metrics; those of `best` are bold, those of `own` have a †."""
    found = [(metric, *metric_texts(row.get(metric), metric)) for metric in metrics]
    return [TableCell(value + OWN * (metric in own), ends, metric in best) for metric, value, ends in found]


def metric_table(
    metrics: Sequence[str], runs: Rows, beside: Rows, leaders: Callable[[str], Collection[str]], kind: str = "ranking",
    *, own: Mapping[str, Collection[str]] | None = None, truth: bool = True,
) -> TextTable:  # fmt: skip
    """A row for each run and below them for each baseline, a column for each metric; bold where `leaders` of the metric
    has the run, and with a † where `own` of the run has the metric. `truth`: whether the true colours are known."""
    best = {metric: leaders(metric) for metric in metrics}
    rows = []
    for label, row in runs.items():
        bold = [metric for metric in metrics if label in best[metric]]
        rows.append(TableRow(label, metric_cells(row, metrics, bold, (own or {}).get(label, ()))))
    rows += [TableRow(row_label(label), metric_cells(row, metrics), "beside") for label, row in beside.items()]
    return TextTable(["", *(info_of(metric).with_truth(truth).heading for metric in metrics)], rows, kind)


def texts(interval: Interval | None, digits: int) -> tuple[str, str]:
    """The value, and its ends; "–" where there is none."""
    if interval is None:
        return "–", ""
    value, low, high = (format_number(each, digits) for each in (interval.value, interval.low, interval.high))
    return value, "" if isnan(interval.low) or isnan(interval.high) else f"{low} to {high}"


def metric_texts(interval: Interval | None, metric: str) -> tuple[str, str]:
    """The value and its ends, or in their place that the pictures are too few: for a distance of whole sets that has no
    ends."""
    known = info_of(metric)
    value, ends = texts(interval, known.digits)
    few = interval is not None and known.aggregation == "set" and interval.n > 1 and isnan(interval.low)
    return value, TOO_FEW if few else ends


def comparison_table(comparison: Comparison) -> TextTable:
    """All numbers of the comparison."""
    rows = (comparison.runs, comparison.sanity)
    return metric_table(comparison.metrics, *rows, comparison.leaders, "ranking all", own=comparison.own,
                        truth=comparison.has_order)  # fmt: skip


def table_with_costs(comparison: Comparison) -> TextTable:
    """The same, with what a prediction costs where that is known of any run."""
    table = comparison_table(comparison)
    if not any(comparison.cost.values()):
        return table
    costs = [{} if row.kind else comparison.cost.get(row.name, {}) for row in table.rows]
    rows = [
        row._replace(cells=[*row.cells, *painting_cells(cost)]) for row, cost in zip(table.rows, costs, strict=True)
    ]
    return TextTable([*table.heads, *PAINTING], rows)


def painting_cells(cost: Mapping[str, Any]) -> list[TableCell]:
    """A cell for each of `PAINTING`; "–" for what is not known."""
    cells = [("–", "")] * len(PAINTING)
    if "parameters" in cost:
        millions = cost["parameters"] / 1e6
        cells[0] = (f"{millions:,.2f}" if millions >= 0.1 else f"{millions:.2g}", "")
    if "gmacs" in cost:
        cells[1] = (f"{cost['gmacs']:,.3g}", f"at {sides(cost['size'])}")
    if "seconds" in cost:
        at_once = f"{cost['batch_size']} at a time" if cost["batch_size"] > 1 else "one by one"
        arithmetic = f", {cost['precision']}" if "precision" in cost else ""
        cells[2] = (f"{cost['seconds']:#.2g}".removesuffix("."), f"{at_once}, {cost['device']}{arithmetic}")
    return [TableCell(*each) for each in cells]


def cost_in_words(cost: Mapping[str, Any]) -> str:
    """What a prediction cost."""
    parameters, gmacs, seconds = painting_cells(cost)
    return (
        f"{parameters.text} M parameters, {gmacs.text} GMACs {gmacs.small}, {seconds.text} seconds a photograph "
        f"({seconds.small})"
    )


def sides(size: Sequence[int]) -> str:
    """Height and width as a person writes them, width first."""
    height, width = size
    return f"{width}²" if height == width else f"{width}×{height}"


def table_title(comparison: Comparison) -> str:
    """The protocol, the weights, and what bold means where anything can be."""
    words = weights_of_runs(comparison)
    weights = f"; weights: {words}" if words else ""
    bold = f"; {BOLD}" if comparison.has_order and len(comparison.runs) > 1 else ""
    return f"protocol {comparison.protocol['id']}, 95 % intervals{weights}{bold}"


def markdown(comparison: Comparison) -> str:
    """A line for each run and each baseline, a column for each metric, and what a prediction costs where that is known;
    then the conclusions."""
    table = table_with_costs(comparison)
    lines = [[*map(_piped, table.heads)], ["---", *("---:" for _ in table.heads[1:])]]
    lines += [[_piped(row.name), *(_marked(cell, "**{}**", _piped) for cell in row.cells)] for row in table.rows]
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    sentences = "\n".join(f"- {line}" for line in draw_conclusions(comparison).lines())
    return f"{table_title(comparison)}.\n\n{body}\n\n{sentences}\n"


def latex(comparison: Comparison) -> str:
    """The same table as a `tabular` that needs the package booktabs; the conclusions are comments below it."""
    table = table_with_costs(comparison)
    lines = [f"% {table_title(comparison)}", rf"\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}"]
    lines += [r"\toprule", rf"{' & '.join(map(_escaped, table.heads))} \\", r"\midrule"]
    for place, row in enumerate(table.rows):
        lines += [r"\midrule"] if place == len(comparison.runs) else []
        cells = [_escaped(row.name), *(_marked(cell, r"\textbf{{{}}}", _escaped) for cell in row.cells)]
        lines.append(rf"{' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {line}" for line in draw_conclusions(comparison).lines())]
    return "\n".join(lines) + "\n"


def _marked(cell: TableCell, bold: str, escape: Any) -> str:
    value = bold.format(escape(cell.text)) if cell.own else escape(cell.text)
    return f"{value} ({escape(cell.small)})" if cell.small else value


def _piped(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
