"""The weights that a run begins with (init_from), the checkpoints that it leaves, and the return to one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from colorize.data.datamodule import DataModule
from colorize.models.base import Colorizer
from colorize.models.export import frozen_settings
from colorize.models.load import load
from colorize.models.onnx_runtime import check_trainable
from colorize.run_folder import RunFolder
from colorize.tracking.logger import Logger
from colorize.training.train_state import TrainState
from colorize.utils.checkpoint import Checkpoints, peek, read_record
from colorize.utils.console import say
from colorize.utils.distributed import World
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, locate_part, shorten_list
from colorize.utils.stored_config import flatten, resolved
from colorize.utils.trust import check_stored_part, packages


def init_from(cfg: DictConfig, run: RunFolder, overrides: Sequence[str]) -> InitialWeights | None:
    """Make the network of `cfg.init_from` the config's, if one is named, and return what to start from.

    Its settings are the file's; what the `overrides` say of the model besides, such as model.freeze=true, holds.
    Once the run has a checkpoint of its own, the file is not read again.
    Raises `UserError` where the file holds another network than the model that the config names.
    """
    if not cfg.init_from:
        return None
    said = model_overrides(cfg, overrides)
    if not cfg.overwrite and run.config.exists() and Checkpoints(run.folder / "checkpoints").steps():
        saved = run.read_config()
        if saved.get("init_from") == cfg.init_from:
            node = resolved(saved, run.where, "model")["model"]
            trusted = (*packages(cfg.trust), str(cfg.model._target_).rpartition(".")[0])
            check_stored_part(node, "model", trusted, run.where)
            with open_dict(cfg):
                cfg.model, cfg.published = OmegaConf.create({**node, **said}), {}
            return None
    model = load(cfg.init_from, packages(cfg.trust))
    check_trainable(model, cfg.init_from)
    network, wanted = type(model), locate_part(cfg.model._target_, "model")
    if network is not wanted:
        raise UserError(
            f"init_from={cfg.init_from} holds a {network.__name__}, and model={cfg.names.model} is a "
            f"{wanted.__name__}: name the model that the file holds, whose sizes are then the file's"
        )
    settings = {"_target_": cfg.model._target_, **frozen_settings(model), **said}
    if "classes" in cfg.model:
        settings["classes"] = cfg.model.classes  # the data decide
    node = OmegaConf.create(settings)
    before = flatten(cfg.model)
    replaced = {key: value for key, value in flatten(node).items() if key in before and before[key] != value}
    with open_dict(cfg):
        cfg.model, cfg.published = node, {}
    return InitialWeights(cfg.init_from, model, said, replaced)


def model_overrides(cfg: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """The model's arguments that the command line sets; not the size of its head, which the data decide."""
    keys = [word.lstrip("+").partition("=")[0].split(".") for word in overrides]
    names = dict.fromkeys(key[1] for key in keys if key[0] == "model" and len(key) > 1)
    plain: Any = OmegaConf.to_container(cfg.model, resolve=True)
    said = {name: plain[name] for name in names if name in plain and name not in ("_target_", "classes")}
    if said.get("pretrained") is True:
        raise UserError(f"model.pretrained=true and init_from={cfg.init_from} are two sources of weights: use one")
    return said | ({"pretrained": False} if "pretrained" in said else {})


class InitialWeights:
    """The network that a run begins from, what was `said` of the new one besides, and which of its settings `replaced`
    others that the config has."""

    def __init__(self, file: str, model: Colorizer, said: Mapping[str, Any], replaced: Mapping[str, Any]):
        self.file, self.model, self.said, self.replaced = file, model, said, replaced

    def load_into(self, model: Colorizer) -> list[str]:
        """Copy its weights into `model`; notes for the user. Only a head for classes may differ, and starts fresh.

        Raises `UserError` where what was said of the network changes the shape of another part.
        """
        held, wanted = self.model.state_dict(), model.state_dict()
        fits = {name for name, value in held.items() if name in wanted and wanted[name].shape == value.shape}
        fresh = [name for name in wanted if name not in fits]
        left = [name for name in held if name not in fits]
        if other := [name for name in [*fresh, *left] if not name.startswith("classify.")]:
            words = " ".join(f"model.{name}={value}" for name, value in self.said.items())
            raise UserError(
                f"{words} would make another network than the one that {self.file} holds: "
                f"{shorten_list(other)} would not fit; leave out what changes its sizes, which are the file's"
            )
        model.load_state_dict({name: held[name] if name in fits else value for name, value in wanted.items()})
        notes = [f"model: weights of {self.file}"]
        if replaced := [f"model.{name}={value}" for name, value in self.replaced.items() if name != "pretrained"]:
            notes.append(f"its settings replace the config's: {' '.join(replaced)}; on the command line, yours hold")
        if fresh:
            notes.append(f"{shorten_list(fresh)} start fresh: the file's head is for other classes")
        elif left:
            notes.append(f"the file's head for classes is left out: {shorten_list(left)}")
        return notes

    def load_into_critics(self, states: Mapping[str, TrainState]) -> list[str]:
        """Copy the critics' weights, where the file is a checkpoint that has them; notes for the user."""
        path, notes = at_home(self.file), []
        if path.is_dir():
            path = path / "checkpoints" / "best.pt"
        of_run = path.suffix == ".pt" and path.is_file() and (path.parent.parent / ".hydra").is_dir()
        content = read_record(path) if of_run else {}
        for name, state in list(states.items())[1:]:
            held = content.get("players", {}).get(name, {}).get("module", {})
            wanted = state.module.state_dict()
            if {k: v.shape for k, v in held.items()} == {k: v.shape for k, v in wanted.items()}:
                state.module.load_state_dict(held)
                notes.append(f"critic {name!r}: weights of {self.file}")
            else:
                notes.append(f"critic {name!r} starts fresh: {self.file} has none like it")
        return notes


