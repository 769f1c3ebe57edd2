"""What is shown, in which order: the panels of the workspace and of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wandb_workspaces.reports import v2 as wr

from colorize.dashboards.names import HISTORICAL, MEMORY, PICTURES, STEP, Names


@dataclass(frozen=True)
class Chapter:
    """A section of the workspace, `columns` panels wide. `text` says in the report how to read it."""

    title: str
    text: str
    panels: list[Any]
    columns: int = 3


VALIDATION = (
    "Scores of the averaged weights on the same validation photographs, painted at the run's size and read as 8-bit "
    "pixels. A line is the mean of the runs of one network, its shade their range. PSNR rewards grey: read it beside "
    "chroma (1 is as colourful as the truth) and the distances in features (less is better)."
)
PAINTED = (
    "Grey input, prediction and truth of the same photographs for every run, and old photographs, whose colours nobody "
    "knows."
)
SCORES = (
    "Three bars for each network: the lower end of its 95 % interval, the mean, the upper end; of several runs, their "
    "means. A distance that the set is too small for has none. Networks whose intervals overlap are told apart by "
    "compare.py, which tests differences picture by picture. Below them the photographs, each with its own scores."
)
LOSSES = (
    "Terms before their weights; train/loss is their weighted sum, which only runs with the same loss share. "
    "critic_right is the share of patches that a critic judges rightly: 0.5 is chance, 1 has won."
)


def chapters(names: Names, protocol: str) -> list[Chapter]:
    monitor = names.monitor
    return [
        Chapter("Validation", VALIDATION, [curve(name) for name in names.validation]),
        Chapter(
            "Pictures", PAINTED, [media(name) for name in PICTURES] + [curve(name) for name in HISTORICAL], columns=2
        ),
        Chapter(
            f"Scores of evaluate.py protocol={protocol}",
            SCORES,
            [*(interval(name) for name in names.scores(protocol)), table(f"{protocol}/pictures")],
        ),
        Chapter(
            "Losses",
            LOSSES,
            [curve("train/loss"), *(curve(f"train/{term}") for term in names.terms)]
            + [curve(f"train/{term}_{end}") for term in names.critics for end in ("critic", "critic_right")],
        ),
        Chapter(
            "Learning rates and gradients",
            "Norms of the gradients before clipping.",
            [
                curve("lr", *(f"lr/{term}" for term in names.critics)),
                curve("train/gradient", *(f"train/gradient_{term}_critic" for term in names.critics), log=True),
            ],
        ),
        Chapter(
            "Sweeps", f"What the values of a search came to: {monitor} at the end.", sweep(monitor, names.searched)
        ),
        Chapter("Cost", "Of training: time, size, speed and memory.", cost(monitor)),
    ]


def media(name: str) -> wr.MediaBrowser:
    return wr.MediaBrowser(title=name, media_keys=[name], num_columns=2, layout=wr.Layout(w=24, h=14))


def curve(*names: str, log: bool = False) -> wr.LinePlot:
    return wr.LinePlot(title=names[0], x=STEP, y=list(names), log_y=log or None)


def interval(name: str) -> wr.BarPlot:
    return wr.BarPlot(title=name, metrics=[f"{name}/low", name, f"{name}/high"])


def table(name: str) -> wr.WeavePanelSummaryTable:
    return wr.WeavePanelSummaryTable(table_name=name, layout=wr.Layout(w=24, h=14))


def sweep(monitor: str, searched: Mapping[str, bool]) -> list[Any]:
    columns = [
        wr.ParallelCoordinatesPlotColumn(wr.Config(key), display_name=key, log=log or None)
        for key, log in searched.items()
    ]
    columns.append(wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(monitor), display_name=monitor))
    return [
        wr.ParallelCoordinatesPlot(title=f"{monitor} by what was searched", columns=columns),
        wr.ParameterImportancePlot(with_respect_to=monitor),
        *(scatter(wr.Config(key), monitor, key, log=log) for key, log in searched.items()),
    ]


def cost(monitor: str) -> list[Any]:
    return [
        scatter(wr.SummaryMetric("seconds"), monitor, "seconds of training", log=True),
        scatter(wr.SummaryMetric("parameters"), monitor, "parameters", log=True),
        wr.BarPlot(title="seconds of training", metrics=["seconds"]),
        wr.BarPlot(title="parameters", metrics=["parameters"]),
        curve("images_per_second"),
        *(curve(name) for name in MEMORY),
    ]


def scatter(x: wr.Config | wr.SummaryMetric, monitor: str, title: str, *, log: bool) -> wr.ScatterPlot:
    return wr.ScatterPlot(title=f"{monitor} by {title}", x=x, y=wr.SummaryMetric(monitor), log_x=log or None)


def columns(metrics: Sequence[str]) -> list[str]:
    """Of the table of runs: each score between the ends of its interval."""
    return [f"summary:{name}{end}" for name in metrics for end in ("", "/low", "/high")]
