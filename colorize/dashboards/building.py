"""The workspace and the report, as wandb-workspaces has them."""

from __future__ import annotations

import json
from math import ceil
from typing import Any

from wandb_workspaces import expr
from wandb_workspaces import workspaces as ws
from wandb_workspaces.reports import v2 as wr

from colorize.dashboards.chapters import chapters, columns
from colorize.dashboards.names import GROUP, MODEL, STEP, Names

WORKSPACE = "Networks side by side (colorize dashboard)"
REPORT = "Networks compared (colorize dashboard)"
# Okabe and Ito's colours, told apart by colour-blind readers too
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MEASURED = (
    "Every run was trained by colorize and logs under the same names. During training, the averaged weights are "
    "evaluated on photographs that were held back; the scores of evaluate.py follow a protocol that fixes photographs, "
    "size, filter and feature networks, and come with 95 % intervals over the photographs. Runs of one network have "
    "one colour; those that differ by their seed are one line with their range. This report is made by `colorize "
    "dashboard`, which writes over what is changed here."
)


def colours(names: Names) -> dict[str, str]:
    return {model: COLOURS[place % len(COLOURS)] for place, model in enumerate(names.models)}


def workspace(entity: str, project: str, names: Names, protocol: str) -> ws.Workspace:
    sections = []
    for chapter in chapters(names, protocol):
        rows = ceil(len(chapter.panels) / chapter.columns)
        layout = ws.SectionLayoutSettings(columns=chapter.columns, rows=rows)
        section = ws.Section(name=chapter.title, panels=chapter.panels, is_open=True, layout_settings=layout)
        section.panel_settings = ws.SectionPanelSettings(x_axis=STEP)
        sections.append(section)
    painted: dict[object, object] = {model: colour for model, colour in colours(names).items()}
    runs = ws.RunsetSettings(
        groupby=[expr.Config(MODEL), expr.Config(GROUP)],
        group_colors=painted,
        pinned_columns=columns(names.scores(protocol)),
    )
    settings = ws.WorkspaceSettings(x_axis=STEP, max_runs=100)
    return ws.Workspace(
        entity=entity, project=project, name=WORKSPACE, sections=sections, settings=settings, runset_settings=runs
    )


def report(entity: str, project: str, names: Names, protocol: str, *, offline: bool = False) -> wr.Report:
    """`offline`: do not ask W&B for the number that it knows the project by; the runs are those of the report's own."""
    of = ("", "") if offline else (entity, project)
    blocks: list[Any] = [wr.P(MEASURED), wr.TableOfContents()]
    for chapter in chapters(names, protocol):
        runs = wr.Runset(*of, name="runs by network", groupby=[f"config.{MODEL}", f"config.{GROUP}"])
        runs.visible_columns = columns(names.scores(protocol))
        chosen: dict[str | wr.RunsetGroup, str | dict] = {
            wr.RunsetGroup(runset_name=runs.name, keys=(wr.RunsetGroupKey(wr.Config(MODEL), model),)): colour
            for model, colour in colours(names).items()
        }
        grid = wr.PanelGrid(runsets=[runs], panels=chapter.panels, custom_run_colors=chosen)
        blocks += [wr.H2(chapter.title), wr.P(chapter.text), grid]
    description = f"The networks of {project}, measured alike"
    return wr.Report(
        entity=entity, project=project, title=REPORT, description=description, blocks=blocks, width="fluid"
    )


def spec(shown: ws.Workspace | wr.Report) -> dict[str, Any]:
    """What W&B is sent: all that it shows, as JSON."""
    return json.loads(shown._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
