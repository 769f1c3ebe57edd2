"""The words behind `python train.py`: which are Hydra's options and which change the config, in any order."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from colorize.again import quoted, unquoted
from colorize.errors import UserError
from colorize.home import at_home

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


STRUCTURE = "'\"[]{}(),"  # what Hydra makes lists, maps, sweeps, functions and quotes of
PLAIN = "_/-\\+.$%*@?|: \t"  # what it takes in a value as it is, besides Latin letters and digits


def readable(word: str) -> str:
    """The word as Hydra's grammar reads it: a plain value with letters that are not Latin, =, & … in quotes, and the
    home folder for a ~ that begins it.

    Lists, maps, sweeps and what has quotes already are left as they are.
    """
    key, equals, value = word.partition("=")
    if equals and word.startswith("-") and value.startswith("~"):
        return f"{key}={at_home(value)}"  # of an option, such as --config-dir
    if equals and (path := unquoted(value)).startswith("~"):
        return f"{key}={quoted(os.path.expanduser(path))}"  # noqa: PTH111 (a word that is no path stays as it is)
    if word.startswith("-") or not equals or not unread(value) or any(character in STRUCTURE for character in value):
        return word
    return f"{key}={quoted(value)}"


def unread(value: str) -> str:
    """The characters of a value that Hydra's grammar has no place for without quotes."""
    return "".join(c for c in value if not (c.isascii() and c.isalnum()) and c not in PLAIN and c not in STRUCTURE)


def parse_override(word: str, loader: object = None) -> Override:
    """Raises `UserError` for a word that is no override, naming the character that is in the way."""
    try:
        (found,) = OverridesParser.create(config_loader=loader).parse_overrides([word])  # type: ignore[arg-type]
        if not found.key_or_group:
            raise HydraException("no key")
        return found
    except HydraException as error:
        value = word.partition("=")[2]
        odd = unread(value) or "".join(character for character in value if character in STRUCTURE)
        blamed = f", for its {odd[0]}" if odd else ""
        raise UserError(
            f"cannot read {word!r}{blamed}: overrides look like key=value, and a value with spaces, brackets or commas "
            "needs quotes inside quotes, as in 'data.root=\"my photos [1]\"'"
        ) from error


def runs(arguments: Namespace) -> bool:
    """Whether something is run, and not only shown."""
    return not any(getattr(arguments, name) for name in ("cfg", "info", "help", "hydra_help", "shell_completion"))


def without(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The words that are no override: options and their values."""
    left = list(words)[::-1]
    for override in overrides[::-1]:
        left.remove(override)
    return left[::-1]
