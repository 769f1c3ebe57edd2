"""The console command `colorize VERB …`: the table of its verbs, its usage, its completion in the shell."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from colorize.cli.options import parse_arguments
from colorize.utils import hydra_overrides
from colorize.utils.environment import allow_any_text, own_version, wait_passively
from colorize.utils.errors import UserError, guarded, suggestion

# here: a launcher's other processes import this module before they compose a job's config
hydra_overrides.register_resolvers()


class Verb(NamedTuple):
    """What the command, its usage, --help and the documents know of a verb.

    target     the module of `colorize.cli` and the function in it: parsed arguments -> exit status. It is imported once
               they are parsed; `VERB_options` in `options.py` adds the verb's options to the parser
    arguments  as the usage shows them
    summary    what the verb does
    composed   Hydra composes a config from the arguments, which are not parsed before, and completes them
    """

    target: str
    arguments: str
    summary: str
    composed: bool = False


VERBS = {
    "train": Verb(
        "hydra_app:run_train", "[group=option …] [key=value …]", "train a model; --help lists the groups", True
    ),
    "evaluate": Verb("hydra_app:run_evaluate", "run=FOLDER [key=value …]", "score the checkpoint of a run", True),
    "compare": Verb("compare:compare_runs", "FOLDER FOLDER …", "put runs side by side, with intervals and tests"),
    "judge": Verb(
        "judge:judge", "RUN RUN … -o FOLDER", "let people choose between the colours of runs; --read their choices"
    ),
    "paint": Verb("paint:paint", "PHOTO … -o OUT [--weights W]", "colour photographs at their full size"),
    "app": Verb("web_app:app", "[--weights W …]", "serve a page on this machine that colours photographs"),
    "models": Verb("models:models", "[FOLDER]", "list the networks that are here, and those that can be had by name"),
    "verify": Verb("verify:verify", "PAINTED … --source FOLDER", "paint again from the source, and say what differs"),
    "inspect": Verb(
        "data:inspect", "SOURCE -o FOLDER [--val SOURCE]", "find what is wrong with photographs before training on them"
    ),
    "export": Verb("export:export", "W -o FOLDER", "write a network as safetensors, config and model card"),
    "prepare": Verb(
        "prepare:prepare_source", "SOURCE FOLDER", "write photographs into tar files that data=shards reads"
    ),
    "look": Verb("data:look", "SOURCE -o FOLDER", "preview what data/look=film makes of photographs"),
    "plates": Verb("historical:plates", "SCAN … -o FOLDER", "compose colour photographs from scans of three exposures"),
    "sync": Verb("wandb:sync", "[FOLDER]", "send the runs that W&B has not got yet"),
    "dashboard": Verb("wandb:dashboard", "[PROJECT]", "build the W&B workspace and report of a project's runs"),
    "fetch": Verb(
        "historical:fetch_historical", "historical -o FOLDER", "download old photographs of the Library of Congress"
    ),
}


def usage() -> str:
    lines = [f"  {name:<10} {verb.arguments:<33} {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join([
        "colorize VERB …", "", *lines, "",
        "W is a run folder, a checkpoint, a published file, a name that colorize models lists, or one on the hub.",
        "colorize VERB --help shows all options of a verb; --version shows the version.",
    ])  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run a verb; the exit status."""
    atexit.register(gc.freeze)  # else Python looks for garbage among all objects of torch as it ends, for a second
    wait_passively()
    allow_any_text()
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    return guarded(lambda: dispatch(verb, rest))


def dispatch(verb: str, argv: list[str]) -> int:
    """Raises `UserError` for a verb that does not exist."""
    if "--version" in (verb, *argv):
        print(f"colorize {own_version()}")
        return 0
    if verb in ("-h", "--help"):
        print(usage())
        return 0
    if verb in ("-sc", "--shell-completion"):
        return complete([verb, *argv])
    if verb not in VERBS:
        raise UserError(f"there is no verb {verb!r}{suggestion(verb, VERBS)}; there are {', '.join(VERBS)}")
    return call_verb(verb, argv)


def call_verb(name: str, argv: list[str]) -> int:
    verb = VERBS[name]
    arguments = argv if verb.composed else parse_arguments(name, verb.summary, argv)
    module_name, _, function = verb.target.partition(":")
    return getattr(import_module(f"colorize.cli.{module_name}"), function)(arguments)


def complete(argv: Sequence[str]) -> int:
    """Answer `colorize -sc install=bash` and, while somebody types, `colorize -sc query=bash`.

    Hydra completes the arguments of `train` and `evaluate`, as if each were a program of its own; the other verbs take
    files, which the shell completes by itself.
    """
    line = os.environ.get("COMP_LINE", "")
    if not any(word.startswith("query=") for word in argv):
        return call_verb("train", list(argv))
    program, _, rest = line.strip().partition(" ")
    verb, space, arguments = rest.lstrip().partition(" ")
    if not (space or line.endswith(" ")) or not verb:
        print(" ".join(name for name in VERBS if name.startswith(verb)))
    elif verb in VERBS and VERBS[verb].composed:
        os.environ["COMP_LINE"] = f"{program} {arguments}"
        return call_verb(verb, list(argv))
    return 0
