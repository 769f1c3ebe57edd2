"""Weights & Biases beside the run folder. docs/tracking.md says what it does by default, and how that is changed."""

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len
from PIL import Image

from colorize.tracking.logger import Tracker
from colorize.tracking.wandb_files import (
    drop_checkpoints,
    hard_link,
    id_of,
    parts_of,
    read_last_values,
    set_wandb_folders,
    versions_of,
    write_last_values,
)
from colorize.utils.console import say
from colorize.utils.environment import at_home, without_links
from colorize.utils.validation import Name, NonNegative, check_arguments

UNSENT = "unsent"  # a file in the folder of an online run, until its server has got everything

LATER = "upload it later with `colorize sync {}`"


class WandB(Tracker):
    """Weights & Biases: online when the machine is logged in, offline otherwise; never a prompt, never a long wait.

    mode        auto, online, offline or disabled; the environment's WANDB_MODE wins over auto
    folder      where W&B puts its own folder `wandb/`, one for all runs
    group       runs of one group are shown as one curve; None: the `group` of the settings, those that differ by seed
    tags        None: the names of model, loss and data

    What is None, the environment may say: WANDB_PROJECT, WANDB_ENTITY, WANDB_DIR, WANDB_RUN_GROUP, WANDB_JOB_TYPE,
    WANDB_TAGS; and WANDB_NAME, where the command line does not say name=….
    artifacts   whether the checkpoints that a run leaves go to W&B too, as versions of one artifact
    patience    seconds to wait for the server at the start, and for the last numbers to be sent at the end
    """

    def __init__(
        self, run_id: str, name: str, settings: Mapping[str, Any], *, project: Name | None = None,
        entity: Name | None = None, mode: Literal["auto", "online", "offline", "disabled"] = "auto",
        folder: Name | None = None, group: Name | None = None, job_type: Name | None = None,
        tags: Sequence[str] | None = None, artifacts: bool = True,
        patience: Annotated[Sequence[NonNegative], Len(2, 2)] = (20, 60),
    ):  # fmt: skip
        check_arguments({"mode": mode}, WandB, "tracker")
        import wandb  # takes a second, and not every run is tracked

        self.wandb, self.artifacts, self.patience = wandb, artifacts, patience
        self.folder = user_setting(folder, "DIR", "outputs")
        home = without_links(at_home(self.folder))  # W&B's own process may have been started in another folder
        home.mkdir(parents=True, exist_ok=True)
        set_wandb_folders(home)
        if wandb.run is not None:  # of a job that failed, in this process: while it is open, login() answers False
            wandb.run.finish(exit_code=1)
        given = any(word.lstrip("+").startswith("name=") for word in settings.get("overrides", ()))
        names = [str(name) for part, name in settings.get("names", {}).items() if part in ("model", "loss", "data")]
        self.arguments: dict[str, Any] = {
            "project": user_setting(project, "PROJECT", "colorize"), "entity": user_setting(entity, "ENTITY", None),
            "id": id_of(run_id), "name": escape_bytes(user_setting(name if given else None, "NAME", name)),
            "config": escape_bytes(dict(settings)),
            "dir": home, "group": user_setting(group, "RUN_GROUP", settings.get("group")),
            "job_type": user_setting(job_type, "JOB_TYPE", "train"), "resume": "allow", "reinit": "finish_previous",
            "tags": allowed_tags(user_setting(tags, "TAGS", names)),
        }  # fmt: skip
        if os.environ.get("WANDB_SWEEP_ID"):  # W&B's agent has chosen these, and numbers the names itself
            self.arguments |= dict.fromkeys(("project", "entity", "id", "name"))
        self.run, chosen, reason = self._start(mode)
        self.online = chosen == "online"
        where = f"online: {self.run.url}" if self.online else f"offline: {LATER.format(self.folder)}"
        self.said = f"W&B {reason}{where}" if chosen != "disabled" else ""
        if self.online:
            (self.place / UNSENT).touch()
        self.handed = False  # whether a checkpoint was
        self.left: list[tuple[Path, list[str], dict[str, Any]]] = []  # checkpoints that a lost network kept back

    @property
    def place(self) -> Path:
        """The folder of this part of the run."""
        return Path(self.run.settings.sync_dir)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.standing |= {"step": step, **values}
        self.run.log({"step": step, **values})

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        pictures = {}
        for name, image in named.items():
            caption = ": ".join(filter(None, (f"step {step}", image.info.get("caption"))))
            pictures[name] = self.wandb.Image(image.info.get("file", image), caption=caption)
        self.run.log({"step": step, **pictures})

    def summary(self, values: Mapping[str, Any]) -> None:
        self.standing |= values
        self.run.summary.update(escape_bytes(dict(values)))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Into the summary: a line of the history would be one more of the training's steps."""
        cells = [[self.wandb.Image(str(c)) if isinstance(c, Path) else escape_bytes(c) for c in row] for row in rows]
        self.run.summary.update({name: self.wandb.Table(columns=list(columns), data=cells)})
        if not self.run.disabled:
            self.standing[name] = dict(self.run.summary[name])  # where it lies: a later part need not send it again

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        if not self.artifacts or self.run.disabled:
            return
        if not self.handed:
            for part in parts_of(self.arguments["dir"], self.run.id):  # of its checkpoints the newest are sent alone
                drop_checkpoints(part)
        self.handed = True
        kept = hard_link(file, self.place), list(aliases), dict(metadata)
        try:
            self._keep_version(*kept)
        except self.wandb.errors.Error:  # online, W&B asks its server before it so much as notes a version
            self.left.append(kept)
            return
        if self.online and metadata.get("parent"):
            self._begin_from(metadata["parent"])

    def finish(self, exit_code: int = 0) -> None:
        began = time.monotonic()
        write_last_values(self.place, self.standing)
        try:
            self.run.finish(exit_code=exit_code)
        except Exception:
            with contextlib.suppress(Exception):  # W&B's own process is gone; at exit it would be missed once more
                self.wandb.teardown()
            raise
        if not self.online:
            return
        if self.left:
            self._note_what_is_left()
        elif time.monotonic() - began < self.patience[1]:
            (self.place / UNSENT).unlink(missing_ok=True)
            drop_checkpoints(self.place)
            return
        say(f"W&B did not take everything within {self.patience[1]:g} s: {LATER.format(self.folder)}")

    def _start(self, mode: str) -> tuple[Any, str, str]:
        """The run, in which mode it has begun, and why where that is not the one that was asked for."""
        chosen = (os.environ.get("WANDB_MODE") or "online") if mode == "auto" else mode
        if chosen != "online":
            return self._open(chosen), chosen, ""
        reason, asked = "is not logged in here; " if mode == "online" else "", False
        try:
            if self.wandb.login(prompt=False, verify=False):  # without a key, `init` would wait for one for ever
                # W&B's own process dies of a server that answers with nothing: who one is there is asked before
                self.wandb.Api(timeout=max(1, round(self.patience[0]))).default_entity  # noqa: B018
                asked = True
                return self._open("online"), "online", ""
        except Exception as error:  # W&B's own, its service's, a server's
            if asked:
                self.wandb.teardown()  # without this the id stays "in use"
            reason = f"cannot be online ({server_message(error)}); "
        return self._open("offline"), "offline", reason

    def _open(self, mode: str) -> Any:
        start, end = self.patience
        limits = self.wandb.Settings(init_timeout=start, finish_timeout=end, console="off", silent=True)
        run = self.wandb.init(mode=mode, settings=limits, **self.arguments)  # type: ignore[arg-type]
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        self.standing = read_last_values(self.arguments["dir"], run.id)
        if mode == "offline":  # once it is sent, the summary of this part stands for the whole run
            run.summary.update(self.standing)
        return run

    def _begin_from(self, parent: str) -> None:
        """Draw the line from the best checkpoint of another run to this one, which only a server can."""
        try:
            self.run.use_artifact(f"{versions_of(parent)}:best", type="model")
        except Exception as error:  # W&B's own, pydantic's, a service's: there is no list of them
            say(f"W&B draws no line from {parent!r} ({server_message(error)}); the metadata of the checkpoints name it")

    def _keep_version(self, file: Path, aliases: list[str], metadata: dict[str, Any]) -> None:
        artifact = self.wandb.Artifact(versions_of(self.run.id), type="model", metadata=escape_bytes(metadata))
        # not copied, neither to be sent nor once it is sent: a checkpoint may have gigabytes
        artifact.add_file(str(file), name="checkpoint.pt", policy="immutable", skip_cache=True)
        self.run.log_artifact(artifact, aliases=aliases)

    def _note_what_is_left(self) -> None:
        """Once the network is lost, only an offline part of the run can note a version, for `colorize sync`."""
        self.run = self._open("offline")
        for file, aliases, metadata in self.left:
            self._keep_version(hard_link(file, self.place), aliases, metadata)
        self.run.finish()


