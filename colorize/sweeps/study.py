"""A search's memory: one file beside its jobs, which outlives any of its processes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from colorize.errors import UserError
from colorize.seeds import seed_of
from colorize.trust import check_arguments, check_value, find_part

JOURNAL, NAME = "study.journal", "sweep"

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=ExperimentalWarning)


def open_study(
    folder: Path, directions: Sequence[Any], about: Mapping[str, Any], pruner: BasePruner | None = None
) -> optuna.Study:
    """The study in `folder`, begun where there is none.

    `about` says what is searched. Raises `UserError` where the folder holds a search of something else.
    """
    mend(folder / JOURNAL)
    study = optuna.create_study(
        storage=storage(folder), study_name=NAME, directions=[*directions], load_if_exists=True,
        pruner=pruner or NopPruner(),
    )  # fmt: skip
    text = json.dumps(about, sort_keys=True)
    if "about" not in study.user_attrs:
        study.set_user_attr("about", text)
    elif study.user_attrs["about"] != text:
        before = json.loads(study.user_attrs["about"])
        key = next(key for key in about if before.get(key) != json.loads(text)[key])
        raise UserError(
            f"{str(folder)!r} holds a search with another {key} ({before.get(key)} there, {about[key]} now): "
            "say hydra.sweep.dir=… for a new one"
        )
    return study


def load_study(folder: Path, pruner: BasePruner) -> optuna.Study:
    """The same, in the process of a job, which reports to it and draws nothing. Raises KeyError where there is none."""
    if not (folder / JOURNAL).is_file():
        raise KeyError(NAME)  # Optuna would begin one, beside the run's folder
    return optuna.load_study(study_name=NAME, storage=storage(folder), pruner=pruner, sampler=RandomSampler())


def pruner_of(node: Mapping[str, Any], trust: Sequence[str], where: str) -> BasePruner:
    """The pruner that a search has left in a job's folder, which is data: one of Optuna's, or of a package that the
    user trusts, with plain values. One that wraps another names that in the same way."""
    kind = find_part(node.get("_target_"), "pruner", ("optuna.pruners", *trust), where)
    if not (isinstance(kind, type) and issubclass(kind, BasePruner)):
        raise UserError(f"pruner in {where} is {node.get('_target_')!r}, which is no pruner")
    arguments = {name: value for name, value in node.items() if name != "_target_"}
    for name, value in arguments.items():
        if isinstance(value, Mapping) and "_target_" in value:
            arguments[name] = pruner_of(value, trust, where)
        else:
            check_value(value, f"pruner.{name}", trust, where)
    check_arguments(kind, arguments, "pruner", where)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"pruner in {where}: {error}") from error


def storage(folder: Path) -> JournalStorage:
    """Raises `UserError` where the journal, which Optuna reads at once, is damaged."""
    journal = str(folder / JOURNAL)
    try:
        return JournalStorage(JournalFileBackend(journal))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise UserError(f"{journal!r} is no journal of a search, or damaged: restore it, or remove it") from error


def mend(journal: Path) -> None:
    """Cut off the end of a line that was being written when a process was killed; another would be joined to it."""
    if journal.exists():
        content = journal.read_bytes()
        if whole := content.rfind(b"\n") + 1:
            if whole < len(content):
                with journal.open("r+b") as file:
                    file.truncate(whole)
        else:
            journal.write_bytes(b"")


def sampler_of(sampler: Any, seed: int, number: int) -> BaseSampler:
    """The sampler of trial `number`. Its chance is of the trial, so that a search cut off and one that is not draw
    alike, and a search that goes on does not draw again what it began with."""
    try:
        return instantiate(sampler, seed=seed_of(seed, "trial", number) % 2**31)
    except InstantiationException as error:
        raise UserError(f"hydra.sweeper.sampler: {error.__cause__ or error}") from error
