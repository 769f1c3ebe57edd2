"""Which checkpoints a run leaves, and what each came from: its photographs, its config and its parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorize.checkpoint import Checkpoints, peek
from colorize.data import Photographs
from colorize.home import at_home
from colorize.results import group_of
from colorize.runs import RunFolder
from colorize.sweeps.folders import NUMBERED
from colorize.terminal import say
from colorize.tracking import Logger


def tell_checkpoints(log: Logger, cfg: DictConfig, photographs: Photographs, checkpoints: Checkpoints) -> None:
    """Hand `log` the best checkpoint and the newest, which comes last; both are one where the newest is the best."""
    best, newest = checkpoints.best, checkpoints.steps()[:1]
    found: dict[int, tuple[Path, dict[str, float], list[str]]] = {}
    for path, alias in [(best, "best")] * best.exists() + [(path, "latest") for path in newest]:
        if (held := peek(path)) is None:
            say(f"{str(path)!r} is damaged, and is not handed to the tracker")
            continue
        step, scores = held["steps"], held["scores"]
        aliases = found[step][2] if step in found else [f"step-{step}"]
        found[step] = path, scores, [*aliases, alias]
    for step, (path, scores, aliases) in found.items():
        log.checkpoint(path, aliases, {**origin(cfg, photographs), "step": step, "val": scores})


def origin(cfg: DictConfig, photographs: Photographs) -> dict[str, Any]:
    """What a network of this run came from. The photographs are named by their digests, and stay where they are."""
    return {
        "name": cfg.name, "seed": cfg.seed, **{part: cfg.names[part] for part in ("model", "loss", "data")},
        "photographs": photographs.fingerprint(), "validation": photographs.manifest(),
        "init_from": cfg.init_from, "parent": parent(cfg.init_from),
    }  # fmt: skip


def shown_as(run: RunFolder) -> tuple[str, str]:
    """(name, group) of a run for a service that follows runs: jobs of one sweep have their numbers in their names, and
    a group is what differs by the seed, by what moves no weight and by where the photographs lie, and by nothing else.
    """
    cfg = run.read_config()
    job = NUMBERED.fullmatch(run.folder.resolve().name)
    parts = f"{cfg.names.model}-{cfg.names.loss}-{cfg.names.data}{cfg.names.get('look', '')}"
    return f"{cfg.name}-{job[1]}" if job else cfg.name, f"{parts}-{group_of(cfg, run.photographs())[:6]}"


def parent(init_from: str | None) -> str | None:
    """The id of the run whose weights another began with; None where it began with none, or with a file's."""
    run = RunFolder(at_home(init_from)) if init_from else None
    if run is None or not run.config.exists():
        return None
    return run.run_id(run.read_config().name)
