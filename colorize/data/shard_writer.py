"""Writes photographs into tar files, as webdataset lays them out: always the same bytes for the same photographs."""

import io
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.data.collection import NONE, Collection, Photo, normalized
from colorize.data.filesystem import ListingReport
from colorize.data.listing import SUFFIXES
from colorize.data.shards import list_shard
from colorize.imaging.decode import UNREADABLE, decode_picture
from colorize.utils.errors import first_line
from colorize.utils.files import digest_of, write_whole

ENDINGS = {  # of formats whose name is none
    "JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2", "DIB": ".bmp", "HEIF": ".heic",
}  # fmt: skip


class PreparedPhoto(NamedTuple):
    """What goes into a tar file of a photograph; `why` not, if it cannot be read."""

    name: str
    label: int = NONE
    suffix: str = ""
    data: bytes = b""
    why: str = ""
    key: str = ""  # in the tar file; empty: that of its name


def prepare_photo(photo: Photo, size: int | None, quality: int) -> PreparedPhoto:
    """The photograph's own bytes, once it is known that they can be read.

    With `size`, one whose shorter side is longer becomes a JPEG of that side, upright, in sRGB, with colour at full
    resolution; so does one that is no plain JPEG.
    """
    try:
        data = photo.read()
        picture = decode_picture(data)
        upright, kind = picture.opaque(), picture.format
        plain = kind == "JPEG" and not picture.conversions
    except UNREADABLE as error:
        return PreparedPhoto(photo.name, why=first_line(error))
    suffix = ENDINGS.get(kind, f".{kind.lower()}")
    if suffix in SUFFIXES and (size is None or (plain and min(upright.size) <= size)):
        return PreparedPhoto(photo.name, photo.label, suffix, data)
    file = io.BytesIO()
    if size is None:  # of a format by whose ending data=shards knows no photograph
        upright.save(file, "PNG")
        return PreparedPhoto(photo.name, photo.label, ".png", file.getvalue())
    scale = min(1.0, size / min(upright.size))
    smaller = upright.resize([round(side * scale) for side in upright.size], Image.Resampling.BICUBIC)
    smaller.save(file, "JPEG", quality=quality, subsampling="4:4:4")
    return PreparedPhoto(photo.name, photo.label, ".jpg", file.getvalue())


class Shard(NamedTuple):
    name: str
    photographs: int
    bytes: int
    sha256: str


def write_shard(path: Path, photographs: Iterable[PreparedPhoto]) -> tuple[Shard, list[tuple[str, str]]]:
    """A tar file, there whole or not at all, and what could not be read: (name, why).

    Only what data=shards finds in it afterwards is counted.
    """
    bad: list[tuple[str, str]] = []
    written: dict[tuple[str, int, int], str] = {}

    def write(part: Path) -> None:
        with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar:
            for photo in photographs:
                if photo.why:
                    bad.append((photo.name, photo.why))
                    continue
                key = photo.key or plain_key(photo.name)
                add_member(tar, f"{key}{photo.suffix}", photo.data)
                if photo.label != NONE:
                    add_member(tar, f"{key}.cls", str(photo.label).encode())
                written[f"{key}{photo.suffix}", photo.label, len(photo.data)] = photo.name

    write_whole(path, write)
    found = {(one.name.partition("/")[2], one.label, one.size) for one in list_shard(str(path), ListingReport())}
    bad += [(name, "data=shards does not find it again") for one, name in written.items() if one not in found]
    return Shard(path.name, len(found & written.keys()), path.stat().st_size, digest_of(path)), bad


def plain_key(name: str) -> str:
    """The name without its ending, and without what a key cannot hold: webdataset takes all from the first full stop of
    a base name for the ending."""
    parts = [part for part in normalized(name).split("/") if part.strip(".")] or [""]
    base = parts.pop()
    stem = base.rpartition(".")[0] if "." in base else base
    return "/".join([*parts, stem.replace(".", "_") or "photograph"])


def numbered_keys(photos: Collection) -> dict[int, str]:
    """place -> key of those photographs whose plain key an earlier one has, also in other letters' case: with a number.

    Keys are compared by eight bytes of their hashes, so that millions take little memory.
    """
    hashes = np.fromiter((folded_hash(plain_key(name)) for name in photos.names()), np.uint64, len(photos))
    taken, first = np.unique(hashes, return_index=True)
    later = np.setdiff1d(np.arange(len(hashes)), first)
    own: set[int] = set()
    keys: dict[int, str] = {}
    for place in later.tolist():
        plain, number = plain_key(photos[place].name), 2
        while (code := folded_hash(f"{plain}-{number}")) in own or taken[
            np.searchsorted(taken, code) % len(taken)
        ] == code:
            number += 1
        own.add(code)
        keys[place] = f"{plain}-{number}"
    return keys


def folded_hash(key: str) -> int:
    return int.from_bytes(sha256(key.casefold().encode(errors="surrogateescape")).digest()[:8], "big")


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # no owner, no time: the same bytes on every machine
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
