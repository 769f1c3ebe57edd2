"""Where numbers and pictures of a run go: always to the run folder, and to Weights & Biases beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from PIL import Image

from colorize.checkpoint import write_whole
from colorize.errors import UserError

MODES = ("auto", "online", "offline", "disabled")


class Logger:
    """One place that keeps what a run tells. The names are those of `metrics.jsonl`: train/pixel, lr, val/psnr, …"""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of optimizer step `step`."""

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        """Pictures of optimizer step `step`."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """What stands about the run at its end."""

    def finish(self, exit_code: int = 0) -> None:
        """Nothing comes after this."""


class JsonLines(Logger):
    """`metrics.jsonl`, one object a line, and `samples/step-NNNNNN.png`.

    A resumed run begins at `step`: lines and pictures after it are from steps that it will take again, and go.
    """

    def __init__(self, folder: str | Path, step: int = 0):
        self.folder = Path(folder)
        self.lines = self.folder / "metrics.jsonl"
        kept = [line for line in self._read() if line["step"] <= step] if step else []
        write_whole(self.lines, lambda part: part.write_text("".join(json.dumps(line) + "\n" for line in kept)))
        for picture in self.folder.glob("samples/step-*.png"):
            if not step or int(picture.stem.removeprefix("step-")) > step:
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

    def finish(self, exit_code: int = 0) -> None:
        self.file.close()

    def _read(self) -> list[dict[str, Any]]:
        """Whole lines only: a killed run may have written half of its last one."""
        lines = []
        for text in self.lines.read_text(encoding="utf-8").splitlines() if self.lines.exists() else []:
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                break
        return lines


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

    def finish(self, exit_code: int = 0) -> None:
        for logger in self.loggers:
            logger.finish(exit_code)


class Tracker(Logger):
    """A service that follows runs, beside the run folder. `said`: what the user should know of it, in a line."""

    said = ""

    def __init__(self, run_id: str, name: str, settings: Mapping[str, Any]):
        """`settings` is the whole config of the run."""


class WandB(Tracker):
    """Weights & Biases: online when the machine is logged in, offline otherwise; never a prompt, never a long wait.

    mode        auto, online, offline or disabled; the environment's WANDB_MODE wins over auto
    folder      where W&B puts its own folder `wandb/`
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        project: str = "colorize",
        mode: str = "auto",
        folder: str = "outputs",
        tags: Sequence[str] = (),
    ):
        if mode not in MODES:
            raise UserError(f"tracker.mode is {mode!r}; it must be one of {', '.join(MODES)}")
        import wandb  # takes a second, and not every run is tracked

        self.wandb = wandb
        Path(folder).mkdir(parents=True, exist_ok=True)
        chosen = (os.environ.get("WANDB_MODE") or self._possible_mode()) if mode == "auto" else mode
        arguments: dict[str, Any] = {
            "project": project, "id": run_id, "name": name, "config": dict(settings), "dir": folder, "tags": list(tags),
            "resume": "allow", "reinit": "finish_previous",
        }  # fmt: skip
        limits = wandb.Settings(init_timeout=20, finish_timeout=60, console="off", silent=True)
        try:
            self.run = wandb.init(mode=chosen, settings=limits, **arguments)  # type: ignore[arg-type]
        except wandb.errors.CommError as error:
            wandb.teardown()  # without this the id stays "in use"
            chosen = "offline"
            self.said = f"W&B could not be reached ({error}); "
            self.run = wandb.init(mode="offline", settings=limits, **arguments)
        else:
            self.said = ""
        if chosen == "online":
            self.said += f"W&B online: {self.run.url}"
        elif chosen == "offline":
            self.said += f"W&B offline: upload later with `wandb sync {self.run.settings.sync_dir}`"
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.run.log({"step": step, **values})

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        pictures = {name: self.wandb.Image(image, caption=f"step {step}") for name, image in named.items()}
        self.run.log({"step": step, **pictures})

    def summary(self, values: Mapping[str, Any]) -> None:
        self.run.summary.update(dict(values))

    def finish(self, exit_code: int = 0) -> None:
        self.run.finish(exit_code=exit_code)

    def _possible_mode(self) -> str:
        return "online" if self.wandb.login(prompt=False, verify=False) else "offline"