def user_setting(given: Any, variable: str, otherwise: Any) -> Any:
    """What the user gave; else what the environment's WANDB_… says; else what we think."""
    return given if given is not None else os.environ.get(f"WANDB_{variable}") or otherwise


def allowed_tags(words: str | Sequence[str]) -> list[str]:
    """Each once, without those that W&B refuses: it would refuse the run."""
    if isinstance(words, str):  # of the environment
        words = [word.strip() for word in words.split(",") if word.strip()]
    tags = list(dict.fromkeys(words))
    for tag in tags:
        if not 0 < len(tag) <= 64:
            say(f"W&B takes tags of 1 to 64 letters: {tag!r} is left out")
    allowed = [tag for tag in tags if 0 < len(tag) <= 64]
    if "WANDB_TAGS" in os.environ:  # W&B reads it too
        os.environ["WANDB_TAGS"] = ",".join(allowed)
    return allowed


def escape_bytes(value: Any) -> Any:
    """The value with escapes for bytes that are no UTF-8 in its words, which W&B's own process cannot be sent."""
    if isinstance(value, Mapping):
        return {escape_bytes(key): escape_bytes(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [escape_bytes(each) for each in value]
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def server_message(error: Exception | str) -> str:
    """The sentence in what W&B raises or prints, which may hold a server's whole answer."""
    text = str(error).strip()
    found = re.search(r'"message": ?"([^"]+)"', text)
    return found[1] if found else text.split("\n", 1)[0]
