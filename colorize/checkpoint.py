"""Checkpoints: files that appear whole or not at all, carry a checksum, and are read without running anything."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from colorize.errors import UserError
from colorize.recognition import what_it_is
from colorize.terminal import say

SURROGATE = re.compile("[\ud800-\udfff]")  # what a byte that is no UTF-8 becomes in a name
LOOSE = 2**26  # bytes that a tensor may take beyond those it was saved with
SEAL = b"colorize sha256 "  # then 32 bytes: the digest of all before it. A zip file, which torch's is, may have a tail


class Checkpoints:
    """`step-NNNNNNNN.pt`, the newest `keep` of them, and `best.pt` of a run, which holds weights alone."""

    def __init__(self, folder: str | Path, keep: int = 2):
        if not isinstance(keep, int) or keep < 1:
            raise UserError(f"checkpoint.keep is {keep!r}; it must be a whole number from 1 up")
        self.folder, self.keep = Path(folder), keep
        self.best = self.folder / "best.pt"

    def save(self, state: dict[str, Any], *, best: bool = False) -> Path:
        """Writes beside, then renames: a run that is killed, or a disk that is full, leaves the old files whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{state['steps']:08d}.pt"
        write_whole(path, lambda part: _write(state, part))
        if best:
            self._keep_as_best(state)
        for old in self.steps()[self.keep :]:
            old.unlink()
        return path

    def repair_best(self, step: int) -> dict[str, Any] | None:
        """Make best.pt of the checkpoint of `step` again, where a run was killed between the two, or it is damaged.

        What best.pt then holds; None where it is not there, and cannot be brought back.
        """
        held = _whole(self.best)
        if (held is None or held["steps"] < step) and (
            found := _whole(self.folder / f"step-{step:08d}.pt")
        ) is not None:
            self._keep_as_best(found)
            return found
        return held

    def _keep_as_best(self, state: dict[str, Any]) -> None:
        write_whole(self.best, lambda part: _write(weights_of(state), part))

    def conclude(self, *, weights_alone: bool) -> None:
        """Keep of a finished run its newest checkpoint, and its best; of the newest, perhaps, its weights alone."""
        newest, *older = self.steps()
        if weights_alone:
            write_whole(newest, lambda part: _write(weights_of(read(newest)), part))
        for path in older:
            path.unlink()

    def newest(self) -> Path | None:
        """The newest file that is whole; None where a run has just begun.

        A newer one that is damaged is named, and put aside as .damaged. Raises `UserError` where all are.
        """
        found = self.steps()
        for path in found:
            with path.open("rb") as file:
                if _intact(file):
                    return path
            say(f"{str(path)!r} is damaged, its checksum is wrong or missing: going back to the one before it")
            path.replace(path.with_suffix(".damaged"))
        if found:
            raise UserError(
                f"every checkpoint in {str(self.folder)!r} is damaged: restore one from a copy, or start again with "
                "overwrite=true"
            )
        return None

    def steps(self) -> list[Path]:
        """The newest first. Files of other names, or of another step than their name says, such as copies by hand that
        are called after a day, are not ours."""
        found = {path: step_of(path) for path in self.folder.glob("step-*.pt") if path.is_file()}
        held = {path: peek(path) for path, step in found.items() if step is not None}
        ours = (p for p, each in held.items() if not isinstance(each, dict) or each.get("steps") in (None, found[p]))
        return sorted(ours, key=lambda path: -(found[path] or 0))


def step_of(path: Path) -> int | None:
    """The number in a name that we make, `step-NNNNNNNN` and what follows the dot; None for any other name.
    Pictures have six digits or more, checkpoints eight."""
    found = re.fullmatch(r"step-([0-9]{6,})", path.stem)
    return int(found[1]) if found and found[1] in (f"{int(found[1]):06d}", f"{int(found[1]):08d}") else None


