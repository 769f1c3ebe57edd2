"""Configs of run folders, read as data, and what may change of one between two starts. Imports no torch."""

import os
import re
from collections.abc import Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line
from colorize.utils.trust import iterate_leaves, known_class

LARGEST = 2**20  # bytes of a file, and letters of a config once its references are followed; ours have 5,000
MOST = 5000  #     values of a config; ours have 150
DEEPEST = 50  #    parts of a config in one another; ours have 7
REFERENCE = re.compile(r"\$\{\s*(\.*[\w.\[\]-]+)\s*\}")  # ${data.size}
RESOLVER = re.compile(r"\$\{\s*([^\s${}:]*)\s*:")  # ${name:…}, which calls something
NESTED = re.compile(r"\$\{[^}:]*\$\{")  # ${a.${b}}
RESOLVERS = ("seeded",)  # of ours, that recipes use: it makes a name of a name and a number


def read_yaml(path: Path) -> Any:
    """Plain values. Raises `UserError` for a file that is damaged, or written to fill the memory."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UserError(f"{str(path)!r} is larger than any config is: this program did not write it")
        text = content.decode("utf-8")
        check_nesting(text, path)
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False) if text.strip() else {}  # asserts: no 1
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError, ValueError, AssertionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{str(path)!r} is not whole, or no YAML: put the file back from a copy, or remove the folder"
        ) from error


def check_nesting(text: str, path: Path) -> None:
    """Raises `UserError` for a YAML that repeats parts of itself, or nests deeper or holds more than a config.

    The rest is not read: reading it takes time by the square of its depth, and a megabyte of values takes minutes.
    """
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if count > 4 * MOST:
            raise UserError(f"{str(path)!r} has more values than any config: this program did not write it")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise UserError(f"{str(path)!r} repeats parts of itself by name (*alias), which no config here does")
        if depth > DEEPEST:
            raise UserError(f"{str(path)!r} nests deeper than any config does: this program did not write it")


# Where the parts that older run folders name lie today: old name of a module, or of one thing in it -> new name
MOVED = {
    "colorize.training.trainer.Trainer": "colorize.training.TrainerSettings",
    "colorize.trainer.Trainer": "colorize.training.TrainerSettings",  # the last of its old names, which groups are of
    "colorize.optimizers": "colorize.training.optimizers",
    "colorize.schedule": "colorize.training.schedule",
    "colorize.data.look": "colorize.imaging.film_look",
    "colorize.sweeps.after": "colorize.cli.after_sweep",
}


def read_config(path: Path) -> DictConfig:
    """A run's config. Raises `UserError` where it is none."""
    plain = read_yaml(path)
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UserError(f"{str(path)!r} holds no config: a run's has names and values")
    check_growth(plain, path)
    return OmegaConf.create(rename_targets(plain, MOVED))


def rename_targets(node: Any, names: Mapping[str, str]) -> Any:
    """A plain config with each `_target_` under its other name, by `names` as `MOVED` has them."""
    if isinstance(node, list):
        return [rename_targets(value, names) for value in node]
    if not isinstance(node, dict):
        return node
    found = {key: rename_targets(value, names) for key, value in node.items()}
    if isinstance(target := found.get("_target_"), str):
        module, _, name = target.rpartition(".")
        found["_target_"] = names.get(target) or f"{names.get(module, module)}.{name}"
        if found["_target_"].endswith(".TrainerSettings"):
            found.pop("_partial_", None)  # a trainer was handed over unfinished, its settings are not
    return found


def resolved(config: DictConfig, where: str, *needed: str) -> dict[str, Any]:
    """The config as plain values, its references followed.

    needed  the config paths that will be read, with all below them; without, all are
    Raises `UserError` for a needed value that would ask this machine for something, such as ${oc.env:HOME}, and for one
    that leads nowhere or in circles. What else asks for something becomes `???`.
    """
    kept = config.copy()
    for path, value in iterate_leaves(OmegaConf.to_container(config, resolve=False)):
        if calls_resolver(value):
            if not needed or is_within(path, needed):
                raise UserError(
                    f"{path} in {where} is {value!r}, which would ask this machine for something: a config that is "
                    "read from a folder holds plain values, so write the value there in its place"
                )
            OmegaConf.update(kept, path, "???")
    try:
        return OmegaConf.to_container(kept, resolve=True)  # type: ignore[return-value]
    except (OmegaConfBaseException, RecursionError, ValueError) as error:
        raise UserError(f"the config in {where} does not hold together: {first_line(error)}") from error


def stored_form(config: DictConfig) -> DictConfig:
    """The config as a run folder keeps it: what it asked this machine for is written as the value that it got.

    References to other values stay references.
    """
    kept = config.copy()
    for path, value in iterate_leaves(OmegaConf.to_container(config, resolve=False)):
        if calls_resolver(value):
            OmegaConf.update(kept, path, OmegaConf.select(config, path))
    return kept


