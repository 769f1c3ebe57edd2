"""From a config to the parts of a run: model, loss, data, judges, trainer."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from colorize.config import apply_resolved, auto_paths, build_part
from colorize.data.collection import Collection, Photo
from colorize.data.datamodule import DataModule
from colorize.data.listing import list_folder
from colorize.data.sources import by_hash, check_trains
from colorize.evaluation.validation import Validator
from colorize.evaluation.validation_set import black_and_white_squares, first_by_hash, squares_of
from colorize.losses.loss import Loss
from colorize.metrics.metric import Metric
from colorize.metrics.metric_info import build_metrics, leave_out_unavailable
from colorize.metrics.perceptual import imagenet_indices
from colorize.models.base import Colorizer
from colorize.models.encoders import checkpoint_brings_weights
from colorize.training.config_schema import CheckpointSettings, TrainerSettings
from colorize.training.optimizers import Optimizers
from colorize.training.parts import Parts
from colorize.training.precision import measure_precision
from colorize.training.trainer import Trainer
from colorize.utils.distributed import World
from colorize.utils.errors import UserError, locate_part
from colorize.utils.published_file import limit_waiting
from colorize.utils.seeds import seed_of

PRECISION = "trainer.precision"
PATIENCE = 5  # seconds in all for servers of weights that do not answer


def build_parts(
    cfg: DictConfig, resolved: Mapping[str, Any] | None = None, *, restored: bool = False,
    fetch: Callable[[], None] = lambda: None,
) -> Parts:  # fmt: skip
    """Model, loss, photographs and judges.

    resolved    the values of `auto` settings at an earlier start, which a resumed run keeps
    restored    the model's weights come from a checkpoint afterwards: no pretrained file is asked for
    fetch       brings weights of metrics, before these are built
    Raises `UserError` for what the config gets wrong; a model and a loss that do not fit before any data is read.
    """
    answers = dict(resolved or {})
    cfg = apply_resolved(cfg, answers)
    torch.manual_seed(seed_of(cfg.seed, "build"))  # initial weights are part of the seed
    loss: Loss = build_part(cfg.loss, "loss")
    network: type[Colorizer] = locate_part(cfg.model._target_, "model")
    loss.check(network.answers)
    photographs: DataModule = build_part(cfg.data, "data")
    check_trains(photographs, cfg.names.data)
    loss, notes = fit_to_labels(loss, photographs)
    if "classes" in cfg.model and cfg.model.classes is None:
        answers["model.classes"] = cfg.model.classes = count_classes(loss, photographs)
    for term in loss.terms.values():
        term.prepare(photographs)  # type: ignore[operator]
    with checkpoint_brings_weights() if restored else nullcontext():
        model: Colorizer = build_part(cfg.model, "model")
    fetch()
    metrics, absent = build_metrics(cfg.metrics)
    absent |= leave_out_unavailable(metrics, labelled=bool(imagenet_indices().keys() & set(photographs.classes)))
    notes += [f"while training, metric {name!r} is left out: {reason}" for name, reason in absent.items()]
    judges = build_judges(cfg.evaluate, photographs, metrics)
    built = SimpleNamespace(model=model, loss=loss)
    answers |= {path: attrgetter(path)(built) for path in auto_paths(cfg)}  # kept under the argument's own name
    return Parts(model, loss, photographs, judges, absent, answers, notes)


def fetch_metric_weights(configs: Sequence[DictConfig]) -> None:
    """Fetch those of single pictures' metrics, so that validation has them too from a run's first start on."""
    with limit_waiting(PATIENCE):
        for config in configs[:1]:
            fetched = {name: node for name, node in config.metrics.items() if node.get("download")}
            build_metrics(OmegaConf.create(fetched))


def build_judges(evaluate: DictConfig, photographs: DataModule, metrics: Mapping[str, Metric]) -> dict[str, Validator]:
    """The judges of a run by name. Raises `UserError` for a source that is not there, and for two of one prefix."""
    judges: dict[str, Validator] = {}
    # its source had this key before there were judges, and its photographs are those of a grid
    own = {"historical": {"source": evaluate.historical, "truth": False, "photographs": None}}
    for name, node in evaluate.judges.items():
        said = {**evaluate, **own.get(name, {}), **({"source": node} if isinstance(node, bool) else node)}
        source = said.get("source", True)
        if source is False:
            continue
        judges[str(name)] = build_judge(str(name), name if source is True else source, said, photographs, metrics)
    prefixes = [judge.prefix for judge in judges.values()]
    for name, judge in judges.items():
        if prefixes.count(judge.prefix) > 1 or judge.prefix in ("train", "lr") or not judge.prefix.isidentifier():
            raise UserError(
                f"evaluate.judges.{name}.prefix is {judge.prefix!r}; it must be one word that no other scores have"
            )
    if "validation" not in judges or judges["validation"].prefix != "val":
        raise UserError("evaluate.judges.validation must be there, with prefix=val: best.pt is chosen by it")
    return judges


def build_judge(
    name: str, source: str, said: Mapping[str, Any], photographs: DataModule, metrics: Mapping[str, Metric]
) -> Validator:
    """A judge whose photographs are of `source`; `said` is its node, with what `evaluate` says of all."""
    count, samples = said.get("photographs"), said["samples"]
    if source == "historical" or not said.get("truth", True):
        folder = None if source == "historical" else source
        chosen = black_and_white_squares(folder, photographs.size, count or samples)
        shown = list(range(min(samples, len(chosen.names))))
    else:
        known = {"validation": photographs.val, "train_slice": photographs.train}
        photos = first_by_hash(known[source] if source in known else Collection(list_folder(source)), count)
        photos = readable_photos(photographs, photos) if source == "train_slice" else photos
        chosen = squares_of(photographs, photos)
        shown = sorted(by_hash(photos)[:samples].tolist())  # of a list by class the first are of one class
    folder = {"validation": "samples", "historical": "historical"}.get(name, f"samples/{name}")
    return Validator(
        chosen, metrics, shown=shown, batch_size=said["batch_size"], every=said["every"],
        prefix=said.get("prefix", name), folder=folder,
    )  # fmt: skip


def build_trainer(
    cfg: DictConfig, parts: Parts, folder: str | Path, world: World | None = None, *, new: bool = False
) -> Trainer:
    """new: the run begins, and a precision that is left open may be measured. It is in `parts.resolved` afterwards."""
    kept = {key: value for key, value in parts.resolved.items() if key == PRECISION}
    settings: TrainerSettings = build_part(apply_resolved(cfg, kept).trainer, "trainer")
    optimizers: Optimizers = build_part(cfg.optimizer, "optimizer")
    parts.notes += optimizers.notes()
    known = [each.name for each in fields(CheckpointSettings) if each.name in cfg.checkpoint]
    checkpoint = CheckpointSettings(**{name: cfg.checkpoint[name] for name in known})
    trainer = Trainer(
        parts, optimizers, build_part(cfg.schedule, "schedule"), settings, folder=folder, checkpoint=checkpoint,
        seed=cfg.seed, steps_scale=cfg.get("steps_scale", 1.0), world=world or World(),
    )  # fmt: skip
    if kept:
        trainer.set_precision(replace(trainer.precision, by="resume"))
    elif settings.precision == "auto":
        if new:
            measure_precision(trainer)
        parts.resolved[PRECISION] = trainer.precision.chosen
        parts.notes += trainer.precision.notes("training")
    return trainer


def count_classes(loss: Loss, photographs: DataModule) -> int:
    """The size of a classification head: the data's classes, if the loss reads one at all."""
    reads = any("logits" in term.needs for term in loss.terms.values())  # type: ignore[operator]
    return len(photographs.classes) if reads else 0


