"""Check overrides against the configs, before anything slow is imported and anything starts."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.cli.additions import check_additions
from colorize.cli.composition import compose_config, group_options, hydra_context, options_in, parse_overrides, runs_job
from colorize.cli.sweep_overrides import (
    check_once,
    check_shared,
    check_single,
    check_swept,
    choice_combinations,
    first_override,
    has_key,
    sizes_of,
    swept_values,
)
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
    if arguments.hydra_help or arguments.shell_completion:
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
        sizes, sweeps = set[int](), False
        for choices in choice_combinations(chosen):
            after = check_job(arguments, arguments.config_name or config_name, choices, others, places)
            sweeps = arguments.multirun or after.hydra.mode == RunMode.MULTIRUN
            if sweeps:
                sizes |= sizes_of(after, others) if runs_job(arguments) else set()
            else:
                check_single(overrides, chosen)
        if sweeps:
            check_shared(arguments.config_name or config_name, chosen, others, places)
        if len(sizes) > 1:
            listed = " and ".join(map(str, sorted(sizes)))
            say(f"the jobs train at {listed} pixels: afterwards they are compared at {min(sizes)}²")


def check_job(
    arguments: Namespace, config_name: str, choices: Sequence[str], others: Sequence[Override], places: Sequence[str]
) -> DictConfig:
    """The config of a job. Checks the overrides that choose no option, `others`; of a sweep, with its first value."""
    before = compose_config(config_name, [*choices, *places])
    known = flatten(before, resolve=False)
    for override in others:
        check_key(override, before, known, choices, places)
    after = compose_config(config_name, [*choices, *map(first_override, others)]) if others else before
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
    inside = key in groups or has_key(known, key)
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
        if has_key(flatten(other, resolve=False), key):
            found.append(option)
    if not found:
        return ""
    have = f"{', '.join(found[:-1])} and {found[-1]} have" if len(found) > 1 else f"{found[0]} has"
    return f" with {group}={before.hydra.runtime.choices[group]}; {group}={have} it: choose {group}=… as well"
