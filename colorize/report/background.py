"""What stands behind the numbers: how training went, what it and painting cost, configs, and where all is from."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from colorize.comparing.core import Comparison
from colorize.evaluation.words import PAINTING, painting_cells
from colorize.report.charts import colour, curve_chart
from colorize.report.gather import Told, differences
from colorize.results import read_result

CURVES = {"val/psnr": "PSNR", "val/colorfulness": "colourfulness", "val/features": "feature distance"}
COSTS = (*PAINTING, "steps", "minutes", "photographs a second", "trained on")


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
    keys = f'<p class="keys">{legend}</p>' if len(told) > 1 else ""
    return (
        "<section><h2>While training</h2><p>On each run's own validation photographs, at its own size; the first "
        f'evaluation is left out.</p>{keys}<div class="chart2">{charts}</div></section>'
    )


def cost(told: Mapping[str, Told]) -> str:
    """A line for each run: of painting, as evaluation found it, and of training."""
    body = ""
    for label, each in told.items():
        cells = "".join(
            f'<td class="number">{escape(value)}<small>{escape(small)}</small></td>'
            for value, small in [*painting_cells(each.cost), *of_training(each.summary)]
        )
        body += f'<tr><td class="row">{escape(label)}</td>{cells}</tr>'
    heads = "".join(f'<th class="number">{word}</th>' for word in COSTS)
    table = f'<div class="wide"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    return (
        "<section><h2>What it costs</h2><p>To paint one photograph, as evaluation measured it, and to train. A GMAC is "
        f"10⁹ multiplications with their additions.</p>{table}</section>"
    )


def of_training(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same of steps, minutes, throughput and device."""
    if not summary:
        return [("–", "")] * 4
    speed, processes = summary["images_per_second"], summary["processes"]
    return [
        (f"{summary['steps']:,}", ""), (f"{summary['seconds'] / 60:,.1f}", ""),
        (f"{speed:,.1f}" if speed else "–", ""),
        (summary["device"], f"{processes} processes" if processes > 1 else ""),
    ]  # fmt: skip


def configs(told: Mapping[str, Told]) -> str:
    """What differs between several; all of a single one."""
    labels = [label for label, each in told.items() if each.config]
    if not labels:
        return ""
    if len(told) == 1:
        title, found = "Its config", {key: {labels[0]: value} for key, value in told[labels[0]].config.items()}
    else:
        title, found = "What differs between the configs", differences(told)
    if not found:
        return ""
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    body = "".join(
        f'<tr><td class="row">{escape(key)}</td>'
        + "".join(f"<td>{escape(str(values[label]))}</td>" for label in labels)
        + "</tr>"
        for key, values in found.items()
    )
    return (
        f"<section><h2>{title}</h2><details><summary>{len(found)} values</summary>"
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div></details>'
        "</section>"
    )


def of_results(comparison: Comparison, told: Mapping[str, Told]) -> dict[str, Mapping[str, Any]]:
    """By which protocol, of which weights, with which versions, trained by which code."""
    groups: dict[str, Mapping[str, Any]] = {"Protocol": comparison.protocol}
    for label, paths in comparison.results.items():
        result = read_result(paths[0])
        groups[label] = {**result.weights.get("network", {}), **result.versions, **commit_of(told[label].summary)}
    return groups


def of_summaries(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """On which photographs, of which weights, with which versions and seed."""
    groups: dict[str, Mapping[str, Any]] = {"Validation": next(iter(summaries.values()))["validation"]}
    for label, summary in summaries.items():
        groups[label] = {
            "seed": summary["seed"], **summary["weights"], **summary["versions"], **commit_of(summary)
        }  # fmt: skip
    return groups


def commit_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """Of the code that trained, where it lay in a checkout."""
    return {"trained by commit": summary["commit"]} if summary.get("commit") else {}


def provenance(groups: Mapping[str, Mapping[str, Any]]) -> str:
    body = ""
    for word, of in groups.items():
        items = "".join(f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>" for key, value in of.items())
        body += f"<details><summary>{escape(word)}</summary><dl>{items}</dl></details>"
    return f"<section><h2>Where it comes from</h2>{body}</section>"
