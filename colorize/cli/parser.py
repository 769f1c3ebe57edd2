"""Command lines: the plain verbs' by argparse, and those that Hydra composes a config of."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError, describe_options
from colorize.utils.hydra_overrides import parse_override


class Arguments(argparse.ArgumentParser):
    """Raises `UserError` where argparse would print its usage and leave."""

    def __init__(self, verb: str, description: str):
        super().__init__(prog=f"colorize {verb}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}; --help shows all options")

    def parse_args(self, args=None, namespace=None):
        words, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = [option for action in self._actions for option in action.option_strings]
            close = get_close_matches(unknown[0], known, n=1)
            self.error(f"there is no option {unknown[0]!r}" + (f": did you mean {close[0]}?" if close else ""))
        for name, value in vars(words).items():
            setattr(words, name, expanded(value))
        return words


def expanded(value: Any) -> Any:
    """The same with the home folder for a ~ that begins a word or a path: no shell has put it there behind a quote or
    an =, nor does that of Windows."""
    if isinstance(value, list):
        return [expanded(each) for each in value]
    if isinstance(value, str | Path) and str(value).startswith("~"):
        return type(value)(os.path.expanduser(value))  # noqa: PTH111 (the same for words)
    return value


def add_trust(parser: Arguments) -> None:
    parser.add_argument(
        "--trust",
        action="append",
        metavar="PACKAGE",
        help="whose classes the weights' config may name; say it again for more",
    )


def trusted(packages: Sequence[str] | None) -> list[str]:
    """What was said of --trust, and the working folder where these packages may lie."""
    if packages:
        search_here()
    return list(packages or ())


def search_here() -> None:
    """Let parts of the user's own be found in the working folder: after all else, so that they stand in for nothing."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


COMMANDS = {
    "run": "--run",
    "multirun": "-m",
    "cfg": "--cfg",
    "info": "--info",
    "shell_completion": "--shell-completion",
}


def read_words(argv: Sequence[str]) -> tuple[Namespace, list[str]]:
    """Hydra's options and overrides, and the same words with the options first: Hydra's own parser reads -m only there.

    Raises `UserError` for an option that does not exist, lacks its value or does not go with another.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split()[0].split("=")[0]
        known = [option for action in parser._actions for option in action.option_strings]
        if message.startswith("unrecognized") and (close := get_close_matches(unknown, known, n=1)):
            raise UserError(f"there is no option {unknown!r}: did you mean {close[0]}?")
        raise UserError(f"{message}; --hydra-help shows all options")

    parser.error = refuse  # type: ignore[method-assign]  # argparse would print its usage and leave
    arguments = parser.parse_intermixed_args(list(argv))
    arguments.overrides = arguments.overrides or []
    said = [option for name, option in COMMANDS.items() if getattr(arguments, name)]
    if len(said) > 1:
        raise UserError(f"{' and '.join(said)} do not go together: say one of them")
    if arguments.resolve and not (arguments.cfg or arguments.help):
        raise UserError("--resolve goes with --cfg, as in --cfg job --resolve")
    if arguments.package and not arguments.cfg:
        raise UserError("--package goes with --cfg, as in --cfg job --package optimizer")
    return arguments, [*without(argv, arguments.overrides), *arguments.overrides]


def runs(arguments: Namespace) -> bool:
    """Whether something is run, and not only shown."""
    return not any(getattr(arguments, name) for name in ("cfg", "info", "help", "hydra_help", "shell_completion"))


def without(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The words that are no override: options and their values."""
    left = list(words)[::-1]
    for override in overrides[::-1]:
        left.remove(override)
    return left[::-1]


@contextmanager
def searching(conf: Path, arguments: Namespace) -> Iterator[None]:
    """A Hydra that finds configs where that of the program will."""
    search_path = create_automatic_config_search_path(__file__, None, arguments.config_path or str(conf))
    if arguments.config_dir:
        own = without_links(at_home(arguments.config_dir))
        if not own.is_dir():
            raise UserError(f"--config-dir={arguments.config_dir}: there is no such folder")
        search_path.prepend("command-line", f"file://{own}", anchor=SearchPathQuery(provider="schema"))
    version.setbase("1.3")
    Hydra.create_main_hydra2(task_name="check", config_search_path=search_path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


def parse(words: Sequence[str]) -> list[Override]:
    return [parse_override(word, GlobalHydra.instance().config_loader()) for word in words]


def each_choice(chosen: Sequence[Override]) -> Iterator[list[str]]:
    """The options that are chosen together; of several for one group, each, beside the first of all others."""
    words = [[f"{override.get_key_element()}={value}" for value in values(override)] for override in chosen]
    first = [options[0] for options in words]
    yield first
    for place, options in enumerate(words):
        for option in options[1:]:
            yield [*first[:place], option, *first[place + 1 :]]


def first_word(override: Override) -> str:
    """The override as Hydra reads it in a job; of a sweep, one of its jobs."""
    if not override.is_sweep_override():
        return override.input_line or ""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return f"{override.get_key_element()}={value.start}"
    return f"{override.get_key_element()}={next(iter(override.sweep_iterator(transformer=Transformer.encode)))}"


def values(override: Override) -> list[Any]:
    """The value, or all those of a sweep; of an interval, its ends."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [value.start, value.end]
    return list(override.sweep_iterator()) if override.is_sweep_override() else [value]


def composed(config_name: str, words: Sequence[str]) -> DictConfig:
    """The whole config with these overrides, Hydra's own included."""
    try:
        return compose(config_name, overrides=list(words), return_hydra_config=True)
    except HydraException as error:
        group, _, option = str(getattr(error, "missing_cfg_file", "")).rpartition("/")
        if group == "loss" and f"model={option}" in words:
            options = describe_options(group, group_options(group))
            raise UserError(f"model={option} has no loss of its own: say loss=…; {options}") from error
        said = str(error).split("\nTo append")[0]  # what Hydra advises next makes a key that nothing reads
        inner = error.__cause__
        cause = f": {str(inner).splitlines()[0]}" if isinstance(inner, OmegaConfBaseException) else ""
        raise UserError(" ".join(said.split()).rstrip(".") + cause) from error


def plain(cfg: DictConfig) -> Any:
    return OmegaConf.to_container(cfg, resolve=False)


def group_options(group: str, places: Sequence[str] = ()) -> list[str]:
    """The options of a group, those in its folders included: smoke, ddcolor/tiny, …; none where it is not a group.

    `places` are overrides that say where else to look.
    """
    if not group:
        return []
    options, folders = listed(group, ObjectType.CONFIG, places), listed(group, ObjectType.GROUP, places)
    nested = (f"{folder}/{option}" for folder in folders for option in group_options(f"{group}/{folder}", places))
    return [*options, *nested]


def listed(group: str, kind: ObjectType, places: Sequence[str]) -> list[str]:
    loader = GlobalHydra.instance().config_loader()
    return loader.get_group_options(group, kind, overrides=list(places))
