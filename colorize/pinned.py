"""Weights that the field knows by name: found on this machine or fetched, and the very ones, by their SHA-256."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path

import torch

from colorize.checkpoint import write_whole
from colorize.errors import AbsentError
from colorize.home import at_home
from colorize.terminal import say

SILENT = 10  #   seconds that a server may say nothing
LONGEST = 1800  # seconds that a file may take


@dataclass(frozen=True)
class Pinned:
    """A published file of weights.

    names   of the file in torch's hub cache; programs that use the same weights call them differently
    sha256  in hexadecimal; its first eight digits where no more are published, as torch's own file names have them
    """

    names: tuple[str, ...]
    url: str
    sha256: str

    def find(self, path: str | Path | None = None, *, download: bool = True) -> tuple[Path, str]:
        """The file and its whole SHA-256: at `path`, else in torch's hub cache, else fetched into it where `download`.

        Raises `AbsentError` where it is not there and does not come, within a bounded time, or is another file.
        """
        held = Path(torch.hub.get_dir(), "checkpoints")
        places = [at_home(path)] if path else [held / name for name in self.names]
        found = next((place for place in places if place.is_file()), None)
        if found is None and (path or not download):
            said = " or ".join(repr(str(place)) for place in places)
            raise AbsentError(f"the weights are not at {said}: put there what {self.url} has")
        if found is None:
            found = places[0]
            self._fetch(found)
        digest = digest_of(found)
        if not digest.startswith(self.sha256):
            raise AbsentError(
                f"{str(found)!r} is not the published file, or not all of it: its SHA-256 is {digest}, not "
                f"{self.sha256}{'' if len(self.sha256) == 64 else '…'}; delete it, and put there what {self.url} has"
            )
        return found, digest

    def _fetch(self, path: Path) -> None:
        say(f"fetching {self.url}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_whole(path, self._write)
        except AbsentError as error:
            raise AbsentError(f"{error}: put at {str(path)!r} what is there") from error

    def _write(self, part: Path) -> None:
        with part.open("wb") as file:
            for piece in _pieces(self.url):
                file.write(piece)
        if not digest_of(part).startswith(self.sha256):
            raise AbsentError(f"what came from {self.url} is not the published file, or not all of it")


def digest_of(path: Path) -> str:
    """SHA-256 in hexadecimal"""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _pieces(url: str) -> Iterator[bytes]:
    """What lies at an address. Raises `AbsentError` where it cannot be reached, breaks off or takes too long."""
    began = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=SILENT) as answer:
            while piece := answer.read1(2**20):
                yield piece
                if time.monotonic() - began > LONGEST:
                    raise TimeoutError(f"not all of it came within {LONGEST} s")
    except (OSError, HTTPException) as error:
        raise AbsentError(
            f"the weights cannot be fetched from {url} ({getattr(error, 'reason', None) or error})"
        ) from error
