"""Run folders: which config a folder holds, and the summary it ends with."""

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.utils.checkpoint import Checkpoints, check_record, is_number, peek, step_of
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.files import as_json, as_names, read_json, write_text, write_whole
from colorize.utils.hydra_overrides import quoted, saved_overrides
from colorize.utils.stored_config import (
    config_differences,
    is_length,
    is_place,
    places_of,
    read_config,
    read_yaml,
    stored_form,
)

RESOLVED = re.compile(r"(model|loss)(\.[^\W_]\w*)+|trainer\.precision")  # whose `auto` a run keeps the answer of
MEASURED = ("rows", "truth", "mean_ab")  # of baselines.json


class RunFolder:
    """`outputs/<name>/`: its config, what each `auto` in it was resolved to, and its summary."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config = self.folder / ".hydra" / "config.yaml"
        self.resolved = self.folder / ".hydra" / "resolved.yaml"
        self.summary = self.folder / "summary.json"
        self.places = self.folder / ".hydra" / "places.json"  # of the photographs, without links
        self.where = repr(str(self.config))  # its config, in messages

    def check(self, cfg: DictConfig) -> None:
        """Refuse a folder that holds a run with another config, unless `overwrite` gives it up.

        Where the photographs lie may differ: whether they are the same is known once they are listed
        (`check_photographs`). What `resume` may change has been looked at when its config was made.
        """
        if cfg.overwrite or cfg.resume:
            return
        if not self.config.exists() and any((self.folder / "results").glob("*.json")):
            raise UserError(
                f"{str(self.folder)!r} holds results of pictures or weights that no run made: use name=… for a new "
                "run, or overwrite=true to put them aside"
            )
        different = {key: pair for key, pair in self.differences(cfg).items() if not is_place(key)}
        if different:
            pairs = list(different.items())
            shown = ", ".join(f"{key} ({old!r} there, {new!r} now)" for key, (old, new) in pairs[:5])
            more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
            longer = " ".join(f"{key}={new}" for key, (_, new) in pairs if all(map(is_length, different)))
            instead = f", or resume={self.folder} {longer} to train it further" if longer else ""
            raise UserError(
                f"{str(self.folder)!r} holds a run with another config: {shown}{more}; "
                f"use name=… for a new run{instead}, or overwrite=true to put the old one aside"
            )

    def check_photographs(self, cfg: DictConfig, contents: str, names: str) -> None:
        """Raises `UserError` where the run began with photographs of other names or, where they lie elsewhere now, of
        other contents (`DataModule.fingerprint`, `DataModule.contents`)."""
        if not self.config.exists() or not (kept := self.photographs()):
            return
        if kept[-1] != names or (self.moved(cfg) and contents not in kept and len(kept) > 1):
            raise UserError(
                f"the photographs are not those that the run in {str(self.folder)!r} was trained on: put them back, or "
                "use name=… for a new run"
            )

    def check_averages(self, cfg: DictConfig) -> None:
        """Raises `UserError` where a finished run is asked for averages of lengths that it did not track."""
        tracked = self.read_config().trainer.get("ema_lengths", [])
        if new := [length for length in cfg.trainer.ema_lengths if length not in tracked]:
            raise UserError(
                f"{str(self.folder)!r} is finished without averages of trainer.ema_lengths {shorten_list(new)}: an "
                "average begins with its run; use name=… for a new run"
            )

    def moved(self, cfg: DictConfig) -> bool:
        """Whether the photographs lie elsewhere now: `cfg` has other paths than the run's config, or a link or a
        relative path leads to another folder than it did."""
        led = read_json(self.places, "remove it and start again")
        return (bool(led) and led != places_of(cfg)) or any(map(is_place, self.differences(cfg)))

    def photographs(self) -> list[str]:
        """The digests of the photographs that the run began with: of their contents and of their names; of an older
        run the latter, from its newest checkpoint. None where there is none."""
        path = self.config.with_name("photographs")
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace").split()
        found = [(path, peek(path)) for path in Checkpoints(self.folder / "checkpoints").steps()]
        return next(([check_record(held, path)["photographs"]] for path, held in found if held), [])

    def lengthened(self, cfg: DictConfig) -> bool:
        """Whether `cfg` says of a phase that it is longer or shorter, or there is another phase."""
        return any(key == "steps_scale" or key.startswith("schedule.") for key in self.differences(cfg))

    def keep_changes(self, cfg: DictConfig) -> None:
        """Write down where the photographs lie now and how long the phases are now, for the starts to come."""
        if read_json(self.places, "remove it and start again") != (led := places_of(cfg)):
            write_text(self.places, as_json(led))
        held = self.read_config()
        changed = {
            key: new for key, (_, new) in self.differences(cfg).items()
            if is_place(key) or is_length(key) or key.startswith("schedule.")
        }  # fmt: skip
        if not changed:
            return
        words = [word for word in saved_overrides(self.folder) if word.split("=", 1)[0].lstrip("+~") not in changed]
        for key, value in changed.items():
            shown = "null" if value is None else quoted(value) if isinstance(value, str) else value
            words.append(f"++{key}={shown}")  # a key that the options chosen do not have is added
            OmegaConf.update(held, key, value, force_add=True)
        self._write_config({"config": held, "overrides": words})

    def claim(
        self, cfg: DictConfig, overrides: list[str], resolved: Mapping[str, Any], photographs: Sequence[str]
    ) -> None:
        """Make this folder the run's own, unless it is already.

        resolved     what each `auto` was resolved to
        photographs  their digests
        """
        if self.config.exists():
            return
        self.config.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.config.with_name("photographs"), "\n".join(photographs))
        self._write_config({"resolved": dict(resolved), "overrides": overrides, "config": stored_form(cfg)})

    def _write_config(self, contents: Mapping[str, Any]) -> None:
        """The config last: a folder that has it has the others."""
        for name, content in contents.items():
            write_whole(
                self.config.with_name(f"{name}.yaml"), lambda part, content=content: OmegaConf.save(content, part)
            )

    def run_id(self, name: str) -> str:
        """By what a service that follows runs knows this one, named `name`: the id that W&B's agent gave it at its
        first start, else its name and token."""
        path = self.config.with_name("run_id")
        if not path.exists() and os.environ.get("WANDB_SWEEP_ID") and (given := os.environ.get("WANDB_RUN_ID")):
            write_text(path, given)
        return path.read_text() if path.exists() else f"{name}-{self.token()}"

    def token(self) -> str:
        """Eight characters that tell this run from every other.

        They stay while the run is resumed, and where its folder is moved. A copy of the folder is given its own, as
        long as the folder that it is a copy of can still be seen.
        """
        path, here = self.config.with_name("token"), str(self.folder.resolve())
        held, _, place = path.read_text("utf-8", "surrogateescape").partition("\n") if path.exists() else ("", "", "")
        original = Path(place) / ".hydra" / "token"
        copied = held and place not in ("", here) and original.exists() and not original.samefile(path)
        if copied and original.read_text("utf-8", "surrogateescape").partition("\n")[0] == held:
            held = ""
        held = held or secrets.token_hex(4)
        if place != here:
            write_text(path, f"{held}\n{here}")
        return held

    def differences(self, cfg: DictConfig) -> dict[str, tuple[Any, Any]]:
        """Config path -> (value of the run that is here, value of `cfg`); none where no run is here."""
        return config_differences(self.read_config(), cfg) if self.config.exists() else {}

    def read_config(self) -> DictConfig:
        if not self.config.exists():
            raise UserError(f"{str(self.folder)!r} is not a run folder: it has no .hydra/config.yaml")
        return read_config(self.config)

    def checkpoint(self, which: str) -> Path:
        """The file of `best`, of `last`, which is the newest, or of a step's number."""
        checkpoints = Checkpoints(self.folder / "checkpoints")
        files = {str(step_of(path)): path for path in checkpoints.steps()}
        if files:
            files["last"] = checkpoints.steps()[0]
        if checkpoints.best.exists():
            files["best"] = checkpoints.best
        if str(which) not in files:
            newest = f": the newest is {str(files['last'])!r}" if files else ""
            raise UserError(
                f"{str(self.folder)!r} has no checkpoint {str(which)!r}; it has {', '.join(files) or 'none'}{newest}"
            )
        return files[str(which)]

    def read_resolved(self) -> dict[str, Any]:
        """Config path, of `RESOLVED`, -> what its `auto` came to: a word, a number, or yes or no."""
        held = read_yaml(self.resolved) if self.resolved.exists() else {}
        for path, value in held.items() if isinstance(held, dict) else [(None, held)]:
            plain = isinstance(value, bool | int | str) and "${" not in str(value)
            if not (plain and isinstance(path, str) and RESOLVED.fullmatch(path)):
                raise UserError(f"{str(self.resolved)!r} is damaged: it holds {path!r}, which is no value left open")
        return held

    def keep_baselines(self, manifest: str, rows: Mapping[str, Any]) -> None:
        """What grey and the mean colour score on the photographs of `manifest`, for the starts to come."""
        write_text(self.config.with_name("baselines.json"), json.dumps({"manifest": manifest, **rows}))

    def read_baselines(self, manifest: str) -> dict[str, Any] | None:
        kept = self._kept_baselines()
        whole = kept.get("manifest") == manifest and set(MEASURED) <= kept.keys()
        return {name: kept[name] for name in MEASURED} if whole else None

    def validation_manifest(self) -> str:
        """Of the photographs that validation looks at; empty before they have been measured."""
        return str(self._kept_baselines().get("manifest", ""))

    def read_mean_ab(self) -> tuple[float, float] | None:
        """Mean colour of the photographs that the run was trained on, if it has been kept."""
        kept = self._kept_baselines()
        return tuple(kept["mean_ab"]) if "mean_ab" in kept else None

    def _kept_baselines(self) -> dict[str, Any]:
        path = self.config.with_name("baselines.json")
        kept = read_json(path, "remove it, and it is measured again")
        mean, tables = kept.get("mean_ab", [0, 0]), [kept.get("truth", {}), *as_names(kept.get("rows", {})).values()]
        numbers = [number for table in tables for number in as_names(table).values()]
        if not isinstance(mean, list) or len(mean) != 2 or not all(map(is_number, [*mean, *numbers])):
            raise UserError(f"{str(path)!r} is damaged: remove it, and it is measured again")
        return kept

    def read_summary(self) -> dict[str, Any]:
        """What the run ended with; nothing before it did. Raises `UserError` where half of it is there."""
        return read_json(self.summary, "remove it and train on")

    def write_summary(self, values: Mapping[str, Any]) -> None:
        write_text(self.summary, as_json(values, indent=2) + "\n")
