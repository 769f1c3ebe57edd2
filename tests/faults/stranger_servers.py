"""Servers that are too slow, break off, or answer with nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.wandb_server import WandbServer

from .servers import served, slowly
from .stranger_files import SMALL
from .strangers import Case, verb

START = b"HTTP/1.1 200 OK\r\n"
SLOW: dict[str, Callable] = {
    "a byte in 5 s": slowly(START + b"Content-Length: 100000\r\n\r\n", b"x", 5),
    "without length": slowly(START + b"\r\n", b"x", 5), "status": slowly(b"", b"H", 5),
    "headers": slowly(START, b"A: b\r\n", 5), "silence": slowly(b"", b"", 5),
    "headers without end": slowly(START, b"A: b\r\n"),
    "the end": lambda connection: connection.sendall(START + b"Content-Length: 9\r\n\r\nabc"),
}  # fmt: skip
NOTHING = [None, {}, [], "x", 0, {"data": None}, {"data": {}}, {"data": []}, {"data": {"viewer": {}}}]
NULLS = {
    "data": dict.fromkeys(
        ("viewer", "serverInfo", "model", "project", "upsertBucket", "createRunFiles", "createArtifact", "useArtifact")
    )
}


def asked(answer: Callable, *words: str) -> Callable[[], int]:
    """A command line, in which ADDRESS is that of a server."""

    def call() -> int:
        with served(answer) as (address, _):
            return verb(*(word.replace("ADDRESS", address) for word in words))()

    return call


def tracked(answers: list[object], later: bool) -> Callable[[], int]:
    """A run at a server of W&B's that answers so, at once or from when it has been told of the run."""

    def call() -> int:
        server = WandbServer()
        announced = server.on_UpsertBucket

        def announce(words: dict) -> dict:
            server.instead = answers
            return announced(words)

        if later:
            server.on_UpsertBucket = announce
        else:
            server.instead = answers
        os.environ |= {
            **server.environment(),
            "WANDB_MODE": "online",
            "WANDB_HTTP_TIMEOUT": "3",
            "HOME": str(Path.cwd()),
        }
        told = [word for word in SMALL if not word.startswith("tracker")]
        return verb("train", *told, "tracker=wandb", "tracker.patience=[5,5]")()

    return call


def cases(shared: Path) -> Iterator[Case]:
    for name, answer in SLOW.items():
        for how, words in {
            "inspect": ("inspect", "ADDRESS/train-00000.tar", "-o", "out", "--workers", "0"),
            "train": ("train", *SMALL, "data=shards", "data.root=ADDRESS/train-00000.tar"),
        }.items():
            yield Case(f"server, {how}", name, lambda home: None, asked(answer, *words))
    for answer in [*NOTHING, NULLS]:
        for later in (False, True):
            command = tracked([answer], later)
            yield Case("server, W&B's", f"{answer}{' later' * later}", lambda home: None, command, "finish", None)
