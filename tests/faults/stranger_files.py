"""Photographs, tar files and places that hang, fill the memory, run a program, or are damaged, before every verb."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.helpers.data_sets import jpeg, tarred

from .mutations import MUTATIONS, mutated
from .stranger_weights import CNN, export
from .strangers import MARK, Case, verb

GHOSTSCRIPT = "#!/bin/sh\ntouch {}\nsleep 1000\n"  # stands for it: whoever calls it has handed on a program
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n"


def png(width: int, height: int, rows: bytes) -> bytes:
    """A grey one of one bit, as flat as can be."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def sparse(path: Path) -> None:
    path.write_bytes(jpeg(0))
    os.truncate(path, 2**33)


def linked(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def holding(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


ODD: dict[str, Callable[[Path], object]] = {
    "EPS": holding(EPS + f"({MARK}) (w) file closefile showpage\n".encode()),
    "PostScript without end": holding(EPS + b"{} loop\n"),
    "EPS of Windows": holding(struct.pack("<7I", 0xC6D3D0C5, 30, 99, 0, 0, 0, 0) + bytes(2) + EPS + b"{} loop"),
    "PDF": holding(b"%PDF-1.4\n1 0 obj\n"), "SVG": holding(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "pipe": os.mkfifo, "link to zeros": linked("/dev/zero"), "link to noise": linked("/dev/urandom"),
    "link to itself": linked("odd.jpg"), "link to nothing": linked("nothing"), "terminal": linked("/dev/tty"),
    "memory": linked("/proc/self/mem"), "folder": Path.mkdir, "8 GB": sparse,
    "900 megapixels claimed": holding(png(30_000, 30_000, b"\0")),
    "169 megapixels, flat": holding(png(13_000, 13_000, bytes(13_000 * (13_000 // 8 + 1)))),
    "enormous": holding(png(2**31 - 1, 2**31 - 1, b"\0")), "empty": holding(b""),
}  # fmt: skip
SMALL = ("experiment=smoke", "model=cnn", "model.width=0.1", "model.global_size=32", "loss=l1", "tracker=none",
         "metrics=quick", "evaluate.historical=false")  # fmt: skip
SCORES = ("run=weights", "protocol=clean", "metrics=quick", "table=false", "out=out")
READERS = {
    "paint": verb("paint", "in", "-w", "weights", "-o", "out"),
    "paint tif": verb("paint", "in", "-w", "weights", "-o", "out", "--format", "tif"),
    "inspect": verb("inspect", "in", "-o", "out", "--workers", "0"),
    "train": verb("train", *SMALL, "data=folder", "data.root=in", "data.max_bad=0.9", "hydra.run.dir=out"),
    "evaluate": verb("evaluate", *SCORES, "source=in"), "look": verb("look", "in", "-o", "out"),
    "prepare": verb("prepare", "in", "out", "--max-bad", "0.9", "--workers", "0"),
}  # fmt: skip
ALONE = {
    "paint": verb("paint", "in/odd.jpg", "-w", "weights", "-o", "out"),
    "plates": verb("plates", "in/odd.jpg", "-o", "out"),
}  # fmt: skip


def arranged(weights: Path, write: Callable[[Path], object], home: Path) -> None:
    """A folder `in` of photographs, of which odd.jpg is what `write` makes, and a program called gs."""
    (home / "bin").mkdir()
    (home / "in").mkdir()
    (home / "bin" / "gs").write_text(GHOSTSCRIPT.format(home / MARK))
    (home / "bin" / "gs").chmod(0o755)
    (home / "weights").symlink_to(weights)
    for number in range(8):
        (home / "in" / f"{number}.jpg").write_bytes(jpeg(number))
    write(home / "in" / "odd.jpg")


def cases(shared: Path) -> Iterator[Case]:
    weights = export(shared, CNN)
    for name, write in ODD.items():
        for how, command in READERS.items():
            yield Case(f"photographs, {how}", name, partial(arranged, weights, write), command, must="")
        for how, command in ALONE.items():
            flat = name.startswith("169") and how != "plates"  # no more than a photograph may have
            must = "" if flat or name == "folder" else "refuse"
            yield Case(f"photograph, {how}", name, partial(arranged, weights, write), command, must)


def mutations(shared: Path) -> Iterator[Case]:
    """A damaged photograph alone: painted and inspected."""
    weights, kinds = export(shared, CNN), ("png", "tif", "jpg", "webp")
    look = verb("inspect", "only", "-o", "outputs", "--workers", "0")
    for number in range(1000, 5000):
        name, data = mutated(number)
        paint = verb("paint", "only/odd.jpg", "-w", "weights", "-o", "out", "--format", kinds[number // 7 % len(kinds)])
        command = partial(lambda *verbs: max(call() for call in verbs), paint, look)
        yield Case("mutation", name, partial(arranged, weights, partial(apart, data)), command, must="")


def apart(data: bytes, path: Path) -> None:
    """A photograph in a folder of its own, beside that of the others."""
    folder = path.parent.with_name("only")
    folder.mkdir()
    (folder / "odd.jpg").write_bytes(data)


def label(text: bytes, kind: str = "cls") -> bytes:
    return tarred(
        {f"{number}.{end}": data for number in range(6) for end, data in (("jpg", jpeg(number)), (kind, text))}
    )


def mutated_tar(number: int) -> bytes:
    chance = np.random.default_rng(number)
    return MUTATIONS[number % len(MUTATIONS)](bytearray(label(b"1")), chance)


TARS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo, "link to zeros": linked("/dev/zero"), "8 GB": sparse, "empty": holding(b""),
    **{f"label {text!r}": holding(label(text)) for text in (
        b"2147483647", b"-1", b"9" * 30, b"", b"\xff", b"a b", b"1.5")},
    **{f"JSON {text!r}": holding(label(text, "json")) for text in (
        b"[1]", b"{", b'{"label": null}', b'{"label": 1e999}', b'{"label": {"_target_": "os.abort"}}', b"[" * 5000)},
    "climbing": holding(tarred({f"../../{number}.jpg": jpeg(number) for number in range(6)})),
    "absolute": holding(tarred({f"/tmp/outside/{number}.jpg": jpeg(number) for number in range(6)})),
    "no text": holding(tarred({f"\udcff{number}.jpg": jpeg(number) for number in range(6)})),
    "PostScript": holding(tarred({f"{number}.jpg": EPS + b"{} loop" for number in range(6)})),
    **{f"mutated {number}": partial(lambda number, path: path.write_bytes(mutated_tar(number)), number)
       for number in range(24)},
}  # fmt: skip
OF_TARS = {
    "inspect": verb("inspect", "in/train-00000.tar", "-o", "out", "--workers", "0"),
    "train": verb(
        "train", *SMALL, "data=shards", "data.root='in/train-*.tar'", "data.val_fraction=0.3", "data.max_bad=0.9",
        "hydra.run.dir=out"),
    "evaluate": verb("evaluate", *SCORES, "source=in/train-00000.tar"),
    "prepare": verb("prepare", "in/train-00000.tar", "out", "--max-bad", "0.9", "--workers", "0"),
}  # fmt: skip


def tars(shared: Path) -> Iterator[Case]:
    weights = export(shared, CNN)
    for name, write in TARS.items():
        made = partial(arranged, weights, lambda path, write=write: write(path.with_name("train-00000.tar")))
        for how, command in OF_TARS.items():
            yield Case(f"tar, {how}", name, made, command, must="")


PLACES = ("in/0.jpg", "in/0.jpg/out", "/dev/null", "/dev/null/out", "/proc/nothing/out", "/dev/full", "in/pipe")


def places(shared: Path) -> Iterator[Case]:
    """Outputs where no folder can be made."""
    prepare = partial(arranged, export(shared, CNN), lambda path: os.mkfifo(path.with_name("pipe")))
    for place in PLACES:
        for how, command in {
            "paint": verb("paint", "in", "-w", "weights", "-o", place),
            "export": verb("export", "weights", "-o", place),
            "inspect": verb("inspect", "in", "-o", place, "--workers", "0"), "look": verb("look", "in", "-o", place),
            "prepare": verb("prepare", "in", place, "--workers", "0"),
            "train": verb("train", *SMALL, f"hydra.run.dir={place}"),
            "evaluate": verb("evaluate", *SCORES[:-1], "source=in", f"out={place}"),
        }.items():  # fmt: skip
            yield Case(f"place, {how}", place, prepare, command)
