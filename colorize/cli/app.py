"""The console command `colorize VERB …`: its verbs, its usage, its completion in the shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from colorize.cli.hydra_app import run_hydra
from colorize.utils import hydra_overrides
from colorize.utils.environment import allow_any_text, wait_passively
from colorize.utils.errors import UserError, guarded

OPTIONS = ("-sc", "--shell-completion")
COMPOSED = ("train", "evaluate")  # verbs whose words Hydra knows


def complete(argv: Sequence[str], verbs: Mapping[str, Callable[[list[str]], int]]) -> int:
    """Answer `colorize -sc install=bash` and, while somebody types, `colorize -sc query=bash`.

    Hydra answers for the words of `train` and `evaluate`, as if each were a program of its own; the other verbs take
    files, which the shell completes by itself.
    """
    line = os.environ.get("COMP_LINE", "")
    if not any(word.startswith("query=") for word in argv):
        return verbs["train"](list(argv))
    program, _, rest = line.strip().partition(" ")
    verb, space, words = rest.lstrip().partition(" ")
    if not (space or line.endswith(" ")) or not verb:
        print(" ".join(name for name in verbs if name.startswith(verb)))
    elif verb in COMPOSED:
        os.environ["COMP_LINE"] = f"{program} {words}"
        return verbs[verb](list(argv))
    return 0


# here: a launcher's other processes import this module before they compose a job's config
hydra_overrides.register_resolvers()

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
    allow_any_text()
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if verb in OPTIONS:
        return guarded(lambda: complete([verb, *rest], VERBS))
    if verb not in VERBS:
        return guarded(lambda: unknown(verb))
    if verb not in COMPOSED and rest[:1] in ([option] for option in OPTIONS):
        return 0  # Hydra's completion of `python` asks every script; this one takes files, which the shell completes
    return guarded(lambda: VERBS[verb](rest))


def unknown(verb: str) -> int:
    raise UserError(f"there is no verb {verb!r}; there are {', '.join(VERBS)}")


def train(argv: list[str]) -> int:
    from colorize.cli.hydra_app import expand
    from colorize.utils.hydra_overrides import quote_if_needed

    words, changes = expand([quote_if_needed(word) for word in argv])

    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.training.run import train  # torch and its like take seconds: not before the words are checked

        return train(cfg, folder, overrides, changes)

    return run_hydra("train", words, job)


def evaluate(argv: list[str]) -> int:
    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.cli.evaluate import evaluate_runs

        return evaluate_runs(cfg)

    return run_hydra("evaluate", argv, job)


def compare(argv: list[str]) -> int:
    from colorize.cli.compare import compare_runs

    return compare_runs(argv)


def paint(argv: list[str]) -> int:
    from colorize.cli.paint import paint

    return paint(argv)


def export(argv: list[str]) -> int:
    from colorize.cli.paint import export

    return export(argv)


def plates(argv: list[str]) -> int:
    from colorize.cli.historical import plates

    return plates(argv)


def fetch(argv: list[str]) -> int:
    from colorize.cli.historical import fetch

    return fetch(argv)


def inspect(argv: list[str]) -> int:
    from colorize.cli.data import inspect

    return inspect(argv)


def prepare(argv: list[str]) -> int:
    from colorize.cli.prepare import prepare_source

    return prepare_source(argv)


def sync(argv: list[str]) -> int:
    from colorize.cli.wandb import sync

    return sync(argv)


def dashboard(argv: list[str]) -> int:
    from colorize.cli.wandb import dashboard

    return dashboard(argv)


def look(argv: list[str]) -> int:
    from colorize.cli.data import look

    return look(argv)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "train": train, "evaluate": evaluate, "compare": compare, "paint": paint, "export": export,
    "inspect": inspect, "prepare": prepare, "look": look, "plates": plates, "fetch": fetch, "sync": sync,
    "dashboard": dashboard,
}  # fmt: skip
