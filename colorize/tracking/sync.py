"""`colorize sync`: send what W&B has not got yet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from colorize.arguments import Arguments
from colorize.errors import UserError
from colorize.home import at_home
from colorize.terminal import say
from colorize.tracking.wandb_folders import give_up, stay_inside
from colorize.tracking.weights_and_biases import UNSENT, said, why

PATIENCE = 20.0  # seconds to wait for the server's first answer, as `colorize dashboard` does


def sync(argv: Sequence[str]) -> int:
    """Send what is pending, oldest first. Raises `UserError` where W&B is not logged in, or does not answer."""
    parser = Arguments("sync", "Send the runs that Weights & Biases has not got yet.")
    default = said(None, "DIR", "outputs")
    parser.add_argument("folder", nargs="?", default=default, help=f"where runs were tracked (default: {default})")
    folder = at_home(parser.parse_args(argv).folder)
    runs = pending(folder)
    if not runs:
        say(f"nothing is pending in {str(folder)!r}")
        return 0
    import wandb

    stay_inside((folder.parent if folder.name == "wandb" else folder).resolve())
    try:
        known = wandb.login(prompt=False, verify=False)
    except wandb.errors.AuthenticationError as error:
        raise UserError(f"{len(runs)} runs are pending, and W&B does not take the key: {error}") from error
    if not known:
        raise UserError(f"{len(runs)} runs are pending, and W&B is not logged in here: say `wandb login` first")
    ask(address_of(), len(runs))
    failed = []
    for number, run in enumerate(runs, 1):
        say(f"sending {number} of {len(runs)}: {run.name}")
        failed += [] if send(run) else [run]
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs could not be sent; the same command tries them again")
    return 0


def address_of() -> str:
    """W&B's server as the environment and W&B's settings have it."""
    import wandb

    return wandb.setup().settings.base_url


def ask(address: str, pending: int) -> None:
    """Any answer of the server will do: `wandb sync` would wait for one without end and without a word."""
    import requests  # W&B's own

    try:
        requests.get(address, timeout=PATIENCE)
    except requests.RequestException as error:
        raise UserError(
            f"{pending} runs are pending, and W&B's server {address} does not answer ({type(error).__name__}): "
            "say the same again when there is a network"
        ) from error


def pending(folder: Path) -> list[Path]:
    """The runs under `folder`/wandb that were offline or were cut off, oldest first, so that a resumed run's parts
    arrive in their order. Raises `UserError` where nothing was ever tracked."""
    home = folder if folder.name == "wandb" else folder / "wandb"
    if not home.is_dir():
        raise UserError(f"there is no {str(home)!r}: nothing was tracked there; give the folder that holds wandb/")
    offline = [path for path in home.glob("offline-run-*") if not list(path.glob("*.wandb.synced"))]
    cut = [path for path in home.glob("run-*") if (path / UNSENT).exists()]
    return sorted((path for path in offline + cut if list(path.glob("*.wandb"))), key=lambda p: p.name.split("run-")[1])


def send(run: Path) -> bool:
    words = [sys.executable, "-m", "wandb", "sync", "--include-online", str(run)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    sent = done.returncode == 0 and bool(list(run.glob("*.wandb.synced")))
    if sent:
        (run / UNSENT).unlink(missing_ok=True)
        give_up(run)
        say(f"sent {run.name}")
    else:
        lines = (done.stderr + done.stdout).strip().splitlines()
        say(f"not sent: {run.name} ({why(lines[-1]) if lines else 'no reason given'})")
    return sent
