"""Which run is better: the ranking with what it is read next to, intervals side by side, and the verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from colorize.comparing.core import Comparison
from colorize.comparing.tables import PAIRS, strength, texts
from colorize.evaluation.tables import LABELS, sentences
from colorize.evaluation.words import beaten_by_grey
from colorize.report.charts import colour, forest
from colorize.results import pictures_of, read_result
from colorize.statistics import Interval, measure

BESIDE = ("grey", "mean_ab", "truth")  # the rows that stand below the runs


def row_label(row: str) -> str:
    """A sanity row as a person calls it; "grey of NAME", where runs do not share theirs."""
    kind, of, name = row.partition(" of ")
    return LABELS.get(kind, kind) + of + name


def ranking(comparison: Comparison) -> str:
    """The runs in order, then grey, the mean colour and the truth."""
    metrics, several = comparison.leading(), len(comparison.runs) > 1
    leaders = {metric: comparison.leaders(metric) if several else set() for metric in metrics}
    led = {label: sum(label in of for of in leaders.values()) for label in comparison.runs}
    places = {label: place for place, label in enumerate(comparison.runs)}
    order = sorted(comparison.runs, key=lambda label: -led[label])
    body = ""
    for label in order:
        cells = cells_of(comparison.runs[label], {m for m in metrics if label in leaders[m]}, metrics)
        count = f'<td class="number">{led[label]} of {len(metrics)}</td>' if several else ""
        dot = f'<i style="background:{colour(places[label])}"></i>' if several else ""
        body += f'<tr><td class="row">{dot}{escape(label)}</td>{count}{cells}</tr>'
    for row, values in comparison.sanity.items():
        if row in BESIDE:  # what runs do not share is among all numbers
            void = "<td></td>" if several else ""
            body += f'<tr class="beside"><td class="row">{escape(row_label(row))}</td>{void}'
            body += f"{cells_of(values, set(), metrics)}</tr>"
    heads = "".join(f'<th class="number">{escape(measure(metric).heading)}</th>' for metric in metrics)
    first = '<th class="number">leads in</th>' if several else ""
    title, told = "The numbers", ""
    if several:
        title = "The ranking"
        told = " Bold: no other run is better; the order is by how often that is so, ties as they were named."
    head = f"<thead><tr><th></th>{first}{heads}</tr></thead>"
    return (
        f"<section><h2>{title}</h2><p>Means over the photographs. Small print: 95 % intervals, for other photographs "
        f'of the same kind.{told}</p><div class="wide"><table class="ranking">{head}<tbody>{body}</tbody></table></div>'
        "</section>"
    )


def cells_of(row: Mapping[str, Interval], leads: set[str], metrics: Sequence[str]) -> str:
    cells = ""
    for metric in metrics:
        value, ends = texts(row.get(metric), measure(metric).digits)
        kind = "number own" if metric in leads else "number"
        cells += f'<td class="{kind}">{escape(value)}<small>{escape(ends)}</small></td>'
    return cells


def intervals(comparison: Comparison) -> str:
    """A chart for each leading metric; beside several runs, the one row that tells most, as more would press them
    together."""
    shown = ""
    for metric in comparison.leading():
        runs = {label: row[metric] for label, row in comparison.runs.items() if metric in row}
        rows = ["truth"] if measure(metric).better == "truth" else ["grey"]
        if len(runs) == 1:
            rows = ["grey", "truth"]
        others = {LABELS.get(row, row): comparison.sanity[row][metric].value
                  for row in rows if metric in comparison.sanity.get(row, {})}  # fmt: skip
        shown += forest(metric, runs, others) if runs else ""
    heading = "Side by side" if len(comparison.runs) > 1 else "Beside grey and truth"
    return f'<section><h2>{heading}</h2><div class="forests">{shown}</div></section>'


def verdicts(comparison: Comparison) -> str:
    """What the numbers come to; of a single run, against grey."""
    first, told, rest = comparison.leading(), "", ""
    if len(comparison.runs) > 1:
        told = listed(comparison, first)
        rest = listed(comparison, [metric for metric in comparison.metrics if metric not in first])
    else:
        target = next(iter(comparison.results.values()))[0]
        if len(next(iter(comparison.results.values()))) == 1 and pictures_of(target).is_file():
            told = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences(target, read_result(target)))
    more = f'<details><summary>the other metrics</summary><ul class="told">{rest}</ul></details>' if rest else ""
    grey = comparison.sanity.get("grey", {}).get("psnr")
    runs = {label: row["psnr"].value for label, row in comparison.runs.items() if "psnr" in row}
    beaten = [label for label, value in runs.items() if grey and value < grey.value]
    told_of_grey = [beaten_by_grey(beaten, len(comparison.runs))] if beaten else []
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*comparison.notes, *told_of_grey])
    body = f'<ul class="told">{told}</ul>{more}' if told else ""
    return f'<section><h2>In words</h2>{body}<ul class="told quiet">{notes}</ul></section>' if body or notes else ""


def listed(comparison: Comparison, metrics: Sequence[str]) -> str:
    """The verdicts by metric; of many pairs, how many can be told apart, and the sentences unfold."""
    items = ""
    for metric in metrics:
        of_metric = [verdict for verdict in comparison.verdicts if verdict.metric == metric]
        sentences = "".join(
            f"<li>{escape(measure(metric).title)}: {escape(v.sentence)}"
            f'<small class="quiet">{escape(strength(v))}</small></li>'
            for v in of_metric
        )
        if len(of_metric) > PAIRS:
            apart = sum(verdict.winner is not None for verdict in of_metric)
            told = f"{measure(metric).title}: {apart} of {len(of_metric)} pairs can be told apart"
            inside = f'<details><summary>{escape(told)}</summary><ul class="told">{sentences}</ul></details>'
            sentences = f'<li class="folded">{inside}</li>'
        items += sentences
    return items


def numbers(comparison: Comparison) -> str:
    """Every metric of every row."""
    leaders = {metric: comparison.leaders(metric) for metric in comparison.metrics}
    body = ""
    for label, row in [*comparison.runs.items(), *comparison.sanity.items()]:
        leads = {metric for metric, of in leaders.items() if label in of}
        kind, word = ("", label) if label in comparison.runs else (' class="beside"', row_label(label))
        body += f'<tr{kind}><td class="row">{escape(word)}</td>{cells_of(row, leads, comparison.metrics)}</tr>'
    head = "".join(f'<th class="number">{escape(measure(metric).heading)}</th>' for metric in comparison.metrics)
    gone = "".join(
        f"<li><b>{escape(metric)}</b> of {escape(label)}: {escape(why)}</li>"
        for label, absent in comparison.absent.items()
        for metric, why in absent.items()
    )
    more = (
        f'<details><summary>what is not there, and why</summary><ul class="told">{gone}</ul></details>' if gone else ""
    )
    return (
        '<section><h2>All numbers</h2><div class="wide"><table class="ranking all">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}</section>"
    )


def scores(told: Mapping[str, Mapping]) -> str:
    """The scores that trainings ended with, of runs that were not evaluated; `told`: label -> summary, best first."""
    first = next(iter(told.values()))
    rows = {**{label: summary["val"] for label, summary in told.items()}, **first["baseline"], "truth": first["truth"]}
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row))
    body = ""
    for label, row in rows.items():
        found = {metric: Interval(row[metric], float("nan"), float("nan"), 1) for metric in metrics if metric in row}
        kind, word = ("", label) if label in told else (' class="beside"', row_label(label))
        body += f'<tr{kind}><td class="row">{escape(word)}</td>{cells_of(found, set(), metrics)}</tr>'
    heads = "".join(f'<th class="number">{escape(measure(metric).heading)}</th>' for metric in metrics)
    return (
        "<section><h2>Scores at the end of training</h2><p>Without intervals; python evaluate.py run=… gives these.</p>"
        f'<div class="wide"><table class="ranking"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )
