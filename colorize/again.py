"""Words of a command line that stand for an earlier run: resume=FOLDER goes on with it, rerun=FOLDER starts another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from colorize.errors import UserError
from colorize.home import at_home
from colorize.stored import asks, leaves, read_yaml
from colorize.trust import check_target, packages

LONGEST = 80  # letters of a name that we make: services that follow runs take about 100


def expand(argv: list[str]) -> tuple[list[str], list[str]]:
    """(the words to compose a config of, those that change the config of the run that `resume` names).

    The words of the earlier run stand in the place of `rerun`, and its folder in that of `resume`.
    Raises `UserError` for a folder that holds no run.
    """
    named = {word.split("=", 1)[0]: word.split("=", 1)[1] for word in argv if "=" in word}
    if "resume" in named and "rerun" in named:
        raise UserError("resume goes on with a run, rerun starts another: say one of them")
    several = bool({"-m", "--multirun"} & set(argv)) or "hparams_search" in named
    if "resume" in named and several:
        raise UserError("resume goes on with one run, and -m starts several: say rerun for others like it")
    if "resume" in named:
        folder = run_folder("resume", named["resume"])
        told = [word for word in argv if ("=" in word and not word.startswith("-")) or word.startswith("~")]
        changes = [word for word in told if not word.lstrip("+~").startswith(("resume=", "hydra.", "hydra/"))]
        kept = [word for word in argv if word not in changes or word.startswith(("tracker=", "trust="))]
        return [*kept, f"hydra.run.dir={quoted(folder)}"], changes
    if "rerun" in named:
        folder = run_folder("rerun", named["rerun"])
        said = [word for word in argv if not word.startswith("rerun=")]
        replaced = {"name", "overwrite", "resume", "trust", *named}
        words = [word for word in saved_words(folder) if word.split("=", 1)[0] not in replaced]
        check_words(words, folder, named.get("trust"))
        changes = [word for word in said if not word.startswith(("-", "hydra.", "name="))]
        name = [] if several or "name" in named else [f"name={quoted(new_name(folder, changes))}"]
        return [*words, *name, *said], []  # of several runs, each is named after its parts
    return argv, []


def run_folder(word: str, value: str) -> Path:
    folder = at_home(unquoted(value))
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{word}={value}: there is no run in that folder, it has no .hydra/config.yaml")
    return folder


def saved_words(folder: Path) -> list[str]:
    """The overrides that the run in `folder` was started with. Raises `UserError` where the file is not whole."""
    path = folder / ".hydra" / "overrides.yaml"
    words = read_yaml(path) or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UserError(f"{str(path)!r} is not whole, it holds no list of words: put it back from a copy")
    return words


def check_words(words: Sequence[str], folder: Path, trust: str | None) -> None:
    """Refuse saved words that do more than choose options and set plain values: they are data.

    trust   the user's word for the packages whose classes they may name, such as [mypackage]
    """
    allowed = OverridesParser.create().parse_override(f"trust={trust}").value() if trust else []
    for word in words:
        check_word(word, packages(allowed), repr(str(folder / ".hydra" / "overrides.yaml")))


def check_word(word: str, trust: Sequence[str], where: str) -> None:
    """Raises `UserError` for a saved word that is more than a choice or a plain value."""
    try:
        override = OverridesParser.create().parse_override(word)
        value = override.value()
    except HydraException as error:
        raise UserError(f"{where} holds {word!r}, which is no override") from error
    key = override.key_or_group
    if word.startswith("-") or {"hydra", "searchpath"} & set(re.split(r"[./]", f"{key}.{override.package}")):
        raise UserError(f"{where} holds {word!r}, which would change Hydra itself: say it yourself if you want it")
    for place, held in leaves({key: value}):
        if asks(held):
            raise UserError(f"{where} holds {word!r}, which would ask this machine for something: say it yourself")
        part, _, last = place.rpartition(".")
        if last == "_target_":
            check_target(held, part, trust, where)
        elif re.search(r"(^|\.)_", place) and last != "_partial_":
            raise UserError(f"{where} holds {word!r}, which sets more than a plain value: say it yourself")


def new_name(folder: Path, changes: list[str]) -> str:
    """The old run's name and what is different, so that the same command finds its run again.

    It has no letter that a command line would ask quotes for; a long one ends in a hash of the rest.
    """
    words = [folder.resolve().name, *(changes or ["rerun"])]
    name = "-".join(re.sub(r"[^\w.-]+", "-", word).strip("-") for word in words)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{sha256(name.encode()).hexdigest()[:8]}"


def quoted(value: object) -> str:
    """The text as Hydra reads it: backslashes are doubled before a quote and at the end, and nowhere else."""
    text = re.sub(r"(\\*)'", r"\1\1\\'", str(value))
    return "'" + re.sub(r"(\\+)$", r"\1\1", text) + "'"


def unquoted(value: str) -> str:
    """The text that Hydra reads where it stands in its quotes; the value where it has none."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in "'\"":
        return value
    text = re.sub(rf"(\\*)\\{value[0]}", lambda found: found[1][::2] + value[0], value[1:-1])
    return re.sub(r"(\\+)$", lambda found: found[1][::2], text)
