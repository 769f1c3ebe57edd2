"""trackio beside the run folder: a data base on this machine, and a page that `trackio show` serves."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from colorize.errors import UserError
from colorize.home import at_home, without_links
from colorize.tracking.logger import Tracker

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
            raise UserError("tracker=trackio needs another package: pip install 'colorize[trackio]'") from error
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
