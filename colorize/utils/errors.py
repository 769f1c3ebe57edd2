"""Errors that a user reads, each one sentence, and the exit statuses of a program."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
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


def import_failure(error: BaseException) -> str:
    """What a part is that cannot be imported, in half a sentence, with the first cause and the line of its file."""
    said = "is no class or function that can be imported"
    cause: BaseException = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
    if cause is error or isinstance(cause, AttributeError):
        return said
    trace, place = cause.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and "importlib" not in file and "hydra" not in file and file != __file__:
            place = f" ({file}, line {trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(cause, SyntaxError) and cause.filename:
        place = f" ({cause.filename}, line {cause.lineno})"
        return f"{said}: {type(cause).__name__}: {cause.msg}{place}"
    return f"{said}: {type(cause).__name__}: {cause}{place}"


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
    try:
        return job()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (UserError, OSError) as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        if isinstance(error, UserError):
            print(f"{process_prefix()}{error}", file=sys.stderr)
            return error.exit_code
        print(f"{process_prefix()}{error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1


def process_prefix() -> str:
    """`process 3: `, before an error of one of several processes; nothing for the main one."""
    rank = os.environ.get("RANK", "0")
    return "" if rank == "0" else f"process {rank}: "
