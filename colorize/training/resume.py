"""An earlier run in the folder: resumed, trained for longer, or overwritten."""

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from colorize.config import apply_resolved, build_part, check_config, with_changes
from colorize.run_folder import RunFolder
from colorize.tracking.logger import PICTURES
from colorize.training.config_schema import with_checked_values
from colorize.training.schedule import Phase, phase_at, phase_lengths
from colorize.training.trainer import Trainer
from colorize.utils.checkpoint import Checkpoints, step_of
from colorize.utils.console import say
from colorize.utils.errors import UserError
from colorize.utils.files import check_links
from colorize.utils.trust import packages


def saved_config(cfg: DictConfig, run: RunFolder, changes: Sequence[str]) -> DictConfig:
    """The config of the run to go on with: of its folder, and so bound to what `cfg`, the user's, trusts."""
    check_links(run.folder)
    held = run.read_config()
    for name in (name for name in cfg if isinstance(cfg[name], DictConfig)):
        if not isinstance(held.get(name), DictConfig):
            raise UserError(f"{run.where} is damaged: it has no {name!r}")
    check_config(apply_resolved(held, run.read_resolved()), packages(cfg.trust), run.where)
    kept = with_changes(held, cfg, changes, run.folder)
    kept.trust = cfg.trust
    return with_checked_values(kept, "train")


def check_lengths(cfg: DictConfig, run: RunFolder, trainer: Trainer) -> None:
    """Raises `UserError` where the run was begun with another schedule than `cfg` has, and cannot go on with this."""
    newest = Checkpoints(run.folder / "checkpoints").steps()[:1]
    if not newest or not run.lengthened(cfg):
        return
    held = run.read_config()
    old: dict[str, Phase] = build_part(held.schedule, "schedule")
    scale, size = held.get("steps_scale", 1.0), len(trainer.photographs.train)
    before = phase_lengths(old, size, trainer.effective_batch, scale)
    check_lengthened(old, before, trainer.schedule, trainer.lengths, step_of(newest[0]) or 0, str(run.folder))


def check_lengthened(
    old: Mapping[str, Phase], before: Mapping[str, int], new: Mapping[str, Phase], after: Mapping[str, int], done: int,
    folder: str,
) -> None:  # fmt: skip
    """Raises `UserError` unless the `done` steps of the run in `folder` are those that the new schedule begins with:
    the same phases, and at every step the same learning rate. The run then ends with the weights of one that was
    begun with the new schedule.

    old, new       the schedules; before, after: the lengths of their phases in optimizer steps
    """
    told = f"init_from={folder} begins a new run with its weights"
    if done > (total := sum(after.values())):
        raise UserError(
            f"the run in {folder!r} has taken {done} steps, and its schedule would end after {total}: use more; {told}"
        )
    for step in range(done):
        (name, at), (now, _) = phase_at(before, step), phase_at(after, step)
        if now != name:
            name = next((phase for phase, length in before.items() if after.get(phase) != length), name)
            raise UserError(
                f"the run in {folder!r} has trained through the phase {name!r}, which cannot become "
                f"{after.get(name, 0)} steps now: lengthen the phase that it is in, or a later one; {told}"
            )
        if old[name].lr((at + 1) / before[name]) != new[name].lr((at + 1) / after[name]):
            raise UserError(
                f"the phase {name!r} cannot become {after[name]} steps long: its learning rate has a curve, and would "
                f"be another from step {at + 1} on; add a phase of its own (+schedule.more=…), or {told}"
            )


ASIDE = ".overwritten"  # beside the run folder
# What a run and its evaluations leave in a run folder, with the numbered files in STEPS and those of each result
OURS = (".hydra", "metrics.jsonl", "summary.json", "run.html", "checkpoints/best.pt", "results/*.work", "profile")
OF_RESULT = (".json", ".csv", ".html", ".pictures")
WEIGHTS = ("checkpoints/step-*.pt", "checkpoints/step-*.damaged", "ema/step-*.pt")
STEPS = (*WEIGHTS, *(f"{name}/**/step-*.png" for name in PICTURES))


def put_aside(folder: Path) -> None:
    """Move what a run of ours left in `folder`, and nothing else, to `.overwritten/NAME-TIME` beside it.

    Of the runs of one name that were put aside, the newest stays.
    """
    if not (ours := files_of_run(folder)):
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


def files_of_run(folder: Path) -> list[Path]:
    """The files and folders in a run folder that a run, its evaluations and its page made."""
    found = [path for name in OURS for path in folder.glob(name)]
    found += [path for name in STEPS for path in folder.glob(name) if step_of(path) is not None]
    results = [path for path in sorted((folder / "results").glob("*.json")) if is_result(path)]
    return found + [path for result in results for end in OF_RESULT if (path := result.with_suffix(end)).exists()]


def is_result(path: Path) -> bool:
    """Whether it is the file of an evaluation. JSON files of another kind are not ours."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # a damaged one: training is no reader of it, and moving it loses nothing
        return True
    return isinstance(held, dict) and "protocol" in held
