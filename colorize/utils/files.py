"""Files written whole or not at all, digests, locks, torn last lines, and links that lead out of a folder."""

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import file_digest, sha256
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from colorize.utils.console import FIRST, say
from colorize.utils.environment import without_links
from colorize.utils.errors import UserError

FOLDERS = re.compile(
    r"""(?:^|(?<=['"]))(?:~?/|[A-Za-z]:[\\/])(?:[^'"\n]*[\\/])?(?=[^'"\\/])"""
)  # absolute, but the last
SURROGATE = re.compile("[\ud800-\udfff]")  # what a byte that is no UTF-8 becomes in a name


def write_whole(path: Path, write) -> None:
    """Calls `write` with a path beside `path`, and renames what it wrote once the disk has it: a power cut, too, leaves
    the old file or the new one."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)  # it may be a link to somewhere else
        part.touch()
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)  # some libraries write what only its owner may read
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(path)
        if os.name != "nt":  # Windows keeps the names of a folder by itself
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise OSError(error.errno, f"cannot write it: {error.strerror or error}", str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """The same for a text, in UTF-8; in it, names of files that are no UTF-8 keep their bytes."""
    write_whole(path, lambda part: part.write_text(text, "utf-8", "surrogateescape", newline="\n"))


def is_file(path: Path) -> bool:
    """False for a name that is too long for a file, too, for which `Path.is_file` raises an error."""
    with suppress(OSError):
        return path.is_file()
    return False


def remove_file(path: Path) -> None:
    """If it is there."""
    if is_file(path):
        path.unlink()


def as_json(values: Any, **options: Any) -> str:
    """Readable letters; escapes where names of files that are no UTF-8 are among the values, since JSON is UTF-8."""
    text = json.dumps(values, ensure_ascii=False, **options)
    return text if not SURROGATE.search(text) else json.dumps(values, **options)


def without_folders(text: str) -> str:
    """The text with "…" for the folders of absolute paths, which are quoted in it or all of it: what is shown to others
    does not say where files lie on this machine."""
    return FOLDERS.sub("…/", text)


def without_folders_in(values: Any) -> Any:
    """The same for all texts in lists and mappings; other values stay as they are."""
    if isinstance(values, dict):
        return {key: without_folders_in(value) for key, value in values.items()}
    if isinstance(values, list):
        return [without_folders_in(value) for value in values]
    return without_folders(values) if isinstance(values, str) else values


def read_json(path: Path, cure: str) -> dict[str, Any]:
    """Names and values; none where there is no such file. Raises `UserError`, with the `cure`, for anything else."""
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is not whole, or no JSON: {cure}") from error
    if not isinstance(held, dict):
        raise UserError(f"{str(path)!r} is damaged, it holds no names and values: {cure}")
    return held


def as_names(value: Any) -> dict[str, Any]:
    """The value where it is a mapping; else a mapping to None, which no check of numbers lets pass."""
    return value if isinstance(value, dict) else {"": None}


def check_links(folder: Path, *names: str) -> None:
    """Raises `UserError` where something in a run folder that is written to is a link that leads out of it.

    names   what will be written to; without, all there is
    """
    home = without_links(folder)
    places = [folder / name for name in names]
    for path in places or [folder]:
        for root, folders, files in os.walk(path):
            places += [Path(root, name) for name in (*folders, *files)]
    for place in places:
        if place.is_symlink() and not without_links(place).is_relative_to(home):
            raise UserError(
                f"{str(place)!r} is a link that leads out of the run folder, to {str(place.readlink())!r}: put what it "
                "means in its place, or remove it"
            )


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text in UTF-8, but for a few."""
    text = head.decode("utf-8", "replace")
    odd = sum(not (letter.isprintable() or letter in "\r\n\t") or letter == "\ufffd" for letter in text)
    return odd <= len(text) // 50


def digest_of(path: Path) -> str:
    """SHA-256 in hexadecimal"""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def is_writable(folder: Path) -> bool:
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
def file_lock(path: Path) -> Iterator[None]:
    """One process at a time goes on. Where the file system has no locks, or the lock is another user's, none waits."""
    with ExitStack() as held:
        with suppress(OSError, NotImplementedError):
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(path))
        yield


def short_digest(text: str, length: int = 16) -> str:
    """The first digits of the SHA-256 of a text. A file's name that is no UTF-8 counts with its bytes."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:length]


PATIENCE = 20.0  # seconds for a run that was told to stop to save and end, as the jobs of a killed sweep are


class RunLock:
    """Held while a run trains in `folder`; the system frees it when the process ends, however it ends.

    `.lock` in the folder is what is locked; `.owner` says who has it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.lock, self.owner = FileLock(self.folder / ".lock"), self.folder / ".owner"

    def acquire(self) -> None:
        """Raises `UserError` where another process trains in the folder, and goes on doing so, and where the file
        system has no locks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            say(f"{str(self.folder)!r} {self.taken()}: waiting {PATIENCE:g} s for its end")
            try:
                self.lock.acquire(timeout=PATIENCE)
            except Timeout as error:
                told = f"{str(self.folder)!r} {self.taken()}: wait for it, or use name=… for another run"
                raise UserError(told) from error
        except (OSError, NotImplementedError) as error:
            if getattr(error, "filename", None):  # it cannot be opened, which the error says
                raise
            why = getattr(error, "strerror", error)
            raise UserError(
                f"{str(self.folder)!r} lies on a file system without locks ({why}), which keep two processes from "
                "training in one folder: name a folder on another disk, as hydra.run.dir=…"
            ) from error
        self.owner.write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")

    def release(self) -> None:
        """Removes the folder, too, of a run that was refused before it began: it holds nothing, or the lock alone."""
        if self.lock.is_locked:
            self.owner.unlink(missing_ok=True)
            self.lock.release()
        if FIRST and self.folder.is_dir() and {path.name for path in self.folder.iterdir()} <= {".lock"}:
            (self.folder / ".lock").unlink(missing_ok=True)
            with suppress(OSError):  # another process has just begun there
                self.folder.rmdir()

    def taken(self) -> str:
        """In words, with the process and the machine that have the lock, or had it when they were killed."""
        held = "is being trained by another process"
        with suppress(FileNotFoundError, ValueError):  # it has only just got the lock
            process, host = self.owner.read_text(encoding="utf-8").split()
            held += f" (pid {process} on {host})"
        return held


def cut_torn_line(path: Path) -> int:
    """Remove the last line of a file where a process was killed while it wrote it. Returns the bytes that are left."""
    with path.open("r+b") as file:
        end = 0
        if path.stat().st_size:  # an empty file cannot be mapped
            with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
                end = content.rfind(b"\n") + 1
        return file.truncate(end)
