"""What keeps the numbers and pictures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image


class Logger:
    """One place that keeps what a run tells. The names are those of `metrics.jsonl`: train/pixel, lr, val/psnr, …"""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of optimizer step `step`."""

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        """Pictures of optimizer step `step`; `image.info["caption"]` says what is to be seen, `image.info["file"]`
        where it lies already, if it does: to write a sheet as PNG takes longer than all else that is logged."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """What stands about the run at its end."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Words, numbers and pictures about the run, of no step. A cell that is a `Path` is the file of a picture."""

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        """A checkpoint that the run leaves: `latest`, `best`, `step-N`, and what it came from."""

    def flush(self) -> None:
        """What was told so far has to survive a power cut."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing comes after this."""


class Loggers(Logger):
    """Tells each of several loggers the same."""

    def __init__(self, loggers: Sequence[Logger]):
        self.loggers = list(loggers)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for logger in self.loggers:
            logger.scalars(values, step)

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        for logger in self.loggers:
            logger.images(named, step)

    def summary(self, values: Mapping[str, Any]) -> None:
        for logger in self.loggers:
            logger.summary(values)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        for logger in self.loggers:
            logger.table(name, columns, rows)

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        for logger in self.loggers:
            logger.checkpoint(file, aliases, metadata)

    def flush(self) -> None:
        for logger in self.loggers:
            logger.flush()

    def finish(self, exit_code: int = 0) -> None:
        for logger in self.loggers:
            logger.finish(exit_code)


class Tracker(Logger):
    """A service that follows runs, beside the run folder. `said`: what the user should know of it, in a line."""

    said = ""

    def __init__(self, run_id: str, name: str, settings: Mapping[str, Any]):
        """`settings` is the whole config of the run."""
