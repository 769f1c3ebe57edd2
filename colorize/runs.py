"""Run folders: which config a folder holds, and the summary it ends with."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize import __version__
from colorize.again import FREE
from colorize.checkpoint import Checkpoints, write_whole
from colorize.errors import UserError
from colorize.tracking.lines import PICTURES

PACKAGES = ("torch", "torchvision", "timm", "hydra-core", "wandb")


class RunFolder:
    """`outputs/<name>/`: its config, what each `auto` in it came to, and its summary."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config = self.folder / ".hydra" / "config.yaml"
        self.resolved = self.folder / ".hydra" / "resolved.yaml"
        self.summary = self.folder / "summary.json"

    def check(self, cfg: DictConfig) -> None:
        """Refuse a folder that holds a run with another config, unless `overwrite` gives it up."""
        if cfg.overwrite or not self.config.exists():
            return
        if different := differences(OmegaConf.load(self.config), cfg):
            pairs = list(different.items())
            shown = ", ".join(f"{key} ({old!r} there, {new!r} now)" for key, (old, new) in pairs[:5])
            more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
            raise UserError(
                f"{str(self.folder)!r} holds a run with another config: {shown}{more}; "
                "say name=… for a new run, or overwrite=true to lose the old one"
            )

    def saved(self, overrides: list[str]) -> DictConfig:
        """The config of the run that is here, with those of the `overrides` that may change between its starts."""
        cfg = self.read_config()
        cfg.overwrite = False
        for word in overrides:
            key, _, value = word.partition("=")
            if key.lstrip("+~") not in FREE or key == "overwrite":
                raise UserError(
                    f"resume goes on with the config of {str(self.folder)!r}, which {word} would change: leave it out, "
                    "or start another run with rerun"
                )
            if key != "resume":
                OmegaConf.update(cfg, key, OmegaConf.create(f"value: {value}").value)
        return cfg

    def claim(self, cfg: DictConfig, overrides: list[str], resolved: Mapping[str, Any]) -> None:
        """Make this folder the run's own, unless it is already; `resolved` is what each `auto` came to."""
        if cfg.overwrite:
            self.empty()
        if self.config.exists():
            return
        self.config.parent.mkdir(parents=True, exist_ok=True)
        for name, content in (("config", cfg), ("overrides", overrides), ("resolved", dict(resolved))):
            write_whole(
                self.config.with_name(f"{name}.yaml"), lambda part, content=content: OmegaConf.save(content, part)
            )

    def run_id(self, name: str) -> str:
        """By what a service that follows runs knows this one, named `name`: the id that W&B's agent gave it at its
        first start, else its name and token."""
        path = self.config.with_name("run_id")
        if not path.exists() and os.environ.get("WANDB_SWEEP_ID") and (given := os.environ.get("WANDB_RUN_ID")):
            write_whole(path, lambda part: part.write_text(given))
        return path.read_text() if path.exists() else f"{name}-{self.token()}"

    def token(self) -> str:
        """Eight characters that tell this run from every other.

        They stay while the run is resumed, and where its folder is moved. A copy of the folder is given its own, as
        long as the folder that it is a copy of can still be seen.
        """
        path, here = self.config.with_name("token"), str(self.folder.resolve())
        held, _, place = path.read_text(encoding="utf-8").partition("\n") if path.exists() else ("", "", "")
        original = Path(place) / ".hydra" / "token"
        copied = held and place not in ("", here) and original.exists() and not original.samefile(path)
        if copied and original.read_text(encoding="utf-8").partition("\n")[0] == held:
            held = ""
        held = held or secrets.token_hex(4)
        if place != here:
            write_whole(path, lambda part: part.write_text(f"{held}\n{here}", encoding="utf-8"))
        return held

    def empty(self) -> None:
        """Remove what a run of ours left, and nothing else."""
        for name in (".hydra", "checkpoints", *PICTURES):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in ("metrics.jsonl", "summary.json"):
            (self.folder / name).unlink(missing_ok=True)

    def read_config(self) -> DictConfig:
        if not self.config.exists():
            raise UserError(f"{str(self.folder)!r} is not a run folder: it has no .hydra/config.yaml")
        return OmegaConf.load(self.config)  # type: ignore[return-value]

    def checkpoint(self, which: str) -> Path:
        """The file of `best`, of `last`, which is the newest, or of a step's number."""
        checkpoints = Checkpoints(self.folder / "checkpoints")
        files = {f"{int(path.stem.removeprefix('step-'))}": path for path in checkpoints.steps()}
        if files:
            files["last"] = checkpoints.steps()[0]
        if checkpoints.best.exists():
            files["best"] = checkpoints.best
        if str(which) not in files:
            raise UserError(
                f"{str(self.folder)!r} has no checkpoint {str(which)!r}; it has {', '.join(files) or 'none'}"
            )
        return files[str(which)]

    def read_resolved(self) -> dict[str, Any]:
        return OmegaConf.to_container(OmegaConf.load(self.resolved)) if self.resolved.exists() else {}  # type: ignore[return-value]

    def keep_baselines(self, manifest: str, rows: Mapping[str, Any]) -> None:
        """What grey and the mean colour score on the photographs of `manifest`, for the starts to come."""
        text = json.dumps({"manifest": manifest, **rows})
        write_whole(self.config.with_name("baselines.json"), lambda part: part.write_text(text, encoding="utf-8"))

    def read_baselines(self, manifest: str) -> dict[str, Any] | None:
        path = self.config.with_name("baselines.json")
        if not path.exists():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if kept.pop("manifest") == manifest and "mean_ab" in kept else None

    def read_mean_ab(self) -> tuple[float, float] | None:
        """Mean colour of the photographs that the run was trained on, if it has been kept."""
        path = self.config.with_name("baselines.json")
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return tuple(kept["mean_ab"]) if "mean_ab" in kept else None

    def read_summary(self) -> dict[str, Any]:
        """What the run ended with; nothing before it did. Raises `UserError` where half of it is there."""
        try:
            return json.loads(self.summary.read_text(encoding="utf-8")) if self.summary.exists() else {}
        except ValueError as error:
            raise UserError(f"{str(self.summary)!r} is not whole, or no JSON: remove it and train on") from error

    def write_summary(self, values: Mapping[str, Any]) -> None:
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        write_whole(self.summary, lambda part: part.write_text(text, encoding="utf-8"))


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """config path -> (old, new), for every value that differs and matters."""
    before, after = flat(old), flat(new)
    paths = sorted(before.keys() | after.keys())
    changed = {p: (before.get(p), after.get(p)) for p in paths if before.get(p) != after.get(p)}
    return {p: pair for p, pair in changed.items() if not any(p == free or p.startswith(free + ".") for free in FREE)}


def flat(cfg: Any) -> dict[str, Any]:
    """config path -> value, resolved; lists count as values."""
    leaves = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, f"{path}.{key}" if path else str(key))
        else:
            leaves[path] = node

    walk(OmegaConf.to_container(cfg, resolve=True), "")
    return leaves


def versions() -> dict[str, str]:
    return {
        "colorize": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


@cache
def commit() -> str | None:
    """The git commit of the checkout that this code lies in, with a plus where files differ from it; None where it
    lies in none. What it was when it was first asked for: a checkout may move on while a run trains."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists() or not (git := shutil.which("git")):
        return None

    def said(*words: str) -> str:
        return subprocess.run([git, "-C", root, *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = said("status", "--porcelain", "--untracked-files=no")
    return said("rev-parse", "HEAD") + ("+" if changed else "") or None
