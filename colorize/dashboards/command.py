"""The verb `dashboard`: build the W&B workspace and report that compare the networks, or bring them up to date."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence

from colorize.arguments import Arguments
from colorize.dashboards.names import Names, read_names
from colorize.errors import UserError
from colorize.terminal import say
from colorize.tracking.weights_and_biases import said


def dashboard(argv: Sequence[str]) -> int:
    """The exit status. Raises `UserError` where W&B is not logged in, or does not take it."""
    words = parse(argv)
    if importlib.util.find_spec("wandb_workspaces") is None:
        raise UserError("a dashboard needs the package wandb-workspaces: pip install 'colorize[dashboard]'")
    from colorize.cli import conf_folder

    names = read_names(conf_folder())
    if words.print:
        from colorize.dashboards.building import report, spec, workspace

        what = (words.entity or "", words.project, names, words.protocol)
        shown, written = workspace(*what), report(*what, offline=True)
        print(json.dumps({shown.name: spec(shown), written.title: spec(written)}, indent=2))
        return 0
    try:
        send(words.entity, words.project, names, words.protocol)
    except UserError:
        raise
    except Exception as error:  # a service may fail in ways that nobody can list
        told = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"W&B did not take the dashboard ({told}): is there a network, and the right key?") from error
    return 0


def send(entity: str | None, project: str, names: Names, protocol: str) -> None:
    """Save both, and say where they are. A server that does not answer is waited for 20 s at a time."""
    import wandb

    if (mode := os.environ.get("WANDB_MODE") or "online") != "online":
        raise UserError(f"a dashboard is on W&B's server, and WANDB_MODE is {mode} here: unset it, or say --print")
    wandb.setup(settings=wandb.Settings(silent=True))
    if not wandb.login(prompt=False, verify=False):
        raise UserError("W&B is not logged in here: say `wandb login` first, or --print to see what would be sent")
    from colorize.dashboards.building import report, workspace
    from colorize.dashboards.saving import owner, save

    entity = owner(entity, project)
    say(f"workspace: {save(workspace(entity, project, names, protocol))}")
    say(f"report: {save(report(entity, project, names, protocol))}")


def parse(argv: Sequence[str]):
    parser = Arguments("dashboard", "Build the W&B workspace and the report that compare the runs of a project.")
    parser.add_argument(
        "project", nargs="?", default=said(None, "PROJECT", "colorize"), help="of W&B (default: colorize)"
    )
    parser.add_argument(
        "--entity",
        metavar="NAME",
        default=said(None, "ENTITY", None),
        help="user or team that has it (default: that of the login)",
    )
    parser.add_argument(
        "--protocol", default="validation", metavar="NAME",
        help="whose scores of evaluate.py are shown (default: validation)",
    )  # fmt: skip
    parser.add_argument("--print", action="store_true", help="print what would be sent, as JSON, and send nothing")
    return parser.parse_args(argv)
