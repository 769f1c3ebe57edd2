"""Words of a command line that stand for an earlier run: resume=FOLDER goes on with it, rerun=FOLDER starts another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from colorize.errors import UserError

# What may change between two starts of one run: it moves no weight.
FREE = (
    "name", "overwrite", "resume", "tracker", "trainer.device", "trainer.recompute", "data.num_workers",
    "checkpoint.every", "checkpoint.keep",
)  # fmt: skip


def expand(argv: list[str]) -> list[str]:
    """The same words, with those of the earlier run in the place of `rerun`, and its folder in that of `resume`.

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
        return [*argv, f"hydra.run.dir={quoted(folder)}"]
    if "rerun" in named:
        folder = run_folder("rerun", named["rerun"])
        said = [word for word in argv if not word.startswith("rerun=")]
        replaced = {"name", "overwrite", "resume", *named}
        words = [word for word in saved_words(folder) if word.split("=", 1)[0] not in replaced]
        changes = [word for word in said if not word.startswith(("-", "hydra.", "name="))]
        name = [] if several or "name" in named else [f"name={quoted(new_name(folder, changes))}"]
        return [*words, *name, *said]  # of several runs, each is named after its parts
    return argv


def run_folder(word: str, value: str) -> Path:
    folder = Path(value.strip("'\""))
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{word}={value}: there is no run in that folder, it has no .hydra/config.yaml")
    return folder


def saved_words(folder: Path) -> list[str]:
    """The overrides that the run in `folder` was started with. Raises `UserError` where the file is not whole."""
    path = folder / ".hydra" / "overrides.yaml"
    try:
        words: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except yaml.YAMLError as error:
        raise UserError(f"{str(path)!r} is not whole: take the folder away, or put the file back") from error
    return [str(word) for word in words]


def new_name(folder: Path, changes: list[str]) -> str:
    """The old run's name and what is different, so that the same command finds its run again."""
    return "-".join([folder.name, *(re.sub(r"[^\w.=-]+", "_", word) for word in changes or ["rerun"])])


def quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
