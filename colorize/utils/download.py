"""Files at addresses: downloaded once into a cache."""

import os
import re
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from getpass import getuser
from math import inf
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line
from colorize.utils.files import file_lock, is_writable, short_digest, write_whole

SECONDS = 15  #    that a server may be silent, also before its answer begins
PATIENCE = 20  #   seconds after which a transfer must have had SLOWEST on average
SLOWEST = 1000  #  bytes a second
TRIES = 3

SIGNING = re.compile(  # parameters of an address that grant access for a while (S3, Google, Azure, CloudFront, …)
    r"x-(amz|goog|oss|cos|obs|ms)-.*|(aws|google|oss)?access(key)?id|signature|expires|policy|key-pair-id|"
    r".*token|s(ig|v|s|rt|p|e|t|pr|r|ip|koid|ktid|kt|ke|ks|kv)",
    re.IGNORECASE,
)


def cache_path(*parts: str) -> Path:
    """A path in the cache: below COLORIZE_CACHE, else ~/.cache/colorize.

    Where the first of `parts` cannot be written to, such as another user's, a folder of the system's temporary one
    takes its place.
    """
    base = os.environ.get("COLORIZE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "colorize")
    if not is_writable(at_home(Path(base, *parts[:1]))):
        base = Path(gettempdir(), f"colorize-{getuser()}")
        if not is_writable(Path(base, *parts[:1])):
            raise UserError(f"the cache {str(base)!r} cannot be written to: name a folder with COLORIZE_CACHE")
    return at_home(Path(base, *parts))


def is_remote(file: str) -> bool:
    return "://" in file


def without_secrets(file: str) -> str:
    """A path, or an address without its query and password, which may be secret: for messages and names."""
    return re.sub(r"(://)[^/?#]*@|[?#].*", r"\1", file, flags=re.DOTALL) if is_remote(file) else file


def without_signature(file: str) -> str:
    """A path, or an address without what signs it: it names the same file the next time."""
    if not is_remote(file) or not (query := urlsplit(file).query):
        return file
    kept = [(key, value) for key, value in parse_qsl(query, keep_blank_values=True) if not SIGNING.fullmatch(key)]
    return without_secrets(file) + (f"?{urlencode(kept)}" if kept else "")


def local_copy(file: str) -> Path:
    """The path of a file on this machine; one at an address is copied first, by one process of the machine.

    Raises `UserError` for an address that cannot be reached.
    """
    if not is_remote(file):
        return Path(file)
    copy = cache_path(
        "files", f"{short_digest(without_signature(file))}-{without_secrets(file).rsplit('/', 1)[-1][-100:]}"
    )
    if not copy.exists():
        with file_lock(Path(f"{copy}.lock")):
            if not copy.exists():
                own = copy.with_name(f"{copy.name}.{os.getpid()}")  # where nobody waits, others load it too
                write_whole(own, lambda part: download(file, part))
                own.replace(copy)
    return copy


class MissingError(UserError):
    """A server says that there is nothing at an address."""


def download(address: str, path: Path) -> None:
    """Copies a file at an address, in several attempts. Raises `UserError` where none succeeds."""
    for attempt in range(1, TRIES + 1):
        try:
            with path.open("wb") as target:
                fetch_bytes(address, target.write)
            return
        except UserError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            if attempt == TRIES:
                reason = f"cannot read {without_secrets(address)} ({first_line(error)}): see that it can be reached"
                raise UserError(reason) from error
            time.sleep(attempt)


def fetch_bytes(
    address: str, write: Callable[[bytes], Any], *, silent: float | None = None, longest: float = inf,
    largest: float = inf, agent: str | None = None,
) -> None:  # fmt: skip
    """Hands `write` the bytes at an address as they come, in one attempt.

    silent   seconds that a server may be silent, also before its answer begins; None: `SECONDS`
    longest  seconds, and
    largest  bytes that all of it may take
    agent    what this program calls itself

    Raises `MissingError`; `UserError` where the server refuses, is too slow or sends too much; `OSError` or an error of
    its storage where it cannot be reached or breaks off.
    """
    silent = silent or SECONDS
    with closing(run_with_timeout(silent, lambda: _opened(address, silent, agent))) as source:
        began, size = time.monotonic(), 0
        read = getattr(source, "read1", source.read)  # what has come, rather than as much as was asked for
        while piece := read(2**20):
            size, seconds = size + len(piece), time.monotonic() - began
            if seconds > PATIENCE and size < SLOWEST * seconds:
                raise UserError(f"{without_secrets(address)} is too slow: {size} bytes came in {seconds:.0f} s")
            if seconds > longest or size > largest:
                raise UserError(f"gave up on {without_secrets(address)} after {size} bytes and {seconds:.0f} s")
            write(piece)
        announced = getattr(source, "headers", {}).get("Content-Length")
    if announced is not None and int(announced) != size:
        raise OSError(f"it broke off after {size} of {announced} bytes")


def run_with_timeout(seconds: float, job: Callable[[], Any]) -> Any:
    """The result of `job`. Raises what it raises, or `TimeoutError` when it takes longer."""
    answer: Future[Any] = Future()

    def work() -> None:
        try:
            answer.set_result(job())
        except BaseException as error:  # handed to the one who waits
            answer.set_exception(error)

    Thread(target=work, daemon=True).start()  # no pool: its threads would keep the program from ending
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {seconds:g} s: timed out") from error


def _opened(address: str, silent: float, agent: str | None) -> Any:
    if not address.startswith(("http://", "https://")):
        filesystem, path = filesystem_of(address)
        return filesystem.open(path, "rb")
    try:
        request = urllib.request.Request(address, headers={"User-Agent": agent}) if agent else address
        return urllib.request.urlopen(request, timeout=silent)
    except urllib.error.HTTPError as error:
        if error.code not in (401, 403, 404, 410):  # of which the next attempt gets the same answer
            raise
        kind = MissingError if error.code in (404, 410) else UserError
        raise kind(f"cannot read {without_secrets(address)}: the server says {error.code} {error.reason}") from error


def filesystem_of(address: str) -> tuple[Any, str]:
    """fsspec's file system for an address of s3://, gs:// and their like, and the path in it."""
    from fsspec.core import url_to_fs

    kind = address.split("://")[0]
    try:
        return url_to_fs(address)
    except ImportError as error:
        raise UserError(f"{kind}:// needs another package: {error}") from error
    except ValueError as error:
        raise UserError(f"{without_secrets(address)}: {first_line(error)}") from error