def fit_to_labels(loss: Loss, photographs: DataModule) -> tuple[Loss, list[str]]:
    """The loss without the terms whose labels the data does not have, and notes for the user."""
    if not photographs.classes:
        kept, dropped = loss.without_labels()
        names = " and ".join(repr(name) for name in dropped)
        return kept, [f"the photographs have no labels: loss term {names} and its head are off"] if dropped else []
    without = int((photographs.train.labels < 0).sum())
    if without and any(term.needs_labels for term in loss.terms.values()):
        return loss, [f"{without} of {len(photographs.train)} training photographs have no label and do not classify"]
    return loss, []


def origins(parts: Parts, *, filled: bool = False) -> dict[str, str]:
    """Name of the part -> where its pretrained weights came from; `filled`: init_from has filled the model's parts."""
    found: dict[str, str] = {}
    for group, root in (("model", parts.model), ("loss", parts.loss)):
        for path, module in root.named_modules():
            if isinstance(origin := getattr(module, "origin", None), str):
                name = ".".join(p for p in (group, *path.split(".")) if p not in ("terms", "net"))
                replaced = filled and group == "model"
                found.setdefault(name, f"{origin.split(',')[0]}, weights of init_from" if replaced else origin)
    return found


def readable_photos(photographs: DataModule, photos: Collection) -> Collection:
    """Those of `photos` that can be read: training skips the others, names and counts them."""

    def is_readable(photo: Photo) -> bool:
        with suppress(UserError):
            photographs.centre(photo)
            return True
        return False

    return photos.select(np.flatnonzero([is_readable(photo) for photo in photos]))
