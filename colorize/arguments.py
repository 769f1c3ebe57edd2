"""Command lines of the verbs that are not composed by Hydra: a mistake is one sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from colorize.errors import UserError


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
