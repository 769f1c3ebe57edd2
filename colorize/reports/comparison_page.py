"""The page of runs, or of one: ranking, intervals, comparisons, photographs, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from colorize.evaluation.bootstrap import Interval
from colorize.evaluation.compare import Comparison
from colorize.evaluation.metric_info import measure, measured_on
from colorize.evaluation.result import LABELS, image_table_path, read_result
from colorize.reports.charts import colour, forest
from colorize.reports.page import MORE_STYLE, STYLE, historical, photographs, samples
from colorize.reports.run_data import configs, cost, curves, gather, of_results, of_summaries, provenance
from colorize.reports.tables import PAIRS, beaten_by_grey, measured_in_words, sentences, strength, texts
from colorize.utils.files import write_whole

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
        if len(next(iter(comparison.results.values()))) == 1 and image_table_path(target).is_file():
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


HERE = Path(__file__).parent
NAMED = 4  # runs that a heading names


def write_comparison(target: Path, comparison: Comparison) -> None:
    """Of results, one or several. One file that needs no other. Raises `UserError` where a run's file is not whole."""
    told = {label: gather(paths[0].parent.parent, paths[0]) for label, paths in comparison.results.items()}
    protocol, words = comparison.protocol, measured_in_words(read_result(next(iter(comparison.results.values()))[0]))
    old = "" if protocol.get("truth") == "none" else historical(told)
    sections = [
        header([*told], protocol["id"], words), ranking(comparison), intervals(comparison), verdicts(comparison),
        photographs(told), old, curves(told), cost(told), configs(told), numbers(comparison),
        provenance(of_results(comparison, told)),
    ]  # fmt: skip
    write_page(target, f"{named([*told])} under {protocol['name']}", sections)


def write_trained(target: Path, summaries: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> None:
    """Of runs that were trained and not evaluated; both arguments by label."""
    told = {label: gather(folder) for label, folder in folders.items()}
    validation = next(iter(summaries.values()))["validation"]
    words = f"{measured_on(validation['photographs'], validation['size'])}; not evaluated under a named protocol yet."
    sections = [
        header([*told], "as training ended", words), scores(summaries), samples(told), historical(told), curves(told),
        cost(told), configs(told), provenance(of_summaries(summaries)),
    ]  # fmt: skip
    write_page(target, named([*told]), sections)


def write_page(target: Path, title: str, sections: Sequence[str]) -> None:
    """Labels and names are text, whatever they hold."""
    style = "".join(path.read_text(encoding="utf-8") for path in (STYLE, MORE_STYLE, HERE / "comparison.css"))
    script = (HERE / "slider.js").read_text(encoding="utf-8")
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: part.write_bytes(text.encode("utf-8", errors="replace")))


def header(labels: Sequence[str], measured: str, words: str) -> str:
    today = datetime.now()
    return (
        f'<header><p class="quiet">colorize compare · {today.day} {today:%B %Y} · {escape(measured)}</p>'
        f'<h1>{escape(named(labels))}</h1><p class="verdict">{escape(words)}</p></header>'
    )


def named(labels: Sequence[str]) -> str:
    """The runs in a heading; of many, how many there are."""
    if len(labels) > NAMED:
        return f"{len(labels)} runs"
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
