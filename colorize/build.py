"""From a config to the parts of a run. With the command line, the only code that knows Hydra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from colorize.data import Photographs
from colorize.errors import UserError
from colorize.evaluate import Evaluator
from colorize.losses import Loss
from colorize.models import Colorizer
from colorize.seeds import seed_of
from colorize.trainer import Trainer


@dataclass
class Parts:
    """What a config describes, built."""

    model: Colorizer
    loss: Loss
    photographs: Photographs
    evaluator: Evaluator
    resolved: dict[str, Any] = field(default_factory=dict)  # config path -> what its "auto" came to
    notes: list[str] = field(default_factory=list)  #         what the user should know, each said once


def build_parts(cfg: DictConfig, resolved: Mapping[str, Any] | None = None) -> Parts:
    """Model, loss, photographs and evaluator.

    `resolved` are an earlier run's answers to `auto`; they are kept, so that a resumed run sees the same weights.
    Raises `UserError` for what the config gets wrong; a model and a loss that do not fit before any data is read.
    """
    cfg = with_answers(cfg, resolved or {})
    torch.manual_seed(seed_of(cfg.seed, "build"))  # initial weights are part of the seed
    loss: Loss = make(cfg.loss, "loss")
    loss.check(get_class(cfg.model._target_).answers)
    photographs: Photographs = make(cfg.data, "data")
    loss, notes = fit_to_labels(loss, photographs)
    model = make_model(cfg.model, loss, photographs)
    evaluator = Evaluator(
        photographs, make(cfg.metrics, "metrics"), batch_size=cfg.evaluate.batch_size, samples=cfg.evaluate.samples
    )
    answers = {path: lookup({"model": model, "loss": loss}, path) for path in auto_paths(cfg)}
    return Parts(model, loss, photographs, evaluator, {**(resolved or {}), **answers}, notes)


def build_trainer(cfg: DictConfig, parts: Parts, folder: str | Path) -> Trainer:
    trainer = make(cfg.trainer, "trainer")  # partial: Hydra would copy what it is handed
    return trainer(
        parts.model, parts.loss, parts.photographs, make(cfg.optimizer, "optimizer"), make(cfg.schedule, "schedule"),
        parts.evaluator, folder=folder, seed=cfg.seed, evaluate_every=cfg.evaluate.every,
        checkpoint_every=cfg.checkpoint.every, monitor=cfg.checkpoint.monitor, mode=cfg.checkpoint.mode,
    )  # fmt: skip


def make(node: DictConfig, name: str, /, **extra: Any) -> Any:
    """Instantiate a config group; a mistake in it reads as one sentence that begins with the group's name."""
    try:
        return instantiate(node, **extra, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise UserError(str(cause)) from error
        if isinstance(cause, TypeError | ValueError):
            raise UserError(f"config group {name!r}: {cause}") from error
        raise


def make_model(node: DictConfig, loss: Loss, photographs: Photographs) -> Colorizer:
    """The model; a classification head gets the data's classes, if the loss reads it at all."""
    if "classes" not in node or node.classes is not None:
        return make(node, "model")
    wanted = any("logits" in term.needs for term in loss.terms.values())  # type: ignore[operator]
    return make(node, "model", classes=len(photographs.classes) if wanted else 0)


def fit_to_labels(loss: Loss, photographs: Photographs) -> tuple[Loss, list[str]]:
    """The loss less what the data has no labels for, and what to say about it."""
    if not photographs.classes:
        kept, dropped = loss.without_labels()
        names = " and ".join(repr(name) for name in dropped)
        return kept, [f"the photographs have no labels: loss term {names} and its head are off"] if dropped else []
    without = sum(photo.label < 0 for photo in photographs.train)
    if without and any(term.needs_labels for term in loss.terms.values()):
        return loss, [f"{without} of {len(photographs.train)} training photographs have no label and do not classify"]
    return loss, []


def auto_paths(cfg: DictConfig) -> list[str]:
    """The paths below model and loss whose value is "auto"."""

    def walk(node: Any, path: str):
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, f"{path}.{key}")
        elif node == "auto":
            yield path

    return [p for group in ("model", "loss") for p in walk(OmegaConf.to_container(cfg[group]), group)]


def with_answers(cfg: DictConfig, resolved: Mapping[str, Any]) -> DictConfig:
    """A copy of the config in which `auto` is what it came to before."""
    cfg = cfg.copy()
    for path in auto_paths(cfg):
        if path in resolved:
            OmegaConf.update(cfg, path, resolved[path])
    return cfg


def lookup(parts: Mapping[str, Any], path: str) -> Any:
    """The attribute at a config path: a constructor keeps what it resolved under the argument's own name."""
    first, *names = path.split(".")
    found = parts[first]
    for name in names:
        found = found[name] if isinstance(found, torch.nn.ModuleDict) else getattr(found, name)
    return found


def origins(parts: Parts) -> dict[str, str]:
    """Where pretrained weights came from: name of the part -> words."""
    found = {}
    for group, root in (("model", parts.model), ("loss", parts.loss)):
        for path, module in root.named_modules():
            if isinstance(origin := getattr(module, "origin", None), str):
                name = ".".join(p for p in (group, *path.split(".")) if p not in ("terms", "net"))
                found.setdefault(name, origin)
    return found
