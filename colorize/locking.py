"""One process at a time trains in a run folder."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from colorize.errors import UserError

ORPHANS = 15.0  # seconds until the data workers of a killed run have noticed: before filelock 4 they hold what it held


class RunLock:
    """Held while a run trains in `folder`; the system frees it when the process ends, however it ends.

    `.lock` in the folder is what is locked; `.owner` says who has it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.lock, self.owner = FileLock(self.folder / ".lock"), self.folder / ".owner"

    def acquire(self) -> None:
        """Raises `UserError` where another process trains in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            if not self.orphaned():
                self.refuse()
            try:
                self.lock.acquire(timeout=ORPHANS)
            except Timeout:
                self.refuse()
        self.owner.write_text(f"{os.getpid()} {socket.gethostname()}", encoding="utf-8")

    def release(self) -> None:
        if self.lock.is_locked:
            self.owner.unlink(missing_ok=True)
            self.lock.release()

    def read_owner(self) -> tuple[int, str] | None:
        """The process and the machine that have the lock, or had it when they were killed."""
        try:
            process, host = self.owner.read_text(encoding="utf-8").split()
        except (FileNotFoundError, ValueError):  # it has only just got the lock
            return None
        return int(process), host

    def orphaned(self) -> bool:
        """Whether the owner is known to be dead. On Windows nothing outlives it that could hold the lock."""
        owner = self.read_owner()
        if sys.platform == "win32" or owner is None or owner[1] != socket.gethostname():
            return False
        try:
            os.kill(owner[0], 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def refuse(self) -> None:
        owner = self.read_owner()
        who = f" (pid {owner[0]} on {owner[1]})" if owner else ""
        raise UserError(
            f"{str(self.folder)!r} is being trained by another process{who}: wait for it, or say name=… for another run"
        )
