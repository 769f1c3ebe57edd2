"""The checkpoint of a run as a record: what must be in it, found out once when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from colorize.checkpoint import read
from colorize.errors import UserError


def read_record(path: str | Path) -> dict[str, Any]:
    """The checkpoint of a run, as `Trainer.state` makes it. Raises `UserError` naming what is not as it must be."""
    return checked(read(path), path)


def checked(state: Any, path: str | Path) -> dict[str, Any]:
    """The same of what has been read."""
    if not isinstance(state, dict):
        raise UserError(f"{str(path)!r} holds a {type(state).__name__}, and is no checkpoint of a run")
    if wrong := next(wrong_fields(state), None):
        raise UserError(f"{str(path)!r} is damaged, or no checkpoint of a run: {wrong}; restore it from a copy")
    return state


def wrong_fields(state: Mapping[str, Any]) -> Iterator[str]:
    """What is not there, or of another kind than it must be, in words."""
    for name, (fits, kind) in FIELDS.items():
        if name not in state:
            yield f"it has no {name!r}"
        elif not fits(state[name]):
            yield f"its {name!r} is not {kind}"
    if "model" not in (state.get("players") or {}):
        yield "it has no network"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def names_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and fits(each) for key, each in value.items())


def is_player(value: Any) -> bool:
    """As `Player.state` makes it."""
    if not isinstance(value, Mapping) or not {"module", "optimizer", "average"} <= value.keys():
        return False
    tensors = [names_of(value[kind], torch.is_tensor) for kind in ("module", "average") if value[kind] is not None]
    optimizer = value["optimizer"]
    return bool(tensors) and all(tensors) and (optimizer is None or is_optimizer(optimizer))


def is_optimizer(value: Any) -> bool:
    groups = value.get("param_groups") if isinstance(value, Mapping) else None
    return (
        isinstance(groups, list)
        and all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in groups)
        and isinstance(value.get("state"), dict) and all(isinstance(each, dict) for each in value["state"].values())
    )  # fmt: skip


def is_health(value: Any) -> bool:
    return (
        isinstance(value, Mapping) and names_of(value.get("means"), is_number)
        and names_of(value.get("found"), lambda each: isinstance(each, dict) and {"step", "sentence"} <= each.keys())
        and all(is_number(each) for key, each in value.items() if key not in ("found", "means", "first"))
        and (value.get("first") is None or is_number(value["first"]))
    )  # fmt: skip


FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {  # of a run's checkpoint
    "steps": (is_count, "a number of steps"),
    "seconds": (lambda value: is_number(value) and value >= 0, "a number of seconds"),
    "trained_seconds": (lambda value: is_number(value) and value >= 0, "a number of seconds"),
    "piece": (lambda value: value is None or (is_count(value) and value > 0), "a number of photographs"),
    "phase": (lambda value: isinstance(value, str), "a phase's name"),
    "best": (lambda value: value is None or is_number(value), "a number"),
    "scores": (lambda value: names_of(value, is_number), "names with numbers"),
    "unreadable": (lambda value: names_of(value, lambda why: isinstance(why, str)), "files with reasons"),
    "photographs": (lambda value: isinstance(value, str), "a fingerprint of photographs"),
    "health": (is_health, "a record of warnings"),
    "players": (lambda value: names_of(value, is_player), "networks with their optimizers and averages"),
}
