"""Hydra's overrides as text: quoted, parsed, resolved, and the folder names that are made of them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import short_digest
from colorize.utils.stored_config import FREE, is_within, read_yaml

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def quoted(value: object) -> str:
    """The text as Hydra reads it: backslashes are doubled before a quote and at the end, and nowhere else."""
    text = re.sub(r"(\\*)'", r"\1\1\\'", str(value))
    return "'" + re.sub(r"(\\+)$", r"\1\1", text) + "'"


def unquote(value: str) -> str:
    """The text that Hydra reads where it stands in its quotes; the value where it has none."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return value
    text = re.sub(rf"(\\*)\\{value[0]}", lambda found: found[1][::2] + value[0], value[1:-1])
    return re.sub(r"(\\+)$", lambda found: found[1][::2], text)


STRUCTURE = "'\"[]{}(),"  # what Hydra makes lists, maps, sweeps, functions and quotes of
PLAIN = "_/-\\+.$%*@?|: \t"  # what it takes in a value as it is, besides Latin letters and digits


def quote_if_needed(word: str) -> str:
    """The word as Hydra's grammar reads it: a plain value with letters that are not Latin, =, & … in quotes, and the
    home folder for a ~ that begins it.

    Lists, maps, sweeps and what has quotes already are left as they are.
    """
    key, equals, value = word.partition("=")
    if equals and word.startswith("-") and value.startswith("~"):
        return f"{key}={at_home(value)}"  # of an option, such as --config-dir
    if equals and (path := unquote(value)).startswith("~"):
        return f"{key}={quoted(os.path.expanduser(path))}"  # noqa: PTH111 (a word that is no path stays as it is)
    plain = equals and not word.startswith("-") and not set(STRUCTURE) & set(value)
    return f"{key}={quoted(value)}" if plain and unquotable_characters(value) else word


def unquotable_characters(value: str) -> str:
    """The characters of a value that Hydra's grammar has no place for without quotes."""
    return "".join(c for c in value if not (c.isascii() and c.isalnum()) and c not in PLAIN and c not in STRUCTURE)


def parse_override(word: str, loader: object = None) -> Override:
    """Raises `UserError` for a word that is no override, naming the character that is in the way."""
    from hydra.core.override_parser.overrides_parser import OverridesParser  # not where a run's network is loaded
    from hydra.errors import HydraException

    try:
        (found,) = OverridesParser.create(config_loader=loader).parse_overrides([word])  # type: ignore[arg-type]
        if not found.key_or_group:
            raise HydraException("no key")
        return found
    except HydraException as error:
        value = word.partition("=")[2]
        odd = unquotable_characters(value) or "".join(character for character in value if character in STRUCTURE)
        blamed = f", for its {odd[0]}" if odd else ""
        raise UserError(
            f"cannot read {word!r}{blamed}: overrides look like key=value, and a value with spaces, brackets or commas "
            "needs quotes inside quotes, as in 'data.root=\"my photos [1]\"'"
        ) from error


# What may change between two starts of one sweep, besides what may change between two starts of a run
CHANGEABLE = (
    *FREE, "hydra/launcher", "hydra.launcher", "hydra.sweeper.n_trials", "hydra.sweeper.n_jobs", "hydra.callbacks",
    "hydra.sweep", "hydra.run",
)  # fmt: skip


def sweep_folder() -> str:
    """The name of the folder of the sweep that this program's words begin, or go on with."""
    words = "\n".join(fixed_in_sweep([word for word in sys.argv[1:] if not word.startswith("-")]))
    return f"sweep-{short_digest(words, 8)}"


def fixed_in_sweep(words: Sequence[str]) -> list[str]:
    """The words that say what is trained; the others may change between two starts of one sweep."""
    return [word for word in words if not is_within(word.split("=", 1)[0].lstrip("+~"), CHANGEABLE)]


def job_folder(number: int, overrides: Sequence[str], sweep: str = "") -> str:
    """A job's folder within that of its sweep: its number and a hash of the overrides that say what is trained.

    sweep  the sweep's folder: a job that lies there under the hash of all overrides, as in older versions, stays there
    """
    hashed = ("\n".join(words) for words in (overrides, fixed_in_sweep(overrides)))
    old, new = (f"{int(number):03d}-{short_digest(words, 8)}" for words in hashed)
    return old if sweep and Path(sweep, old).is_dir() else new


def register_resolvers() -> None:
    OmegaConf.register_new_resolver("seeded", seeded_name, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("sweep_folder", sweep_folder, replace=True, use_cache=True)  # one for all its jobs


def seeded_name(name: str, seed: int) -> str:
    """The run name of a recipe: seed 0 has it plain, the others say their seed."""
    return name if seed == 0 else f"{name}-s{seed}"


def saved_overrides(folder: Path) -> list[str]:
    """The overrides that the run in `folder` was started with. Raises `UserError` where the file is not whole."""
    path = folder / ".hydra" / "overrides.yaml"
    words = read_yaml(path) or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{str(path)!r} is not whole, it holds no list of words: put it back from a copy")
    return words
