"""A search's Optuna study, in a journal file beside its jobs, and its search space."""

import json
import warnings
from collections.abc import Mapping, Sequence
from math import floor
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial

from colorize.utils.errors import UserError
from colorize.utils.files import cut_torn_line
from colorize.utils.hydra_overrides import fixed_in_sweep
from colorize.utils.seeds import seed_of
from colorize.utils.trust import check_constructor_arguments, check_stored_value, find_part

JOURNAL, NAME = "study.journal", "sweep"

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=ExperimentalWarning)


def open_study(folder: Path, directions: Sequence[Any], about: Mapping[str, Any]) -> optuna.Study:
    """The study in `folder`, begun where there is none.

    `about` says what is searched. Raises `UserError` where the folder holds a search of something else.
    """
    if (folder / JOURNAL).exists():
        cut_torn_line(folder / JOURNAL)  # another would be joined to it
    study = optuna.create_study(
        storage=journal_storage(folder), study_name=NAME, directions=[*directions], load_if_exists=True,
        pruner=NopPruner(),
    )  # fmt: skip
    if "about" not in study.user_attrs:
        study.set_user_attr("about", json.dumps(about, sort_keys=True))
        return study
    before = json.loads(study.user_attrs["about"])
    before["search space"] = fixed_in_sweep(before.get("search space", []))  # older versions kept all words
    if key := next((key for key in about if before.get(key) != about[key]), None):
        raise UserError(
            f"{str(folder)!r} holds a search with another {key} ({before.get(key)} there, {about[key]} now): "
            "use hydra.sweep.dir=… for a new one"
        )
    return study


def load_study(folder: Path, pruner: BasePruner) -> optuna.Study:
    """The same, in a process of a job, which only reports to it. Raises KeyError where there is none."""
    if not (folder / JOURNAL).is_file():
        raise KeyError(NAME)  # Optuna would begin one, beside the run's folder
    return optuna.load_study(study_name=NAME, storage=journal_storage(folder), pruner=pruner, sampler=RandomSampler())


def build_pruner(node: Mapping[str, Any], trust: Sequence[str], where: str) -> BasePruner:
    """The pruner that a search has left in a job's folder, which is data: one of Optuna's, or of a package that the
    user trusts, with plain values. One that wraps another names that in the same way."""
    kind = find_part(node.get("_target_"), "pruner", ("optuna.pruners", *trust), where)
    if not (isinstance(kind, type) and issubclass(kind, BasePruner)):
        raise UserError(f"pruner in {where} is {node.get('_target_')!r}, which is no pruner")
    arguments = {name: value for name, value in node.items() if name != "_target_"}
    for name, value in arguments.items():
        if isinstance(value, Mapping) and "_target_" in value:
            arguments[name] = build_pruner(value, trust, where)
        else:
            check_stored_value(value, f"pruner.{name}", trust, where)
    check_constructor_arguments(kind, arguments, "pruner", where)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"pruner in {where}: {error}") from error


def journal_storage(folder: Path) -> JournalStorage:
    """Raises `UserError` where the journal, which Optuna reads at once, is damaged."""
    journal = str(folder / JOURNAL)
    try:
        return JournalStorage(JournalFileBackend(journal))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise UserError(f"{journal!r} is no journal of a search, or damaged: restore it, or remove it") from error


def build_sampler(sampler: Any, seed: int, number: int) -> BaseSampler:
    """The sampler of trial `number`, seeded by that number: an interrupted search samples what an uninterrupted one
    does, and a search that is continued does not repeat its first samples."""
    try:
        return instantiate(sampler, seed=seed_of(seed, "trial", number) % 2**31)
    except InstantiationException as error:
        raise UserError(f"hydra.sweeper.sampler: {error.__cause__ or error}") from error


Space = dict[str, BaseDistribution]


def split_overrides(overrides: Sequence[Override]) -> tuple[list[str], Space]:
    """The overrides that every trial has, and key -> distribution of those that are searched; a later one wins."""
    fixed: dict[str, str] = {}
    space: Space = {}
    for override in overrides:
        key = override.get_key_element()
        fixed.pop(key, None), space.pop(key, None)
        if override.is_sweep_override():
            space[key] = search_distribution(key, override)
        else:
            fixed[key] = override.input_line or f"{key}={override.get_value_element_as_str()}"
    return list(fixed.values()), space


def search_distribution(key: str, override: Override) -> BaseDistribution:
    """Raises `UserError` for a range without values or, with tag(log, …), one that holds 0."""
    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            low, high, log = value.start, value.end, "log" in value.tags
            assert low is not None
            assert high is not None
            if isinstance(low, int) and isinstance(high, int):
                return IntDistribution(low, high, log=log)
            return FloatDistribution(float(low), float(high), log=log)
        if isinstance(value, RangeSweep):
            return stepped_distribution(value)
    except ValueError as error:
        raise UserError(f"{override.input_line}: {error}") from error
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def stepped_distribution(value: RangeSweep) -> BaseDistribution:
    """The values of range(start, stop, step), of which `stop` is none, as everywhere in Hydra."""
    start, stop, step = value.start, value.stop, value.step
    assert start is not None
    assert stop is not None
    whole = floor((stop - start) / step)
    last = start + step * (whole - 1 if start + step * whole >= stop else whole)
    if all(isinstance(each, int) for each in (start, stop, step)):
        return IntDistribution(int(start), int(last), step=int(step))
    return FloatDistribution(float(start), float(last), step=float(step))


def suggest_overrides(trial: Trial, space: Space) -> list[str]:
    """The overrides of a trial; a value that it was given before a power cut, it keeps."""
    return [f"{key}={trial._suggest(key, each)}" for key, each in space.items()]  # as `study.ask(space)` does


def first_overrides(space: Space) -> list[str]:
    """The overrides of a possible trial, to compose its config before any begins."""
    return [f"{key}={each.choices[0] if isinstance(each, CategoricalDistribution) else each.low}"  # type: ignore[attr-defined]
            for key, each in space.items()]  # fmt: skip
