"""What a config from a run folder may build: classes of this package, and of packages that the user trusts."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any

from colorize.utils.errors import UserError, check_argument_names, locate, locate_part


def iterate_leaves(node: Any, path: str = "", *, lists: bool = True) -> Iterator[tuple[str, Any]]:
    """config path -> value, of all that has nothing below it.

    lists  whether the elements of a list are values; else the list is one
    """
    below: Mapping[Any, Any] = node if isinstance(node, Mapping) else {}
    if lists and isinstance(node, list):
        below = dict(enumerate(node))
    for key, value in below.items():
        yield from iterate_leaves(value, f"{path}.{key}" if path else str(key), lists=lists)
    if not below and path:
        yield path, node


OWN = "colorize"
DEEP = 10  # levels of a config; ours have five
NAME = re.compile(r"(?!.*__\w*__)[^\W\d]\w*(\.[^\W\d]\w*)+")  # of a class, with its module; nothing of Python's own

# Config path -> the classes of this package that a part there may be of, and whether it is handed over unfinished,
# `_partial_`. By name: this module stands below all of them, and whoever loads one network imports no trainer.
KINDS: dict[str, tuple[tuple[str, ...], bool]] = {
    "model": (("Colorizer",), False), "network": (("Colorizer",), False),
    "loss": (("Loss",), False), "loss.terms.*": (("Term",), False), "loss.terms.*.critic": (("Critic",), False),
    "data": (("DataModule", "EvaluationOnly"), False), "data.look": (("Film",), False),
    "optimizer": (("Optimizers",), False), "trainer": (("TrainerSettings",), False), "metrics.*": (("Metric",), False),
    "schedule.*": (("Phase",), False), "schedule.*.lr": (("learning-rate curve",), True),
    "tracker": (("Tracker",), True),
}  # fmt: skip
CURVE = ("learning-rate curve",)  # a function, whose first argument is the progress
ABSTRACT = ("Colorizer", "Critic", "Metric", "Term")  # what is a kind and no part by itself


def packages(trust: Any) -> tuple[str, ...]:
    """The packages that a user names: `trust=[mine,theirs]`. Raises `UserError` for what can be none."""
    names = [trust] if isinstance(trust, str) else list(trust or ())
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name):
            raise UserError(f"trust is {name!r}; it must name packages that can be imported, such as trust=[mypackage]")
    return tuple(names)


def check_stored_part(node: Any, path: str, trust: Sequence[str], where: str) -> None:
    """The same for a part and all below it; `node` is plain, its references followed. There must be one."""
    if not isinstance(node, Mapping) or "_target_" not in node:
        raise UserError(f"{path} in {where} is damaged: it names no class")
    if left := [place for place, value in iterate_leaves(node, path) if value == "???"]:
        raise UserError(f"{left[0]} in {where} has no plain value: write one there")
    check_stored_value(node, path, trust, where)


def check_stored_value(value: Any, path: str, trust: Sequence[str], where: str, depth: int = 0) -> None:
    """Refuse what is neither plain nor a part that belongs at `path`."""
    if depth > DEEP:
        raise UserError(f"{path} in {where} is nested too deep for a config")
    if isinstance(value, Mapping):
        if "_target_" in value:
            check_part(value, path, trust, where, depth)
            return
        for key, below in value.items():
            if not isinstance(key, str | int) or str(key).startswith("_"):
                raise UserError(f"{path} in {where} has a key {key!r}, which no config of this program has")
            check_stored_value(below, f"{path}.{key}", trust, where, depth + 1)
    elif isinstance(value, list | tuple):
        for i, below in enumerate(value):
            check_stored_value(below, f"{path}[{i}]", trust, where, depth + 1)
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise UserError(f"{path} in {where} is a {type(value).__name__}; it must be a number, a word or a list")


def check_part(node: Mapping[Any, Any], path: str, trust: Sequence[str], where: str, depth: int = 0) -> None:
    """Refuse a part that is not of the kind that belongs at `path`, or has arguments that it does not know."""
    part, partial = check_target(node["_target_"], path, trust, where)
    words = {key: value for key, value in node.items() if str(key).startswith("_") and key != "_target_"}
    if words != (wanted := {"_partial_": True} if partial else {}):
        raise UserError(f"{path} in {where} has {words} beside its _target_; it must have {wanted or 'nothing'}")
    arguments = {str(key): value for key, value in node.items() if not str(key).startswith("_")}
    for key, value in arguments.items():
        check_stored_value(value, f"{path}.{key}", trust, where, depth + 1)
    check_constructor_arguments(part, arguments, path, where, partial=partial)


def check_target(target: Any, path: str, trust: Sequence[str], where: str) -> tuple[Any, bool]:
    """The class or curve that a `_target_` at `path` names, and whether it is handed over unfinished.

    Raises `UserError` where nothing is built there, or nothing of that kind.
    """
    patterns = {re.escape(pattern).replace(r"\*", r"[^.\[\]]+"): kind for pattern, kind in KINDS.items()}
    found = next((kind for pattern, kind in patterns.items() if re.fullmatch(pattern, path)), None)
    if found is None:
        raise UserError(f"{path} in {where} would build {target!r}, and no part belongs there")
    classes, partial = found
    part = find_part(target, path, trust, where)
    if not is_of_kind(part, classes):
        raise UserError(f"{path} in {where} would build {target!r}, which is no {' or '.join(classes)}")
    return part, partial


def find_part(target: Any, path: str, trust: Sequence[str], where: str) -> Any:
    """The class or curve of that name. Nothing is imported but from this package and those that are trusted."""
    if not isinstance(target, str) or not NAME.fullmatch(target):
        raise UserError(f"{path} in {where} would build {target!r}, which is no name of a class")
    package = target.rsplit(".", 1)[0]
    if not any(target.startswith(f"{each}.") for each in (OWN, *trust)):
        first = package.split(".")[0]
        raise UserError(
            f"{path} in {where} names {target!r}, which is not of this program, and is not run: "
            f"if you know the code and trust it, use trust=[{first}] (colorize paint and export: --trust {first})"
        )
    return locate_part(target, f"{path} in {where}")


def known_class(target: Any) -> Any:
    """The class of a name out of a config that may be anybody's, or None: one of this program, or of a module that has
    been imported already. Nothing else is imported for it."""
    if not isinstance(target, str) or not NAME.fullmatch(target):
        return None
    module, _, name = target.rpartition(".")
    if target.startswith(f"{OWN}."):
        with suppress(ImportError):
            return locate(target)
    return getattr(sys.modules.get(module), name, None)


def is_of_kind(part: Any, classes: Sequence[str]) -> bool:
    if classes == CURVE:
        return isinstance(part, FunctionType) and next(iter(inspect.signature(part).parameters), "") == "progress"
    own = [each for each in getattr(part, "__mro__", ()) if each.__module__.startswith(f"{OWN}.")]
    return any(each.__name__ in classes for each in own) and (part not in own or part.__name__ not in ABSTRACT)


def check_constructor_arguments(
    part: Callable[..., Any], arguments: Mapping[str, Any], path: str, where: str, *, partial: bool = False
) -> None:
    """Raises `UserError` for arguments that the constructor does not know, lacks, or has otherwise annotated."""
    check_argument_names(part, arguments, path, where)
    for name, each in inspect.signature(part).parameters.items():
        given = name in arguments or partial or each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        if each.default is each.empty and not given:
            raise UserError(f"{path} in {where}: {part.__name__} needs {name!r}, and it is not there")
    from colorize.utils import validation  # it takes a while to import

    plain = {name: value for name, value in arguments.items() if value is not None}  # null is left open
    try:
        validation.check_arguments(plain, part, path)
    except UserError as error:
        raise UserError(f"in {where}, {error}") from error
