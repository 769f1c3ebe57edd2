"""Where files are: on this machine, or at an address from which they are copied once into a cache."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from getpass import getuser
from glob import has_magic
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from filelock import FileLock

from colorize.checkpoint import write_whole
from colorize.errors import UserError
from colorize.home import at_home

SECONDS = 15  #    that a server may be silent, also before its answer begins
PATIENCE = 20  #   seconds after which a transfer must have had SLOWEST on average
SLOWEST = 1000  #  bytes a second
TRIES = 3
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
SIGNING = re.compile(  # parameters of an address that grant access for a while (S3, Google, Azure, CloudFront, …)
    r"x-(amz|goog|oss|cos|obs|ms)-.*|(aws|google|oss)?access(key)?id|signature|expires|policy|key-pair-id|"
    r".*token|s(ig|v|s|rt|p|e|t|pr|r|ip|koid|ktid|kt|ke|ks|kv)",
    re.IGNORECASE,
)


def cache(*parts: str) -> Path:
    """A path in the cache: below COLORIZE_CACHE, else ~/.cache/colorize.

    Where the first of `parts` cannot be written to, such as another user's, a folder of the system's temporary one
    takes its place.
    """
    base = os.environ.get("COLORIZE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "colorize")
    if not writable(at_home(Path(base, *parts[:1]))):
        base = Path(gettempdir(), f"colorize-{getuser()}")
        if not writable(Path(base, *parts[:1])):
            raise UserError(f"the cache {str(base)!r} cannot be written to: name a folder with COLORIZE_CACHE")
    return at_home(Path(base, *parts))


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def check_parent(folder: Path) -> None:
    """Raises `UserError` where a folder cannot be made: before hours of work, not behind them."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{str(folder)!r} cannot be made, since {str(there)!r} cannot be written to: name another")


@contextmanager
def waiting(path: Path) -> Iterator[None]:
    """One process at a time goes on. Where the file system has no locks, or the lock is another user's, none waits."""
    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(path))
        yield


def remote(file: str) -> bool:
    return "://" in file


def shown(file: str) -> str:
    """A path, or an address without its query and password, which may be secret: for messages and names."""
    return re.sub(r"(://)[^/?#]*@|[?#].*", r"\1", file, flags=re.DOTALL) if remote(file) else file


def unsigned(file: str) -> str:
    """A path, or an address without what signs it: it names the same file the next time."""
    if not remote(file) or not (query := urlsplit(file).query):
        return file
    kept = [(key, value) for key, value in parse_qsl(query, keep_blank_values=True) if not SIGNING.fullmatch(key)]
    return shown(file) + (f"?{urlencode(kept)}" if kept else "")


def local(file: str) -> Path:
    """The path of a file on this machine; one at an address is copied first, by one process of the machine.

    Raises `UserError` for an address that cannot be reached.
    """
    if not remote(file):
        return Path(file)
    copy = cache("files", f"{short(unsigned(file))}-{shown(file).rsplit('/', 1)[-1][-100:]}")
    if not copy.exists():
        with waiting(Path(f"{copy}.lock")):
            if not copy.exists():
                own = copy.with_name(f"{copy.name}.{os.getpid()}")  # where nobody waits, others load it too
                write_whole(own, lambda part: download(file, part))
                own.replace(copy)
    return copy


def download(address: str, path: Path) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            with closing(within(SECONDS, lambda: _opened(address))) as source, path.open("wb") as target:
                transfer(source, target.write, address)
            return
        except UserError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            if attempt == TRIES:
                told = f"cannot read {shown(address)} ({_reason(error)}): see that it can be reached"
                raise UserError(told) from error
            time.sleep(attempt)


def transfer(source: Any, write: Callable[[bytes], Any], address: str) -> None:
    """Copies all that an opened address holds. Raises `UserError` where it is slower than `SLOWEST`, and `OSError`
    where it ends before its end."""
    began, size = time.monotonic(), 0
    read = getattr(source, "read1", source.read)  # what has come, rather than as much as was asked for
    while piece := read(2**20):
        write(piece)
        size += len(piece)
        seconds = time.monotonic() - began
        if seconds > PATIENCE and size < SLOWEST * seconds:
            raise UserError(f"{shown(address)} is too slow: {size} bytes came in {seconds:.0f} s")
    announced = getattr(source, "headers", {}).get("Content-Length")
    if announced is not None and int(announced) != size:
        raise OSError(f"it broke off after {size} of {announced} bytes")


def within(seconds: float, job: Callable[[], Any]) -> Any:
    """The result of `job`. Raises what it raises, or `TimeoutError` when it takes longer."""
    found: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            found.append(job())
        except BaseException as error:  # handed to the one who waits
            errors.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not found:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return found[0]


def expand(pattern: str) -> list[str]:
    """The files that a path, an address, or a pattern such as train-*.tar or train-{000..131}.tar names, in order.

    Raises `UserError` where there are none.
    """
    found = [file for one in _ranges(pattern) for file in (_matching(one) if is_pattern(one) else [one])]
    found = [file if remote(file) else str(at_home(file)) for file in found]
    if missing := [file for file in found if not remote(file) and not Path(file).is_file()]:
        there = Path(missing[0]).exists()
        raise UserError(f"{missing[0]!r} is no regular file" if there else f"there is no file {missing[0]!r}")
    if not found:
        raise UserError(f"no file matches {shown(pattern)!r}")
    return found


def is_pattern(word: str) -> bool:
    """Whether it stands for several files. The query of a web address begins with "?", and its host may hold "["."""
    if word.startswith(("http://", "https://")):
        return has_magic(urlsplit(word).path)
    return has_magic(word) and (remote(word) or not at_home(word).is_file())


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
        path = at_home(pattern)
        fixed = next(i for i, part in enumerate(path.parts) if has_magic(part))
        return sorted(str(file) for file in Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:])))
    if pattern.startswith("http"):
        raise UserError(f"{shown(pattern)}: a web server does not list its files; number them: train-{{000..131}}.tar")
    filesystem, inside = _filesystem(pattern)
    try:
        return sorted(filesystem.unstrip_protocol(name) for name in filesystem.glob(inside))
    except Exception as error:  # as in `download`
        raise UserError(f"cannot list {shown(pattern)} ({_reason(error)}): see that it can be reached") from error


def _opened(address: str):
    if not address.startswith(("http://", "https://")):
        filesystem, path = _filesystem(address)
        return filesystem.open(path, "rb")
    try:
        return urllib.request.urlopen(address, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404, 410):  # it will not be there the next time either
            raise UserError(f"cannot read {shown(address)}: the server says {error.code} {error.reason}") from error
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
        raise UserError(f"{shown(address)}: {_reason(error)}") from error


def short(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _reason(error: Exception) -> str:
    """Its first line, without the queries of addresses."""
    return re.sub(r"(://[^\s?]*)\?\S+", r"\1", (str(error).splitlines() or [""])[0]) or type(error).__name__
