"""From a config to the parts of a run. With the command line, the only code that knows Hydra."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra._internal.utils import _locate  # get_object, without its log
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from colorize.data import Photographs
from colorize.data.historical import EvaluationOnly
from colorize.distributed import World
from colorize.errors import AbsentError, UserError
from colorize.evaluate import Evaluator
from colorize.gallery import Gallery, open_gallery
from colorize.losses import Loss
from colorize.metrics import Metric
from colorize.models import Colorizer
from colorize.models.encoders import checkpoint_brings_weights
from colorize.optimizers import Optimizers
from colorize.seeds import seed_of
from colorize.statistics import tell_measure
from colorize.trainer import Trainer
from colorize.trust import why_not


@dataclass
class Parts:
    """What a config describes, built."""

    model: Colorizer
    loss: Loss
    photographs: Photographs
    evaluator: Evaluator
    gallery: Gallery | None = None
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
    cfg = with_answers(cfg, answers)
    torch.manual_seed(seed_of(cfg.seed, "build"))  # initial weights are part of the seed
    loss: Loss = make(cfg.loss, "loss")
    network: type[Colorizer] = part_class(cfg.model, "model")
    loss.check(network.answers)
    photographs: Photographs = make(cfg.data, "data")
    check_trains(photographs)
    loss, notes = fit_to_labels(loss, photographs)
    if "classes" in cfg.model and cfg.model.classes is None:
        answers["model.classes"] = cfg.model.classes = count_classes(loss, photographs)
    with checkpoint_brings_weights() if restored else nullcontext():
        model: Colorizer = make(cfg.model, "model")
    metrics, absent = make_metrics(cfg.metrics)
    absent |= without_samples(metrics)
    notes += [f"metric {name!r} is left out: {reason}" for name, reason in absent.items()]
    evaluator = Evaluator(photographs, metrics, batch_size=cfg.evaluate.batch_size, samples=cfg.evaluate.samples)
    gallery = open_gallery(cfg.evaluate.historical, photographs.size, cfg.evaluate.samples)
    answers |= {path: lookup({"model": model, "loss": loss}, path) for path in auto_paths(cfg)}
    return Parts(model, loss, photographs, evaluator, gallery, absent, answers, notes)


def check_trains(photographs: Photographs | EvaluationOnly) -> None:
    if isinstance(photographs, EvaluationOnly):
        raise UserError(
            f"data={photographs.option} has no photographs to train on: it is there to judge by; name other data"
        )


def build_trainer(cfg: DictConfig, parts: Parts, folder: str | Path, world: World | None = None) -> Trainer:
    trainer = make(cfg.trainer, "trainer")  # partial: Hydra would copy what it is handed
    optimizers: Optimizers = make(cfg.optimizer, "optimizer")
    parts.notes += optimizers.notes()
    return trainer(
        parts.model, parts.loss, parts.photographs, optimizers, make(cfg.schedule, "schedule"), parts.evaluator,
        folder=folder, seed=cfg.seed, evaluate_every=cfg.evaluate.every, checkpoint_every=cfg.checkpoint.every,
        keep=cfg.checkpoint.keep, monitor=cfg.checkpoint.monitor, mode=cfg.checkpoint.get("mode"),
        steps_scale=cfg.get("steps_scale", 1.0), world=world or World(), gallery=parts.gallery,
    )  # fmt: skip


def part_class(node: DictConfig, name: str) -> type:
    """The class that a config group is built of. Raises `UserError` where it cannot be imported, with the cause."""
    try:
        return _locate(node._target_)
    except ImportError as error:
        raise UserError(f"config group {name!r} names {node._target_!r}, which {why_not(error)}") from error


def make(node: DictConfig, name: str) -> Any:
    """Instantiate a config group; a mistake in it reads as one sentence that begins with the group's name."""
    try:
        built = instantiate(node, _convert_="all")
    except InstantiationException as error:
        from colorize.memory import is_out_of_memory  # it imports torch, which this module does not

        cause = error.__cause__
        if isinstance(cause, UserError):
            raise type(cause)(str(cause)) from error
        if isinstance(cause, TypeError | ValueError):
            raise UserError(f"config group {name!r}: {cause}") from error
        if isinstance(cause, MemoryError) or (isinstance(cause, RuntimeError) and is_out_of_memory(cause)):
            raise UserError(f"config group {name!r} takes more memory than there is: make it smaller") from error
        if isinstance(cause, ImportError) and "locating target" in str(error):
            target = str(error).split("'")[1]
            raise UserError(f"config group {name!r} names {target!r}, which {why_not(cause)}") from error
        raise
    if isinstance(built, partial):  # its constructor has not seen the arguments yet
        known = inspect.signature(built.func).parameters
        takes_any = any(each.kind == each.VAR_KEYWORD for each in known.values())
        if (unknown := built.keywords.keys() - known.keys()) and not takes_any:
            raise UserError(f"config group {name!r}: there is no {sorted(unknown)}; there are {sorted(known)}")
    return built


def make_metrics(node: DictConfig, *, strict: bool = False) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics of a config group by name, and why others cannot be had here; with `strict`, such a one raises."""
    metrics, absent = {}, {}
    for name in map(str, node):
        try:
            metrics[name] = make(node[name], f"metrics.{name}")
        except AbsentError as error:
            if strict:
                raise AbsentError(f"metric {name!r} cannot be had: {error}") from error
            absent[name] = str(error)
        else:
            tell_measure(name, metrics[name].label, metrics[name].better, metrics[name].unit)
    return metrics, absent


def without_samples(metrics: dict[str, Metric]) -> dict[str, str]:
    """Take out what training cannot measure, since it paints every photograph once; and why."""
    absent = {name: "training paints every photograph once" for name, m in metrics.items() if "samples" in m.needs}
    for name in absent:
        del metrics[name]
    return absent


def count_classes(loss: Loss, photographs: Photographs) -> int:
    """The size of a classification head: the data's classes, if the loss reads one at all."""
    reads = any("logits" in term.needs for term in loss.terms.values())  # type: ignore[operator]
    return len(photographs.classes) if reads else 0


def fit_to_labels(loss: Loss, photographs: Photographs) -> tuple[Loss, list[str]]:
    """The loss less what the data has no labels for, and what to say about it."""
    if not photographs.classes:
        kept, dropped = loss.without_labels()
        names = " and ".join(repr(name) for name in dropped)
        return kept, [f"the photographs have no labels: loss term {names} and its head are off"] if dropped else []
    without = int((photographs.train.labels < 0).sum())
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
    """A copy of the config in which what was left open is what it came to before."""
    cfg = cfg.copy()
    for path, value in resolved.items():
        OmegaConf.update(cfg, path, value)
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
    found: dict[str, str] = {}
    for group, root in (("model", parts.model), ("loss", parts.loss)):
        for path, module in root.named_modules():
            if isinstance(origin := getattr(module, "origin", None), str):
                name = ".".join(p for p in (group, *path.split(".")) if p not in ("terms", "net"))
                found.setdefault(name, origin)
    return found
