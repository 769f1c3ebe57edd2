"""Check the words of a command line against the configs, before anything slow is imported."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from colorize.errors import UserError


def check_overrides(conf: Path, config_name: str, argv: list[str]) -> None:
    """Raises `UserError`, with suggestions, for a group, option or key that does not exist, or a word for a number.

    Configs of the user's own (--config-dir, hydra.searchpath, …) are left to Hydra to check.
    """
    arguments = get_args_parser().parse_args(argv)
    own = arguments.config_dir or arguments.config_path or arguments.config_name
    if own or any(word.startswith("hydra.searchpath") for word in arguments.overrides):
        return
    overrides = parse(arguments.overrides)
    with initialize_config_dir(str(conf), version_base="1.3"):
        chosen = [o for o in overrides if check_choice(o)]
        known = leaves(compose_chosen(config_name, chosen))
        for override in overrides:
            if override not in chosen:
                check_key(override, known)
        compose_chosen(config_name, [o for o in overrides if not o.is_sweep_override()])


def parse(words: list[str]) -> list[Override]:
    overrides = []
    for word in words:
        try:
            overrides += OverridesParser.create().parse_overrides([word])
        except HydraException as error:
            raise UserError(
                f"cannot read {word!r}: overrides look like key=value, and a value with spaces, brackets or commas "
                "needs quotes inside quotes, as in 'data.root=\"my photos [1]\"'"
            ) from error
    return overrides


def check_choice(override: Override) -> bool:
    """Whether the override chooses options of a group; one that does not exist is refused."""
    key = override.key_or_group
    if not (options := group_options(key)) or override.is_delete():
        return False
    values = override.sweep_iterator() if override.is_sweep_override() else [override.value()]
    for value in map(str, values):
        if value not in options and value not in ("None", "null"):
            raise UserError(
                f"{key} has no option {value!r}{suggestion(value, options, f'{key}=')}; {listing(key, options)}"
            )
    return True


def check_key(override: Override, known: dict[str, Any]) -> None:
    key = override.key_or_group
    top = key.split(".")[0].split("@")[0]
    groups = GlobalHydra.instance().config_loader().list_groups("")
    if top == "hydra" or override.is_delete() or "@" in key:
        return  # Hydra checks these itself
    inside = any(path == key or path.startswith(key + ".") for path in known)
    if override.is_add() or override.is_force_add():
        if not any(path.split(".")[0] == top for path in known):
            raise UserError(f"there is nothing called {top!r} to add to{suggestion(top, [*groups, *known])}")
    elif not inside:
        raise UserError(f"there is no {key!r}{suggestion(key, [*known, *groups])}; --cfg job shows every key")
    number, value = known.get(key), None if override.is_sweep_override() else override.value()
    if (
        isinstance(number, int | float)
        and not isinstance(number, bool)
        and isinstance(value, str)
        and "${" not in value
    ):
        raise UserError(f"{key} is a number, such as {number}; {value!r} is not")


def compose_chosen(config_name: str, overrides: list[Override]) -> Any:
    """The config with these overrides; of a sweep over options, with the first."""
    words = [
        f"{o.key_or_group}={next(iter(o.sweep_iterator()))}" if o.is_sweep_override() else o.input_line
        for o in overrides
    ]
    try:
        return compose(config_name, overrides=[word for word in words if word])
    except HydraException as error:
        raise UserError(" ".join(str(error).split())) from error


def group_options(group: str) -> list[str]:
    """The options of a group, those in its folders included: smoke, ddcolor/tiny, …; none where it is not a group."""
    if not group:
        return []
    loader = GlobalHydra.instance().config_loader()
    folders = loader.list_groups(group)
    nested = [f"{folder}/{option}" for folder in folders for option in group_options(f"{group}/{folder}")]
    return [*loader.get_group_options(group), *nested]


def leaves(cfg: Any) -> dict[str, Any]:
    """config path -> value, of the values and of the empty branches; interpolations are left as they stand."""
    found: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, f"{path}.{key}" if path else str(key))
        elif path:
            found[path] = node

    walk(OmegaConf.to_container(cfg, resolve=False), "")
    return found


def suggestion(word: str, known: list[str], prefix: str = "") -> str:
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    return f": did you mean {' or '.join(prefix + match for match in close)}?" if close else ""


def listing(key: str, options: list[str]) -> str:
    return f"the options are {', '.join(sorted(options))}" if len(options) < 30 else f"{len(options)} options exist"
