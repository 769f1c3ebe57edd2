"""Photographs into tar files, as webdataset lays them out: always the same bytes for the same photographs."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from colorize.data.collection import NONE, Photo
from colorize.data.decode import UNREADABLE, decode_picture
from colorize.data.loading import first_line


class Prepared(NamedTuple):
    """What goes into a tar file of a photograph; `why` not, if it cannot be read."""

    name: str
    label: int = NONE
    suffix: str = ""
    data: bytes = b""
    why: str = ""


def prepare(photo: Photo, size: int | None, quality: int) -> Prepared:
    """The photograph's own bytes, once it is known that they can be read.

    With `size`, one whose shorter side is longer becomes a JPEG of that side, upright, in sRGB, with colour at full
    resolution; so does one that is no plain JPEG.
    """
    try:
        data = photo.read()
        picture = decode_picture(data)
        upright, kind = picture.opaque(), picture.format
        plain = kind == "JPEG" and not picture.treated
    except UNREADABLE as error:
        return Prepared(photo.name, why=first_line(error))
    if size is None or (plain and min(upright.size) <= size):
        suffix = {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
        return Prepared(photo.name, photo.label, suffix, data)
    scale = min(1.0, size / min(upright.size))
    smaller = upright.resize([round(side * scale) for side in upright.size], Image.Resampling.BICUBIC)
    file = io.BytesIO()
    smaller.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return Prepared(photo.name, photo.label, ".jpg", file.getvalue())


def crashed(photo: Photo) -> Prepared:
    """Of a photograph that ends the process which decodes it."""
    return Prepared(photo.name, why="its decoder crashed")


class Shard(NamedTuple):
    name: str
    photographs: int
    bytes: int
    sha256: str


def write_shard(path: Path, photographs: Iterable[Prepared]) -> tuple[Shard, list[tuple[str, str]]]:
    """A tar file, there whole or not at all, and what could not be read: (name, why).

    Keys are the names of the photographs, without their ending; of two with one key the later gets a number.
    """
    part, count, bad = path.with_name(f".{path.name}.part"), 0, []
    keys: set[str] = set()
    try:
        with part.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
            for photo in photographs:
                if photo.why:
                    bad.append((photo.name, photo.why))
                    continue
                key = key_of(photo.name, keys)
                add(tar, f"{key}{photo.suffix}", photo.data)
                if photo.label != NONE:
                    add(tar, f"{key}.cls", str(photo.label).encode())
                count += 1
        with part.open("rb") as written:
            digest = file_digest(written, "sha256").hexdigest()
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return Shard(path.name, count, path.stat().st_size, digest), bad


def key_of(name: str, taken: set[str]) -> str:
    """The name without its ending; webdataset takes all from the first full stop of a base name for the ending."""
    folder, _, base = name.rpartition("/")
    stem = base.rsplit(".", 1)[0].replace(".", "_") or "photograph"
    plain = key = f"{folder}/{stem}" if folder else stem
    number = 1
    while key in taken:
        number += 1
        key = f"{plain}-{number}"
    taken.add(key)
    return key


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no owner, no time: the same bytes on every machine
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