def log_checkpoints(log: Logger, cfg: DictConfig, photographs: DataModule, checkpoints: Checkpoints) -> None:
    """Hand `log` the best checkpoint and the newest, which comes last; both are one where the newest is the best."""
    best, newest = checkpoints.best, checkpoints.steps()[:1]
    found: dict[int, tuple[Path, dict[str, float], list[str]]] = {}
    for path, alias in [(best, "best")] * best.exists() + [(path, "latest") for path in newest]:
        if (held := peek(path)) is None:
            say(f"{str(path)!r} is damaged, and is not handed to the tracker")
            continue
        step, scores = held["steps"], held["scores"]
        aliases = found[step][2] if step in found else [f"step-{step}"]
        found[step] = path, scores, [*aliases, alias]
    for step, (path, scores, aliases) in found.items():
        log.checkpoint(path, aliases, {**provenance_of(cfg, photographs), "step": step, "val": scores})


def provenance_of(cfg: DictConfig, photographs: DataModule) -> dict[str, Any]:
    """What a network of this run came from. The photographs are named by their digests, and stay where they are."""
    return {
        "name": cfg.name, "seed": cfg.seed, **{part: cfg.names[part] for part in ("model", "loss", "data")},
        "photographs": photographs.fingerprint(), "validation": photographs.manifest(),
        "init_from": cfg.init_from, "parent": parent_run(cfg.init_from),
    }  # fmt: skip


def parent_run(init_from: str | None) -> str | None:
    """The id of the run whose weights another began with; None where it began with none, or with a file's."""
    run = RunFolder(at_home(init_from)) if init_from else None
    if run is None or not run.config.exists():
        return None
    return run.run_id(run.read_config().name)


def read_checkpoint(path: Path, photographs: str, total: int, phases: Iterable[str]) -> dict[str, Any]:
    """The content of a run's checkpoint. Raises `UserError` where the run cannot go on with it.

    photographs  the fingerprint of the run's
    total        its optimizer steps in all
    """
    content = read_record(path)
    if content["photographs"] != photographs:
        raise UserError(
            f"the photographs are not those that {str(path)!r} was trained on: put them back, or "
            "use name=… for a new run"
        )
    if content.get("weights_alone") and content["steps"] < total:
        raise UserError(
            f"{str(path)!r} holds weights alone, as checkpoint.final=weights keeps them, and cannot be trained "
            f"further: use init_from={path} for a new run that begins with them"
        )
    if content["phase"] not in phases:
        raise UserError(
            f"{str(path)!r} is of a phase {content['phase']!r}; this run's are {[*phases]}: put the run's own there"
        )
    return content


def load_states(states: Mapping[str, TrainState], content: Mapping[str, Any], path: Path) -> None:
    """Put networks, optimizers and averages back. Raises `UserError` where the file's are others."""
    held = content["players"]["model"].get("averages")
    lengths = [*held] if isinstance(held, Mapping) else []
    if not content.get("weights_alone") and (new := [each for each in states["model"].averages if each not in lengths]):
        raise UserError(
            f"trainer.ema_lengths has {shorten_list(new)}, and the averages in {str(path)!r} are "
            f"{shorten_list(lengths)}: an average begins with its run; leave it out, or use name=… for a new run"
        )
    try:
        for name, state in states.items():
            state.load(content["players"][name])
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{str(path)!r} is a checkpoint of another network, critic or optimizer than this run's: put the run's "
            "own there, or use init_from=… to begin a new run with its weights"
        ) from error


def best_score(content: Mapping[str, Any], sign: int) -> float | None:
    """The best score so far, times `sign`; None where it was kept in the wrong direction, and is the worst."""
    best = content["best"]
    wrong = best is not None and best * sign < 0  # older checkpoints do not say their sign
    return best if content.get("sign", -sign if wrong else sign) == sign else None


def repair_best(checkpoints: Checkpoints, best: float | None, best_at: int, world: World) -> float | None:
    """The best score once best.pt is whole. A kill may leave it absent, or older than the best score, of step
    `best_at`: it is made anew, or what it holds counts."""
    if best is None:
        return None

    def repair() -> tuple[int, float | None]:
        held = checkpoints.repair_best(best_at)
        return (best_at, None) if held is None else (held["steps"], held["best"])

    step, held = world.on_main_then_broadcast(repair)
    if held is None:
        say("best.pt is missing, and so is the checkpoint that it was a copy of: the next evaluation makes it anew")
    return held if held is None or step < best_at else best
