"""Which of two values of a monitored number is the better one: what the metric says of itself."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.errors import UserError
from colorize.trust import known_class

SIGNS = {"higher": 1, "lower": -1, "max": 1, "min": -1, "maximize": 1, "minimize": -1}
MODES, DIRECTIONS = ("max", "min"), ("maximize", "minimize")  # how checkpoints, and searches, say more or less
COSTS = {"seconds", "parameters"}  # of a run itself: the less, the better


def sign_of(number: str, better: str | None, said: str | None, key: str, words: tuple[str, str]) -> int:
    """1 where more of a number is better, -1 where less is.

    better  what its metric says: "higher", "lower", or something else where neither end is the better one
    said    what the user says at the config path `key`, one of `words`: more, less; None: nothing
    Raises `UserError` where the two contradict each other, or neither says it.
    """
    if said is not None and said not in words:
        raise UserError(f"{key} is {said!r}; it must be {words[0]} or {words[1]}")
    own = SIGNS.get(better or "")
    if own is None and said is None:
        raise UserError(
            f"neither end of {number} is the better one: choose another number, or say {key}={words[0]} or {words[1]}"
        )
    if own is not None and said is not None and SIGNS[said] != own:
        raise UserError(f"{key}={said} would keep the worst, since of {number} {better} is better: leave {key} out")
    return SIGNS[said] if own is None and said else own or 0


def contradicts(mode: str | None, better: str | None) -> bool:
    """Whether a checkpoint.mode would keep the worst, as older runs did who said nothing and took the default."""
    return mode in MODES and better in ("higher", "lower") and SIGNS[mode] != SIGNS[better]


def better_of(cfg: DictConfig, number: str, *, ours: bool = False) -> str | None:
    """What the class of a metric, at `metrics` of a run's config, says of `val/NAME`; None where that is not known.

    ours  only classes of this package are asked: the config may be a stranger's, whose classes are not imported
    """
    if number in COSTS:
        return "lower"
    node: Any = OmegaConf.select(cfg, f"metrics.{number.removeprefix('val/')}")
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return None
    if ours and not node._target_.startswith("colorize."):
        return None
    return node.get("better", getattr(known_class(node._target_), "better", None))
