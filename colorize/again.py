"""Words of a command line that stand for an earlier run: resume=FOLDER goes on with it, rerun=FOLDER starts another."""

from __future__ import annotations

import re
from pathlib import Path

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
    if "resume" in named:
        folder = run_folder("resume", named["resume"])
        return [*argv, f"hydra.run.dir={quoted(folder)}"]
    if "rerun" in named:
        folder = run_folder("rerun", named["rerun"])
        said = [word for word in argv if not word.startswith("rerun=")]
        words = [word for word in saved_words(folder) if word.split("=", 1)[0] not in ("name", "overwrite", "resume")]
        changes = [word for word in said if not word.startswith(("-", "hydra.", "name="))]
        name = [] if any(word.startswith("name=") for word in said) else [f"name={quoted(new_name(folder, changes))}"]
        return [*words, *name, *said]
    return argv


def run_folder(word: str, value: str) -> Path:
    folder = Path(value.strip("'\""))
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise UserError(f"{word}={value}: there is no run in that folder, it has no .hydra/config.yaml")
    return folder


def saved_words(folder: Path) -> list[str]:
    """The overrides that the run in `folder` was started with."""
    return [str(word) for word in OmegaConf.load(folder / ".hydra" / "overrides.yaml")]


def new_name(folder: Path, changes: list[str]) -> str:
    """The old run's name and what is different, so that the same command finds its run again."""
    return "-".join([folder.name, *(re.sub(r"[^\w.=-]+", "_", word) for word in changes or ["rerun"])])


def quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
