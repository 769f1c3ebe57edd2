"""The W&B workspace and report as code, their panels, and the way to the server."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import wandb
from wandb_workspaces import expr
from wandb_workspaces import workspaces as ws
from wandb_workspaces.reports import v2 as wr

from colorize.tracking.logger import PICTURES
from colorize.tracking.wandb_files import GROUP, HISTORICAL, MEMORY, STEP, Names
from colorize.utils.errors import UserError


@dataclass(frozen=True)
class ReportSection:
    """A section of the workspace, `columns` panels wide. `text` says in the report how to read it."""

    title: str
    text: str
    panels: list[Any]
    columns: int = 3


VALIDATION = (
    "Scores of the averaged weights on the same validation photographs, painted at the run's size and read as 8-bit "
    "pixels. A line is the mean of the runs of one recipe, its shade their range. PSNR rewards grey: read it beside "
    "chroma (1 is as colourful as the truth) and the distances in features (less is better). train_slice is the same "
    "on some photographs of training: where it goes on improving and val does not, the network overfits."
)
PAINTED = (
    "Grey input, prediction and ground truth of the same photographs for every run; and old photographs, which have no "
    "ground truth."
)
SCORES = (
    "Three bars for each network: the lower end of its 95 % interval, the mean, the upper end; of several runs, their "
    "means. A distance that the set is too small for has none. Where intervals overlap, compare.py tests whether the "
    "networks differ, picture by picture. Below them the photographs, each with its own scores."
)
LOSSES = (
    "Terms before their weights; train/loss is their weighted sum, which only runs with the same loss share. "
    "critic_right is the share of patches that a critic classifies correctly: at 0.5 it guesses, at 1 it has won."
)

WIDE = wr.Layout(w=24, h=14)


def chapters(names: Names, protocol: str) -> list[ReportSection]:
    """The sections of workspace and report, in their order; `protocol` is the one whose results are shown."""
    monitor = names.monitor
    return [
        ReportSection("Validation", VALIDATION, [curve(name) for name in names.validation]),
        ReportSection(
            "Pictures", PAINTED, [media(name) for name in PICTURES] + [curve(name) for name in HISTORICAL], columns=2
        ),
        ReportSection(
            f"Scores under protocol={protocol}",
            SCORES,
            [
                *(interval(name) for name in names.scores(protocol)),
                wr.WeavePanelSummaryTable(table_name=f"eval/{protocol}/pictures", layout=WIDE),
            ],
        ),
        ReportSection(
            "Losses",
            LOSSES,
            [curve("train/loss"), *(curve(f"train/{term}") for term in names.terms)]
            + [curve(f"train/{term}_{end}") for term in names.critics for end in ("critic", "critic_right")],
        ),
        ReportSection(
            "Learning rates and gradients",
            "Norms of the gradients before clipping.",
            [
                curve("lr", *(f"lr/{term}" for term in names.critics)),
                curve("train/gradient", *(f"train/gradient_{term}_critic" for term in names.critics), log=True),
            ],
        ),
        ReportSection(
            "Sweeps", f"What the searched values led to: {monitor} at the end.", sweep(monitor, names.searched)
        ),
        ReportSection("Cost", "Of training: time, size, speed and memory.", cost_panels(monitor)),
    ]


def media(name: str) -> wr.MediaBrowser:
    return wr.MediaBrowser(title=name, media_keys=[name], num_columns=2, layout=WIDE)


def curve(*names: str, log: bool = False) -> wr.LinePlot:
    return wr.LinePlot(title=names[0], x=STEP, y=list(names), log_y=log or None)


def interval(name: str) -> wr.BarPlot:
    return wr.BarPlot(title=name, metrics=[f"{name}/low", name, f"{name}/high"])


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


def cost_panels(monitor: str) -> list[Any]:
    return [
        scatter(wr.SummaryMetric("seconds"), monitor, "seconds of training", log=True),
        scatter(wr.SummaryMetric("parameters"), monitor, "parameters", log=True),
        wr.BarPlot(title="seconds of training", metrics=["seconds"]),
        wr.BarPlot(title="parameters", metrics=["parameters"]),
        curve("images_per_second"),
        curve("perf/mfu"),
        *(curve(name) for name in MEMORY),
    ]


def scatter(x: wr.Config | wr.SummaryMetric, monitor: str, title: str, *, log: bool) -> wr.ScatterPlot:
    return wr.ScatterPlot(title=f"{monitor} by {title}", x=x, y=wr.SummaryMetric(monitor), log_x=log or None)


def columns(metrics: Sequence[str]) -> list[str]:
    """The columns of the table of runs: each score, the ends of its interval, and why it is not there."""
    found = [f"summary:{name}{end}" for name in metrics for end in ("", "/low", "/high")]
    return found + [f"summary:{'/absent/'.join(name.rsplit('/', 1))}" for name in metrics]


WORKSPACE = "Networks side by side (colorize dashboard)"
REPORT = "Networks compared (colorize dashboard)"
MEASURED = (
    "Every run was trained by colorize and logs under the same names. During training, the averaged weights are "
    "evaluated on photographs that were held back; the scores of evaluate.py follow a protocol that fixes photographs, "
    "size, filter and feature networks, and come with 95 % intervals over the photographs. Runs of one recipe (the "
    "config without its seed and without settings that change no weight, the data, their size and the validation "
    "photographs) are one line with the range of their seeds. This report is made by `colorize "
    "dashboard`, which writes over what is changed here."
)


def workspace(entity: str, project: str, names: Names, protocol: str) -> ws.Workspace:
    """The workspace: the chapters as sections, runs that differ by their seed alone as one group."""
    sections = []
    for chapter in chapters(names, protocol):
        rows = ceil(len(chapter.panels) / chapter.columns)
        layout = ws.SectionLayoutSettings(columns=chapter.columns, rows=rows)
        section = ws.Section(name=chapter.title, panels=chapter.panels, is_open=True, layout_settings=layout)
        section.panel_settings = ws.SectionPanelSettings(x_axis=STEP)
        sections.append(section)
    runs = ws.RunsetSettings(
        groupby=[expr.Config(GROUP)],
        pinned_columns=columns(names.scores(protocol)),
    )
    settings = ws.WorkspaceSettings(x_axis=STEP, max_runs=100)
    return ws.Workspace(
        entity=entity, project=project, name=WORKSPACE, sections=sections, settings=settings, runset_settings=runs
    )


def build_report(entity: str, project: str, names: Names, protocol: str, *, offline: bool = False) -> wr.Report:
    """The report. `offline`: W&B is not asked for the project's internal id, and the runs are those of the project that
    the report is in."""
    of = ("", "") if offline else (entity, project)
    blocks: list[Any] = [wr.P(MEASURED), wr.TableOfContents()]
    for chapter in chapters(names, protocol):
        runs = wr.Runset(*of, name="runs by recipe", groupby=[f"config.{GROUP}"])
        runs.visible_columns = columns(names.scores(protocol))
        grid = wr.PanelGrid(runsets=[runs], panels=chapter.panels)
        blocks += [wr.H2(chapter.title), wr.P(chapter.text), grid]
    description = f"The networks of {project}, measured alike"
    return wr.Report(
        entity=entity, project=project, title=REPORT, description=description, blocks=blocks, width="fluid"
    )


def spec(shown: ws.Workspace | wr.Report) -> dict[str, Any]:
    """The JSON that W&B is sent of a workspace or report."""
    return json.loads(shown._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))


def save_view(shown: ws.Workspace | wr.Report) -> str:
    """Save `shown`, over the workspace or report of the same name in its project if there is one; its address."""
    kind, name = ("project-view", shown.name) if isinstance(shown, ws.Workspace) else ("runs", str(shown.title))
    views = wandb.Api().reports(f"{shown.entity}/{shown.project}")
    views.variables["viewType"] = kind
    before: Any = next((each for each in views if each.display_name == name), None)
    if before is not None:
        if isinstance(shown, ws.Workspace):  # not by `from_url`, which may not understand the old panels
            shown._internal_id, shown._internal_name = before.id, before.name
        else:
            shown.id = before.id
    return str(shown.save().url)


def owner(entity: str | None, project: str) -> str:
    """The user or team that has the project. Raises `UserError` where there is none: W&B would make an empty one."""
    api = wandb.Api()
    entity = entity or api.default_entity
    projects = [each.name for each in api.projects(entity)]
    if project not in projects:
        there = f"there are {', '.join(projects)}" if projects else "there are none"
        raise UserError(f"W&B has no project {project!r} of {entity}: track a run in it first; {there}")
    return str(entity)
