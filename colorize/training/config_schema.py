"""Types and ranges of the values in conf/train.yaml and conf/evaluate.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Interval
from omegaconf import DictConfig, OmegaConf

from colorize.config import MODES, better_of, build_part, check_values, contradicts_direction, sign_of
from colorize.utils.errors import UserError, suggestion
from colorize.utils.trust import iterate_leaves
from colorize.utils.validation import (
    BatchSize,
    Between,
    Count,
    EmaLengths,
    Few,
    FileName,
    FolderName,
    Name,
    Number,
    Passes,
    Positive,
    as_override,
    check_arguments,
    check_value,
)

PrecisionName = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class TrainerSettings:
    """The group `trainer` of a config. Raises `UserError` for a value that cannot be.

    batch_size      photographs in a forward pass, at most; several processes share a step's photographs evenly
    accumulate      batch_size × accumulate photographs make an optimizer step, however many processes share it
    clip            largest norm of each network's gradient; None: no limit
    ema             decay of the averaged weights that are evaluated and saved, such as 0.999; None: none
    ema_lengths     relative widths of further averages, which others are reconstructed from, such as 0.05 and 0.1
    device          auto, cpu, cuda, mps or one GPU, such as cuda:1
    precision       float32, bfloat16 (autocast around the model's forward), or auto: bfloat16 where a GPU gains by it,
                    and on a CPU with AVX512-BF16 or AMX where a run's first start measures that it does
    compile         let torch.compile make one program of the model's forward pass
    recompute       activation checkpointing: of a block keep its input, and compute it again for the gradient
    sync_batchnorm  batch norm reads the photographs of all processes; GPUs only
    deterministic   the same bits on every start; without, a GPU may choose faster ways that add in any order
    log_every       optimizer steps between two lines of numbers
    profile         write a profile of ten steps, after four, into the run folder
    """

    batch_size: BatchSize = 16
    accumulate: Passes = 1
    clip: Positive | None = 1.0
    ema: Between | None = None
    ema_lengths: EmaLengths = ()
    device: Name = "auto"
    precision: PrecisionName = "auto"
    channels_last: bool = True
    compile: bool = False
    recompute: bool = False
    sync_batchnorm: bool = False
    deterministic: bool = False
    log_every: Count = 10
    profile: bool = False

    def __post_init__(self) -> None:
        check_arguments(vars(self), TrainerSettings, "trainer")
        if self.compile and self.recompute:  # torch.compile does not take what recomputing holds still in a second pass
            raise UserError("trainer.compile=true and trainer.recompute=true do not go together: leave one out")


class Section:
    """The annotations of its attributes are the types of the values of a node."""


class JudgeSettings(Section):
    """A set of photographs that training scores; what it does not say, `evaluate` says.

    source       validation, train_slice, historical, or a folder; false leaves the judge out. Without: its name
    prefix       of its scores in the log
    truth        whether the photographs of a folder have their true colours, or are black and white
    photographs  at most, those whose names have the smallest hashes
    """

    source: bool | Name
    prefix: Name
    truth: bool
    photographs: Count
    every: Count
    batch_size: BatchSize
    samples: Number


class Evaluation(Section):
    every: Count
    batch_size: BatchSize
    samples: Few
    historical: bool | str
    judges: dict[str, JudgeSettings]


@dataclass(frozen=True)
class CheckpointSettings(Section):
    every: Count = 100
    keep: Count = 2
    monitor: Name = "val/psnr"
    mode: Literal["max", "min"] | None = None
    final: Literal["whole", "weights"] = "whole"


class Train(Section):
    name: FolderName
    seed: Annotated[int, Interval(ge=-(2**63), lt=2**63)]
    names: Mapping[str, str]
    published: Mapping[str, str | None] | None
    init_from: Name | None
    resume: Name | None
    trust: Name | list[Name]
    overwrite: bool
    steps_scale: Positive
    evaluate: Evaluation
    checkpoint: CheckpointSettings


class Evaluate(Section):
    run: Name | list[Name]
    checkpoint: Name | int
    source: Name | None
    trust: Name | list[Name]
    name: FileName
    out: Name | None
    device: Name
    precision: PrecisionName
    samples: Few
    batch_size: BatchSize | Literal["auto"]
    strict: bool
    track: bool
    overwrite: bool
    table: bool


PROGRAMS: dict[str, type[Section]] = {"train": Train, "evaluate": Evaluate}
PART = ("model", "loss", "data", "optimizer", "trainer", "tracker", "protocol")  # groups that are one part
PARTS = ("schedule", "metrics")  # groups of several


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
        "metrics": Mapping[str, Metric], "protocol": Protocol, "trainer": TrainerSettings,
        "tracker": Callable[..., Any],
    }  # fmt: skip


def check_settings(cfg: dict[str, Any], program: str) -> None:
    """Check the values of a program's config that no constructor takes, and put those that were said in other words (no
    for false) in their place. Raises `UserError` for the first that cannot be, such as a number that is not finite."""
    for path, number in iterate_leaves(cfg):
        if isinstance(number, float) and not isfinite(number):
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
        from colorize.training.checks import check_memory

        optimizers = build_part(OmegaConf.create(cfg["optimizer"]), "optimizer")
        for phase in build_part(OmegaConf.create(cfg["schedule"]), "schedule").values():
            optimizers.check(phase.optimizer)
        check_memory(cfg["trainer"].get("batch_size", 1), cfg["data"].get("size", 32))


def with_checked_values(cfg: DictConfig, program: str) -> DictConfig:
    """The config with each value as its type has it: false for no. Raises `UserError` for a value that cannot be."""
    check_values(cfg)
    values: Any = OmegaConf.to_container(cfg, resolve="${hydra:" not in OmegaConf.to_yaml(cfg))
    check_settings(values, program)
    check_parts(values)
    found = OmegaConf.create(values)
    if program == "train":
        check_mode(found)
    return found


def check_mode(cfg: DictConfig) -> None:
    """Raises `UserError` for a checkpoint.mode that would keep the worst, before any job of a sweep begins."""
    monitor, mode = cfg.checkpoint.get("monitor", "val/psnr"), cfg.checkpoint.get("mode")
    if contradicts_direction(mode, better := better_of(cfg, monitor)):
        sign_of(monitor, better, mode, "checkpoint.mode", MODES)


def check_groups(cfg: Mapping[str, Any]) -> None:
    """Raises `UserError` for a group that is not the part, or the parts by name, that it must be."""
    parts = {group: cfg[group] for group in PART if group in cfg}
    for group in (group for group in PARTS if group in cfg):
        held = cfg[group]
        if not isinstance(held, dict) or not held:
            raise UserError(f"{group} is {as_override(held)}; it must have one part or more, each with a _target_")
        parts |= {f"{group}.{name}": part for name, part in held.items()}
    for path, part in parts.items():
        if not isinstance(part, dict) or not isinstance(part.get("_target_"), str):
            out = f"; ~{path} leaves it out" if part is None and "." in path else ": choose one of the group's options"
            raise UserError(f"{path} is {as_override(part)}; it must be a part with a _target_{out}")


def check_section(values: dict[str, Any], section: type[Section], path: str) -> None:
    """The same for the values of a node that `section` has annotations of; sections in it too."""
    for name, hint in get_type_hints(section, include_extras=True).items():
        below = f"{path}.{name}" if path else name
        if name not in values:
            continue
        if hint == dict[str, JudgeSettings]:
            check_judges(values[name], below)
        elif not (isinstance(hint, type) and issubclass(hint, Section)):
            values[name] = check_value(hint, values[name], below)
        elif isinstance(values[name], dict):
            check_section(values[name], hint, below)
        else:
            keys = ", ".join(get_type_hints(hint))
            raise UserError(f"{below} is {as_override(values[name])}; it must be a mapping with {keys}")


def check_judges(values: Any, path: str) -> None:
    """The same for the judges of a run by name; one that is false is left out, true is one that says nothing itself."""
    found, known = check_value(dict[str, dict[str, Any] | bool], values, path), get_type_hints(JudgeSettings)
    values.update(found)
    for name, judge in ((name, judge) for name, judge in values.items() if isinstance(judge, dict)):
        check_value(FileName, name, f"the name of {path}.{name}")
        for key in judge.keys() - known.keys():
            raise UserError(f"{path}.{name} has no {key!r}{suggestion(key, known) or '; it takes ' + ', '.join(known)}")
        check_section(judge, JudgeSettings, f"{path}.{name}")
