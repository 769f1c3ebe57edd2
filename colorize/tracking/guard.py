"""No service that follows a run may stop it: what fails is said once, and the run folder holds everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from colorize.errors import UserError
from colorize.terminal import say
from colorize.tracking.logger import Logger, Tracker

ENOUGH = 3  # failures in a row that show that nothing arrives any more
WHAT = {
    "scalars": "numbers", "images": "pictures", "summary": "numbers of the summary", "table": "a table",
    "checkpoint": "a checkpoint", "finish": "the end of the run",
}  # fmt: skip


def begin(start: Callable[[], Tracker]) -> Logger:
    """The tracker that `start` makes, guarded; none, with the reason said, where it cannot start.

    Raises `UserError`: a misspelt option is the user's to mend, not a failure of the service.
    """
    try:
        tracker = start()
    except UserError:
        raise
    except Exception as error:  # a service may fail in ways that nobody can list
        say(f"the tracker could not start ({told(error)}): metrics.jsonl in the run folder holds everything")
        return Logger()
    if tracker.said:
        say(tracker.said)
    return Guarded(tracker)


class Guarded(Logger):
    """Passes everything on. What the tracker refuses is left out, and said once; after several failures in a row, the
    tracker is left out."""

    def __init__(self, tracker: Tracker):
        self.tracker: Tracker | None = tracker
        self.failures, self.told = 0, set[str]()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._ask("scalars", lambda tracker: tracker.scalars(values, step))

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        self._ask("images", lambda tracker: tracker.images(named, step))

    def summary(self, values: Mapping[str, Any]) -> None:
        self._ask("summary", lambda tracker: tracker.summary(values))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._ask("table", lambda tracker: tracker.table(name, columns, rows))

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self._ask("checkpoint", lambda tracker: tracker.checkpoint(file, aliases, metadata))

    def finish(self, exit_code: int = 0) -> None:
        self._ask("finish", lambda tracker: tracker.finish(exit_code))

    def _ask(self, what: str, call: Callable[[Tracker], None]) -> None:
        if self.tracker is None:
            return
        try:
            call(self.tracker)
            self.failures = 0
        except Exception as error:  # as above
            self.failures += 1
            if self.failures == ENOUGH:
                self.tracker = None
                say(f"the tracker failed and is left out from here on ({told(error)}): metrics.jsonl holds everything")
            elif (sentence := f"the tracker left out {WHAT[what]} ({told(error)})") not in self.told:
                self.told.add(sentence)
                say(f"{sentence}; the run folder holds everything")


def told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if (
        len(lines) > 2 and "validation error" in lines[0]
    ):  # pydantic's: the value is in the second line, then the reason
        return f"{lines[1]}: {lines[2].split(' [type=')[0]}"
    return next(iter(lines), "") or type(error).__name__
