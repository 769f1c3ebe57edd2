"""Where files are: on this machine, or at an address from which they are copied once into a cache."""

from __future__ import annotations

import os
import re
import shutil
import time
import urllib.error
import urllib.request
from contextlib import closing
from glob import has_magic
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock

from colorize.checkpoint import write_whole
from colorize.errors import UserError

SECONDS = 30  # that a server may be silent
TRIES = 3
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def cache(*parts: str) -> Path:
    """A path in the cache: below COLORIZE_CACHE, else ~/.cache/colorize."""
    base = os.environ.get("COLORIZE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "colorize")
    return Path(base, *parts).expanduser()


def remote(file: str) -> bool:
    return "://" in file


def local(file: str) -> Path:
    """The path of a file on this machine; one at an address is copied first, by one process of the machine.

    Raises `UserError` for an address that cannot be reached.
    """
    if not remote(file):
        return Path(file)
    copy = cache("files", f"{short(file)}-{file.rsplit('/', 1)[-1]}")
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{copy}.lock"):
            if not copy.exists():
                write_whole(copy, lambda part: download(file, part))
    return copy


def download(address: str, path: Path) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            with closing(_opened(address)) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 2**20)
            return
        except UserError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            if attempt == TRIES:
                raise UserError(f"cannot read {address} ({_reason(error)}): see that it can be reached") from error
            time.sleep(attempt)


def expand(pattern: str) -> list[str]:
    """The files that a path, an address, or a pattern such as train-*.tar or train-{000..131}.tar names, in order.

    Raises `UserError` where there are none.
    """
    found = [file for one in _ranges(pattern) for file in (_matching(one) if has_magic(one) else [one])]
    found = [file if remote(file) else str(Path(file).expanduser()) for file in found]
    if missing := [file for file in found if not remote(file) and not Path(file).is_file()]:
        raise UserError(f"there is no file {missing[0]!r}")
    if not found:
        raise UserError(f"no file matches {pattern!r}")
    return found


def _ranges(pattern: str) -> list[str]:
    """Every pattern that the first {000..131} stands for, and so on."""
    if not (found := RANGE.search(pattern)):
        return [pattern]
    first, last = found.groups()
    numbers = range(int(first), int(last) + 1)
    return [
        whole
        for number in numbers
        for whole in _ranges(pattern[: found.start()] + str(number).zfill(len(first)) + pattern[found.end() :])
    ]


def _matching(pattern: str) -> list[str]:
    if not remote(pattern):
        path = Path(pattern).expanduser()
        fixed = next(i for i, part in enumerate(path.parts) if has_magic(part))
        return sorted(str(file) for file in Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:])))
    if pattern.startswith("http"):
        raise UserError(f"{pattern}: a web server does not list its files; number them: train-{{000..131}}.tar")
    filesystem, inside = _filesystem(pattern)
    try:
        return sorted(filesystem.unstrip_protocol(name) for name in filesystem.glob(inside))
    except Exception as error:  # as in `download`
        raise UserError(f"cannot list {pattern} ({_reason(error)}): see that it can be reached") from error


def _opened(address: str):
    if not address.startswith(("http://", "https://")):
        filesystem, path = _filesystem(address)
        return filesystem.open(path, "rb")
    try:
        return urllib.request.urlopen(address, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404, 410):  # it will not be there the next time either
            raise UserError(f"cannot read {address}: the server says {error.code} {error.reason}") from error
        raise


def _filesystem(address: str) -> tuple[Any, str]:
    """fsspec's file system for an address of s3://, gs:// and their like, and the path in it."""
    from fsspec.core import url_to_fs

    kind = address.split("://")[0]
    try:
        return url_to_fs(address)
    except ImportError as error:
        raise UserError(f"{kind}:// needs another package: {error}") from error
    except ValueError as error:
        raise UserError(f"{address}: {error}") from error


def short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
