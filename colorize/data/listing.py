"""Which photographs a folder or a row of tar files holds; long lists are kept, and made anew when something changed."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from filelock import FileLock

from colorize.checkpoint import write_whole
from colorize.data.collection import Table
from colorize.data.storage import cache, local, remote, short
from colorize.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
WORTH_KEEPING = 20_000  # photographs: listing fewer takes no time


class Member(NamedTuple):
    """A file in a tar file."""

    name: str
    start: int
    size: int


class Labelled(NamedTuple):
    """A photograph in a tar file."""

    name: str
    label: int
    start: int
    size: int


def list_folder(root: str | os.PathLike) -> Table:
    """Every file below `root` with a photograph's suffix, in the order of its relative name; links are followed.

    Raises `UserError` for a folder that is missing, or holds none.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}: give the folder that holds the photographs")

    def build() -> tuple[Table, Any]:
        names, folders = [], {}
        for parent, _, files in os.walk(folder, followlinks=True):
            place = Path(parent).relative_to(folder).as_posix()
            folders[place] = Path(parent).stat().st_mtime_ns
            prefix = "" if place == "." else f"{place}/"
            names += [prefix + name for name in files if is_photograph(name)]
        return Table.in_folders(sorted(names), [str(folder)]), folders

    def unchanged(folders: dict[str, int]) -> bool:
        return all((path := folder / at).is_dir() and path.stat().st_mtime_ns == then for at, then in folders.items())

    table = kept(f"folder {folder.resolve()}", build, unchanged)
    if not len(table):
        raise UserError(f"no photographs in {str(folder)!r}: looked for {', '.join(SUFFIXES)} there and below")
    return table


def is_photograph(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def list_tars(
    files: Sequence[str], read: Callable[[str, dict[str, str]], list[Labelled]], kind: str, *, folders: bool = False
) -> Table:
    """The photographs of tar files: of each those that `read` finds, which tells the dictionary what is broken.

    `folders`: the folders in them are the classes.
    """

    def build() -> tuple[Table, Any]:
        found: list[Labelled] = []
        numbers: list[np.ndarray] = []
        broken: dict[str, str] = {}
        for number, file in enumerate(files):
            of = read(file, broken)
            found += of
            numbers.append(np.full(len(of), number))
        pieces = np.array([(one.start, one.size) for one in found], dtype=np.int64).reshape(-1, 2)
        pieces = np.column_stack([np.concatenate(numbers), pieces])
        names = [one.name for one in found]
        labels = None if folders else [one.label for one in found]
        table = Table.in_folders(names, files, pieces) if folders else Table.of(names, files, labels, pieces)
        table.broken = broken
        return table, [signature(file) for file in files]

    return kept(f"{kind} {' '.join(files)}", build, lambda saved: saved == [signature(f) for f in files])


def signature(file: str) -> list[Any]:
    """What changes when the file does; an address is taken to hold what it held."""
    return [file] if remote(file) else [file, (stat := Path(file).stat()).st_size, stat.st_mtime_ns]


def members(file: str, broken: dict[str, str]) -> Iterator[Member]:
    """The files in a tar file, those of tar files inside it too. Where it breaks off, `broken` is told why."""
    path = local(file)
    with path.open("rb") as opened:
        head = opened.read(6)
        if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
            raise UserError(f"{file} is compressed, so nothing in it can be read on its own: unpack it to a plain .tar")
        opened.seek(0)
        yield from _walk(opened, file, path.stat().st_size, "", broken)


def _walk(opened: IO[bytes], file: str, end: int, prefix: str, broken: dict[str, str]) -> Iterator[Member]:
    place = opened.tell()
    try:
        tar = tarfile.TarFile(fileobj=opened, mode="r")
        while (info := tar.next()) is not None:
            place = info.offset_data
            if not info.isfile():
                continue
            if place + info.size > end:
                raise tarfile.ReadError("the file ends inside it")
            if info.name.endswith(".tar"):
                opened.seek(place)
                yield from _walk(opened, file, place + info.size, f"{prefix}{Path(info.name).stem}/", broken)
            else:
                yield Member(prefix + info.name.removeprefix("./"), place, info.size)
            tar.members = []  # type: ignore[attr-defined]  # tarfile keeps them all
        opened.seek(tar.offset)
        if opened.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes whatever is no header for the end
            raise tarfile.ReadError("no header follows")
    except tarfile.TarError as error:
        broken[file] = f"the tar file breaks off behind byte {place}: {error}"


def kept(key: str, build: Callable[[], tuple[Table, Any]], unchanged: Callable[[Any], bool]) -> Table:
    """The table of an earlier time, if its stamp says that nothing changed, else `build`'s, which is kept if long.

    Of several processes one lists, and the others wait for what it kept.
    """
    folder = cache("lists", short(key))
    note = folder / "stamp.json"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written to: nothing is kept
        return build()[0]
    with FileLock(folder.parent / "lock"):
        if note.is_file():
            saved = json.loads(note.read_text(encoding="utf-8"))
            if unchanged(saved["stamp"]):
                return Table.open(folder, saved["places"], saved["classes"], saved["broken"])
        table, stamp = build()
        if len(table) < WORTH_KEEPING:
            return table
        shutil.rmtree(folder, ignore_errors=True)
        table.save(folder)
        saved = {"stamp": stamp, "places": table.places, "classes": table.classes, "broken": table.broken}
        write_whole(note, lambda part: part.write_text(json.dumps(saved), encoding="utf-8"))  # last: it is whole then
        return Table.open(folder, table.places, table.classes, table.broken)
