"""From a config to the parts of a run: model, loss, data, validation, trainer."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from colorize.config import apply_resolved, auto_paths, build_part, part_class
from colorize.data.datamodule import DataModule
from colorize.data.sources import EvaluationOnly
from colorize.evaluation.metric_info import make_metrics, without_samples
from colorize.evaluation.validation import HistoricalSamples, Validator, open_historical_samples
from colorize.losses.loss import Loss
from colorize.models.base import Colorizer
from colorize.models.encoders import checkpoint_brings_weights
from colorize.training.optimizers import Optimizers
from colorize.training.trainer import Trainer
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of


@dataclass
class Parts:
    """What a config describes, built."""

    model: Colorizer
    loss: Loss
    photographs: DataModule
    evaluator: Validator
    gallery: HistoricalSamples | None = None
    absent: dict[str, str] = field(default_factory=dict)  #   metric -> why it cannot be had here
    resolved: dict[str, Any] = field(default_factory=dict)  # config path -> what was left open (auto, classes) came to
    notes: list[str] = field(default_factory=list)  #         what the user should know, each said once


def build_parts(cfg: DictConfig, resolved: Mapping[str, Any] | None = None, *, restored: bool = False) -> Parts:
    """Model, loss, photographs, evaluator and gallery.

    resolved    what the config left open came to at an earlier start; a resumed run keeps to it
    restored    the model's weights come from a checkpoint afterwards: no pretrained file is asked for
    Raises `UserError` for what the config gets wrong; a model and a loss that do not fit before any data is read.
    """
    answers = dict(resolved or {})
    cfg = apply_resolved(cfg, answers)
    torch.manual_seed(seed_of(cfg.seed, "build"))  # initial weights are part of the seed
    loss: Loss = build_part(cfg.loss, "loss")
    network: type[Colorizer] = part_class(cfg.model, "model")
    loss.check(network.answers)
    photographs: DataModule = build_part(cfg.data, "data")
    check_trains(photographs)
    loss, notes = fit_to_labels(loss, photographs)
    if "classes" in cfg.model and cfg.model.classes is None:
        answers["model.classes"] = cfg.model.classes = count_classes(loss, photographs)
    with checkpoint_brings_weights() if restored else nullcontext():
        model: Colorizer = build_part(cfg.model, "model")
    metrics, absent = make_metrics(cfg.metrics)
    absent |= without_samples(metrics)
    notes += [f"metric {name!r} is left out: {reason}" for name, reason in absent.items()]
    evaluator = Validator(photographs, metrics, batch_size=cfg.evaluate.batch_size, samples=cfg.evaluate.samples)
    gallery = open_historical_samples(cfg.evaluate.historical, photographs.size, cfg.evaluate.samples)
    answers |= {path: lookup({"model": model, "loss": loss}, path) for path in auto_paths(cfg)}
    return Parts(model, loss, photographs, evaluator, gallery, absent, answers, notes)


def check_trains(photographs: DataModule | EvaluationOnly) -> None:
    if isinstance(photographs, EvaluationOnly):
        raise UserError(
            f"data={photographs.option} has no photographs to train on: it is there to judge by; name other data"
        )


def build_trainer(cfg: DictConfig, parts: Parts, folder: str | Path, world: World | None = None) -> Trainer:
    trainer = build_part(cfg.trainer, "trainer")  # partial: Hydra would copy what it is handed
    optimizers: Optimizers = build_part(cfg.optimizer, "optimizer")
    parts.notes += optimizers.notes()
    return trainer(
        parts.model, parts.loss, parts.photographs, optimizers, build_part(cfg.schedule, "schedule"), parts.evaluator,
        folder=folder, seed=cfg.seed, evaluate_every=cfg.evaluate.every, checkpoint_every=cfg.checkpoint.every,
        keep=cfg.checkpoint.keep, monitor=cfg.checkpoint.monitor, mode=cfg.checkpoint.get("mode"),
        steps_scale=cfg.get("steps_scale", 1.0), world=world or World(), gallery=parts.gallery,
    )  # fmt: skip


def count_classes(loss: Loss, photographs: DataModule) -> int:
    """The size of a classification head: the data's classes, if the loss reads one at all."""
    reads = any("logits" in term.needs for term in loss.terms.values())  # type: ignore[operator]
    return len(photographs.classes) if reads else 0


def fit_to_labels(loss: Loss, photographs: DataModule) -> tuple[Loss, list[str]]:
    """The loss less what the data has no labels for, and what to say about it."""
    if not photographs.classes:
        kept, dropped = loss.without_labels()
        names = " and ".join(repr(name) for name in dropped)
        return kept, [f"the photographs have no labels: loss term {names} and its head are off"] if dropped else []
    without = int((photographs.train.labels < 0).sum())
    if without and any(term.needs_labels for term in loss.terms.values()):
        return loss, [f"{without} of {len(photographs.train)} training photographs have no label and do not classify"]
    return loss, []


def lookup(parts: Mapping[str, Any], path: str) -> Any:
    """The attribute at a config path: a constructor keeps what it resolved under the argument's own name."""
    first, *names = path.split(".")
    found = parts[first]
    for name in names:
        found = found[name] if isinstance(found, torch.nn.ModuleDict) else getattr(found, name)
    return found


def origins(parts: Parts) -> dict[str, str]:
    """Where pretrained weights came from: name of the part -> words."""
    found: dict[str, str] = {}
    for group, root in (("model", parts.model), ("loss", parts.loss)):
        for path, module in root.named_modules():
            if isinstance(origin := getattr(module, "origin", None), str):
                name = ".".join(p for p in (group, *path.split(".")) if p not in ("terms", "net"))
                found.setdefault(name, origin)
    return found
