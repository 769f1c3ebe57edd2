"""Exports, weights and checkpoints that describe no network, hold something else, or are damaged."""

from __future__ import annotations

import json
import math
import os
import pickle
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import colorize
from colorize.models import CNN, Colorizer, Transformer
from colorize.utils.checkpoint import FIELDS
from colorize.utils.checkpoint import _write as write_checkpoint

from .mutations import MUTATIONS
from .stranger_folders import Marking, arranged, attacked, run
from .strangers import Case, verb

SETTINGS: list[dict[str, Any]] = [  # of an exported network, whose weights are whole
    {"global_size": -32}, {"global_size": 0}, {"width": math.nan}, {"width": math.inf}, {"width": "wide"},
    {"width": -1}, {"width": 1e9}, {"branches": 3}, {"branches": {"_target_": "os.system"}}, {"classes": -1},
    {"classes": 10**12}, {"upsample": ["bilinear"]}, {"unknown": 1}, {"width": None}, {"_target_": "os.system"},
    {"global_size": 1e9},
]  # fmt: skip
CARDS = [{"trained_size": value} for value in ("a word", [64], math.inf, 10**7, -1, 0, True, 1.5)]
OPTIONS: list[dict[str, Any]] = [
    {"checkpoint_path": "evil.pkl"}, {"pretrained_cfg_overlay": {"url": "http://localhost/x"}}, {"pretrained_cfg": "x"},
    {"cache_dir": "."}, {"depths": "1"}, {"depths": [10**9] * 4}, {"depths": [1] * 100}, {"dims": [math.nan] * 4},
]  # fmt: skip
WRONG: list[Any] = ["a text", [1], {"a": [1]}, -1, 0.5, True, None, math.nan, 10**30]
SMALL = dict(pretrained=False, widths=(8, 8, 8), queries=4, dim=16, heads=2, feedforward=8, rounds=1)
NO_WEIGHTS = {  # name -> content, and what it is called
    "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
    "page.pth": (b"\n<!DOCTYPE html><html></html>", "a web page"), "empty.pth": (b"", "empty"),
    "picture.pth": (b"\xff\xd8\xff\xe0" + bytes(100), "a photograph (JPEG)"),
    "text.bin": (b"a\nb\n", "a text that"),
    "code.pth": (pickle.dumps(os.system), "would run code"), "packed.pth": (b"\x1f\x8b" + bytes(50), "gzip"),
}  # fmt: skip
DAMAGES = 60  # of a checkpoint, in any place of its record
LONGER = verb("train", "resume=run", "+schedule.more={_target_: colorize.training.schedule.Phase, steps: 2}")


def write_wide(path: Path) -> None:
    """A tensor of 4 TB, of which the file holds one number."""
    torch.save({"params": {"a": torch.zeros(1).expand(10**12)}}, path)


def write_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)


FILES: dict[str, Callable[[Path], object]] = {
    **{name: partial(lambda content, path: path.write_bytes(content), content)
       for name, (content, _) in NO_WEIGHTS.items()},
    "wide.pth": write_wide, "bomb.pth": write_bomb, "marking.pth": partial(torch.save, Marking()),
    "marking.pt": partial(torch.save, {"players": Marking()}), "list.pth": partial(torch.save, [1]),
    "pipe.pth": os.mkfifo, "zero.safetensors": lambda path: path.symlink_to("/dev/zero"),
    "long.safetensors": lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
    "negative.safetensors": lambda path: path.write_bytes(
        (64).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,-4]}}'.ljust(64)),
}  # fmt: skip


def readers(weights: str) -> dict[str, Callable[[], int]]:
    small = ("experiment=smoke", "model=cnn", "loss=l1", "tracker=none", "model.width=0.1", "model.global_size=32")
    return {
        "paint": verb("paint", "photo.png", "-w", weights, "-o", "out"),
        "export": verb("export", weights, "-o", "out"), "init_from": verb("train", *small, f"init_from={weights}"),
        "evaluate": verb("evaluate", f"run={weights}", "source=photo.png", "metrics=quick", "protocol=clean"),
    }  # fmt: skip


@cache
def export(shared: Path, kind: type[Colorizer]) -> Path:
    model = CNN(width=0.1, global_size=32) if kind is CNN else Transformer(encoder="test_convnext", **SMALL)
    return colorize.save(model, shared / kind.__name__, {"trained_size": 32})


def changed(export: Path, folder: Path, settings: dict[str, Any] | None = None, **card: Any) -> Path:
    """A copy of an export whose config says otherwise."""
    shutil.copytree(export, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= card | {"settings": config["settings"] | (settings or {})}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def cases(shared: Path) -> Iterator[Case]:
    kept, cnn, transformer = run(shared), export(shared, CNN), export(shared, Transformer)

    def exported(held: Path, **change: Any) -> Callable[[Path], None]:
        return partial(arranged, kept, edit=lambda folder: changed(held, folder.parent / "weights", **change))

    for how, command in readers("weights").items():
        for settings in SETTINGS:
            yield Case(f"export, {how}", str(settings), exported(cnn, settings=settings), command)
        for options in OPTIONS:
            change = exported(transformer, settings={"encoder_options": options})
            yield Case(f"export, {how}", str(options), change, command)
        for card in CARDS:
            yield Case(f"export, {how}", str(card), exported(cnn, **card), command, "refuse" if how == "paint" else "")
    for name, write in FILES.items():
        for how, command in readers(name).items():
            yield Case(f"weights, {how}", name, partial(filled, kept, name, write), command)
    yield from damaged(kept)


def filled(kept: Path, name: str, write: Callable[[Path], object], home: Path) -> None:
    arranged(kept, home, lambda folder: write(folder.parent / name) and None)


def damaged(kept: Path) -> Iterator[Case]:
    """Checkpoints: each field of the record, any place of it, and any bytes."""
    for field, (fits, _) in FIELDS.items():
        for value in [each for each in WRONG if not fits(each)]:
            edit = partial(rewritten, change=lambda state, field=field, value=value: state.update({field: value}))
            yield from attacked(kept, f"{field}={value}", edit, "all", "", "checkpoint")
        without = partial(rewritten, change=lambda state, field=field: state.pop(field, None))
        yield from attacked(kept, f"no {field}", without, "all", "", "checkpoint")
    for number in range(DAMAGES):
        edit = partial(rewritten, change=partial(spoil, random=random.Random(number)))
        yield from attacked(kept, f"place {number}", edit, "all", "", "checkpoint")
        yield Case("checkpoint, go on", f"place {number}", partial(arranged, kept, edit=edit), LONGER, must="")
        yield from attacked(kept, f"bytes {number}", partial(mutate, number=number), "all", "", "checkpoint")


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """With the checksum that fits: a stranger writes one too."""
    for path in (folder / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        change(state)
        write_checkpoint(state, path)


def spoil(record: dict[str, Any], random: random.Random) -> None:
    """Puts something wrong, or nothing, in some place below a record's fields."""
    node, place = random.choice([each for field in record.values() for each in places(field)])
    if random.random() < 0.2:
        del node[place]
    else:
        node[place] = random.choice([*WRONG, torch.zeros(3), torch.full((1,), math.nan), 2**40, ""])


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    for place in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, place
        yield from places(node[place])


def mutate(folder: Path, number: int) -> None:
    chance = np.random.default_rng(number)
    for path in (folder / "checkpoints").glob("*.pt"):
        path.write_bytes(MUTATIONS[number % len(MUTATIONS)](bytearray(path.read_bytes()), chance))
