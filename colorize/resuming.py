"""What may change between two starts of one run, and what makes another run of it. Imports no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from colorize.errors import UserError
from colorize.home import at_home
from colorize.suggestions import key_suggestion
from colorize.trust import known_class

# Moves no weight: free at every start, and no reason to call two runs different
FREE = (
    "name", "overwrite", "resume", "trust", "published", "tracker",
    "trainer.device", "trainer.recompute", "trainer.compile", "trainer.channels_last", "trainer.deterministic",
    "trainer.log_every", "data.num_workers", "data.max_bad", "evaluate.batch_size", "evaluate.samples",
    "evaluate.historical", "checkpoint.every", "checkpoint.keep", "checkpoint.mode", "checkpoint.final",
)  # fmt: skip
# Where the photographs lie: free as long as they are the same (`Photographs.contents`)
PLACES = ("data.root", "data.val_root", "data.exclude", "data.classes")
# How long the phases are: free as long as the steps already taken would have been the same (`check_lengthened`)
LENGTH = re.compile(r"steps_scale|schedule\.\w+\.(steps|epochs)")
SINCE = {"steps_scale": 1.0}  # keys that older run folders lack, and what they had instead; those of parts are found


def is_free(key: str) -> bool:
    """Whether a key of the config moves no weight."""
    return _within(key, FREE)


def is_place(key: str) -> bool:
    """Whether a key says where photographs lie, which may change as long as they are the same."""
    return _within(key, PLACES)


def places_of(cfg: DictConfig) -> dict[str, str]:
    """Where the photographs of a config lie: its places on this machine, whole and without links."""
    found = {key: OmegaConf.select(cfg, key) for key in PLACES}
    return {k: os.path.realpath(at_home(v)) for k, v in found.items() if isinstance(v, str) and "://" not in v}


def is_length(key: str) -> bool:
    """Whether a key says how long a phase is."""
    return LENGTH.fullmatch(key) is not None


def with_changes(saved: DictConfig, composed: DictConfig, words: Sequence[str], folder: Path) -> DictConfig:
    """The `saved` config of the run in `folder` with the `words` of a command line that may change between its starts.

    composed   today's config, where the options of groups and the keys that older runs lack are found
    Raises `UserError` for a word that would make another run, or that names nothing.
    """
    from hydra import compose
    from hydra._internal.config_loader_impl import ConfigLoaderImpl  # half a second, and sweeps ask for names alone

    from colorize.command_line import parse_override
    from colorize.monitor import better_of, contradicts

    cfg = saved.copy()
    with open_dict(cfg):
        for key, value in SINCE.items():
            cfg.setdefault(key, value)
        cfg.overwrite, cfg.resume = False, composed.resume
        if contradicts(cfg.checkpoint.get("mode"), better_of(cfg, cfg.checkpoint.monitor, ours=True)):
            cfg.checkpoint.mode = None
    for word in sorted(words, key=lambda word: not word.startswith("tracker=")):  # the option before its values
        override = parse_override(word)
        key = override.key_or_group
        if override.is_delete():
            raise UserError(f"{word} would leave out what the run has: say the value that it should have now")
        known = {**flat(composed, resolve=False), **flat(cfg, resolve=False)}
        new_phase = override.is_add() and re.fullmatch(r"schedule\.\w+", key) and OmegaConf.select(cfg, key) is None
        if not (is_free(key) or is_place(key) or is_length(key) or new_phase) or key == "overwrite":
            if not override.is_add() and not any(f"{path}.".startswith(f"{key}.") for path in known):
                raise UserError(f"there is no {key!r}{key_suggestion(key, known) or '; --cfg job shows every key'}")
            raise UserError(
                f"resume goes on with the config of {str(folder)!r}, which {word} would change: leave it out, "
                "or start another run with rerun"
            )
        if override.is_add() and not override.is_force_add() and key in known:
            raise UserError(f"{word}: there is a {key!r} already, say {word.lstrip('+')}")
        if override.is_sweep_override():
            raise UserError(f"{word} names several values, and resume goes on with one run: say one of them")
        if key == "tracker":
            cfg.tracker = compose("train", overrides=[word]).tracker  # with references to this run's names
            continue
        if not override.is_add() and not any(f"{path}.".startswith(f"{key}.") for path in known):
            raise UserError(f"there is no {key!r}{key_suggestion(key, known) or '; --cfg job shows every key'}")
        with open_dict(cfg):
            ConfigLoaderImpl._apply_overrides_to_config([override], cfg)
    return cfg


def _within(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """config path -> (old, new), for every value that differs and is not free.

    A key that the old config lacks had its part's own default.
    """
    before, after = flat(old), flat(new)
    for path in after.keys() - before.keys():
        if (default := _default(path, after)) is not Parameter.empty:
            before[path] = default
    changed = {p: (before.get(p), after.get(p)) for p in sorted(before.keys() | after.keys()) if not is_free(p)}
    return {path: pair for path, pair in changed.items() if pair[0] != pair[1]}


def _default(path: str, config: Mapping[str, Any]) -> Any:
    """What the constructor at a path's parent takes where nobody says; empty where that is not known."""
    if path in SINCE:
        return SINCE[path]
    parent, _, name = path.rpartition(".")
    module, _, attribute = str(config.get(f"{parent}._target_", "")).rpartition(".")
    if not module.startswith("colorize."):
        return Parameter.empty
    found = known_class(f"{module}.{attribute}")
    for each in getattr(found, "__mro__", [found]):  # a constructor may hand on **arguments to the one above
        known = signature(each).parameters.get(name) if callable(each) else None
        if known is not None:
            return list(known.default) if isinstance(known.default, tuple) else known.default
    return Parameter.empty


def flat(cfg: Any, *, resolve: bool = True) -> dict[str, Any]:
    """config path -> value; lists count as values."""
    leaves = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, f"{path}.{key}" if path else str(key))
        else:
            leaves[path] = node

    walk(OmegaConf.to_container(cfg, resolve=resolve), "")
    return leaves
