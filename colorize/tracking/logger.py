"""Loggers: numbers and pictures of a run into its folder, and to a tracker, which may fail."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from colorize.utils.checkpoint import step_of
from colorize.utils.console import say
from colorize.utils.errors import UserError, first_line
from colorize.utils.files import write_text, write_whole


class Logger:
    """A place that keeps what a run logs. The names are those of `metrics.jsonl`: train/pixel, lr, val/psnr, …"""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of optimizer step `step`."""

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        """Pictures of optimizer step `step`; `image.info["caption"]` says what is to be seen, `image.info["file"]`
        where it lies already, if it does: to write a sheet as PNG takes longer than all else that is logged."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """The final values of the run."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Text, numbers and pictures about the run as a whole. A cell that is a `Path` is the file of a picture."""

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        """A checkpoint that the run leaves: `latest`, `best`, `step-N`, and what it came from."""

    def flush(self) -> None:
        """Make what has been logged so far survive a power cut."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing comes after this."""


def _forward(method: str) -> Callable[..., None]:
    return lambda self, *arguments, **named: self._call(method, *arguments, **named)


class _Forwarding(Logger):
    """Hands every call on to `_call`, with the method's name and arguments."""

    scalars, images, summary, table = map(_forward, ("scalars", "images", "summary", "table"))
    checkpoint, flush, finish = map(_forward, ("checkpoint", "flush", "finish"))


class Loggers(_Forwarding):
    """Hands everything on to each of several loggers."""

    def __init__(self, loggers: Sequence[Logger]):
        self.loggers = list(loggers)

    def _call(self, method: str, *arguments: Any, **named: Any) -> None:
        for logger in self.loggers:
            getattr(logger, method)(*arguments, **named)


class Tracker(Logger):
    """A service that follows runs, beside the run folder. `said`: what the user should know of it, in a line."""

    said = ""

    def __init__(self, run_id: str, name: str, settings: Mapping[str, Any]):
        """`settings` is the whole config of the run."""


MAX_FAILURES = 3  # failures in a row that show that nothing arrives any more
CONTENTS = {
    "scalars": "numbers", "images": "pictures", "summary": "numbers of the summary", "table": "a table",
    "checkpoint": "a checkpoint", "flush": "what is not written yet", "finish": "the end of the run",
}  # fmt: skip


def start_tracker(start: Callable[[], Tracker]) -> Logger:
    """The tracker that `start` makes, guarded; none, with the reason said, where it cannot start.

    Raises `UserError`: a misspelt option is the user's to mend, not a failure of the service.
    """
    try:
        tracker = start()
    except UserError:
        raise
    except Exception as error:  # a service may fail in ways that nobody can list
        say(f"the tracker could not start ({first_sentence(error)}): metrics.jsonl in the run folder holds everything")
        return Logger()
    if tracker.said:
        say(tracker.said)
    return Guarded(tracker)


class Guarded(_Forwarding):
    """Passes everything on. What the tracker refuses is left out, and reported once; after several failures in a row,
    the tracker is left out."""

    def __init__(self, tracker: Tracker):
        self.tracker: Tracker | None = tracker
        self.failures, self.reported = 0, set[str]()

    def _call(self, method: str, *arguments: Any, **named: Any) -> None:
        if self.tracker is None:
            return
        try:
            getattr(self.tracker, method)(*arguments, **named)
            self.failures = 0
        except Exception as error:  # as above
            self.failures += 1
            reason = first_sentence(error)
            if self.failures == MAX_FAILURES:
                self.tracker = None
                say(f"the tracker failed and is left out from here on ({reason}): metrics.jsonl holds everything")
            elif (sentence := f"the tracker left out {CONTENTS[method]} ({reason})") not in self.reported:
                self.reported.add(sentence)
                say(f"{sentence}; the run folder holds everything")


def first_sentence(error: Exception) -> str:
    """Of pydantic's errors, the value, which stands in the second line, and the reason in the third."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if len(lines) > 2 and "validation error" in lines[0]:
        return f"{lines[1]}: {lines[2].split(' [type=')[0]}"
    return first_line(error)


PICTURES = ("samples", "historical")  # folders of a run folder


class JsonLines(Logger):
    """`metrics.jsonl`, one object a line, and the pictures `samples/step-NNNNNN.png` and `historical/step-NNNNNN.png`.

    A resumed run begins at `step`: lines and pictures after it are from steps that it will take again, and go.
    """

    def __init__(self, folder: str | Path, step: int = 0):
        self.folder = Path(folder)
        self.lines = self.folder / "metrics.jsonl"
        kept = [line for line in read_lines(self.lines) if line["step"] <= step] if step else []
        write_text(self.lines, "".join(json.dumps(line) + "\n" for line in kept))
        for name in PICTURES:
            for picture in (self.folder / name).rglob("step-*.png"):  # those of other judges below
                if (taken := step_of(picture)) is not None and (not step or taken > step):
                    picture.unlink()
        self.file: TextIO = self.lines.open("a", encoding="utf-8")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        for name, image in named.items():
            path = self.folder / name / f"step-{step:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda part, image=image: image.save(part, format="PNG"))
            image.info["file"] = str(path)

    def flush(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def finish(self, exit_code: int = 0) -> None:
        self.flush()
        self.file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a `metrics.jsonl`: a killed run may have written half of its last one, or none at all."""
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            break
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines
