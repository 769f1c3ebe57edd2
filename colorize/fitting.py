"""Whether the parts of a run fit each other: found out before any data is read."""

from __future__ import annotations

from collections.abc import Mapping

from colorize.errors import UserError
from colorize.evaluate import Evaluator
from colorize.losses import Loss
from colorize.models import Colorizer
from colorize.schedule import Phase


def check_settings(evaluator: Evaluator, monitor: str, ema: float | None, clip: float | None, **counts: int) -> None:
    """Raises `UserError` for a trainer's setting that cannot be."""
    for name, value in counts.items():
        if not isinstance(value, int) or value < 1:
            raise UserError(f"trainer's {name} is {value!r}; it must be a whole number from 1 up")
    known = [f"val/{name}" for name in evaluator.metrics]
    if monitor not in known:
        raise UserError(f"checkpoint.monitor is {monitor!r}; it must be one of {known}")
    if ema is not None and not 0 < ema < 1:
        raise UserError(f"trainer.ema is {ema}; it must lie between 0 and 1, such as 0.999, or be null")
    if clip is not None and clip <= 0:
        raise UserError(f"trainer.clip is {clip}; it must be above 0, or null for no limit")


def check_compiled(compile: bool, recompute: bool) -> None:
    """Raises `UserError` for both: torch.compile does not take what recomputing holds still in a second pass."""
    if compile and recompute:
        raise UserError(
            "trainer.compile=true and trainer.recompute=true do not go together: leave one out; a compiled network "
            "computes again by itself what is cheap"
        )


def check_phases(schedule: Mapping[str, Phase]) -> None:
    """Raises `UserError` where there is no phase, or settings stand for one that the schedule does not have."""
    if not schedule:
        raise UserError("the schedule has no phase: choose another, such as schedule=single, or set schedule.all.steps")
    for name, phase in schedule.items():
        if not isinstance(phase, Phase):
            known = [other for other, found in schedule.items() if isinstance(found, Phase)]
            raise UserError(f"schedule.{name} is not one of the schedule's phases, which are {known}: set those")


def check_sizes(model: Colorizer, loss: Loss, size: int, schedule: Mapping[str, Phase]) -> None:
    """Raises `UserError` for pictures that the model or a critic does not take."""
    sizes = {"data.size": size} | {f"schedule.{name}.size": p.size for name, p in schedule.items() if p.size}
    network = type(model).__name__
    for name, pixels in sizes.items():
        if model.fixed_size and pixels != model.fixed_size:
            raise UserError(
                f"{name} is {pixels}; this {network} takes {model.fixed_size} alone: say {name}={model.fixed_size}"
            )
        if pixels % model.multiple:
            fits = -(-pixels // model.multiple) * model.multiple
            raise UserError(f"{name} is {pixels}; {network} takes multiples of {model.multiple}, such as {fits}")
        for term, part in loss.terms.items():
            if pixels < (least := getattr(part.critic, "least", 0)):
                critic = type(part.critic).__name__
                raise UserError(f"{name} is {pixels}; the critic of {term!r}, {critic}, takes {least} pixels and more")
