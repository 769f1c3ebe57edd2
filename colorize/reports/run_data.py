"""What run folders hold for a page: training curves, sample pictures, cost, config differences, provenance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorize.evaluation.comparison import Comparison
from colorize.evaluation.result import Result, read_result
from colorize.evaluation.samples import SampleFiles, find_samples
from colorize.metrics.metric_info import in_view, info_of, read_infos
from colorize.reports.charts import Chart, ChartLine, curve_chart, palette_color
from colorize.reports.tables import PAINTING, TableCell, TableRow, TextTable, painting_cells
from colorize.run_folder import RunFolder
from colorize.tracking.logger import read_lines
from colorize.utils.checkpoint import step_of
from colorize.utils.files import without_folders, without_folders_in
from colorize.utils.stored_config import flatten, read_config

UNTOLD = ("name", "overwrite", "published.", "resume", "trust", "tracker.")  # of a config, what makes no other network
OLD = "historical"  # the protocol of old photographs, and the folder of those that training painted
TRAINING = ("steps", "minutes", "photographs a second", "trained on")


@dataclass
class RunData:
    """Of one line of the comparison, by its first training.

    result    of the evaluation, where there is one
    samples   the photographs that it was compared on, as evaluation kept them
    old       likewise old photographs, of which there is no ground truth; `manifest` says which
    curves    name -> (step, value) …
    cost      of a prediction, as a `Result` has it; of a run that was not evaluated, its parameters alone
    sheets    samples, historical -> step -> its sheet, as training left it
    """

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    result: Result | None = None
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    samples: SampleFiles = field(default_factory=dict)
    old: SampleFiles = field(default_factory=dict)
    manifest: str = ""
    sheets: dict[str, dict[int, Path]] = field(default_factory=dict)

    def sheet(self, name: str) -> tuple[str, Path] | None:
        """(after which step, file) of the sheet at the evaluated step if there is one, or else of the last."""
        sheets = self.sheets.get(name)
        if not sheets:
            return None
        evaluated = self.result.weights.get("network", {}).get("step") if self.result else None
        step = evaluated if evaluated in sheets else max(sheets)
        other = f"; the numbers are of step {evaluated:,}" if evaluated not in (None, step) else ""
        return f"after step {step:,} of its training{other}", sheets[step]


def gather(folder: Path, target: Path | None = None) -> RunData:
    """What lies in a run folder, and around the file `target` of its result; a network that was not trained here has
    no more than that.

    Raises `UserError` for a file that is half written.
    """
    summary = RunFolder(folder).read_summary()
    read_infos(summary.get("measures", {}))
    run = RunData(folder, summary)
    if "parameters" in summary:
        run.cost["parameters"] = summary["parameters"]
    if target is not None:
        run.result, run.samples = read_result(target), find_samples(target)
        run.cost |= run.result.cost
    old = folder / "results" / f"{OLD}.json"
    if old != target and old.is_file():
        run.old, run.manifest = find_samples(old), read_result(old).manifest
    if (path := folder / ".hydra" / "config.yaml").is_file():
        run.config = config_of(path)
        if digests := RunFolder(folder).photographs():
            run.config["photographs (digest)"] = digests[0]
    run.curves = curves_of(folder / "metrics.jsonl")
    for name in ("samples", OLD):
        found = {step: path for path in (folder / name).glob("step-*.png") if (step := step_of(path)) is not None}
        run.sheets |= {name: found} if found else {}
    return run


def config_of(path: Path) -> dict[str, Any]:
    """config path -> value"""
    return {key: value for key, value in flatten(read_config(path), resolve=False).items() if key}


def curves_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What was measured while training: none by a run that failed before."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in read_lines(path):
        for name, value in line.items():
            if name.startswith("val/") and isinstance(value, int | float):
                curves.setdefault(name, []).append((line["step"], value))
    return curves


def run_colors(runs: Iterable[str]) -> dict[str, str]:
    """label -> the colour that it has on the whole page"""
    return {label: palette_color(place) for place, label in enumerate(runs)}


def curve_charts(runs: Mapping[str, RunData]) -> list[Chart]:
    """A chart for each metric that any run measured while it trained, a line for each run."""
    lines = {label: ChartLine("", label, color) for label, color in run_colors(runs).items()}
    charts = []
    measured = dict.fromkeys(name.removeprefix("val/") for run in runs.values() for name in run.curves)
    for metric in in_view("curve", measured):
        name = f"val/{metric}"
        found = [(lines[label], run.curves[name]) for label, run in runs.items() if name in run.curves]
        charts.append(curve_chart(found, info_of(metric).label))
    return charts


def cost_table(runs: Mapping[str, RunData]) -> TextTable:
    """A row for each run: of a prediction, as evaluation found it, and of training."""
    rows = [TableRow(label, [*painting_cells(run.cost), *training_cells(run.summary)]) for label, run in runs.items()]
    return TextTable(["", *PAINTING, *TRAINING], rows)


def training_cells(summary: Mapping[str, Any]) -> list[TableCell]:
    """A cell for each of `TRAINING`; "–" for what is not known."""
    if not summary:
        return [TableCell("–")] * len(TRAINING)
    speed, processes = summary["images_per_second"], summary["processes"]
    return [
        TableCell(f"{summary['steps']:,}"), TableCell(f"{summary['seconds'] / 60:,.1f}"),
        TableCell(f"{speed:,.1f}" if speed else "–"),
        TableCell(summary["device"], f"{processes} processes" if processes > 1 else ""),
    ]  # fmt: skip


def config_table(runs: Mapping[str, RunData]) -> TextTable | None:
    """Of several runs, what differs between their configs; of a single one, all of it. None where there is nothing."""
    known = {label: run.config for label, run in runs.items() if run.config}
    keys = dict.fromkeys(key for config in known.values() for key in config)
    found = {key: tell_apart([str(config.get(key, "–")) for config in known.values()]) for key in keys}
    if len(runs) > 1:
        found = {key: values for key, values in found.items() if len({*values}) > 1 and not key.startswith(UNTOLD)}
    if not found:
        return None
    rows = [TableRow(key, [*map(TableCell, values)]) for key, values in found.items()]
    return TextTable(["", *known], rows, texts=range(len(known) + 1))


def tell_apart(values: Sequence[str]) -> list[str]:
    """The values without folders; those that differ by their folders alone have a number."""
    alike: dict[str, list[str]] = {}
    for value in dict.fromkeys(values):
        alike.setdefault(without_folders(value), []).append(value)
    found = []
    for value in values:
        others = alike[shown := without_folders(value)]
        found.append(f"{shown} ({others.index(value) + 1})" if len(others) > 1 else shown)
    return found


Groups = dict[str, Mapping[str, Any]]  # heading -> key -> value


def provenance_of_results(comparison: Comparison, runs: Mapping[str, RunData]) -> Groups:
    """By which protocol, of which weights, with which versions, trained by which code."""
    groups: Groups = {"Protocol": comparison.protocol}
    for label, run in runs.items():
        assert run.result is not None
        weights = run.result.weights
        groups[label] = {**weights.get("network", {}), **run.result.versions, **commit_of(run.summary)}
        groups |= {f"Networks behind {kind}": weights[kind] for kind in ("metrics", "extractors") if weights.get(kind)}
    return groups


def provenance_of_summaries(summaries: Mapping[str, Mapping[str, Any]]) -> Groups:
    """On which photographs, of which weights, with which versions and seed."""
    of_runs = {
        label: {"seed": each["seed"], **without_folders_in(each["weights"]), **each["versions"], **commit_of(each)}
        for label, each in summaries.items()
    }
    return {"Validation": next(iter(summaries.values()))["validation"], **of_runs}


def commit_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """Of the code that trained, where it lay in a checkout."""
    return {"trained by commit": summary["commit"]} if summary.get("commit") else {}
