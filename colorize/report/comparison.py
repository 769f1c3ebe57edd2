"""The page that settles which run is better: numbers, verdicts, photographs under a slider, curves, cost, configs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path

from colorize.checkpoint import write_whole
from colorize.comparing.core import Comparison
from colorize.comparing.tables import strength, texts
from colorize.doctor.page import STYLE
from colorize.evaluation.page import MORE_STYLE
from colorize.evaluation.tables import LABELS
from colorize.evaluation.words import GREY_WINS, measured_in_words
from colorize.report.charts import colour, curve_chart, forest
from colorize.report.gather import Told, differences, gather
from colorize.report.photographs import photographs
from colorize.results import read_result
from colorize.statistics import measure

HERE = Path(__file__).parent
FIRST = ("psnr", "ssim", "lpips_alex", "ciede2000", "colorfulness", "features")  # by these, then a distance
DISTANCES = ("fid", "fd_", "kid", "kd_")
CURVES = {"val/psnr": "PSNR", "val/colorfulness": "colourfulness", "val/features": "feature distance"}


def write_comparison(target: Path, comparison: Comparison) -> None:
    """One file that needs no other. Labels and names are text, whatever they hold."""
    told = {label: gather(paths[0]) for label, paths in comparison.results.items()}
    style = "".join(path.read_text(encoding="utf-8") for path in (STYLE, MORE_STYLE, HERE / "comparison.css"))
    script = (HERE / "slider.js").read_text(encoding="utf-8")
    sections = [
        header(comparison), ranking(comparison), verdicts(comparison), photographs(told), curves(told), cost(told),
        configs(told), numbers(comparison), provenance(comparison),
    ]  # fmt: skip
    title = f"{', '.join(comparison.runs)} under {comparison.protocol['name']}"
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: part.write_bytes(text.encode("utf-8", errors="replace")))


def header(comparison: Comparison) -> str:
    today, labels = datetime.now(), [*comparison.runs]
    named = " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
    words = measured_in_words(read_result(next(iter(comparison.results.values()))[0]))
    return (
        f'<header><p class="quiet">colorize compare · {today.day} {today:%B %Y} · {escape(comparison.protocol["id"])}'
        f'</p><h1>{escape(named)}</h1><p class="verdict">{escape(words)}</p></header>'
    )


def leading(comparison: Comparison) -> list[str]:
    """The metrics that the page begins with."""
    first = [metric for metric in FIRST if metric in comparison.metrics]
    distance = [m for m in comparison.metrics if m.startswith(DISTANCES) and "unpaired" not in m]
    return [*first, *distance[:1]]


def ranking(comparison: Comparison) -> str:
    shown = ""
    for metric in leading(comparison):
        runs = {label: row[metric] for label, row in comparison.runs.items() if metric in row}
        rows = ("truth",) if measure(metric).better == "truth" else ("grey",)
        others = {LABELS.get(row, row): comparison.sanity[row][metric].value
                  for row in rows if metric in comparison.sanity.get(row, {})}  # fmt: skip
        shown += forest(metric, runs, others)
    return (
        "<section><h2>Which is better</h2><p>Each point is the mean over the photographs; its line is the 95 % "
        f'interval for other photographs of the same kind.</p><div class="forests">{shown}</div></section>'
    )


def verdicts(comparison: Comparison) -> str:
    first = leading(comparison)

    def listed(metrics: list[str]) -> str:
        return "".join(
            f"<li>{escape(measure(v.metric).title)}: {escape(v.sentence)}"
            f'<small class="quiet">{escape(strength(v))}</small></li>'
            for metric in metrics
            for v in comparison.verdicts
            if v.metric == metric
        )

    rest = listed([metric for metric in comparison.metrics if metric not in first])
    more = f'<details><summary>the other metrics</summary><ul class="told">{rest}</ul></details>' if rest else ""
    grey = comparison.sanity.get("grey", {}).get("psnr")
    beaten = grey and any(row["psnr"].value <= grey.value for row in comparison.runs.values() if "psnr" in row)
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*comparison.notes, *([GREY_WINS] if beaten else [])])
    told = listed(first)
    body = f'<ul class="told">{told}</ul>{more}' if told else ""
    return f'<section><h2>In words</h2>{body}<ul class="told quiet">{notes}</ul></section>' if body or notes else ""


def numbers(comparison: Comparison) -> str:
    labels = [*comparison.runs, *comparison.sanity]
    head = "".join(f'<th class="number">{escape(LABELS.get(label, label))}</th>' for label in labels)
    body = ""
    for metric in comparison.metrics:
        leaders, cells = comparison.leaders(metric), ""
        for label in labels:
            own = label in comparison.runs
            value, ends = texts({**comparison.runs, **comparison.sanity}[label].get(metric), measure(metric).digits)
            small = f"<small>{escape(ends)}</small>" if own else ""
            kind = "number own" if own and label in leaders else "number"
            cells += f'<td class="{kind}" title="{escape(ends)}">{escape(value)}{small}</td>'
        body += f'<tr><td class="row">{escape(measure(metric).heading)}</td>{cells}</tr>'
    gone = "".join(
        f"<li><b>{escape(metric)}</b> of {escape(label)}: {escape(why)}</li>"
        for label, absent in comparison.absent.items()
        for metric, why in absent.items()
    )
    more = (
        f'<details><summary>what is not there, and why</summary><ul class="told">{gone}</ul></details>' if gone else ""
    )
    return (
        "<section><h2>All numbers</h2><p>Bold: no other run is better. Small print: 95 % intervals.</p>"
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
        "</section>"
    )


def curves(told: Mapping[str, Told]) -> str:
    places = {label: place for place, label in enumerate(told)}
    charts = ""
    for name, title in CURVES.items():
        found = {label: each.curves[name] for label, each in told.items() if name in each.curves}
        charts += curve_chart(title, found, places) if found else ""
    if not charts:
        return ""
    legend = "".join(
        f'<span><i style="background:{colour(place)}"></i>{escape(label)}</span>' for label, place in places.items()
    )
    return (
        "<section><h2>While training</h2><p>On each run's own validation photographs, at its own size; the first "
        f'evaluation is left out.</p><p class="keys">{legend}</p><div class="chart2">{charts}</div></section>'
    )


def cost(told: Mapping[str, Told]) -> str:
    body = ""
    for label, each in told.items():
        if not (summary := each.summary):
            continue
        cells = (
            f"{summary['steps']:,}", f"{summary['seconds'] / 60:,.1f}", f"{summary['images_per_second'] or 0:,.1f}",
            f"{summary['device']} × {summary['processes']}",
        )  # fmt: skip
        body += (
            f"<tr><td>{escape(label)}</td>" + "".join(f'<td class="number">{escape(c)}</td>' for c in cells) + "</tr>"
        )
    heads = "".join(f'<th class="number">{word}</th>' for word in ("steps", "minutes", "photographs a second", "on"))
    table = f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    return f"<section><h2>What training cost</h2>{table}</section>" if body else ""


def configs(told: Mapping[str, Told]) -> str:
    found = differences(told)
    if not found:
        return ""
    labels = [label for label, each in told.items() if each.config]
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    body = "".join(
        f'<tr><td class="row">{escape(key)}</td>'
        + "".join(f"<td>{escape(str(values[label]))}</td>" for label in labels)
        + "</tr>"
        for key, values in found.items()
    )
    return (
        f"<section><h2>What differs between the configs</h2><details><summary>{len(found)} values</summary>"
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div></details>'
        "</section>"
    )


def provenance(comparison: Comparison) -> str:
    groups = {"Protocol": comparison.protocol}
    for label, paths in comparison.results.items():
        result = read_result(paths[0])
        groups[label] = {**result.weights.get("network", {}), **result.versions}
    body = ""
    for word, of in groups.items():
        items = "".join(f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>" for key, value in of.items())
        body += f"<details><summary>{escape(word)}</summary><dl>{items}</dl></details>"
    return f"<section><h2>Where it comes from</h2>{body}</section>"
