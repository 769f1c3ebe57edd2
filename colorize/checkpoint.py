"""Checkpoints: files that appear whole or not at all, and are read without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from colorize.errors import UserError


class Checkpoints:
    """`last.pt` and `best.pt` of a run."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.last, self.best = self.folder / "last.pt", self.folder / "best.pt"

    def save(self, state: dict[str, Any], *, best: bool = False) -> None:
        """Writes beside, then renames: a run that is killed, or a disk that is full, leaves the old file whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.last, lambda part: _write(state, part))
        if best:
            write_whole(self.best, lambda part: shutil.copyfile(self.last, part))

    def load(self) -> dict[str, Any] | None:
        """The newest state, on the CPU; None where a run has just begun."""
        return read(self.last) if self.last.exists() else None


def read(path: str | Path) -> dict[str, Any]:
    """Reads tensors and plain values only: a file that wants to run code is refused."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {str(path)!r}") from error
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{str(path)!r} is not a whole, plain checkpoint ({type(error).__name__}): restore it from a copy, "
            "or start again with overwrite=true"
        ) from error


def write_whole(path: Path, write) -> None:
    """Calls `write` with a path beside `path`, and renames what it wrote."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write it: {error.strerror}", str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _write(state: dict[str, Any], part: Path) -> None:
    with part.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch makes this of a full disk
                raise error.__context__ from None
            raise
        file.flush()
        os.fsync(file.fileno())
