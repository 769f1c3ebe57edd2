"""What may be added to a config with + and left out of it with ~."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

from colorize.utils.errors import UserError, import_failure, key_suggestion, locate, suggestion

OWN = ("_target_", "_partial_", "_args_", "_convert_", "_recursive_")  # words of Hydra's instantiate
OPEN = {  # nodes whose readers check their keys
    "evaluate.judges",
    "hydra.launcher", "hydra.sweeper", "hydra.job_logging", "hydra.hydra_logging", "hydra.callbacks", "hydra.env",
    "hydra.job.env_set", "hydra.runtime", "hydra.overrides",
}  # fmt: skip

Node = Mapping[str, Any]


class Kind(Enum):
    FIXED = "its keys are what it has"
    CALL = "its keys are arguments"
    PARTS = "its keys name parts"
    FREE = "its keys are any"


def check_additions(before: Node, after: Node) -> None:
    """Raises `UserError` where `after`, a config, has or lacks a key that it may not, against `before` the words."""
    walk(before, after, "", Kind.FIXED)


def walk(before: Node, after: Node, path: str, kind: Kind) -> None:
    if path in OPEN:
        return
    for key in before.keys() - after.keys():
        if kind == Kind.FIXED:
            raise UserError(f"~{join(path, key)} would leave out what is always read: give it a value instead")
    for key in (key for key in after if before.get(key, before) != after[key]):
        where = join(path, key)
        if key == "_target_":
            parameters_of(after, path)
        elif key not in before:
            check_new(key, before, after, path, kind)
        if isinstance(after[key], Mapping):
            below = before.get(key)
            below = below if isinstance(below, Mapping) else {}
            walk(below, after[key], where, kind_of(key, below, after, path, kind))


def kind_of(key: str, before: Node, after: Node, path: str, kind: Kind) -> Kind:
    """What the node at `key` of `after` takes, which was `before`, in a node of this `kind` at `path`."""
    node = after[key]
    if "_target_" in node:
        return Kind.CALL
    if kind == Kind.FREE:
        return Kind.FREE
    if kind == Kind.CALL:
        return kind_of_argument(after, key, path)
    if not path and before and all(isinstance(part, Mapping) and "_target_" in part for part in before.values()):
        return Kind.PARTS
    return Kind.FIXED


def check_new(key: str, before: Node, after: Node, path: str, kind: Kind) -> None:
    """Refuse a key that the node at `path` does not take."""
    where = join(path, key)
    if kind == Kind.CALL and key not in OWN:
        arguments = arguments_of(after, path)
        if arguments is None or key in arguments:
            return
        left = [name for name in arguments if name not in after]
        rest = f"; it also takes {', '.join(left)}" if left else "; the config has all that it takes"
        close = suggestion(key, [*left, *before], f"{path}.") or rest
        raise UserError(f"{where!r} cannot be added, {name_of(after)} takes no {key!r}{close}")
    if kind == Kind.FIXED:
        close = key_suggestion(where, paths(before, path)) or "; --cfg job shows every key"
        raise UserError(f"{where!r} cannot be added, {path or 'a config'} has no {key!r}{close}")
    if kind == Kind.PARTS and "_target_" not in (after[key] if isinstance(after[key], Mapping) else {}):
        close = suggestion(key, before, f"{path}.") or f"; it has {', '.join(before)}"
        raise UserError(f"{where!r} cannot be added without a _target_, {path} has no {key!r}{close}")


def arguments_of(node: Node, path: str) -> list[str] | None:
    """Names of the arguments that a config may give to the node's `_target_`; None: any."""
    parameters = parameters_of(node, path)
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    handed_over = bool(node.get("_partial_"))
    return [name for name, p in parameters.items() if not (handed_over and p.default is p.empty)]


def parameters_of(node: Node, path: str) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(locate(node["_target_"])).parameters
    except (ImportError, TypeError, ValueError) as error:
        raise UserError(f"{path}._target_={node['_target_']} {import_failure(error)}") from error


def kind_of_argument(node: Node, key: str, path: str) -> Kind:
    """What the value of an argument takes, by the argument's annotation."""
    from colorize.utils.validation import (
        hints_of,  # pydantic takes a while: not before a mistake that can be told without
    )

    parameters_of(node, path)  # raises for what cannot be imported
    hint = hints_of(locate(node["_target_"])).get(key)
    for each in (hint, *get_args(hint)):
        if get_origin(each) in (Mapping, dict):
            value = get_args(each)[1]
            plain = value.__origin__ if get_origin(value) is Annotated else value
            return Kind.FREE if plain in (Any, float, int, str, bool) else Kind.PARTS
    return Kind.FIXED


def paths(node: Node, path: str) -> Iterator[str]:
    """The config paths of every key below, those of branches included."""
    for key, value in node.items():
        yield join(path, key)
        if isinstance(value, Mapping):
            yield from paths(value, join(path, key))


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)


def name_of(node: Node) -> str:
    return str(node["_target_"]).rsplit(".", 1)[-1]
