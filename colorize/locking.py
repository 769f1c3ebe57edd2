"""One process at a time trains in a run folder."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from colorize.errors import UserError
from colorize.terminal import FIRST, say

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
                told = f"{str(self.folder)!r} {self.taken()}: wait for it, or say name=… for another run"
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
        if self.lock.is_locked:
            self.owner.unlink(missing_ok=True)
            self.lock.release()
        leave_nothing(self.folder)

    def read_owner(self) -> tuple[int, str] | None:
        """The process and the machine that have the lock, or had it when they were killed."""
        try:
            process, host = self.owner.read_text(encoding="utf-8").split()
        except (FileNotFoundError, ValueError):  # it has only just got the lock
            return None
        return int(process), host

    def taken(self) -> str:
        owner = self.read_owner()
        return "is being trained by another process" + (f" (pid {owner[0]} on {owner[1]})" if owner else "")


def leave_nothing(folder: Path) -> None:
    """Remove the folder of a run that was refused before it began: it holds nothing, or the lock alone."""
    if FIRST and folder.is_dir() and {path.name for path in folder.iterdir()} <= {".lock"}:
        (folder / ".lock").unlink(missing_ok=True)
        with suppress(OSError):  # another process has just begun there
            folder.rmdir()
