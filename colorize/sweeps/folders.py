"""The jobs of a sweep as they lie in its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colorize.again import saved_words
from colorize.checkpoint import write_text
from colorize.errors import UserError
from colorize.runs import RunFolder
from colorize.terminal import say

NUMBERED = re.compile(r"(\d+)-[0-9a-f]{8}")  # as `naming.job_folder` has it
FAILED = "failed.json"  # in the folder of a job that failed: what it was told, and how it ended


@dataclass
class Job:
    """A job that began: what it was told and, once it ended, what became of it."""

    number: int
    folder: Path
    overrides: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def status(self) -> str:
        """finished, pruned, interrupted or failed; unfinished while nothing is known."""
        return "failed" if self.failed else self.summary.get("status", "unfinished")

    @property
    def values(self) -> dict[str, str]:
        """Key of an override -> its value as it was written."""
        return dict(word.split("=", 1) for word in self.overrides if "=" in word)


def jobs_of(folder: str | Path) -> list[Job]:
    """The jobs in a sweep's folder, by their numbers; of two with one number, the one that was begun last."""
    found: dict[int, Job] = {}
    places = [path for path in Path(folder).glob("*/") if NUMBERED.fullmatch(path.name) and begun(path)]
    for path in sorted(places, key=lambda path: max(sign.stat().st_mtime for sign in begun(path))):
        number = int(NUMBERED.fullmatch(path.name)[1])  # type: ignore[index]
        found[number] = job_of(number, path)
    return [found[number] for number in sorted(found)]


def job_of(number: int, folder: Path) -> Job:
    """One whose files are damaged has failed: what the others came to is told all the same."""
    try:
        job = Job(number, folder, overrides_of(folder), RunFolder(folder).read_summary())
    except UserError as error:
        say(f"job {number} counts as failed: {error}")
        return Job(number, folder, failed=True)
    job.failed = (folder / FAILED).is_file()
    return job


def begun(folder: Path) -> list[Path]:
    """What shows that a job began in this folder."""
    return [path for path in (folder / ".hydra", folder / FAILED) if path.exists()]


def overrides_of(folder: Path) -> list[str]:
    if (folder / ".hydra" / "overrides.yaml").is_file():
        return saved_words(folder)
    if (path := folder / FAILED).is_file():
        return json.loads(path.read_text(encoding="utf-8"))["overrides"]
    return []


def note_end(folder: Path, overrides: Sequence[str], code: int | None) -> None:
    """Leave word of a job that did not end well: its exit status, None after an error of the program's own. One that
    did takes the word back."""
    if code == 0:
        (folder / FAILED).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"overrides": list(overrides), "code": code})
    write_text(folder / FAILED, text)
