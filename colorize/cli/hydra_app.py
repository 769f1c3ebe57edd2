"""A verb as a Hydra program, and resume=FOLDER and rerun=FOLDER."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf

from colorize.cli.composition import hydra_context, parse_hydra_args, print_help, runs_job
from colorize.cli.overrides import check_overrides
from colorize.cli.parser import search_here
from colorize.config import conf_folder
from colorize.utils.environment import at_home
from colorize.utils.errors import INTERRUPTED, TRY_AGAIN, UserError, guarded
from colorize.utils.files import short_digest
from colorize.utils.hydra_overrides import parse_override, quote_if_needed, quoted, saved_overrides, unquote
from colorize.utils.stored_config import calls_resolver
from colorize.utils.trust import check_target, iterate_leaves, packages

LONGEST = 80  # letters of a name that we make: services that follow runs take about 100


def run_train(argv: list[str]) -> int:
    """Train the run that the arguments describe, or each run of a sweep; the exit status."""
    arguments, changes = expand_resume_rerun([quote_if_needed(word) for word in argv])

    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.reports.comparison_page import write_result_page  # torch and its like: once the arguments are
        from colorize.training.run import train_run  # checked

        return train_run(cfg, folder, overrides, changes, write_result_page)

    return run_hydra("train", arguments, job)


def run_evaluate(argv: list[str]) -> int:
    """Evaluate the networks that the arguments name; the exit status."""

    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.cli.evaluate import evaluate_runs  # as above

        return evaluate_runs(cfg)

    groups = {path.name for path in conf_folder().iterdir() if path.is_dir()} - {"hydra", "protocol", "metrics"}
    for word in argv:
        if (group := re.split(r"[=/.@]", word.lstrip("+~"))[0]) in groups and "=" in word:
            instead = "track=false leaves W&B alone" if group == "tracker" else "its groups are protocol and metrics"
            raise UserError(f"{word}: evaluate has no {group!r}, a run is evaluated as it was trained; {instead}")
    return run_hydra("evaluate", argv, job)


def expand_resume_rerun(argv: list[str]) -> tuple[list[str], list[str]]:
    """(the arguments to compose a config of, those that change the config of the run that `resume` names).

    `rerun` is replaced by the overrides of the earlier run, and `resume` by its folder.
    Raises `UserError` for a folder that holds no run.
    """
    argv = [word for word in argv if word not in ("resume=null", "rerun=null")]  # as if they were not there
    named = {word.split("=", 1)[0]: word.split("=", 1)[1] for word in argv if "=" in word}
    if "resume" in named and "rerun" in named:
        raise UserError("resume continues a run, rerun starts another: use one of them")
    several = bool({"-m", "--multirun"} & set(argv)) or "hparams_search" in named
    if "resume" in named and several:
        raise UserError("resume continues one run, and -m starts several: use rerun for others like it")
    if "resume" in named:
        folder = existing_run("resume", named["resume"])
        overrides = [word for word in argv if ("=" in word and not word.startswith("-")) or word.startswith("~")]
        changes = [word for word in overrides if not word.lstrip("+~").startswith(("resume=", "hydra.", "hydra/"))]
        kept = [word for word in argv if word not in changes or word.startswith(("tracker=", "trust="))]
        return [*kept, f"hydra.run.dir={quoted(folder)}"], changes
    if "rerun" in named:
        folder = existing_run("rerun", named["rerun"])
        own = [word for word in argv if not word.startswith("rerun=")]
        replaced = {"name", "overwrite", "resume", "trust", *named}
        words = [word for word in saved_overrides(folder) if word.split("=", 1)[0] not in replaced]
        check_saved_overrides(words, folder, named.get("trust"))
        changes = [word for word in own if not word.startswith(("-", "hydra.", "name="))]
        name = [] if several or "name" in named else [f"name={quoted(rerun_name(folder, changes))}"]
        return [*words, *name, *own], []  # of several runs, each is named after its parts
    return argv, []


def existing_run(word: str, value: str) -> Path:
    folder = at_home(unquote(value))
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{word}={value}: there is no run in that folder, it has no .hydra/config.yaml")
    return folder


def check_saved_overrides(words: Sequence[str], folder: Path, trust: str | None) -> None:
    """Refuse saved overrides that do more than choose options and set plain values: they are data.

    trust   what the user gave as the packages whose classes they may name, such as [mypackage]
    """
    allowed = packages(parse_override(f"trust={trust}").value() if trust else ())
    where = repr(str(folder / ".hydra" / "overrides.yaml"))
    for word in words:
        try:
            override = OverridesParser.create().parse_override(word)
            value = override.value()
        except HydraException as error:
            raise UserError(f"{where} holds {word!r}, which is no override") from error
        key = override.key_or_group
        if word.startswith("-") or {"hydra", "searchpath"} & set(re.split(r"[./]", f"{key}.{override.package}")):
            raise UserError(f"{where} holds {word!r}, which would change Hydra itself: give it yourself if you want it")
        for place, held in iterate_leaves({key: value}):
            if calls_resolver(held):
                raise UserError(f"{where} holds {word!r}, which would ask this machine for something: give it yourself")
            part, _, last = place.rpartition(".")
            if last == "_target_":
                check_target(held, part, allowed, where)
            elif re.search(r"(^|\.)_", place) and last != "_partial_":
                raise UserError(f"{where} holds {word!r}, which sets more than a plain value: give it yourself")


def rerun_name(folder: Path, changes: list[str]) -> str:
    """The old run's name and what is different, so that the same command finds its run again.

    It has no letter that a command line would ask quotes for; a long one ends in a hash of the rest.
    """
    words = [folder.resolve().name, *(changes or ["rerun"])]
    name = "-".join(re.sub(r"[^\w.-]+", "-", word).strip("-") for word in words)
    return name if len(name) <= LONGEST else f"{name[:LONGEST]}-{short_digest(name, 8)}"


def completion_script(script: str) -> str:
    """Hydra's script for the shell, without its habit of starting any Python program that somebody types to ask it: for
    a program that is not Hydra's, files are completed."""
    files = 'COMPREPLY=($(compgen -o default -- "${words[$COMP_CWORD]}"))'
    return script.replace(
        'grep "@hydra.main" $file_path -q\n', f'grep -q "@hydra.main" "$file_path" || {{ {files}; return; }}\n'
    )


