"""Command lines: the plain verbs' by argparse, and those that Hydra composes a config of."""

import argparse
import os
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, NoReturn

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.config import conf_folder
from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError, describe_options, suggestion
from colorize.utils.hydra_overrides import parse_override


class ArgumentParser(argparse.ArgumentParser):
    """The arguments of a verb that Hydra does not compose. Raises `UserError` where argparse would print its usage and
    leave; a mistake in an option's name is answered before all others."""

    def __init__(self, verb: str, summary: str):
        super().__init__(prog=f"colorize {verb}", description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False)
        self.limits: dict[str, tuple[float, float | None]] = {}

    def add_number(self, option: str, least: float, most: float | None = None, **options: Any) -> None:
        """An option whose value is at least `least`, and at most `most` if that is given."""
        options = {"type": int, **options}
        self.limits[self.add_argument(option, **options).dest] = (least, most)

    def add_output(self, meaning: str, overwrite: str = "") -> None:
        """-o, which is required; with `overwrite`, what that does, also --overwrite."""
        self.add_argument("-o", "--output", required=True, help=meaning)
        if overwrite:
            self.add_argument("--overwrite", action="store_true", help=overwrite)

    def add_workers(self) -> None:
        self.add_number("--workers", 0, help="processes; 0: only this one (default: one for each core)")

    def add_trust(self) -> None:
        self.add_argument(
            "--trust", action="append", metavar="PACKAGE", help="whose classes the weights' config may name; repeatable"
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}; --help shows all options")

    def parse(self, given: Sequence[str]) -> Namespace:
        """The arguments, with the home folder for a ~."""
        if (unknown := unknown_option(self, given)) is not None:
            option = given[unknown].partition("=")[0]
            self.error(f"there is no option {option!r}{suggestion(option, self._option_string_actions, cutoff=CLOSE)}")
        found, rest = self.parse_known_args(given)
        if rest:
            self.error(f"there is no place for {rest[0]!r}: an option takes one value, unless its help shows more")
        for name, value in vars(found).items():
            setattr(found, name, expand_home(value))
        for name, (least, most) in self.limits.items():
            value = getattr(found, name)
            if isinstance(value, int | float) and not least <= value <= (inf if most is None else most):
                range_ = f"{least} or more" if most is None else f"between {least} and {most}"
                self.error(f"--{name.replace('_', '-')} is {value}; it must be {range_}")
        return found


CLOSE = 0.8  # how alike a misspelt option and the one that was meant are: a group's name may be somewhat like an option


def unknown_option(parser: argparse.ArgumentParser, words: Sequence[str]) -> int | None:
    """The place of the first word that looks like an option and is none: argparse would first complain of what is
    required, and would take the beginning of an option's name for the option."""
    known = parser._option_string_actions
    for place, word in enumerate(words):
        option, short = word.partition("=")[0], known.get(word[:2])
        if word == "--":
            return None
        if not word.startswith("-") or word == "-" or " " in option or re.match(r"-\.?\d", word) or option in known:
            continue
        if word.startswith("--") or short is None or short.nargs == 0:  # else it is -oFOLDER
            return place
    return None


def expand_home(value: Any) -> Any:
    """The same with the home folder for a ~ that begins it: no shell has put it there behind a quote or an =, nor does
    that of Windows."""
    if isinstance(value, list):
        return [expand_home(each) for each in value]
    if isinstance(value, str | Path) and str(value).startswith("~"):
        return type(value)(os.path.expanduser(value))  # noqa: PTH111 (the same for words)
    return value


def trusted_packages(packages: Sequence[str] | None) -> list[str]:
    """The packages that --trust names; the working folder, where they may be, is searched for them."""
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
