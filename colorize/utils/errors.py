"""Errors that a user reads, each one sentence, and the exit statuses of a program."""

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from typing import Any

from colorize.utils.environment import allow_any_text

INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended
TRY_AGAIN = 75  #    EX_TEMPFAIL of sysexits.h: stopped from outside, and the same command goes on


class UserError(ValueError):
    """A mistake in what the user gave. Its message is one sentence: what is wrong, and what would be right.

    The command line prints the sentence and exits with `exit_code`; anything else that is raised is a bug and keeps
    its traceback.
    """

    exit_code = 2


class UnavailableError(UserError):
    """A measure that cannot be had here. Its message says why: a column to leave out, or with strict=true to refuse."""


def suggestion(word: str, known: Iterable[str], prefix: str = "", cutoff: float = 0.6) -> str:
    """`: did you mean a or b?` for what is spelled alike, or nothing."""
    close = get_close_matches(word, list(dict.fromkeys(known)), n=3, cutoff=cutoff)
    return f": did you mean {' or '.join(prefix + match for match in close)}?" if close else ""


def path_suggestion(path: Path) -> str:
    """The same, of what lies where the path should."""
    folder = path.parent
    found = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    return suggestion(path.name, found, "" if folder == Path() else f"{folder}/")


def describe_options(key: str, options: Iterable[str]) -> str:
    names = sorted(options)
    return f"the options are {', '.join(names)}" if len(names) < 30 else f"{key} has {len(names)} options"


def key_suggestion(key: str, known: Iterable[str]) -> str:
    """The same for a config path: those that end in this very key, or keys beside it that are spelled alike, or else
    paths that are."""
    paths = list(dict.fromkeys(known))
    if "." not in key and (ends := [path for path in paths if path.endswith(f".{key}")]):
        return f": did you mean {' or '.join(sorted(ends, key=lambda path: path.count('.'))[:3])}?"
    parent, _, name = key.rpartition(".")
    beside = [path.rpartition(".")[2] for path in paths if path.rpartition(".")[0] == parent]
    return suggestion(name, beside, f"{parent}." if parent else "") or suggestion(key, paths)


def locate(path: str) -> Any:
    """What a dotted path such as `colorize.models.CNN` names: imported as far as it is modules, then looked up.

    Raises `ImportError`, from its cause, where there is no such thing or a module on the way cannot be imported.
    """
    try:
        first, *rest = path.split(".")
        found: Any = import_module(first)
        for name in rest:
            if not hasattr(found, name) and hasattr(found, "__path__") and find_spec(f"{found.__name__}.{name}"):
                import_module(f"{found.__name__}.{name}")
            found = getattr(found, name)
    except Exception as error:  # whatever a module raises while it is imported
        raise ImportError(f"cannot import {path!r}") from error
    return found


def locate_part(target: Any, place: str) -> Any:
    """The class or function that the config at `place` names. Raises `UserError` where it cannot be imported."""
    try:
        found = locate(str(target))
        if not callable(found):
            raise ImportError(f"cannot call {target!r}")
    except ImportError as error:
        raise UserError(f"{place} names {str(target)!r}, which {import_failure(error)}") from error
    return found


def import_failure(error: BaseException) -> str:
    """What a part is that cannot be imported, in half a sentence, with the first cause and the line of its file."""
    said = "is no class or function that can be imported"
    cause: BaseException = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
    if cause is error or isinstance(cause, AttributeError):
        return said
    places = [(frame.filename, frame.lineno) for frame in extract_tb(cause.__traceback__)]
    places = [place for place in places if not re.match("<|.*(importlib|hydra)", place[0]) and place[0] != __file__]
    reason = str(cause)
    if isinstance(cause, SyntaxError) and cause.filename:
        places, reason = [(cause.filename, cause.lineno)], cause.msg
    place = " ({}, line {})".format(*places[-1]) if places else ""
    return f"{said}: {type(cause).__name__}: {reason}{place}"


def check_argument_names(part: Any, given: Iterable[str], path: str, where: str = "", *, partial: bool = False) -> None:
    """Raises `UserError` for an argument that a class or function does not take; words with an underscore are Hydra's.

    path     of the part in a config, and `where` that lies
    partial  the program hands over the arguments without a default
    """
    parameters = inspect.signature(part).parameters.values()
    known = [each.name for each in parameters if not (partial and each.default is each.empty)]
    for name in given:
        if name not in known and not name.startswith("_") and not any(p.kind == p.VAR_KEYWORD for p in parameters):
            close = suggestion(name, known, f"{path}.") or f"; it takes {', '.join(known)}"
            raise UserError(f"{path}{f' in {where}' if where else ''}: {part.__name__} takes no {name!r}{close}")


# What decoders say of their own objects, and of places in their source
ADDRESS = re.compile(r"<_io\.[^>]*>|<?[\w.]+ object at 0x[0-9a-fA-F…]+>?")
SOURCE = re.compile(r"\S*/\S+\.(cpp|cc|c|h|py)\b(:\d+)?[,:]?\s*")
QUERY = re.compile(r"(://[^\s?]*)\?\S+")


def first_line(error: BaseException) -> str:
    """The first line of an error, or its kind. Queries of addresses, which may be secret, are left out."""
    if isinstance(reason := getattr(error, "reason", None), BaseException):  # urllib's wrap their cause
        error = reason
    if isinstance(error, OSError) and error.strerror:  # without a number and the path, which is said beside it
        return error.strerror
    line = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return QUERY.sub(r"\1", line) or type(error).__name__


def decoder_message(error: BaseException) -> str:
    """The first line of what a decoder says, without addresses of objects and places in its source."""
    line = next(iter(str(error).strip().splitlines()), "")
    return SOURCE.sub("", ADDRESS.sub("the file", line)).strip().rstrip(".") or type(error).__name__


def shorten_list(names, count: int = 3) -> str:
    """The first few names, and how many more there are."""
    names = list(map(str, names))
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more if names else "none"


def guarded(job: Callable[[], int]) -> int:
    """Run `job`; say what is wrong in one sentence where that is the user's or the disk's doing.

    HYDRA_FULL_ERROR=1 shows the traceback as well.
    """
    allow_any_text()  # here too: a sweep's jobs may run in processes of their own
    rank = os.environ.get("RANK", "0")
    process = "" if rank == "0" else f"process {rank}: "  # of several, the main one is not named
    try:
        return job()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (UserError, OSError) as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        if isinstance(error, UserError):
            print(f"{process}{error}", file=sys.stderr)
            return error.exit_code
        print(f"{process}{error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1
