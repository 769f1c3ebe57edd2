"""Types and ranges of the values in conf/train.yaml and conf/evaluate.yaml."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from math import inf, isfinite
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Interval
from omegaconf import DictConfig, OmegaConf

from colorize.config import check_resolves
from colorize.utils.errors import UserError
from colorize.utils.validation import BatchSize, Count, Few, Name, Positive, as_override, check_value


class Section:
    """The annotations of its attributes are the types of the values of a node."""


class Evaluation(Section):
    every: Count
    batch_size: BatchSize
    samples: Few
    historical: bool | str


class Checkpointing(Section):
    every: Count
    keep: Count
    monitor: Name
    mode: Literal["max", "min"] | None
    final: Literal["whole", "weights"]


class Train(Section):
    name: Name
    seed: Annotated[int, Interval(ge=-(2**63), lt=2**63)]
    names: Mapping[str, str]
    published: Mapping[str, str | None] | None
    init_from: Name | None
    resume: Name | None
    trust: Name | list[Name]
    overwrite: bool
    steps_scale: Positive
    evaluate: Evaluation
    checkpoint: Checkpointing


class Evaluate(Section):
    run: Name | list[Name]
    checkpoint: Name | int
    source: Name | None
    trust: Name | list[Name]
    name: Name
    out: Name | None
    device: Name
    samples: Few
    batch_size: BatchSize | Literal["auto"]
    strict: bool
    track: bool
    overwrite: bool
    table: bool


PROGRAMS: dict[str, type[Section]] = {"train": Train, "evaluate": Evaluate}
PART = ("model", "loss", "data", "optimizer", "trainer", "tracker", "protocol")  # groups that are one part
PARTS = ("schedule", "metrics")  # groups of several
PIXEL = 3 + 3 * 4 + 3 * 4  # bytes of a pixel of a batch: as decoded, as lightness and ab, as the network answers


def kinds() -> dict[str, Any]:
    """group -> what is built of it"""
    from colorize.evaluation.protocol import Protocol
    from colorize.losses.loss import Loss
    from colorize.metrics.metric import Metric
    from colorize.models.base import Colorizer
    from colorize.training.optimizers import Optimizers
    from colorize.training.schedule import Phase

    return {
        "model": Colorizer, "loss": Loss, "optimizer": Optimizers, "schedule": Mapping[str, Phase],
        "metrics": Mapping[str, Metric], "protocol": Protocol, "trainer": Callable[..., Any],
        "tracker": Callable[..., Any],
    }  # fmt: skip


def check_settings(cfg: dict[str, Any], program: str) -> None:
    """Check the values of a program's config that no constructor takes, and put those that were said in other words (no
    for false) in their place. Raises `UserError` for the first that cannot be, such as a number that is not finite."""
    for path, number in numbers(cfg, ""):
        if not isfinite(number):
            raise UserError(f"{path} is {number}; it must be a finite number")
    check_groups(cfg)
    if program in PROGRAMS:
        check_section(cfg, PROGRAMS[program], "")


def check_parts(cfg: dict[str, Any]) -> None:
    """The same for the arguments of every part, by the annotations of its constructor."""
    known = kinds()
    for group in (*PART, *PARTS):
        if group in cfg:
            cfg[group] = check_value(known.get(group, Any), cfg[group], group)
    if "optimizer" in cfg:
        check_phases(cfg)
        check_memory(cfg["trainer"].get("batch_size", 1), cfg["data"].get("size", 32))


def check_phases(cfg: dict[str, Any]) -> None:
    """Raises `UserError` for an optimizer that cannot be, in any of the phases."""
    from colorize.config import build_part

    optimizers = build_part(OmegaConf.create(cfg["optimizer"]), "optimizer")
    for phase in build_part(OmegaConf.create(cfg["schedule"]), "schedule").values():
        optimizers.check(phase.optimizer)


def with_checked_values(cfg: DictConfig, program: str) -> DictConfig:
    """The config with each value as its type has it: false for no. Raises `UserError` for a value that cannot be."""
    check_resolves(cfg)
    values: Any = OmegaConf.to_container(cfg, resolve="${hydra:" not in OmegaConf.to_yaml(cfg))
    check_settings(values, program)
    check_parts(values)
    return OmegaConf.create(values)


def check_memory(batch_size: int, size: int) -> None:
    """Raises `UserError` where the photographs of one forward pass alone, before any network, fill this machine."""
    needed = batch_size * size**2 * PIXEL
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else inf
    if needed > held / 2:
        raise UserError(
            f"trainer.batch_size={batch_size} at data.size={size} takes {needed / 1e9:.0f} GB for photographs alone, "
            f"and this machine has {held / 1e9:.0f} GB: make one of them smaller, and trainer.accumulate larger"
        )


def numbers(node: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from numbers(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, float):
        yield path, node


def check_groups(cfg: Mapping[str, Any]) -> None:
    """Raises `UserError` for a group that is not the part, or the parts by name, that it must be."""
    for group in PART:
        if group in cfg and not is_part(cfg[group]):
            raise UserError(
                f"{group} is {as_override(cfg[group])}; it must be a part with a _target_: choose one of its options"
            )
    for group in PARTS:
        if group not in cfg:
            continue
        if not isinstance(cfg[group], dict) or not cfg[group]:
            raise UserError(
                f"{group} is {as_override(cfg[group])}; it must have one part or more, each with a _target_"
            )
        for name, part in cfg[group].items():
            if not is_part(part):
                out = f"; ~{group}.{name} leaves it out" if part is None else ""
                raise UserError(f"{group}.{name} is {as_override(part)}; it must be a part with a _target_{out}")


def is_part(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("_target_"), str)


def check_section(values: dict[str, Any], section: type[Section], path: str) -> None:
    """The same for the values of a node that `section` has annotations of; sections in it too."""
    for name, hint in get_type_hints(section, include_extras=True).items():
        below = f"{path}.{name}" if path else name
        if name not in values:
            continue
        if not (isinstance(hint, type) and issubclass(hint, Section)):
            values[name] = check_value(hint, values[name], below)
        elif isinstance(values[name], dict):
            check_section(values[name], hint, below)
        else:
            keys = ", ".join(get_type_hints(hint))
            raise UserError(f"{below} is {as_override(values[name])}; it must be a mapping with {keys}")
