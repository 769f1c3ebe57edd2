"""Check overrides against the configs, before anything slow is imported and anything starts."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, Transformer
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.cli.additions import check_additions
from colorize.cli.parser import compose_config, group_options, hydra_context, options_in, parse_overrides, runs_job
from colorize.config import check_values
from colorize.utils.console import say
from colorize.utils.errors import UserError, describe_options, key_suggestion, locate_part, suggestion
from colorize.utils.stored_config import flatten

PACKAGES = {"joblib": "hydra-joblib-launcher", "ray": "hydra-ray-launcher"}  # of launchers
PACKAGES |= dict.fromkeys(("slurm", "submitit_slurm", "submitit_local"), "hydra-submitit-launcher")


def check_overrides(conf: Path, config_name: str, arguments: Namespace) -> None:
    """Raises `UserError`, with suggestions, for what is wrong with Hydra's `arguments`: a group, option or key that
    does not exist or cannot be added, a word for a number, several values without -m, a required value that is missing.

    Configs of the user's own (--config-dir, hydra.searchpath, …) are read as Hydra reads them.
    """
    if arguments.help or arguments.hydra_help or arguments.shell_completion:
        return  # nothing is composed here
    with hydra_context(conf, arguments):
        for word in arguments.overrides if config_name == "evaluate" else ():
            if "=" not in word and word[:1] not in "+~":
                raise UserError(f"{word!r} is no key=value: did you mean run={word}?")
        overrides = parse_overrides(arguments.overrides)
        places = [str(o.input_line) for o in overrides if o.key_or_group == "hydra.searchpath"]
        for override in overrides:
            check_swept(override, places)
        chosen = [override for override in overrides if check_choice(override, places)]
        others = [override for override in overrides if override not in chosen]
        check_once(overrides)
        sizes: set[int] = set()
        for choices in choice_combinations(chosen):
            after = check_job(arguments, arguments.config_name or config_name, choices, others, places)
            if arguments.multirun or after.hydra.mode == RunMode.MULTIRUN:
                sizes |= sizes_of(after, others) if runs_job(arguments) else set()
            else:
                check_single(overrides, chosen)
        if len(sizes) > 1:
            listed = " and ".join(map(str, sorted(sizes)))
            say(f"the jobs train at {listed} pixels: afterwards they are compared at {min(sizes)}²")


def sizes_of(cfg: DictConfig, overrides: Sequence[Override]) -> set[int]:
    """The sizes of training pictures among the jobs of a sweep that are compared afterwards."""
    if not OmegaConf.select(cfg, "hydra.callbacks.after_sweep.compare") or "data" not in cfg:
        return set()
    swept = [each for each in overrides if each.key_or_group == "data.size" and each.is_discrete_sweep()]
    return {int(value) for each in swept for value in each.sweep_string_iterator()} or {int(cfg.data.size)}


def check_job(
    arguments: Namespace, config_name: str, choices: Sequence[str], others: Sequence[Override], places: Sequence[str]
) -> DictConfig:
    """The config of a job. Checks the overrides that choose no option, `others`; of a sweep, with its first value."""
    before = compose_config(config_name, [*choices, *places])
    known = flatten(before, resolve=False)
    for override in others:
        check_key(override, before, known, choices, places)
    after = compose_config(config_name, [*choices, *map(first_override, others)])
    plain: list[Any] = [OmegaConf.to_container(each, resolve=False) for each in (before, after)]
    check_additions(*plain)
    if runs_job(arguments):
        own = OmegaConf.masked_copy(after, [str(key) for key in after if key != "hydra"])
        check_required(own)
        check_folder(after)
        check_each(own, others, config_name)
        if after.hydra.mode == RunMode.MULTIRUN or arguments.multirun:
            from colorize.cli.after_sweep import check_plugins

            check_plugins(after)
    return after


def check_required(cfg: DictConfig) -> None:
    """Refuse a config that lacks required values; of data that cannot be trained on, whatever they are, say that."""
    try:
        check_values(cfg)
    except UserError:
        from colorize.data.sources import check_trains  # imports torch

        if "data" in cfg:
            check_trains(locate_part(cfg.data._target_, "data"), cfg.names.data)
        raise


def check_each(cfg: DictConfig, overrides: Sequence[Override], program: str) -> None:
    """Check each value of the config, and those that a sweep gives it instead."""
    from colorize.training.config_schema import with_checked_values  # imports torch: other mistakes are answered before

    with_checked_values(cfg, program)
    for override in overrides:
        key = override.key_or_group
        if override.is_sweep_override() and OmegaConf.select(cfg, key) is not None:
            for value in swept_values(override):
                other = cfg.copy()
                OmegaConf.update(other, key, value, force_add=True)
                with_checked_values(other, program)


def check_folder(cfg: DictConfig) -> None:
    """Refuse a folder for the run that cannot be one."""
    key = "hydra.sweep.dir" if cfg.hydra.mode == RunMode.MULTIRUN else "hydra.run.dir"
    try:
        folder = Path(str(OmegaConf.select(cfg, key)))
    except OmegaConfBaseException:
        return  # of a sweep: its name is known once it begins
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise UserError(f"{key} is {str(folder)!r}, and {str(place)!r} is no folder: choose another folder")


def check_swept(override: Override, places: Sequence[str]) -> None:
    """Refuse a sweep over nothing: a glob(…) that no option matches, an empty range(…)."""
    key, line, value = override.key_or_group, override.input_line, override.value()
    if isinstance(value, ChoiceSweep) and any(isinstance(each, Glob) for each in value.list):
        raise UserError(f"{line}: glob(…) stands alone; several patterns are {key}=glob([a*,b*])")
    if override.is_discrete_sweep() and not [*override.sweep_iterator()]:
        options = group_options(key, places)
        raise UserError(f"{line} names no value{f'; {describe_options(key, options)}' if options else ''}")


def check_choice(override: Override, places: Sequence[str]) -> bool:
    """Whether the override chooses options of a group; one that does not exist is refused."""
    key = override.key_or_group
    plain = not (override.is_delete() or override.is_add() or override.is_force_add())
    if not plain or not (options := group_options(key, places)):
        return False
    for value in map(str, swept_values(override)):
        package = PACKAGES.get(value) if key == "hydra/launcher" else None
        if package and package not in {each.name for each in distributions()}:
            raise UserError(f"hydra/launcher={value} needs the package {package}: pip install {package}")
        if value not in options and value not in ("None", "null"):
            close = suggestion(value, options, f"{key}=")
            raise UserError(f"{key} has no option {value!r}{close}; {describe_options(key, options)}")
    return True


def check_key(
    override: Override, before: DictConfig, known: Mapping[str, Any], choices: Sequence[str], places: Sequence[str]
) -> None:
    """Refuse a key that is not in the config `before` the overrides, and a word for a number."""
    key, top = override.key_or_group, override.key_or_group.split(".")[0].split("@")[0]
    groups = [*options_in("", ObjectType.GROUP, places), *before.hydra.runtime.choices]
    adds = override.is_add() or override.is_force_add()
    if adds and key in before.hydra.runtime.choices:
        raise UserError(f"{key} is chosen without a plus: {key}={override.get_value_element_as_str()}")
    if "@" in key or (override.is_force_add() and top in before):
        return  # Hydra's own syntax; ++ adds what is not there
    inside = key in groups or any(path == key or path.startswith(f"{key}.") for path in known)
    alike = [path for path in known if path.startswith("hydra.") == (top == "hydra")]
    if adds and top not in before and top not in groups:
        raise UserError(f"there is nothing called {top!r} to add to{suggestion(top, [*groups, *before, *alike])}")
    if not adds and not inside:
        purpose = " to leave out" if override.is_delete() else ""
        if other := options_with(key, before):
            raise UserError(f"there is no {key!r}{other}")
        close = key_suggestion(key, [*alike, *groups]) or "; --cfg job shows every key"
        beside = "".join(f" with {choice}" for choice in choices if choice.split("=")[0] == key.split(".")[0])
        raise UserError(f"there is no {key!r}{beside}{purpose}{close}")
    if override.is_delete():
        if key in before and key not in ("experiment", "hparams_search"):
            raise UserError(f"~{key} would remove a required key: choose another {key} instead")
        return
    check_number(key, known.get(key), override)


def check_number(key: str, before: Any, override: Override) -> None:
    if not isinstance(before, int | float) or isinstance(before, bool):
        return
    for value in swept_values(override):
        if isinstance(value, str) and "${" not in value:
            raise UserError(f"{key} is a number, such as {before}; {value!r} is not")


def options_with(key: str, before: DictConfig) -> str:
    """` with data=demo; data=folder has it: …` where the key is one of another option of its group."""
    group = key.split(".")[0]
    found = []
    for option in group_options(group) if "." in key else ():
        try:
            other = compose_config(str(before.hydra.job.config_name), [f"{group}={option}"])
        except UserError:
            continue  # an option that needs another beside it
        if any(path == key or path.startswith(f"{key}.") for path in flatten(other, resolve=False)):
            found.append(option)
    if not found:
        return ""
    have = f"{', '.join(found[:-1])} and {found[-1]} have" if len(found) > 1 else f"{found[0]} has"
    return f" with {group}={before.hydra.runtime.choices[group]}; {group}={have} it: choose {group}=… as well"


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
