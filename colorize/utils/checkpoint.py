"""Checkpoints of a run: written whole or not at all, with a checksum, and checked field by field when they are read."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any

import torch

from colorize.utils.console import say
from colorize.utils.devices import copy_to_cpu
from colorize.utils.errors import UserError
from colorize.utils.files import write_whole
from colorize.utils.serialization import SEAL, is_intact, load_plain, read

BEST = "best.pt"
SNAPSHOTS = "ema"  # the folder in a run's


class Checkpoints:
    """`step-NNNNNNNN.pt`, the newest `keep` of them, and `best.pt` of a run, which holds weights alone.

    Leaving it waits for what is being written in the background, at the end of training and at an error alike.
    """

    def __init__(self, folder: str | Path, keep: int = 2):
        self.folder, self.keep = Path(folder), keep
        self.best = self.folder / BEST
        self.writing: futures.Future[Path] | None = None  # in a thread

    def path(self, step: int) -> Path:
        """The file of a step."""
        return self.folder / f"step-{step:08d}.pt"

    def save(self, state: dict[str, Any], *, best: bool = False, snapshot: bool = False) -> Path:
        """Writes beside, then renames: a run that is killed, or a disk that is full, leaves the old files whole.

        snapshot    keep the model's averages of several lengths, too, which stay
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(state["steps"])
        if snapshot:  # first: a run that goes on from this checkpoint does not come to its step again
            held = {"steps": state["steps"], "averages": state["players"]["model"]["averages"]}
            (self.folder.parent / SNAPSHOTS).mkdir(exist_ok=True)
            write_whole(self.folder.parent / SNAPSHOTS / path.name, lambda part: _write(held, part))
        write_whole(path, lambda part: _write(state, part))
        if best:
            self._keep_as_best(state)
        for old in self.steps()[self.keep :]:
            old.unlink()
        return path

    def save_in_background(self, state: dict[str, Any], **options: bool) -> None:
        """The same of a copy of the state, in a thread, once the write before it has ended.

        Raises what that one did, such as `OSError` for a full disk; of the last one, `wait` does.
        """
        self.wait()
        writer = futures.ThreadPoolExecutor(1, "checkpoint")
        self.writing = writer.submit(self.save, copy_to_cpu(state), **options)
        writer.shutdown(wait=False)  # the thread ends with its file, which Python waits for at its own end

    def wait(self, *, if_done: bool = False) -> None:
        """Until the thread has written its file; raises what kept it from that.

        if_done     only where it has ended already
        """
        if self.writing is not None and (self.writing.done() or not if_done):
            futures.wait([self.writing])
            written, self.writing = self.writing, None
            written.result()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self.wait()

    def repair_best(self, step: int) -> dict[str, Any] | None:
        """Make best.pt of the checkpoint of `step` again, where a run was killed between the two, or it is damaged.

        What best.pt then holds; None where it is not there, and cannot be brought back.
        """
        held = _whole(self.best)
        if (held is None or held["steps"] < step) and (found := _whole(self.path(step))) is not None:
            self._keep_as_best(found)
            return found
        return held

    def _keep_as_best(self, state: dict[str, Any]) -> None:
        write_whole(self.best, lambda part: _write(weights_only_state(state), part))

    def conclude(self, *, weights_alone: bool) -> None:
        """Keep of a finished run its newest checkpoint, and its best; of the newest, perhaps, its weights alone."""
        newest, *older = self.steps()
        if weights_alone:
            write_whole(newest, lambda part: _write(weights_only_state(read(newest)), part))
        for path in older:
            path.unlink()

    def newest(self) -> Path | None:
        """The newest file that is whole; None where a run has just begun.

        A newer one that is damaged is named, and put aside as .damaged. Raises `UserError` where all are.
        """
        found = self.steps()
        for path in found:
            with path.open("rb") as file:
                if is_intact(file):
                    return path
            say(f"{str(path)!r} is damaged, its checksum is wrong or missing: going back to the one before it")
            path.replace(path.with_suffix(".damaged"))
        if found:
            raise UserError(
                f"every checkpoint in {str(self.folder)!r} is damaged: restore one from a copy, or start again with "
                "overwrite=true"
            )
        return None

    def steps(self) -> list[Path]:
        """The newest first. Files of other names, or of another step than their name says, such as copies by hand that
        are called after a day, are not ours."""
        found = {path: step_of(path) for path in self.folder.glob("step-*.pt") if path.is_file()}
        held = {path: peek(path) for path, step in found.items() if step is not None}
        ours = (p for p, each in held.items() if not isinstance(each, dict) or each.get("steps") in (None, found[p]))
        return sorted(ours, key=lambda path: -(found[path] or 0))


def step_of(path: Path) -> int | None:
    """The number in a name that we make, `step-NNNNNNNN` and what follows the dot; None for any other name.
    Pictures have six digits or more, checkpoints eight."""
    found = re.fullmatch(r"step-([0-9]{6,})", path.stem)
    return int(found[1]) if found and found[1] in (f"{int(found[1]):06d}", f"{int(found[1]):08d}") else None


def peek(path: Path) -> dict[str, Any] | None:
    """The record of a checkpoint, its tensors left in the file until they are read; None where it is damaged. The
    checksum is not compared."""
    try:
        return load_plain(path, path, mmap=True)
    except (UserError, OSError):
        return None


def weights_only_state(state: dict[str, Any]) -> dict[str, Any]:
    """The state with what is used of a network alone: its averaged weights, or those as trained where there are no
    averages; of critics, who have none, the latter. Nothing is left to train on with."""
    players = {
        name: {"module": None if each["average"] else each["module"], "optimizer": None, "average": each["average"]}
        for name, each in state.get("players", {}).items()
    }
    return {**state, "players": players, "weights_alone": True} if players else state


def _whole(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None where there is none, or it is damaged."""
    try:
        return read(path)
    except UserError:
        return None


def _write(state: dict[str, Any], part: Path) -> None:
    with part.open("w+b") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch makes this of a full disk
                raise error.__context__ from None
            raise
        file.flush()
        file.seek(0)
        seal = SEAL + hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(seal)


def read_record(path: str | Path) -> dict[str, Any]:
    """The checkpoint of a run, as `Trainer.state` makes it. Raises `UserError` naming what is not as it must be."""
    return check_record(read(path), path)


def check_record(state: Any, path: str | Path) -> dict[str, Any]:
    """The same of what has been read."""
    if not isinstance(state, dict):
        raise UserError(f"{str(path)!r} holds a {type(state).__name__}, and is no checkpoint of a run")
    wrong = [f"it has no {name!r}" for name in FIELDS if name not in state]
    wrong = wrong or [f"its {name!r} is not {kind}" for name, (fits, kind) in FIELDS.items() if not fits(state[name])]
    if not wrong and "model" not in state["players"]:
        wrong = ["it has no network"]
    if wrong:
        raise UserError(f"{str(path)!r} is damaged, or no checkpoint of a run: {wrong[0]}; restore it from a copy")
    return state


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def names_of(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and fits(each) for key, each in value.items())


def is_player(value: Any) -> bool:
    """As `TrainState.state` makes it."""
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
