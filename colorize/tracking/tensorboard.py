"""TensorBoard beside the run folder: event files, and nothing that listens."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from colorize.errors import UserError
from colorize.home import at_home
from colorize.tracking.logger import Tracker


class TensorBoard(Tracker):
    """Event files in `folder`/<run id>: numbers, pictures, and the config, summary and tables as text.

    A resumed run takes back what it had written of the steps that it takes again.
    """

    def __init__(self, run_id: str, name: str, settings: Mapping[str, Any], *, folder: str = "outputs/tensorboard"):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("tracker=tensorboard needs another package: pip install 'colorize[tensorboard]'") from error
        place = re.sub(r"[^\w.=-]|^\.+", "_", run_id)  # it may come out of a file
        self.writer_of, self.place, self.settings = SummaryWriter, at_home(folder) / place, settings
        self.writer: Any = None
        self.said = f"TensorBoard: tensorboard --logdir {folder}"

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        writer = self._open(step)
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        writer = self._open(step)
        for name, image in named.items():
            writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def summary(self, values: Mapping[str, Any]) -> None:
        grouped: dict[str, list[list[Any]]] = defaultdict(list)
        for name, value in values.items():
            group, _, rest = name.partition("/")
            grouped[group].append([rest or name, value])
        for group, rows in grouped.items():
            self._open().add_text(f"summary/{group}", markdown(["", group], rows))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Without its pictures, for which a text has no room."""
        kept = [i for i in range(len(columns)) if not any(isinstance(row[i], Path) for row in rows)]
        self._open().add_text(name, markdown([columns[i] for i in kept], [[row[i] for i in kept] for row in rows]))

    def finish(self, exit_code: int = 0) -> None:
        if self.writer is not None:
            self.writer.close()

    def _open(self, step: int | None = None) -> Any:
        """The writer; the first step that it is told of says from where on older lines no longer hold."""
        if self.writer is None:
            self.writer = self.writer_of(str(self.place), purge_step=step)
            self.writer.add_text("config", "    " + json.dumps(self.settings, indent=2).replace("\n", "\n    "))
        return self.writer


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")

    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)
