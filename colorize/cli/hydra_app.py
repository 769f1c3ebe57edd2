"""A verb as a Hydra program, and resume=FOLDER and rerun=FOLDER."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from colorize.config import conf_folder
from colorize.utils.environment import at_home
from colorize.utils.errors import INTERRUPTED, TRY_AGAIN, UserError, guarded
from colorize.utils.hydra_overrides import quoted, saved_overrides, unquote
from colorize.utils.stored_config import calls_resolver
from colorize.utils.trust import check_target, iterate_leaves, packages

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
        words = [word for word in saved_overrides(folder) if word.split("=", 1)[0] not in replaced]
        check_words(words, folder, named.get("trust"))
        changes = [word for word in said if not word.startswith(("-", "hydra.", "name="))]
        name = [] if several or "name" in named else [f"name={quoted(new_name(folder, changes))}"]
        return [*words, *name, *said], []  # of several runs, each is named after its parts
    return argv, []


def run_folder(word: str, value: str) -> Path:
    folder = at_home(unquote(value))
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{word}={value}: there is no run in that folder, it has no .hydra/config.yaml")
    return folder


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
    for place, held in iterate_leaves({key: value}):
        if calls_resolver(held):
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


def careful(script: str) -> str:
    """Hydra's script for the shell, less its habit to start any Python program that somebody types, to ask it: of one
    that is not Hydra's, files are completed."""
    files = 'COMPREPLY=($(compgen -o default -- "${words[$COMP_CWORD]}"))'
    return script.replace(
        'grep "@hydra.main" $file_path -q\n', f'grep -q "@hydra.main" "$file_path" || {{ {files}; return; }}\n'
    )


def run_hydra(config_name: str, argv: list[str], job: Callable[..., int]) -> int:
    """Compose a config from `argv` and run `job` on it: once, or once for each job of a multirun."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from colorize.cli.overrides import check_overrides
    from colorize.cli.parser import read_words, runs, search_here
    from colorize.utils.hydra_overrides import quote_if_needed

    search_here()
    arguments, words = read_words([quote_if_needed(word) for word in argv])
    check_overrides(conf_folder(), config_name, arguments)
    from colorize.training.config_schema import with_checked_values

    sys.argv[1:] = words  # Hydra reads them there
    if runs(arguments):
        from colorize.sweeps.hydra_plugins import register  # imports torch: not before the words are checked

        register()
    codes = [0]

    @hydra.main(config_path=str(conf_folder()), config_name=config_name, version_base="1.3")
    def task(cfg) -> int:
        search_here()  # a launcher may have started another process
        context = HydraConfig.get()
        words: Any = OmegaConf.to_container(context.overrides.task, resolve=False)  # a ${…} stays a word
        code = guarded(lambda: job(with_checked_values(cfg, config_name), context.runtime.output_dir, words))
        codes.append(code)
        if code in (INTERRUPTED, TRY_AGAIN):
            raise SystemExit(code)  # the jobs of a multirun that are still to come do not begin; after an error they do
        return code

    try:
        if arguments.shell_completion:
            with contextlib.redirect_stdout(io.StringIO()) as script:
                task()
            print(careful(script.getvalue()), end="")
        else:
            task()
    except SystemExit as ended:  # of the sweep, whose jobs may have run elsewhere
        codes.append(ended.code if isinstance(ended.code, int) else 1)
    return max(codes)