def run_hydra(config_name: str, argv: list[str], job: Callable[..., int]) -> int:
    """Compose a config from `argv` and run `job` on it, once for each job of a multirun; the highest exit status.

    job  (config, folder, overrides) -> exit status
    """
    search_here()
    arguments, words = parse_hydra_args([quote_if_needed(word) for word in argv], config_name)
    if arguments.help:
        with hydra_context(conf_folder(), arguments):
            print_help(config_name, arguments)
        return 0
    check_overrides(conf_folder(), config_name, arguments)
    if runs_job(arguments):
        # imports torch: not before the arguments are checked
        from colorize.sweeps.hydra_plugins import register_plugins

        register_plugins()
    codes = [0]
    task = hydra_task(config_name, job, codes)
    sys.argv[1:] = words  # Hydra reads them there
    try:
        if arguments.shell_completion:
            with contextlib.redirect_stdout(io.StringIO()) as script:
                task()
            print(completion_script(script.getvalue()), end="")
        else:
            task()
    except SystemExit as ended:  # of the sweep, whose jobs may have run elsewhere
        codes.append(ended.code if isinstance(ended.code, int) else 1)
    return max(codes)


def hydra_task(config_name: str, job: Callable[..., int], codes: list[int]) -> Callable[[], None]:
    """`job` as a program of Hydra's, which adds the exit status of each run to `codes`."""

    @hydra.main(config_path=str(conf_folder()), config_name=config_name, version_base="1.3")
    def task(cfg) -> int:
        from colorize.training.config_schema import with_checked_values  # imports pydantic and more

        search_here()  # a launcher may have started another process
        context = HydraConfig.get()
        words: Any = OmegaConf.to_container(context.overrides.task, resolve=False)  # a ${…} stays a word
        code = guarded(lambda: job(with_checked_values(cfg, config_name), context.runtime.output_dir, words))
        codes.append(code)
        if code in (INTERRUPTED, TRY_AGAIN):
            raise SystemExit(code)  # the jobs of a multirun that are still to come do not begin; after an error they do
        return code

    return task
