"""Where the jobs of a sweep lie: found again by the same command, and never shared by two jobs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence

from colorize.resuming import FREE

# What may change between two starts of one sweep, besides what may change between two starts of a run
MOVABLE = (
    *FREE, "hydra/launcher", "hydra.launcher", "hydra.sweeper.n_trials", "hydra.sweeper.n_jobs", "hydra.callbacks",
    "hydra.sweep", "hydra.run",
)  # fmt: skip


def digest(words: Sequence[str]) -> str:
    """Eight characters that stand for these words, in their order."""
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def sweep_folder() -> str:
    """The name of the folder of the sweep that this program's words begin, or go on with."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    keys = [word.split("=", 1)[0].lstrip("+~") for word in words]
    kept = [word for word, key in zip(words, keys, strict=True) if not movable(key)]
    return f"sweep-{digest(kept)}"


def movable(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in MOVABLE)


def job_folder(number: int, overrides: Sequence[str]) -> str:
    """A job's folder within that of its sweep: its number and a hash of its overrides."""
    return f"{int(number):03d}-{digest(list(overrides))}"
