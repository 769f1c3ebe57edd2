"""Overrides that name several values: what they stand for, and what is wrong with them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, Transformer
from omegaconf import DictConfig, OmegaConf

from colorize.cli.composition import compose_config, group_options
from colorize.utils.errors import UserError, describe_options
from colorize.utils.stored_config import flatten


def choice_combinations(chosen: Sequence[Override]) -> Iterator[list[str]]:
    """The options that are chosen together; of several for one group, each, beside the first of all others."""
    words = [[f"{override.get_key_element()}={value}" for value in swept_values(override)] for override in chosen]
    first = [options[0] for options in words]
    yield first
    for place, options in enumerate(words):
        for option in options[1:]:
            yield [*first[:place], option, *first[place + 1 :]]


def first_override(override: Override) -> str:
    """The override as Hydra reads it in a job; of a sweep, one of its jobs."""
    if not override.is_sweep_override():
        return override.input_line or ""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return f"{override.get_key_element()}={value.start}"
    return f"{override.get_key_element()}={next(iter(override.sweep_iterator(transformer=Transformer.encode)))}"


def swept_values(override: Override) -> list[Any]:
    """The value, or all those of a sweep; of an interval, its ends."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    return list(override.sweep_iterator()) if override.is_sweep_override() else [value]


def check_swept(override: Override, places: Sequence[str]) -> None:
    """Refuse a sweep over nothing: a glob(…) that no option matches, an empty range(…)."""
    key, line, value = override.key_or_group, override.input_line, override.value()
    if isinstance(value, ChoiceSweep) and any(isinstance(each, Glob) for each in value.list):
        raise UserError(f"{line}: glob(…) stands alone; several patterns are {key}=glob([a*,b*])")
    if override.is_discrete_sweep() and not [*override.sweep_iterator()]:
        options = group_options(key, places)
        raise UserError(f"{line} names no value{f'; {describe_options(key, options)}' if options else ''}")


def check_single(overrides: Sequence[Override], chosen: Sequence[Override]) -> None:
    """Refuse several values where one run is asked for."""
    for override in (override for override in overrides if override.is_sweep_override()):
        key, value = (override.input_line or "").split("=", 1)
        listed = "" if "(" in value or override in chosen else f", or {key}=[{value}] for a list"
        raise UserError(f"{key}={value} names several values: use -m as well for a run with each of them{listed}")


def check_once(overrides: Sequence[Override]) -> None:
    """Refuse a key that is swept and given again: Hydra would run each job twice. Elsewhere the last one counts."""
    for override in overrides:
        key = override.key_or_group
        same = [str(other.input_line) for other in overrides if other.key_or_group == key]
        if override.is_sweep_override() and len(same) > 1:
            raise UserError(f"{key} is given {len(same)} times, {' and '.join(same)}: give it once")


def check_shared(
    config_name: str, chosen: Sequence[Override], others: Sequence[Override], places: Sequence[str]
) -> None:
    """Refuse a key of all jobs that only swept options have: Hydra first composes a config without any of these."""
    shared = [first_override(override) for override in chosen if not override.is_sweep_override()]
    known = flatten(compose_config(config_name, [*shared, *places]), resolve=False)
    for override in others:
        key, plain = override.key_or_group, not (override.is_add() or override.is_force_add())
        if plain and not override.is_sweep_override() and "@" not in key and not has_key(known, key):
            line = override.input_line
            raise UserError(f"{line}: a key that only the swept options have takes two plus signs, as in ++{line}")


def has_key(known: Mapping[str, Any], key: str) -> bool:
    """Whether the key, or one inside it, is among the flat keys of a config."""
    return any(path == key or path.startswith(f"{key}.") for path in known)


def sizes_of(cfg: DictConfig, overrides: Sequence[Override]) -> set[int]:
    """The sizes of training pictures among the jobs of a sweep that are compared afterwards."""
    if not OmegaConf.select(cfg, "hydra.callbacks.after_sweep.compare") or "data" not in cfg:
        return set()
    swept = [each for each in overrides if each.key_or_group == "data.size" and each.is_discrete_sweep()]
    return {int(value) for each in swept for value in each.sweep_string_iterator()} or {int(cfg.data.size)}
