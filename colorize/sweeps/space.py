"""What is searched, in Hydra's words for sweeps: interval(1e-5, 1e-2), tag(log, …), range(8, 64, 8), choice(a, b)."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from colorize.errors import UserError

Space = dict[str, BaseDistribution]


def split(overrides: Sequence[Override]) -> tuple[list[str], Space]:
    """The words that every trial has, and key -> distribution of those that are searched; a later one wins."""
    fixed: dict[str, str] = {}
    space: Space = {}
    for override in overrides:
        key = override.get_key_element()
        fixed.pop(key, None), space.pop(key, None)
        if override.is_sweep_override():
            space[key] = distribution(key, override)
        else:
            fixed[key] = override.input_line or f"{key}={override.get_value_element_as_str()}"
    return list(fixed.values()), space


def distribution(key: str, override: Override) -> BaseDistribution:
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
            return stepped(value)
    except ValueError as error:
        raise UserError(f"{key}={override.get_value_element_as_str()}: {error}") from error
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def stepped(value: RangeSweep) -> BaseDistribution:
    """The values of range(start, stop, step), of which `stop` is none, as everywhere in Hydra."""
    start, stop, step = value.start, value.stop, value.step
    assert start is not None
    assert stop is not None
    whole = floor((stop - start) / step)
    last = start + step * (whole - 1 if start + step * whole >= stop else whole)
    if all(isinstance(each, int) for each in (start, stop, step)):
        return IntDistribution(int(start), int(last), step=int(step))
    return FloatDistribution(float(start), float(last), step=float(step))


def suggest(trial: Trial, space: Space) -> list[str]:
    """The words of a trial; what it was given before a power cut, it keeps."""
    return [f"{key}={suggested(trial, key, each)}" for key, each in space.items()]


def suggested(trial: Trial, key: str, each: BaseDistribution) -> str:
    if isinstance(each, FloatDistribution):
        return repr(trial.suggest_float(key, each.low, each.high, step=each.step, log=each.log))
    if isinstance(each, IntDistribution):
        return str(trial.suggest_int(key, each.low, each.high, step=each.step, log=each.log))
    assert isinstance(each, CategoricalDistribution)
    return str(trial.suggest_categorical(key, each.choices))


def first_of(space: Space) -> list[str]:
    """The words of some trial that could be, to compose its config before any begins."""
    return [f"{key}={each.choices[0] if isinstance(each, CategoricalDistribution) else each.low}"  # type: ignore[attr-defined]
            for key, each in space.items()]  # fmt: skip
