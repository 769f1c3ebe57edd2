"""The numbers and pictures of a run in its own folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from colorize.checkpoint import step_of, write_text, write_whole
from colorize.tracking.logger import Logger

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
            for picture in (self.folder / name).glob("step-*.png"):
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
