"""What run folders hold for a page: training curves, cost, config differences, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from colorize.evaluation.compare import Comparison
from colorize.evaluation.result import read_result
from colorize.reports.charts import colour, curve_chart
from colorize.reports.tables import PAINTING, painting_cells
from colorize.run_folder import RunFolder
from colorize.tracking.logger import read_lines
from colorize.utils.checkpoint import step_of
from colorize.utils.stored_config import flatten, read_config

PAINTED, SEEN, TRUE = "painted", "as-it-is", "true-colours"  # how evaluation names its pictures
UNTOLD = ("name", "overwrite", "published.", "resume", "trust", "tracker.")  # of a config, what makes no other network
OLD = "historical"  # the protocol of old photographs, and the folder of those that training painted
Files = dict[str, dict[str, Path]]  # "000-name" -> what -> file


@dataclass
class Told:
    """Of one line of the comparison, by its first training.

    curves    name -> (step, value) …
    cost      of painting, as a `Result` has it; of a run that was not evaluated, its parameters alone
    pictures  the photographs that it was compared on, as evaluation kept them
    old       likewise old photographs, of which there is no truth; `manifest` says which
    grids     samples, historical -> the last step and its sheet, as training left it
    """

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    pictures: Files = field(default_factory=dict)
    old: Files = field(default_factory=dict)
    manifest: str = ""
    grids: dict[str, tuple[int, Path]] = field(default_factory=dict)


def gather(folder: Path, result: Path | None = None) -> Told:
    """What lies in a run folder, and around its `result`; a network that was not trained here has no more than that.

    Raises `UserError` for a file that is half written.
    """
    summary = RunFolder(folder).read_summary()
    told = Told(folder, summary)
    if "parameters" in summary:
        told.cost["parameters"] = summary["parameters"]
    if result is not None:
        told.cost |= read_result(result).cost
        told.pictures = files_of(result.with_suffix(".pictures"))
    old = folder / "results" / f"{OLD}.json"
    if old != result and old.is_file():
        told.old, told.manifest = files_of(old.with_suffix(".pictures")), read_result(old).manifest
    if (path := folder / ".hydra" / "config.yaml").is_file():
        told.config = config_of(path)
    told.curves = curves_of(folder / "metrics.jsonl")
    for name in ("samples", OLD):
        sheets = {step: path for path in (folder / name).glob("step-*.png") if (step := step_of(path)) is not None}
        if sheets:
            told.grids[name] = max(sheets.items())
    return told


def config_of(path: Path) -> dict[str, Any]:
    return flatten(read_config(path), resolve=False)


def curves_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What was measured while training: none by a run that failed before."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in read_lines(path):
        for name, value in line.items():
            if name.startswith("val/") and isinstance(value, int | float):
                curves.setdefault(name, []).append((line["step"], value))
    return curves


def files_of(folder: Path) -> Files:
    found: Files = {}
    for path in sorted(folder.glob("*.jpg")):
        for what in (PAINTED, SEEN, TRUE):
            if path.stem.endswith(f"-{what}"):
                found.setdefault(path.stem.removesuffix(f"-{what}"), {})[what] = path
    return found


def differences(told: Mapping[str, Told]) -> dict[str, dict[str, Any]]:
    """Key of the config -> label -> value, where the runs do not all say the same."""
    keys = dict.fromkeys(key for each in told.values() for key in each.config)
    found = {}
    for key in keys:
        values = {label: each.config.get(key, "–") for label, each in told.items() if each.config}
        if len({str(value) for value in values.values()}) > 1 and not key.startswith(UNTOLD):
            found[key] = values
    return found


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
