"""To W&B's server and back: what is there under our names is written over, so that a second call makes nothing new."""

from __future__ import annotations

from typing import Any

import wandb
from wandb_workspaces import workspaces as ws
from wandb_workspaces.reports import v2 as wr

from colorize.errors import UserError

SAVED = {ws.Workspace: "project-view", wr.Report: "runs"}  # what the server calls them


def save(shown: ws.Workspace | wr.Report) -> str:
    """Write `shown` over the one of the same name in its project, if there is one; its address."""
    name = shown.name if isinstance(shown, ws.Workspace) else shown.title
    before = find(shown.entity, shown.project, SAVED[type(shown)], name)
    if before is not None:
        if isinstance(shown, ws.Workspace):  # its `from_url` would read, and might not understand, what goes anyway
            shown._internal_id, shown._internal_name = before.id, before.name
        else:
            shown.id = before.id
    return str(shown.save().url)


def find(entity: str, project: str, kind: str, name: str) -> Any:
    """The saved view whose displayed name this is; None where there is none."""
    views = wandb.Api().reports(f"{entity}/{project}")
    views.variables["viewType"] = kind
    return next((view for view in views if view.display_name == name), None)


def owner(entity: str | None, project: str) -> str:
    """Whose project it is. Raises `UserError` where there is no such project: W&B would make an empty one."""
    api = wandb.Api()
    entity = entity or api.default_entity
    projects = [each.name for each in api.projects(entity)]
    if project not in projects:
        there = f"there are {', '.join(projects)}" if projects else "there are none"
        raise UserError(f"W&B has no project {project!r} of {entity}: track a run in it first; {there}")
    return str(entity)