def calls_resolver(value: Any) -> bool:
    """Whether a value calls a resolver other than ours."""
    return isinstance(value, str) and any(name not in RESOLVERS for name in RESOLVER.findall(value))


def check_growth(plain: Mapping[str, Any], path: Path) -> None:
    """Raises `UserError` where references to references would become a config that fills the memory."""
    held = list(iterate_leaves(plain))
    if len(held) > MOST:
        raise UserError(f"{str(path)!r} has {len(held)} values, more than any config: this program did not write it")
    known: dict[str, int] = {}

    def length(place: str) -> int:
        if place not in known:
            inside = [(at, value) for at, value in held if at == place or at.startswith(f"{place}.") or not place]
            known[place] = sum(len(str(value)) + sum(map(length, references(at, value)))
                               for at, value in inside)  # fmt: skip
        if known[place] > LARGEST:
            raise UserError(f"{place} in {str(path)!r} refers to so much that it would fill the memory")
        return known[place]

    try:
        for place, value in held:
            if isinstance(value, str) and NESTED.search(value):
                raise UserError(f"{place} in {str(path)!r} is {value!r}, a reference inside a reference: write it out")
            if references(place, value):
                length(place)
    except RecursionError as error:
        raise UserError(f"the references in {str(path)!r} go on without end") from error


def references(place: str, value: Any) -> list[str]:
    """The config paths that a value at `place` refers to; a leading dot is its own branch, two are the one above."""
    found = []
    for name in REFERENCE.findall(value) if isinstance(value, str) else ():
        dots = len(name) - len(name.lstrip("."))
        above = place.split(".")[:-dots] if dots else []
        found.append(".".join([*above, name.lstrip(".").replace("[", ".").replace("]", "")]))
    return found


# Moves no weight: free at every start, and no reason to call two runs different
FREE = (
    "name", "overwrite", "resume", "trust", "published", "tracker",
    "trainer.device", "trainer.recompute", "trainer.compile", "trainer.channels_last", "trainer.deterministic",
    "trainer.log_every", "trainer.profile", "trainer.ema_lengths", "data.num_workers", "data.max_bad",
    "evaluate.batch_size", "evaluate.samples", "evaluate.historical", "evaluate.judges", "evaluate.photographs",
    "evaluate.final", "checkpoint.every", "checkpoint.keep", "checkpoint.mode", "checkpoint.final",
)  # fmt: skip
# Where the photographs lie, or which of a set they are: free as long as they are the same (`DataModule.contents`)
PLACES = ("data.root", "data.val_root", "data.exclude", "data.classes", "data.people")
# How long the phases are: free as long as the steps already taken would have been the same (`check_lengthened`)
LENGTH = re.compile(r"steps_scale|schedule\.\w+\.(steps|epochs)")
SINCE = {"steps_scale": 1.0}  # keys that older run folders lack, and what they had instead; those of parts are found


def is_free(key: str) -> bool:
    """Whether a key of the config moves no weight."""
    return is_within(key, FREE)


def is_place(key: str) -> bool:
    """Whether a key says where photographs lie, which may change as long as they are the same."""
    return is_within(key, PLACES)


def places_of(cfg: DictConfig) -> dict[str, str]:
    """Where the photographs of a config lie: its places on this machine, whole and without links."""
    found = {key: OmegaConf.select(cfg, key) for key in PLACES}
    return {k: os.path.realpath(at_home(v)) for k, v in found.items() if isinstance(v, str) and "://" not in v}


def is_length(key: str) -> bool:
    """Whether a key says how long a phase is."""
    return LENGTH.fullmatch(key) is not None


def is_within(key: str, names: Sequence[str]) -> bool:
    """Whether a config path is one of `names`, or below one."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def config_differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """config path -> (old, new), for every value that differs and is not free.

    A key that the old config lacks had its part's own default.
    """
    before, after = flatten(old), flatten(new)
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
    found = known_class(config.get(f"{parent}._target_"))
    for each in getattr(found, "__mro__", [found]):  # a constructor may hand on **arguments to the one above
        known = signature(each).parameters.get(name) if callable(each) else None
        if known is not None:
            return list(known.default) if isinstance(known.default, tuple) else known.default
    return Parameter.empty


def flatten(cfg: Any, *, resolve: bool = True) -> dict[str, Any]:
    """config path -> value, of the values and of the empty branches; lists count as values.

    resolve  whether references are followed; else they are left as they stand
    """
    return dict(iterate_leaves(OmegaConf.to_container(cfg, resolve=resolve), lists=False))
