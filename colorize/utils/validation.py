"""Types and ranges of constructor arguments, and the check of a config's values against them.

The annotation of an argument is the one place that says what it may be: `width: Factor`, `mode: Literal["max", "min"]`,
`critic: Critic`. pydantic reads it; Python itself and the type checker see the plain type. True and false may be said
as yes, no, on, off, y and n.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Annotated, Any, Literal, get_args, get_type_hints

from annotated_types import Interval, Len
from pydantic import AfterValidator, ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from colorize.utils.errors import UserError, check_argument_names, locate_part, suggestion

Positive = Annotated[float, Interval(gt=0)]
NonNegative = Annotated[float, Interval(ge=0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
Share = Annotated[float, Interval(gt=0, le=1)]  # a part of something that is not nothing
Between = Annotated[float, Interval(gt=0, lt=1)]

Count = Annotated[int, Interval(ge=1, le=10**9)]
Number = Annotated[int, Interval(ge=0, le=10**9)]
Few = Annotated[int, Interval(ge=1, le=1024)]  # what is held, drawn or gone through at once
Side = Annotated[int, Interval(ge=32, le=8192)]  # pixels of a picture's side
Channels = Annotated[int, Interval(ge=1, le=8192)]  # of a layer
CriticWidth = Annotated[int, Interval(ge=1, le=1024)]
AttentionWidth = Annotated[int, Interval(ge=4, le=1024)]  # of a critic that looks through an eighth of them
Layers = Annotated[int, Interval(ge=1, le=100)]
BatchSize = Annotated[int, Interval(ge=1, le=16384)]  # photographs in a forward pass
Passes = Annotated[int, Interval(ge=1, le=4096)]  # forward passes in an optimizer step
Processes = Annotated[int, Interval(ge=0, le=256)]
NoiseLevels = Annotated[int, Interval(ge=1, le=100_000)]
Dropout = Annotated[float, Interval(ge=0, lt=1)]
Factor = Annotated[float, Interval(gt=0, le=8)]  # on the published width of a network


def inside_folder(name: str) -> str:
    """Raises an error of pydantic's for the name of a file or folder that would lie outside the folder that is meant
    for it, or be this folder itself."""
    parts = {*re.split(r"[/\\]", name)}
    if ".." in parts or parts <= {"", "."} or re.match(r"[/\\]|[A-Za-z]:[/\\]", name):
        raise PydanticCustomError("name", "a name that stays in its folder: without .. and without a / before it")
    return name


def without_folder(name: str) -> str:
    """The same, and for a name with folders in it."""
    if re.search(r"[/\\]", inside_folder(name)):
        raise PydanticCustomError("name", "a name without folders")
    return name


Name = Annotated[str, Len(1)]
FolderName = Annotated[Name, AfterValidator(inside_folder)]
FileName = Annotated[Name, AfterValidator(without_folder)]
EmaLengths = Annotated[Sequence[Annotated[float, Interval(ge=0.005, le=0.28)]], Len(0, 8)]  # 0.289 is a plain mean
Widths = Annotated[Sequence[Channels], Len(1, 32)]
Pair = Annotated[Sequence[float], Len(2, 2)]
Crop = Annotated[Sequence[Share], Len(2, 2)]  # the least and the most
Pretrained = bool | Literal["auto"]

CONFIG = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False, coerce_numbers_to_str=True)
EXPECTED = {  # a kind of pydantic's errors -> what the value must be, where its own words are not plain enough
    "bool": "true or false", "int": "a whole number", "float": "a number", "string": "text", "callable": "a function",
    "sequence": "a list", "list": "a list", "tuple": "a list", "mapping": "a mapping {name: value}",
    "dict": "a mapping {name: value}", "missing": "a longer list", "finite": "a finite number", "none": "null",
}  # fmt: skip
UNKNOWN = object()  # what a function builds, where it does not say


def check_node(node: dict[str, Any], path: str) -> Any:
    """Check the arguments of a node with a `_target_`, all below included, and put what was said in other words (no for
    false) in its place. What stands for the part that would be built: an empty instance of its class.

    Raises `UserError` for what an argument cannot be.
    """
    target = locate_part(node["_target_"], path)
    if node.get("_partial_"):  # its constructor sees them only when it is called
        check_argument_names(target, node, path)
    check_arguments(node, target, path)
    if node.get("_partial_"):
        return partial(target)
    plain = inspect.isclass(target) and target.__new__ is object.__new__ and not inspect.isabstract(target)
    return object.__new__(target) if plain else UNKNOWN


def check_arguments(values: dict[str, Any], target: Any, path: str) -> None:
    """The same for arguments of the function or class `target`, by its annotations; `path` is that of their node."""
    hints = hints_of(target)
    for name in [name for name in values if not name.startswith("_")]:
        below = f"{path}.{name}" if path else name
        values[name] = check_value(hints.get(name, Any), values[name], below)


def check_value(hint: Any, value: Any, path: str) -> Any:
    """The value, as a plain one of its type. Raises `UserError` for one that is not of the type `hint`."""
    if isinstance(value, str) and "${" in value:
        return value  # Hydra knows it later
    given = stand_in(value, path)
    try:
        (found,) = adapter(hint).validate_python([given])
    except ValidationError as error:
        errors = [each for each in error.errors(include_url=False) if each["input"] is not UNKNOWN]
        if not errors or any(each["type"] == "string_unicode" for each in errors):
            return value  # the latter is a path that is no UTF-8, which pydantic takes for no text
        raise UserError(sentence(path, given, errors, hint)) from None
    return normalized_value(value, found, path)


def stand_in(value: Any, path: str) -> Any:
    """The value with what is built of it, checked, in the place of each node."""
    if isinstance(value, dict):
        if "_target_" in value:
            return check_node(value, path)
        return {key: stand_in(each, f"{path}.{key}") for key, each in value.items()}
    if isinstance(value, list):
        return [stand_in(each, f"{path}[{place}]") for place, each in enumerate(value)]
    return value


def normalized_value(value: Any, found: Any, path: str) -> Any:
    """`found` in the place of what was said in other words; numbers stay as they were written."""
    if isinstance(value, dict) and isinstance(found, Mapping):
        return {key: normalized_value(each, found[key], f"{path}.{key}") for key, each in value.items()}
    if isinstance(value, list) and isinstance(found, list | tuple):
        return [normalized_value(each, other, path) for each, other in zip(value, found, strict=True)]
    if isinstance(value, bool) and isinstance(found, int | float) and not isinstance(found, bool):
        raise UserError(f"{path} is {as_override(value)}; it must be a number")
    return (
        found if isinstance(found, bool | int | str) or (isinstance(found, float) and isinstance(value, str)) else value
    )


@cache
def adapter(hint: Any) -> TypeAdapter:
    try:
        return TypeAdapter(tuple[hint], config=CONFIG)  # by itself, a dataclass would take no config
    except PydanticUserError:  # of a user's own that pydantic cannot read: anything may be given
        return TypeAdapter(tuple[Any])


@cache
def hints_of(target: Any) -> dict[str, Any]:
    """argument -> annotation, of a function or class; those that a class hands on to its parents (`**pixels`) too."""
    classes = reversed(target.__mro__) if inspect.isclass(target) else ()
    functions = [vars(each).get("__init__") for each in classes] or [target]
    hints: dict[str, Any] = {}
    for function in filter(inspect.isfunction, functions):
        try:
            found = get_type_hints(function, include_extras=True)
        except NameError:  # of a name that is there for the type checker alone: nothing to check against
            continue
        for name, parameter in inspect.signature(function).parameters.items():
            if name in found and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                hints[name] = found[name] | None if parameter.default is None else found[name]
    return hints


def sentence(path: str, given: Any, errors: Sequence[Any], hint: Any) -> str:
    """What is wrong and what would be right."""
    for key in errors[0]["loc"][1:]:
        if isinstance(given, dict) and key in given:
            path, given = f"{path}.{key}", given[key]
            hint = None
        elif isinstance(given, list) and isinstance(key, int) and key < len(given):
            path, given = f"{path}[{key}]", given[key]
            hint = None
    null = ["null"] if type(None) in get_args(hint) else []
    plain = [error for error in errors if error["type"] != "is_instance_of" or "_target_" not in describe_type(error)]
    words = list(dict.fromkeys([*map(describe_type, plain or errors), *null]))
    known = [word.strip("'") for error in errors for word in alternatives(error)]
    close = suggestion(given, known) if isinstance(given, str) else ""
    return f"{path} is {as_override(given)}; it must be {' or '.join(words)}{close}"


def describe_type(error: Any) -> str:
    if error["type"] == "literal_error":
        return error["ctx"]["expected"].replace("'", "")
    if error["type"] == "is_instance_of" and (kind := error["ctx"]["class"]) not in ("Sequence", "Mapping"):
        return f"a {kind}, which has a _target_"
    if error["type"] in ("too_short", "too_long"):
        bound = "min_length" if error["type"] == "too_short" else "max_length"
        return f"a list of {error['ctx'][bound]} {'or more' if bound == 'min_length' else 'or fewer'}"
    if error["type"] == "string_too_short":
        return "text that is not empty"
    kind = str(error["ctx"]["class"]).lower() if error["type"] == "is_instance_of" else error["type"].split("_")[0]
    return EXPECTED.get(kind, error["msg"].removeprefix("Input should be ").removeprefix("Value should be "))


def alternatives(error: Any) -> list[str]:
    if error["type"].startswith("bool"):
        return ["true", "false", "yes", "no", "on", "off"]
    return error["ctx"]["expected"].replace(" or ", ", ").split(", ") if error["type"] == "literal_error" else []


def as_override(value: Any) -> str:
    """As a command line or a config has it."""
    words: dict[Any, str] = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, list):
        return f"[{', '.join(map(as_override, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {as_override(each)}' for key, each in value.items())}}}"
    return repr(value) if isinstance(value, str | int | float) else f"a {getattr(value, 'func', type(value)).__name__}"
