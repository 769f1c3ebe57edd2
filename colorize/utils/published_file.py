"""Published weights by their SHA-256: found in torch's hub cache, or fetched into it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch

from colorize.utils.console import say
from colorize.utils.download import fetch_bytes
from colorize.utils.environment import at_home
from colorize.utils.errors import UnavailableError, first_line
from colorize.utils.files import digest_of, write_whole


@dataclass(frozen=True)
class PublishedFile:
    """A published file of weights.

    names   of the file in torch's hub cache; programs that use the same weights call them differently
    sha256  in hexadecimal; its first eight digits where no more are published, as torch's own file names have them
    """

    names: tuple[str, ...]
    url: str
    sha256: str

    def find(self, path: str | Path | None = None, *, download: bool = True) -> tuple[Path, str]:
        """The file and its whole SHA-256: at `path`, else in torch's hub cache, else fetched into it where `download`.

        Raises `UnavailableError` where it is not there and does not come, within a bounded time, or is another file.
        """
        held = Path(torch.hub.get_dir(), "checkpoints")
        places = [at_home(path)] if path else [held / name for name in self.names]
        found = next((place for place in places if place.is_file()), None)
        if found is None and (path or not download):
            said = " or ".join(repr(str(place)) for place in places)
            raise UnavailableError(f"the weights are not at {said}; download {self.url} and save it there")
        if found is None:
            found = places[0]
            if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
                raise UnavailableError(
                    f"HF_HUB_OFFLINE is set, so nothing is fetched: download {self.url} and save it as {str(found)!r}"
                )
            if _Waiting.left is not None and self.url in _Waiting.failed:
                raise UnavailableError(_Waiting.failed[self.url])
            found.parent.mkdir(parents=True, exist_ok=True)
            write_whole(found, partial(self._fetch, instead=f"download it and save it as {str(found)!r}"))
        digest = digest_of(found)
        if not digest.startswith(self.sha256):
            raise UnavailableError(
                f"{str(found)!r} is not the published file, or not all of it: its SHA-256 is {digest}, not "
                f"{self.sha256}{'' if len(self.sha256) == 64 else '…'}; delete it, and save {self.url} there"
            )
        return found, digest

    def _fetch(self, part: Path, instead: str) -> None:
        began, left = time.monotonic(), _Waiting.left
        silent = SILENT if left is None else min(SILENT, left)
        try:
            if silent <= 0:
                raise TimeoutError("other servers have not answered: this one was not asked")
            say(f"fetching {self.url}")
            with part.open("wb") as file:
                fetch_bytes(self.url, file.write, silent=silent, longest=LONGEST)
        except Exception as error:  # the server's, the network's, the disk's
            said = f"the weights cannot be fetched from {self.url} ({first_line(error)}); {instead}"
            _Waiting.failed[self.url] = said
            if left is not None:
                _Waiting.left = max(0.0, left - (time.monotonic() - began))
            raise UnavailableError(said) from error
        if not digest_of(part).startswith(self.sha256):
            said = f"what came from {self.url} is not the published file, or not all of it; {instead}"
            _Waiting.failed[self.url] = said
            raise UnavailableError(said)


@contextmanager
def limit_waiting(seconds: float) -> Iterator[None]:
    """Meanwhile, published files wait no longer than this, all together, for servers that do not answer; and none is
    asked twice in the life of the process."""
    _Waiting.left = seconds
    try:
        yield
    finally:
        _Waiting.left = None


class _Waiting:
    """Seconds that are left for servers that do not answer, None: no limit; address -> why it could not be fetched."""

    left: float | None = None
    failed: ClassVar[dict[str, str]] = {}


SILENT = 10  #   seconds that a server may say nothing
LONGEST = 1800  # seconds that a file may take
