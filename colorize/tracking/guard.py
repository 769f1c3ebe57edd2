"""No service that follows a run may stop it: what fails is said once, and the run folder holds everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from colorize.errors import UserError
from colorize.terminal import say
from colorize.tracking.logger import Logger, Tracker


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
    """Passes everything on until the tracker fails for the first time."""

    def __init__(self, tracker: Tracker):
        self.tracker: Tracker | None = tracker

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._ask(lambda tracker: tracker.scalars(values, step))

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        self._ask(lambda tracker: tracker.images(named, step))

    def summary(self, values: Mapping[str, Any]) -> None:
        self._ask(lambda tracker: tracker.summary(values))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._ask(lambda tracker: tracker.table(name, columns, rows))

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self._ask(lambda tracker: tracker.checkpoint(file, aliases, metadata))

    def finish(self, exit_code: int = 0) -> None:
        self._ask(lambda tracker: tracker.finish(exit_code))

    def _ask(self, call: Callable[[Tracker], None]) -> None:
        if self.tracker is None:
            return
        try:
            call(self.tracker)
        except Exception as error:  # as above
            self.tracker = None
            say(f"the tracker failed and is left out from here on ({told(error)}): metrics.jsonl holds everything")


def told(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
