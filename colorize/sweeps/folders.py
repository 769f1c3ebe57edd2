"""The jobs of a sweep as they lie in its folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from colorize.runs import RunFolder

NUMBERED = re.compile(r"(\d+)-[0-9a-f]{8}")  # as `naming.job_folder` has it


@dataclass
class Job:
    """A job that began: what it was told and, once it ended, what became of it."""

    number: int
    folder: Path
    overrides: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """finished, pruned, interrupted or failed; unfinished while nothing is known."""
        return self.summary.get("status", "unfinished")

    @property
    def values(self) -> dict[str, str]:
        """Key of an override -> its value as it was written."""
        return dict(word.split("=", 1) for word in self.overrides if "=" in word)


def jobs_of(folder: str | Path) -> list[Job]:
    """The jobs in a sweep's folder, by their numbers; of two with one number, the one that was begun last."""
    found: dict[int, Job] = {}
    places = [path for path in Path(folder).glob("*/") if NUMBERED.fullmatch(path.name) and (path / ".hydra").is_dir()]
    for path in sorted(places, key=lambda path: (path / ".hydra").stat().st_mtime):
        number = int(NUMBERED.fullmatch(path.name)[1])  # type: ignore[index]
        words = path / ".hydra" / "overrides.yaml"
        overrides = [str(word) for word in OmegaConf.load(words)] if words.is_file() else []
        found[number] = Job(number, path, overrides, RunFolder(path).read_summary())
    return [found[number] for number in sorted(found)]
