"""What may be added to a config with + and left out of it with ~."""

from collections.abc import Iterator, Mapping
from typing import Any

from colorize.utils.errors import UserError, check_argument_names, key_suggestion, locate_part, suggestion

OPEN = {  # nodes whose readers check their keys
    "evaluate.judges",
    "hydra.launcher", "hydra.sweeper", "hydra.job_logging", "hydra.hydra_logging", "hydra.callbacks", "hydra.env",
    "hydra.job.env_set", "hydra.runtime", "hydra.overrides",
}  # fmt: skip

Node = Mapping[str, Any]


def check_additions(before: Node, after: Node, path: str = "", *, argument: bool = False) -> None:
    """Raises `UserError` where a config, `after` the overrides, has or lacks a key that it may not against `before`.

    A part takes what its constructor takes, a group of parts takes further parts, and other nodes have fixed keys.

    argument  the node is one of a part's arguments, whose annotation is checked with its value
    """
    if path in OPEN or before == after:
        return
    added = [key for key in after if key not in before]
    if "_target_" in after:
        part = locate_part(after["_target_"], path)
        check_argument_names(part, added, path, partial=bool(after.get("_partial_")))
    elif "." not in path and before and all(is_part(value) for value in before.values()):
        for key in (key for key in added if not is_part(after[key])):
            close = suggestion(key, before, f"{path}.") or f"; it has {', '.join(before)}"
            raise UserError(f"'{path}.{key}' cannot be added without a _target_, {path} has no {key!r}{close}")
    elif not argument:
        check_fixed_keys(before, after, path)
    for key, node in after.items():
        if isinstance(node, Mapping):
            old = before.get(key)
            below = old if isinstance(old, Mapping) else {}
            check_additions(below, node, join_path(path, key), argument=argument or "_target_" in after)


def check_fixed_keys(before: Node, after: Node, path: str) -> None:
    for key in before.keys() - after.keys():
        raise UserError(f"~{join_path(path, key)} would remove a required key: give it a value instead")
    for where in (join_path(path, key) for key in after if key not in before):
        close = key_suggestion(where, key_paths(before, path)) or "; --cfg job shows every key"
        has = f"{path or 'a config'} has no {where.rpartition('.')[2]!r}"
        raise UserError(f"{where!r} cannot be added, {has}{close}")


def is_part(node: Any) -> bool:
    return isinstance(node, Mapping) and "_target_" in node


def key_paths(node: Node, path: str) -> Iterator[str]:
    """The config paths of every key below, those of branches included."""
    for key, value in node.items():
        yield join_path(path, key)
        if isinstance(value, Mapping):
            yield from key_paths(value, join_path(path, key))


def join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)
