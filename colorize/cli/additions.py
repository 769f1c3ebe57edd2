"""What may be added to a config with + and left out of it with ~."""

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


class NodeKind(Enum):
    FIXED = "its keys are what it has"
    CALL = "its keys are arguments"
    PARTS = "its keys name parts"
    FREE = "its keys are any"


def check_additions(before: Node, after: Node) -> None:
    """Raises `UserError` where a config, `after` the overrides, has or lacks a key that it may not against `before`."""
    check_node_additions(before, after, "", NodeKind.FIXED)


def check_node_additions(before: Node, after: Node, path: str, kind: NodeKind) -> None:
    if path in OPEN:
        return
    for key in before.keys() - after.keys():
        if kind == NodeKind.FIXED:
            raise UserError(f"~{join_path(path, key)} would leave out what is always read: give it a value instead")
    for key in (key for key in after if before.get(key, before) != after[key]):
        where = join_path(path, key)
        if key == "_target_":
            parameters_of(after, path)
        elif key not in before:
            check_new_key(key, before, after, path, kind)
        if isinstance(after[key], Mapping):
            below = before.get(key)
            below = below if isinstance(below, Mapping) else {}
            check_node_additions(below, after[key], where, node_kind(key, below, after, path, kind))


def node_kind(key: str, before: Node, after: Node, path: str, kind: NodeKind) -> NodeKind:
    """What the node at `key` of `after` takes, which was `before`, in a node of this `kind` at `path`."""
    node = after[key]
    if "_target_" in node:
        return NodeKind.CALL
    if kind == NodeKind.FREE:
        return NodeKind.FREE
    if kind == NodeKind.CALL:
        return argument_kind(after, key, path)
    if not path and before and all(isinstance(part, Mapping) and "_target_" in part for part in before.values()):
        return NodeKind.PARTS
    return NodeKind.FIXED


def check_new_key(key: str, before: Node, after: Node, path: str, kind: NodeKind) -> None:
    """Refuse a key that the node at `path` does not take."""
    where = join_path(path, key)
    if kind == NodeKind.CALL and key not in OWN:
        arguments = arguments_of(after, path)
        if arguments is None or key in arguments:
            return
        left = [name for name in arguments if name not in after]
        rest = f"; it also takes {', '.join(left)}" if left else "; the config has all that it takes"
        close = suggestion(key, [*left, *before], f"{path}.") or rest
        raise UserError(f"{where!r} cannot be added, {class_name(after)} takes no {key!r}{close}")
    if kind == NodeKind.FIXED:
        close = key_suggestion(where, key_paths(before, path)) or "; --cfg job shows every key"
        raise UserError(f"{where!r} cannot be added, {path or 'a config'} has no {key!r}{close}")
    if kind == NodeKind.PARTS and "_target_" not in (after[key] if isinstance(after[key], Mapping) else {}):
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


def argument_kind(node: Node, key: str, path: str) -> NodeKind:
    """What the value of an argument takes, by the argument's annotation."""
    from colorize.utils.validation import hints_of

    parameters_of(node, path)  # raises for what cannot be imported
    hint = hints_of(locate(node["_target_"])).get(key)
    for each in (hint, *get_args(hint)):
        if get_origin(each) in (Mapping, dict):
            value = get_args(each)[1]
            plain = value.__origin__ if get_origin(value) is Annotated else value
            return NodeKind.FREE if plain in (Any, float, int, str, bool) else NodeKind.PARTS
    return NodeKind.FIXED


def key_paths(node: Node, path: str) -> Iterator[str]:
    """The config paths of every key below, those of branches included."""
    for key, value in node.items():
        yield join_path(path, key)
        if isinstance(value, Mapping):
            yield from key_paths(value, join_path(path, key))


def join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)


def class_name(node: Node) -> str:
    return str(node["_target_"]).rsplit(".", 1)[-1]
