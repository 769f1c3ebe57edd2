"""Command lines that Hydra composes a config of: its options, its overrides, its groups."""

import argparse
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.cli.parser import CLOSE, unknown_option
from colorize.config import conf_folder
from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError, describe_options, suggestion
from colorize.utils.hydra_overrides import parse_override

COMMANDS = {
    "run": "--run",
    "multirun": "-m",
    "cfg": "--cfg",
    "info": "--info",
    "shell_completion": "--shell-completion",
}


def parse_hydra_args(argv: Sequence[str], config_name: str) -> tuple[Namespace, list[str]]:
    """Hydra's options and overrides, and the same words with the options first: Hydra's own parser reads -m only there.

    Raises `UserError` for an option that does not exist, lacks its value or does not go with another.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise UserError(f"{message}; --hydra-help shows all options")

    parser.error = refuse  # type: ignore[method-assign]  # argparse would print its usage and leave
    parser.allow_abbrev = False
    if (unknown := unknown_option(parser, argv)) is not None:
        raise UserError(describe_unknown_option(argv[unknown:], parser, config_name))
    args = parser.parse_intermixed_args(list(argv))
    args.overrides = args.overrides or []
    given = [option for name, option in COMMANDS.items() if getattr(args, name)]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} do not go together: use one of them")
    if args.experimental_rerun:
        raise UserError("--experimental-rerun is not supported: rerun=FOLDER starts the run of a folder again")
    if args.resolve and not (args.cfg or args.help):
        raise UserError("--resolve goes with --cfg, as in --cfg job --resolve")
    if args.package and not args.cfg:
        raise UserError("--package goes with --cfg, as in --cfg job --package optimizer")
    return args, sorted(argv, key=set(args.overrides).__contains__)


def describe_unknown_option(words: Sequence[str], parser: argparse.ArgumentParser, config_name: str) -> str:
    """What is wrong with the first of `words`, an option that does not exist: groups and keys have no dashes."""
    option, equals, value = words[0].partition("=")
    key = option.lstrip("-").replace("-", "_")
    config: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / f"{config_name}.yaml"))
    groups = [group for each in config["defaults"] if isinstance(each, dict) for group in each]
    if re.split(r"[./]", key)[0] in {*config, *groups, "rerun"} - {"hydra"}:
        following = value if equals else next((word for word in words[1:2] if word[0] != "-" and "=" not in word), "…")
        return f"there is no option {option!r}: write {key}={following}, without dashes"
    close = suggestion(option, parser._option_string_actions, cutoff=CLOSE)
    return f"there is no option {option!r}{close or '; groups and keys are written without dashes, as in key=value'}"


def runs_job(args: Namespace) -> bool:
    """Whether something is run, and not only shown."""
    return not any(getattr(args, name) for name in ("cfg", "info", "help", "hydra_help", "shell_completion"))


@contextmanager
def hydra_context(conf: Path, arguments: Namespace) -> Iterator[None]:
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


def parse_overrides(words: Sequence[str]) -> list[Override]:
    return [parse_override(word, GlobalHydra.instance().config_loader()) for word in words]


def compose_config(config_name: str, words: Sequence[str]) -> DictConfig:
    """The whole config with these overrides, Hydra's own included."""
    try:
        return compose(config_name, overrides=list(words), return_hydra_config=True)
    except HydraException as error:
        group, _, option = str(getattr(error, "missing_cfg_file", "")).rpartition("/")
        if group == "loss" and f"model={option}" in words:
            options = describe_options(group, group_options(group))
            raise UserError(f"model={option} has no loss of its own: use loss=…; {options}") from error
        said = str(error).split("\nTo append")[0]  # what Hydra advises next makes a key that nothing reads
        inner = error.__cause__
        cause = f": {str(inner).splitlines()[0]}" if isinstance(inner, OmegaConfBaseException) else ""
        raise UserError(" ".join(said.split()).rstrip(".") + cause) from error


def print_help(config_name: str, arguments: Namespace) -> None:
    """Hydra's --help, whose own way copies the repository of configs for each question about a group: most of a second.

    In a `hydra_context`.
    """
    hydra: Any = GlobalHydra.instance().hydra
    hydra.config_loader.get_group_options = hydra.config_loader.repository.get_group_options
    config = compose_config(arguments.config_name or config_name, arguments.overrides)
    HydraConfig.instance().set_config(config)
    shown = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    print(hydra.get_help(config.hydra.help, shown, get_args_parser(), resolve=arguments.resolve))


def group_options(group: str, places: Sequence[str] = ()) -> list[str]:
    """The options of a group, those in its folders included: smoke, ddcolor/tiny, …; none where it is not a group.

    `places` are overrides that say where else to look.
    """
    if not group:
        return []
    options, folders = options_in(group, ObjectType.CONFIG, places), options_in(group, ObjectType.GROUP, places)
    nested = (f"{folder}/{option}" for folder in folders for option in group_options(f"{group}/{folder}", places))
    return [*options, *nested]


def options_in(group: str, kind: ObjectType, places: Sequence[str]) -> list[str]:
    loader: Any = GlobalHydra.instance().config_loader()
    if not places:  # as below, which copies the repository first: ten times as slow, for every word of a command
        return loader.repository.get_group_options(group, kind)
    return loader.get_group_options(group, kind, overrides=list(places))
