"""The verbs `sync` and `dashboard`: unsent runs, and the W&B workspace and report of a project."""

import importlib.util
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from colorize.config import conf_folder
from colorize.tracking.wandb import UNSENT, server_message, user_setting
from colorize.tracking.wandb_files import drop_checkpoints, read_names, set_wandb_folders
from colorize.utils.console import say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

PATIENCE = 20.0  # seconds to wait for the server's first answer, as `colorize dashboard` does


def sync(args: Namespace) -> int:
    """Send what is pending, oldest first. Raises `UserError` where W&B is not logged in, or does not answer."""
    folder = at_home(user_setting(args.folder, "DIR", "outputs"))
    runs = unsent_runs(folder)
    if not runs:
        say(f"nothing is pending in {str(folder)!r}")
        return 0
    import wandb

    set_wandb_folders((folder.parent if folder.name == "wandb" else folder).resolve())
    try:
        known = wandb.login(prompt=False, verify=False)
    except wandb.errors.AuthenticationError as error:
        raise UserError(f"{len(runs)} runs are pending, and W&B does not take the key: {error}") from error
    if not known:
        raise UserError(f"{len(runs)} runs are pending, and W&B is not logged in here: run `wandb login` first")
    check_server(server_address(), len(runs))
    failed = []
    for number, run in enumerate(runs, 1):
        say(f"sending {number} of {len(runs)}: {run.name}")
        failed += [] if send_run(run) else [run]
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs could not be sent; the same command tries them again")
    return 0


def server_address() -> str:
    """W&B's server as the environment and W&B's settings have it."""
    import wandb

    return wandb.setup().settings.base_url


def check_server(address: str, pending: int) -> None:
    """Any answer of the server will do: `wandb sync` would wait for one without end and without a word."""
    import requests  # W&B's own

    try:
        requests.get(address, timeout=PATIENCE)
    except requests.RequestException as error:
        raise UserError(
            f"{pending} runs are pending, and W&B's server {address} does not answer ({type(error).__name__}): "
            "run the same command again when there is a network"
        ) from error


def unsent_runs(folder: Path) -> list[Path]:
    """The runs under `folder`/wandb that were offline or were cut off, oldest first, so that a resumed run's parts
    arrive in their order. Raises `UserError` where nothing was ever tracked."""
    home = folder if folder.name == "wandb" else folder / "wandb"
    if not home.is_dir():
        raise UserError(f"there is no {str(home)!r}: nothing was tracked there; give the folder that holds wandb/")
    offline = [path for path in home.glob("offline-run-*") if not list(path.glob("*.wandb.synced"))]
    cut = [path for path in home.glob("run-*") if (path / UNSENT).exists()]
    return sorted((path for path in offline + cut if list(path.glob("*.wandb"))), key=lambda p: p.name.split("run-")[1])


def send_run(run: Path) -> bool:
    words = [sys.executable, "-m", "wandb", "sync", "--include-online", str(run)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    sent = done.returncode == 0 and bool(list(run.glob("*.wandb.synced")))
    if sent:
        (run / UNSENT).unlink(missing_ok=True)
        drop_checkpoints(run)
        say(f"sent {run.name}")
    else:
        lines = (done.stderr + done.stdout).strip().splitlines()
        say(f"not sent: {run.name} ({server_message(lines[-1]) if lines else 'no reason given'})")
    return sent


def dashboard(args: Namespace) -> int:
    """The exit status. Raises `UserError` where W&B is not logged in, or does not take it."""
    if importlib.util.find_spec("wandb_workspaces") is None:
        raise UserError("a dashboard needs the package wandb-workspaces: pip install wandb-workspaces")
    import wandb

    from colorize.tracking.dashboard import build_report, owner, save_view, spec, workspace

    project, user = user_setting(args.project, "PROJECT", "colorize"), user_setting(args.entity, "ENTITY", "")
    what = (project, read_names(conf_folder()), args.protocol)
    if args.print:
        shown, written = workspace(user, *what), build_report(user, *what, offline=True)
        print(json.dumps({shown.name: spec(shown), written.title: spec(written)}, indent=2))
        return 0
    if (mode := os.environ.get("WANDB_MODE") or "online") != "online":
        raise UserError(f"a dashboard is on W&B's server, and WANDB_MODE is {mode} here: unset it, or use --print")
    try:
        wandb.setup(settings=wandb.Settings(silent=True))
        if not wandb.login(prompt=False, verify=False):
            raise UserError("W&B is not logged in here: run `wandb login` first, or --print to see what would be sent")
        entity = owner(user, project)
        say(f"workspace: {save_view(workspace(entity, *what))}")
        say(f"report: {save_view(build_report(entity, *what))}")
    except UserError:
        raise
    except Exception as error:  # a service may fail in ways that nobody can list
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"W&B did not take the dashboard ({reason}): is there a network, and the right key?") from error
    return 0
