"""What W&B keeps on the disk: beside its runs, not in the user's home, and without copying checkpoints."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colorize.checkpoint import write_text

KEPT = "checkpoints"  # a folder in the folder of a run of W&B's, until its server has got what is in there
STANDING = "standing.json"
_set: dict[str, str] = {}  # by this process; what the user has set stands


def stay_inside(home: Path) -> None:
    """Let W&B put copies of pictures, its cache and its logs into `home`/wandb from here on."""
    for variable, folder in (("WANDB_DATA_DIR", "data"), ("WANDB_CACHE_DIR", "cache")):
        if os.environ.get(variable) == _set.get(variable):
            os.environ[variable] = _set[variable] = str(home / "wandb" / folder)


def keep(file: Path, run: Path) -> Path:
    """A second name for `file` in the folder of W&B's `run`: it stays when the run that wrote it moves on.

    A hard link, which takes no space of its own; a copy where the two folders are on different disks.
    """
    kept = run / KEPT / file.name
    kept.parent.mkdir(exist_ok=True)
    kept.unlink(missing_ok=True)
    try:
        os.link(file, kept)
    except OSError:  # another disk, or one that has no links
        shutil.copyfile(file, kept)
    return kept


def give_up_all(home: Path, run_id: str) -> None:
    """Let go of what the parts of a run have not sent so far: its newest part keeps its newest checkpoints. Numbers and
    pictures of the others stay, and are sent."""
    for part in parts_of(home, run_id):
        give_up(part)


def parts_of(home: Path, run_id: str) -> list[Path]:
    """The folders of a run, one for each of its starts; of two in one second, W&B numbers the later ones."""
    own = re.compile(rf"(offline-)?run-\d+_\d+-{re.escape(run_id)}(-\d+)?")
    return [path for path in (home / "wandb").glob("*run-*") if own.fullmatch(path.name)]


def give_up(run: Path) -> None:
    """The second names are no longer needed."""
    shutil.rmtree(run / KEPT, ignore_errors=True)


def write_standing(run: Path, values: Mapping[str, Any]) -> None:
    """Keep the last value of everything that W&B's `run` was told, for a part of it that comes later."""
    write_text(run / STANDING, json.dumps(dict(values)))


def read_standing(home: Path, run_id: str) -> dict[str, Any]:
    """What the newest part of a run was told; nothing of a run that has none here."""
    found = [part / STANDING for part in parts_of(home, run_id) if (part / STANDING).exists()]
    parts = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    return json.loads(parts[-1].read_text(encoding="utf-8")) if parts else {}
