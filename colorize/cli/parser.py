"""Command lines that argparse reads: those of the plain verbs. Imports nothing slow."""

import argparse
import os
import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NoReturn

from colorize.utils.errors import UserError, suggestion


class ArgumentParser(argparse.ArgumentParser):
    """The arguments of a verb that Hydra does not compose. Raises `UserError` where argparse would print its usage and
    leave; a mistake in an option's name is answered before all others."""

    def __init__(self, verb: str, summary: str):
        super().__init__(prog=f"colorize {verb}", description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False)
        self.limits: dict[str, tuple[float, float | None]] = {}
        self.register("type", int, partial(read_number, int, "a whole number"))
        self.register("type", float, partial(read_number, float, "a number such as 0.8"))

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
            "--trust",
            action="append",
            metavar="PACKAGE",
            help="your own Python package that the weights need; repeatable",
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


def read_number(kind: type[int] | type[float], wanted: str, word: str) -> float:
    try:
        return kind(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} must be {wanted}") from None


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
