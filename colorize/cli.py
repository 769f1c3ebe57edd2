"""The console command: `colorize VERB …`. What a user gets wrong ends in one sentence and a non-zero exit."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colorize import completion, resolvers
from colorize.errors import INTERRUPTED, TRY_AGAIN, UserError
from colorize.output_encoding import print_anything
from colorize.threads import wait_passively

resolvers.register()  # here: a launcher's other processes import this module before they compose a job's config

USAGE = """colorize VERB …

  train      [group=option …] [key=value …]    train a colorizer; --help lists the groups
  evaluate   run=FOLDER [key=value …]          score a run's checkpoint
  compare    FOLDER FOLDER …                   put runs side by side
  paint      PHOTO … --weights W -o OUT        colour photographs at their full size
  inspect    SOURCE -o FOLDER [--val SOURCE]   find what is wrong with photographs before training on them
  export     W -o FOLDER                       write a network as safetensors, config and model card
  prepare    SOURCE FOLDER                     photographs as tar files that data=shards reads
  look       SOURCE -o FOLDER                  see what data/look=film makes of photographs
  plates     SCAN … -o FOLDER                  colour photographs from plates of three exposures
  sync       [FOLDER]                          send the runs that W&B has not got yet
  dashboard  [PROJECT]                         the W&B workspace and report that compare a project's runs
  fetch      historical -o FOLDER              old photographs from the Library of Congress

W is a run folder, a checkpoint, a published file of DDColor's or the thesis's, or a name on the hub.
"""


def main(argv: list[str] | None = None) -> int:
    """Run a verb; the exit status."""
    wait_passively()
    print_anything()
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if verb in completion.OPTIONS:
        return guarded(lambda: completion.complete([verb, *rest], VERBS))
    if verb not in VERBS:
        return guarded(lambda: unknown(verb))
    if verb not in completion.COMPOSED and rest[:1] in ([option] for option in completion.OPTIONS):
        return 0  # Hydra's completion of `python` asks every script; this one takes files, which the shell completes
    return guarded(lambda: VERBS[verb](rest))


def guarded(job: Callable[[], int]) -> int:
    """Run `job`; say what is wrong in one sentence where that is the user's or the disk's doing.

    HYDRA_FULL_ERROR=1 shows the traceback as well.
    """
    print_anything()  # here too: a sweep's jobs may run in processes of their own
    try:
        return job()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (UserError, OSError) as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        if isinstance(error, UserError):
            print(f"{speaker()}{error}", file=sys.stderr)
            return error.exit_code
        print(f"{speaker()}{error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1


def speaker() -> str:
    """Which of several processes says something wrong; nothing for the first, which says all else."""
    rank = os.environ.get("RANK", "0")
    return "" if rank == "0" else f"process {rank}: "


def unknown(verb: str) -> int:
    raise UserError(f"there is no verb {verb!r}; there are {', '.join(VERBS)}")


def train(argv: list[str]) -> int:
    from colorize.again import expand
    from colorize.command_line import readable

    words, changes = expand([readable(word) for word in argv])

    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.training import train  # torch and its like take seconds: not before the words are checked

        return train(cfg, folder, overrides, changes)

    return run_hydra("train", words, job)


def evaluate(argv: list[str]) -> int:
    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.evaluation.evaluating import evaluate_runs

        return evaluate_runs(cfg)

    return run_hydra("evaluate", argv, job)


def compare(argv: list[str]) -> int:
    from colorize.comparing.command import compare_runs

    return compare_runs(argv)


def paint(argv: list[str]) -> int:
    from colorize.painting import paint

    return paint(argv)


def export(argv: list[str]) -> int:
    from colorize.exporting import export

    return export(argv)


def plates(argv: list[str]) -> int:
    from colorize.composing import plates

    return plates(argv)


def fetch(argv: list[str]) -> int:
    from colorize.fetching import fetch

    return fetch(argv)


def inspect(argv: list[str]) -> int:
    from colorize.doctor.inspecting import inspect

    return inspect(argv)


def prepare(argv: list[str]) -> int:
    from colorize.preparing import prepare_source

    return prepare_source(argv)


def sync(argv: list[str]) -> int:
    from colorize.tracking.sync import sync

    return sync(argv)


def dashboard(argv: list[str]) -> int:
    from colorize.dashboards.command import dashboard

    return dashboard(argv)


def look(argv: list[str]) -> int:
    from colorize.looking import look

    return look(argv)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "train": train, "evaluate": evaluate, "compare": compare, "paint": paint, "export": export,
    "inspect": inspect, "prepare": prepare, "look": look, "plates": plates, "fetch": fetch, "sync": sync,
    "dashboard": dashboard,
}  # fmt: skip


def conf_folder() -> Path:
    """`conf/` beside the package in a checkout, inside the package where it was installed."""
    here = Path(__file__).resolve().parent
    beside = here.parent / "conf"
    return beside if (beside / "train.yaml").is_file() else here / "conf"


def run_hydra(config_name: str, argv: list[str], job: Callable[..., int]) -> int:
    """Compose a config from `argv` and run `job` on it: once, or once for each job of a multirun."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from colorize.arguments import search_here
    from colorize.command_line import read_words, readable, runs
    from colorize.overrides import check_overrides

    search_here()
    arguments, words = read_words([readable(word) for word in argv])
    check_overrides(conf_folder(), config_name, arguments)
    from colorize.settings import with_checked_values  # after the words: with what it imports, it takes a while

    sys.argv[1:] = words  # Hydra reads them there
    if runs(arguments):
        from colorize.sweeps.plugins import register  # imports torch: not before the words are checked

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
            print(completion.careful(script.getvalue()), end="")
        else:
            task()
    except SystemExit as ended:  # of the sweep, whose jobs may have run elsewhere
        codes.append(ended.code if isinstance(ended.code, int) else 1)
    return max(codes)
