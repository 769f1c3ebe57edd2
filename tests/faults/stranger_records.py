"""What a run folder keeps beside its checkpoints, damaged: every file in it, before everything that reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image

from .mutations import MUTATIONS
from .stranger_folders import READERS, run
from .strangers import Case, verb

CONTENTS: dict[str, bytes] = {
    "empty": b"", "no text": b"\xff\xfe\x80", "zeros": bytes(64), "null": b"null\n", "a number": b"1\n",
    "a list": b"[1]\n", "an object": b"{}\n", "half": b'{"a": [1,', "deep": b"[" * 100_000,
    "not finite": b'{"step": NaN, "loss": Infinity, "val/psnr": -1e999}\n', "a word": b'"a"\n',
    "a long number": b'{"step": ' + b"9" * 5000 + b"}\n", "a table": b"a,b\n1\n", "twice": b'{"step": 1}{"step": 1}\n',
    "NUL": b'{"name": "a\\u0000b", "step": 1}\n', "half a letter": b'{"name": "\\ud800", "step": 1}\n',
}  # fmt: skip
RERUN = verb(  # short where nothing is left of the run's own words
    "train", "rerun=run", "schedule.all.steps=1", "trainer.batch_size=2", "data.size=32", "metrics=quick",
    "evaluate.samples=1", "evaluate.historical=false", "tracker=none",
)  # fmt: skip
KEPT = ("", ".yaml", ".json", ".jsonl", ".csv")  # how those end that are read again


@cache
def scored(shared: Path) -> Path:
    """A run that `evaluate` has scored."""
    folder = Path(shutil.copytree(run(shared), shared / "scored"))
    words = ["protocol=validation", "metrics=quick", "+protocol.extractors=[]", f"run='{folder}'"]
    subprocess.run([sys.executable, "-m", "colorize", "evaluate", *words], check=True, capture_output=True)
    return folder


def cases(shared: Path) -> Iterator[Case]:
    kept = scored(shared)
    readers = {**READERS["all"], "compare": verb("compare", "run"), "rerun": RERUN}
    for path in sorted(path for path in kept.rglob("*") if path.is_file() and path.stat().st_size):
        if path.suffix in KEPT:
            for how, content in {**CONTENTS, **mutations(path.read_bytes())}.items():
                for reader, command in readers.items():
                    prepare = partial(arranged, kept, path.relative_to(kept), content)
                    yield Case(f"record, {reader}", f"{path.name}: {how}", prepare, command, "")


def mutations(data: bytes) -> dict[str, bytes]:
    """Some of a file. The same for the same file."""
    return {
        f"{mutation.__name__} {number}": mutation(bytearray(data), np.random.default_rng(number))
        for number, mutation in enumerate(MUTATIONS * 2)
    }


def arranged(kept: Path, path: Path, content: bytes, home: Path) -> None:
    """The run, not finished, with one file damaged, and a photograph."""
    shutil.copytree(kept, home / "run")
    (home / "run" / "summary.json").unlink()
    (home / "run" / path).write_bytes(content)
    Image.new("L", (32, 32), 90).save(home / "photo.png")
