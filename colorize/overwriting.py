"""What overwrite=true does with the run that a folder holds: it is put aside, and nothing is deleted but what was put
aside before it."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

from colorize.checkpoint import step_of
from colorize.terminal import say
from colorize.tracking.lines import PICTURES

ASIDE = ".overwritten"  # beside the run folder
# What a run and its evaluations leave in a run folder, with the numbered files in STEPS and those of each result
OURS = (".hydra", "metrics.jsonl", "summary.json", "run.html", "checkpoints/best.pt", "results/*.work")
OF_RESULT = (".json", ".csv", ".html", ".pictures")
STEPS = ("checkpoints/step-*.pt", "checkpoints/step-*.damaged", *(f"{name}/step-*.png" for name in PICTURES))


def put_aside(folder: Path) -> None:
    """Move what a run of ours left in `folder`, and nothing else, to `.overwritten/NAME-TIME` beside it.

    Of the runs of one name that were put aside, the newest stays.
    """
    if not (ours := files_of(folder)):
        return
    place = folder.parent / ASIDE / f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if place.exists():  # put aside within the same second
        shutil.rmtree(place)
    for path in ours:
        target = place / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    for older in place.parent.iterdir():
        if older != place and re.fullmatch(rf"{re.escape(folder.name)}-\d{{8}}-\d{{6}}", older.name):
            shutil.rmtree(older)
    say(f"the run that was in {str(folder)!r} is in {str(place)!r} now")


def files_of(folder: Path) -> list[Path]:
    """The files and folders in a run folder that a run, its evaluations and its page made."""
    found = [path for name in OURS for path in folder.glob(name)]
    found += [path for name in STEPS for path in folder.glob(name) if step_of(path) is not None]
    return found + [
        path for result in results(folder) for end in OF_RESULT if (path := result.with_suffix(end)).exists()
    ]


def results(folder: Path) -> list[Path]:
    """The files of evaluations. JSON files of another kind are not ours."""
    return [path for path in sorted((folder / "results").glob("*.json")) if is_result(path)]


def is_result(path: Path) -> bool:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # a damaged one: training is no reader of it, and moving it loses nothing
        return True
    return isinstance(held, dict) and "protocol" in held
