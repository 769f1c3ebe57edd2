"""TensorBoard and trackio beside the run folder: event files and a database on this machine, without a server."""

import contextlib
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from colorize.tracking.logger import Tracker
from colorize.utils.console import markdown_table
from colorize.utils.environment import at_home, without_links
from colorize.utils.errors import UserError


class TensorBoard(Tracker):
    """Event files in `folder`/<run id>: numbers, pictures, and the config, summary and tables as text.

    A resumed run takes back what it had written of the steps that it takes again.
    """

    def __init__(self, run_id: str, name: str, settings: Mapping[str, Any], *, folder: str = "outputs/tensorboard"):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError("tracker=tensorboard needs the package tensorboard: pip install tensorboard") from error
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
            self._open().add_text(f"summary/{group}", markdown_table(["", group], rows))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Without its pictures, for which a text has no room."""
        kept = [i for i in range(len(columns)) if not any(isinstance(row[i], Path) for row in rows)]
        self._open().add_text(
            name, markdown_table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])
        )

    def finish(self, exit_code: int = 0) -> None:
        if self.writer is not None:
            self.writer.close()

    def _open(self, step: int | None = None) -> Any:
        """The writer. What an earlier start wrote from the first logged step on is discarded."""
        if self.writer is None:
            self.writer = self.writer_of(str(self.place), purge_step=step)
            self.writer.add_text("config", "    " + json.dumps(self.settings, indent=2).replace("\n", "\n    "))
        return self.writer


# Each would send the run away, or ask a server first
ELSEWHERE = ("SPACE_ID", "SERVER_URL", "BUCKET_ID", "DATASET_ID", "REGISTRY_BUCKET_ID", "WEBHOOK_URL")


class Trackio(Tracker):
    """A run of `project` in `folder`, or where the environment's TRACKIO_DIR says; it never leaves the machine.

    trackio shows runs by their names, and goes on with the one of the same name: it is given the run's id.
    """

    def __init__(
        self, run_id: str, name: str, settings: Mapping[str, Any], *, project: str = "colorize",
        folder: str = "outputs/trackio", group: str | None = None,
    ):  # fmt: skip
        os.environ.setdefault("TRACKIO_DIR", str(without_links(at_home(folder))))  # read once, when it is imported
        for variable in ELSEWHERE:
            os.environ.pop(f"TRACKIO_{variable}", None)
        try:
            import trackio
        except ImportError as error:
            raise UserError("tracker=trackio needs the package trackio: pip install trackio") from error
        self.trackio, self.step = trackio, 0
        with contextlib.redirect_stdout(io.StringIO()):  # six lines of its own
            self.run = trackio.init(
                project, name=run_id, group=group or settings.get("group"), config=dict(settings), resume="allow",
                embed=False, auto_log_gpu=False, auto_log_cpu=False,
            )  # fmt: skip
        place = Path(trackio.utils.TRACKIO_DIR)
        self.said = f"trackio: TRACKIO_DIR={str(place)!r} trackio show --project {project}"

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.step = step
        self.run.log(dict(values), step=step)

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        self.step = step
        shown = {
            name: self.trackio.Image(image, caption=image.info.get("caption"))  # one at a time: it drops lists
            for name, image in named.items()
        }
        self.run.log(shown, step=step)

    def summary(self, values: Mapping[str, Any]) -> None:
        """It has no summary: as a table of the last step, since numbers would be drawn as curves."""
        rows = [[name, value if isinstance(value, int | float) else str(value)] for name, value in values.items()]
        self.table("summary", ["name", "value"], rows)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        cells = [[self.trackio.Image(str(cell)) if isinstance(cell, Path) else cell for cell in row] for row in rows]
        self.run.log({name: self.trackio.Table(columns=list(columns), data=cells)}, step=self.step)

    def finish(self, exit_code: int = 0) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            self.trackio.finish()  # which forgets the run as well: at exit it would be finished again
