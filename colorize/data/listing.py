"""Lists of the photographs in folders and tar files; long ones are cached, and made again when something changed."""

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from colorize.data.collection import NONE, Table
from colorize.data.filesystem import AGAIN, HIDDEN, IRREGULAR, ListingReport, Walk, is_hidden
from colorize.imaging.decode import FORMATS
from colorize.utils.download import cache_path, is_remote, local_copy, without_secrets, without_signature
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import file_lock, short_digest, write_text

# Of files that are taken for photographs; the first are preferred where two stand for one
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jpe", ".jfif", ".mpo", ".gif", ".avif", ".jp2",
    ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", *((".heic", ".heif") if "HEIF" in FORMATS else ()),
)  # fmt: skip
MIN_CACHED = 20_000  # photographs: listing fewer takes no time
RULES = 2  # version of the rules of what is listed: a list that was cached under others is made again


class Member(NamedTuple):
    """A file in a tar file; of a photograph with its class."""

    name: str
    start: int
    size: int
    label: int = NONE


def list_folder(root: str | os.PathLike) -> Table:
    """Every file below `root` with a photograph's suffix, in the order of its relative name; see `Walk`.

    Raises `UserError` for a folder that is missing, or holds none.
    """
    folder = at_home(root)
    if not folder.is_dir():
        found = f"{str(folder)!r} is a file" if folder.exists() else f"there is no folder {str(folder)!r}"
        raise UserError(f"{found}: give the folder that holds the photographs")

    def build() -> tuple[Table, Any]:
        walk = Walk(str(folder), is_photograph)
        table = Table.in_folders(walk.names, [str(folder)])
        table.links, table.unreadable_files = walk.links, walk.report.unreadable_files
        table.notes = walk.report.notes(str(folder))
        return table, walk.folders

    def unchanged(folders: dict[str, int]) -> bool:
        return all((path := folder / at).is_dir() and path.stat().st_mtime_ns == then for at, then in folders.items())

    table = cached_listing(f"folder {folder.resolve()}", [str(folder)], build, unchanged)
    if not len(table):
        first = "".join(f"; {path}: {why}" for path, why in list(table.unreadable_files.items())[:1])
        raise UserError(f"no photographs in {str(folder)!r}: looked for {', '.join(SUFFIXES)} there and below{first}")
    return table


def is_photograph(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def list_tars(
    files: Sequence[str], read: Callable[[str, ListingReport], list[Member]], kind: str, *, folders: bool = False
) -> Table:
    """The photographs of tar files: of each those that `read` finds.

    `folders`: the folders in them are the classes.
    """

    def build() -> tuple[Table, Any]:
        found: list[Member] = []
        ends: list[int] = []  # of each file in `found`
        report = ListingReport()
        seen: set[str] = set()
        for file in files:
            if not local_copy(file).is_file():
                raise UserError(f"{without_secrets(file)!r} is no regular file: name tar files")
            if (identity := file_identity(file)) in seen:
                report.skip(AGAIN, without_secrets(file))
            else:
                found += read(file, report)
            seen.add(identity)
            ends.append(len(found))
        pieces = np.array([(one.start, one.size) for one in found], dtype=np.int64).reshape(-1, 2)
        pieces = np.column_stack([np.repeat(np.arange(len(files)), np.diff(ends, prepend=0)), pieces])
        names = [one.name for one in found]
        labels = None if folders else [one.label for one in found]
        table = Table.in_folders(names, files, pieces) if folders else Table.of(names, files, labels, pieces)
        table.unreadable_files, table.notes = report.unreadable_files, report.notes("the tar files")
        return table, [file_signature(file) for file in files]

    key = f"{kind} {' '.join(map(without_signature, files))}"
    return cached_listing(key, files, build, lambda saved: saved == [file_signature(file) for file in files])


def file_identity(file: str) -> str:
    """Equal for two names of the same tar file."""
    return without_signature(file) if is_remote(file) else os.path.realpath(file)


def file_signature(file: str) -> list[Any]:
    """Changes when the file does. A file at an address is taken to be unchanged."""
    return (
        [without_signature(file)] if is_remote(file) else [file, (stat := Path(file).stat()).st_size, stat.st_mtime_ns]
    )


def members(file: str, report: ListingReport) -> Iterator[Member]:
    """The files in a tar file, those of tar files inside it too. Why it breaks off somewhere goes into the `report`."""
    path = local_copy(file)
    with path.open("rb") as opened:
        head = opened.read(6)
        if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
            raise UserError(
                f"{without_secrets(file)} is compressed, so nothing in it can be read on its own: "
                "unpack it to a plain .tar"
            )
        opened.seek(0)
        yield from _walk(opened, without_secrets(file), path.stat().st_size, "", report)


def _walk(opened: IO[bytes], file: str, end: int, prefix: str, report: ListingReport) -> Iterator[Member]:
    place = opened.tell()
    try:
        tar = tarfile.TarFile(fileobj=opened, mode="r")
        while (info := tar.next()) is not None:
            place = info.offset_data
            name = prefix + info.name.removeprefix("./")
            if info.isfile() and not 0 <= info.size <= end - place:
                raise tarfile.ReadError("the file ends inside it")
            if any(is_hidden(part) for part in name.split("/")):
                report.skip(HIDDEN, name)
            elif not info.isfile() or info.issparse():
                if is_photograph(name.rsplit("/", 1)[-1]):
                    report.skip(IRREGULAR, name)
            elif info.name.endswith(".tar"):
                opened.seek(place)
                yield from _walk(opened, file, place + info.size, f"{prefix}{Path(info.name).stem}/", report)
            else:
                yield Member(name, place, info.size)
            tar.members = []  # type: ignore[attr-defined]  # tarfile keeps them all
        opened.seek(tar.offset)
        if opened.read(tarfile.BLOCKSIZE).strip(b"\0"):  # tarfile takes whatever is no header for the end
            raise tarfile.ReadError("no header follows")
    except (tarfile.TarError, ValueError, OverflowError) as error:  # a header's numbers and texts may be anything
        report.unreadable_files[file] = f"the tar file breaks off behind byte {place}: {error}"


def cached_listing(
    key: str, places: Sequence[str], build: Callable[[], tuple[Table, Any]], unchanged: Callable[[Any], bool]
) -> Table:
    """The cached table, if its stamp says that nothing has changed, else `build`'s, which is cached if it is long.

    Of several processes one lists the files, and the others wait for its table. A cache that cannot be read or
    written, such as another user's, is not used.
    """
    folder = cache_path("lists", short_digest(f"{RULES} {key}"))
    note = folder / "stamp.json"
    with file_lock(folder.parent / "lock"):
        with suppress(OSError, ValueError, KeyError, TypeError):  # it is not there, or not whole
            saved = json.loads(note.read_text(encoding="utf-8"))
            if unchanged(saved["stamp"]):
                return Table.open(folder, places, saved["told"])
        table, stamp = build()
        if len(table) < MIN_CACHED or table.unreadable_files:  # what could not be read may be there the next time
            return table
        with suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)
            table.save(folder)
            write_text(note, json.dumps({"stamp": stamp, "told": table.metadata()}))  # last: it is whole then
            return Table.open(folder, places, table.metadata())
        return table