def peek(path: Path) -> dict[str, Any] | None:
    """The record of a checkpoint, its tensors left in the file until they are read; None where it is damaged. The
    checksum is not compared."""
    try:
        return _load(path, path, mmap=True)
    except (UserError, OSError):
        return None


def weights_of(state: dict[str, Any]) -> dict[str, Any]:
    """The state with what is used of a network alone: its averaged weights, or those as trained where there are no
    averages; of critics, who have none, the latter. Nothing is left to train on with."""
    players = {
        name: {"module": None if each["average"] else each["module"], "optimizer": None, "average": each["average"]}
        for name, each in state.get("players", {}).items()
    }
    return {**state, "players": players, "weights_alone": True} if players else state


def read(path: str | Path) -> dict[str, Any]:
    """Reads tensors and plain values only: a file that wants to run code is refused. A checksum is compared, if any.

    Raises `UserError` that says what a file is which cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if _intact(file) is False:
                raise UserError(f"{str(path)!r} is damaged, its checksum is wrong: restore it from a copy")
            check_storage(file, path)
            return check_tensors(_load(file, path), path)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {str(path)!r}") from error


def _load(source: BinaryIO | Path, path: Path, *, mmap: bool = False) -> Any:
    try:
        return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # the unpickler does what the file says, and fails at it in every way
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # of a file cut short, it seeks before the start
            raise
        raise UserError(f"{str(path)!r} is not a whole, plain checkpoint: it is {what_it_is(path)}") from error


def check_storage(file: BinaryIO, path: Path) -> None:
    """Raises `UserError` for a zip file that says it holds more than it has bytes, which torch never writes."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            held = sum(each.file_size for each in archive.infolist())
        if held > file.seek(0, os.SEEK_END):
            raise UserError(f"{str(path)!r} would become {held:,} bytes, more than it has: no program saves weights so")
    file.seek(0)


def check_tensors(content: Any, path: Path) -> Any:
    """Raises `UserError` for a tensor with more numbers than the file holds, repeated by a trick of its strides."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            if value.numel() * value.element_size() > max(LOOSE, value.untyped_storage().nbytes()):
                raise UserError(f"{str(path)!r} holds a tensor of {list(value.shape)}, which it has not the bytes for")
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return content


def _whole(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None where there is none, or it is damaged."""
    try:
        return read(path)
    except UserError:
        return None


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
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"cannot write it: {error.strerror or error}", str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """The same for a text, in UTF-8; in it, names of files that are no UTF-8 keep their bytes."""
    write_whole(path, lambda part: part.write_text(text, "utf-8", "surrogateescape", newline="\n"))


def as_json(values: Any, **options: Any) -> str:
    """Readable letters; escapes where names of files that are no UTF-8 are among the values, since JSON is UTF-8."""
    text = json.dumps(values, ensure_ascii=False, **options)
    return text if not SURROGATE.search(text) else json.dumps(values, **options)


def _sync_folder(folder: Path) -> None:
    """Let the disk keep the names in `folder`. Windows does so by itself."""
    if os.name == "nt":
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _write(state: dict[str, Any], part: Path) -> None:
    with part.open("w+b") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # torch makes this of a full disk
                raise error.__context__ from None
            raise
        file.flush()
        file.seek(0)
        seal = SEAL + hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(seal)


def _intact(file) -> bool | None:
    """Whether the file is what its checksum says, from the start; None where it has none. Leaves it at its start."""
    length = len(SEAL) + hashlib.sha256().digest_size
    end = file.seek(0, os.SEEK_END)
    body = end - length
    file.seek(max(body, 0))
    seal = file.read()
    file.seek(0)
    if not seal.startswith(SEAL) or len(seal) < length:
        return None
    digest = hashlib.sha256()
    while body:
        digest.update(piece := file.read(min(2**20, body)))
        body -= len(piece)
    file.seek(0)
    return seal == SEAL + digest.digest()
