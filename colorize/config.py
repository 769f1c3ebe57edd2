"""Configs: where conf/ lies, what must be given, and the only code that instantiates one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from colorize.utils.errors import UserError, key_suggestion
from colorize.utils.stored_config import SINCE, flatten, is_free, is_length, is_place, resolved
from colorize.utils.trust import check_stored_value, known_class

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def conf_folder() -> Path:
    """`conf/` beside the package in a checkout, inside the package where it was installed."""
    here = Path(__file__).resolve().parent
    beside = here.parent / "conf"
    return beside if (beside / "train.yaml").is_file() else here / "conf"


def check_values(cfg: DictConfig) -> None:
    """Refuse a config that lacks required values (`???`), naming all of them, or has a `${…}` that comes to nothing.
    Those that ask Hydra are left to it."""
    values = flatten(cfg, resolve=False)
    missing = sorted(path for path, value in values.items() if value == "???")
    if missing:
        words = " ".join(f"{path}=…" for path in missing)
        have = "has" if len(missing) == 1 else "have"
        raise UserError(f"{' and '.join(missing)} {have} no value: use {words} on the command line")
    for path, value in values.items():
        if "${" not in str(value) or "${hydra:" in str(value):
            continue
        try:
            found = OmegaConf.select(cfg, path)
            if isinstance(found, ListConfig):
                OmegaConf.resolve(found)
        except OmegaConfBaseException as error:
            reason = (
                str(error).splitlines()[0].removeprefix("KeyError raised while resolving interpolation: ").strip('"')
            )
            named = reason.split("'")[1] if "'" in reason else ""
            raise UserError(f"{path} is {value}: {reason}{key_suggestion(named, values)}") from error


def check_config(config: DictConfig, trust: Sequence[str], where: str) -> None:
    """Raises `UserError` where a whole config out of `where` would build more than it may."""
    for key, value in resolved(config, where).items():
        check_stored_value(value, str(key), trust, where)


def build_part(node: DictConfig, name: str) -> Any:
    """Instantiate a config group; a mistake in it reads as one sentence that begins with the group's name."""
    from hydra.errors import InstantiationException  # not before something is built: names alone need no Hydra
    from hydra.utils import instantiate

    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        from colorize.utils.devices import is_out_of_memory  # it imports torch, which this module does not

        cause = error.__cause__
        if isinstance(cause, UserError):
            raise type(cause)(str(cause)) from error
        if isinstance(cause, TypeError | ValueError):
            raise UserError(f"config group {name!r}: {cause}") from error
        if isinstance(cause, MemoryError) or (isinstance(cause, RuntimeError) and is_out_of_memory(cause)):
            raise UserError(f"config group {name!r} takes more memory than there is: make it smaller") from error
        raise


def auto_paths(cfg: DictConfig) -> list[str]:
    """The paths below model and loss whose value is "auto"."""
    groups = {group: flatten(cfg[group], resolve=False) for group in ("model", "loss")}
    return [f"{group}.{path}" for group, held in groups.items() for path, value in held.items() if value == "auto"]


def apply_resolved(cfg: DictConfig, resolved: Mapping[str, Any]) -> DictConfig:
    """A copy of the config in which what was left open is what it came to before."""
    cfg = cfg.copy()
    for path, value in resolved.items():
        OmegaConf.update(cfg, path, value)
    return cfg


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
            f"neither end of {number} is the better one: choose another number, or use {key}={words[0]} or {words[1]}"
        )
    if own is not None and said is not None and SIGNS[said] != own:
        raise UserError(f"{key}={said} would keep the worst, since of {number} {better} is better: leave {key} out")
    return SIGNS[said] if own is None and said else own or 0


def contradicts_direction(mode: str | None, better: str | None) -> bool:
    """Whether a checkpoint.mode would keep the worst, as older runs did who said nothing and took the default."""
    return mode in MODES and better in ("higher", "lower") and SIGNS[mode] != SIGNS[better]


def metric_class(node: DictConfig) -> Any:
    """The class of a metric's config, whose attributes say how the metric is read: title, direction, unit and the like
    (`Metric`). None where it is a stranger's that has not been imported."""
    return known_class(node._target_)


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
    return node.get("better", getattr(metric_class(node), "better", None))


def with_changes(saved: DictConfig, composed: DictConfig, words: Sequence[str], folder: Path) -> DictConfig:
    """The `saved` config of the run in `folder` with the `words` of a command line that may change between its starts.

    composed   today's config, where the options of groups and the keys that older runs lack are found
    Raises `UserError` for a word that would make another run, or that names nothing.
    """
    from hydra import compose

    from colorize.utils.hydra_overrides import parse_override

    cfg = saved.copy()
    with open_dict(cfg):
        for key, value in SINCE.items():
            cfg.setdefault(key, value)
        cfg.evaluate.setdefault("judges", composed.evaluate.judges)
        cfg.overwrite, cfg.resume = False, composed.resume
        if contradicts_direction(cfg.checkpoint.get("mode"), better_of(cfg, cfg.checkpoint.monitor, ours=True)):
            cfg.checkpoint.mode = None
    for word in sorted(words, key=lambda word: not word.startswith("tracker=")):  # the option before its values
        override = parse_override(word)
        known = {**flatten(composed, resolve=False), **flatten(cfg, resolve=False)}
        check_change(word, override, cfg, known, folder)
        key = override.key_or_group
        if key == "tracker":
            cfg.tracker = compose("train", overrides=[word]).tracker  # with references to this run's names
            continue
        check_known_key(key, override, known)
        OmegaConf.update(cfg, key, override.value(), force_add=True)
    return cfg


def check_change(word: str, override: Override, cfg: DictConfig, known: Mapping[str, Any], folder: Path) -> None:
    """Raises `UserError` for a word that the resumed run in `folder` cannot take; `known` are the keys that it has."""
    key = override.key_or_group
    if override.is_delete():
        raise UserError(f"{word} would leave out what the run has: give the value that it should have now")
    new_phase = override.is_add() and re.fullmatch(r"schedule\.\w+", key) and OmegaConf.select(cfg, key) is None
    if not (is_free(key) or is_place(key) or is_length(key) or new_phase) or key == "overwrite":
        check_known_key(key, override, known)
        raise UserError(
            f"resume continues with the config of {str(folder)!r}, which {word} would change: leave it out, "
            "or start another run with rerun"
        )
    if override.is_add() and not override.is_force_add() and key in known:
        raise UserError(f"{word}: {key!r} already exists, use {word.lstrip('+')}")
    if override.is_sweep_override():
        raise UserError(f"{word} names several values, and resume continues one run: give one of them")


def check_known_key(key: str, override: Override, known: Mapping[str, Any]) -> None:
    """Raises `UserError` for a key that neither is there nor is added."""
    if not override.is_add() and not any(f"{path}.".startswith(f"{key}.") for path in known):
        raise UserError(f"there is no {key!r}{key_suggestion(key, known) or '; --cfg job shows every key'}")
