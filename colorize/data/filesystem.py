"""Files of a data set: those below a folder, each once, and those that a pattern names."""

import os
import re
import stat
from collections import Counter
from collections.abc import Callable
from glob import has_magic
from heapq import heappop, heappush
from pathlib import Path
from urllib.parse import urlsplit

from colorize.data.collection import normalized
from colorize.utils.download import filesystem_of, is_remote, without_secrets
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def expand_pattern(pattern: str) -> list[str]:
    """The files that a path, an address, or a pattern such as train-*.tar or train-{000..131}.tar names, in order.

    Raises `UserError` where there are none.
    """
    found = [file for one in _ranges(pattern) for file in (_matching(one) if is_pattern(one) else [one])]
    found = [file if is_remote(file) else str(at_home(file)) for file in found]
    if missing := [file for file in found if not is_remote(file) and not Path(file).is_file()]:
        there = Path(missing[0]).exists()
        raise UserError(f"{missing[0]!r} is no regular file" if there else f"there is no file {missing[0]!r}")
    if not found:
        raise UserError(f"no file matches {without_secrets(pattern)!r}")
    return found


def is_pattern(word: str) -> bool:
    """Whether it stands for several files. The query of a web address begins with "?", and its host may hold "["."""
    if word.startswith(("http://", "https://")):
        return has_magic(urlsplit(word).path)
    return has_magic(word) and (is_remote(word) or not at_home(word).is_file())


def _ranges(pattern: str) -> list[str]:
    """Every pattern that the first {000..131} stands for, and so on."""
    if not (found := RANGE.search(pattern)):
        return [pattern]
    first, last = found.groups()
    numbers = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return [whole for number in numbers for whole in _ranges(pattern.replace(found[0], number, 1))]


def _matching(pattern: str) -> list[str]:
    if not is_remote(pattern):
        path = at_home(pattern)
        fixed = next(i for i, part in enumerate(path.parts) if has_magic(part))
        return sorted(str(file) for file in Path(*path.parts[:fixed]).glob("/".join(path.parts[fixed:])))
    if pattern.startswith("http"):
        raise UserError(
            f"{without_secrets(pattern)}: a web server does not list its files; number them: train-{{000..131}}.tar"
        )
    filesystem, inside = filesystem_of(pattern)
    try:
        return sorted(filesystem.unstrip_protocol(name) for name in filesystem.glob(inside))
    except Exception as error:  # as in `download`
        raise UserError(
            f"cannot list {without_secrets(pattern)} ({first_line(error)}): see that it can be reached"
        ) from error


# Folders in which systems keep thumbnails, deleted files and copies
SYSTEM = {
    "$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx", "network trash folder",
    "temporary items", "@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "~snapshot",
}  # fmt: skip
SILENT = {"thumbs.db", "desktop.ini", "icon\r"}  # files that a system leaves beside photographs
SHOWN = 3  # names that a note holds

HIDDEN = "hidden or of the system"
AGAIN = "links to what is listed already"
IRREGULAR = "no regular files"


def is_hidden(name: str) -> bool:
    """Whether a part of a path is hidden, or a system's own."""
    return (name.startswith(".") and name.strip(".") != "") or name.casefold() in SYSTEM


class ListingReport:
    """What a list of photographs leaves out, and what could not be read.

    unreadable_files  file or folder -> why it, or a part of it, could not be read
    counts, first     what was left out: for each reason how many, and the first names
    """

    def __init__(self) -> None:
        self.unreadable_files: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[str]] = {}

    def skip(self, reason: str, name: str) -> None:
        self.counts[reason] += 1
        self.first[reason] = [*self.first.get(reason, ()), name][:SHOWN]

    def notes(self, where: str) -> list[str]:
        return [
            f"left out of {where}: {reason} ({count}): {', '.join(self.first[reason])}{', …' if count > SHOWN else ''}"
            for reason, count in self.counts.items()
        ]


class Walk:
    """The photographs below the folder `root`, each once.

    names    of the photographs, in order; those of `links` are links to files, of which some lead nowhere
    folders  name -> time of its last change, ns
    report   what was left out, or could not be read
    """

    def __init__(self, root: str, is_photograph: Callable[[str], bool]):
        self.root, self.is_photograph = root, is_photograph
        self.names: list[str] = []
        self.links: list[str] = []
        self.folders: dict[str, int] = {}
        self.report = ListingReport()
        self._seen: set[str] = set()  # real paths of folders
        self._linked_files: list[tuple[str, str]] = []  # names and real paths
        start = os.path.realpath(root)
        # Links behind all real folders, so that a photograph has the name of its own folder
        self._waiting = [(False, "", start)]  # whether it is a link, name, real path
        while self._waiting:
            link, name, real = heappop(self._waiting)
            if real in self._seen or (link and Path(start).is_relative_to(real)):
                self.report.skip(AGAIN, name)
            else:
                self._list(name, real)
        self._follow_files()
        self.names.sort(key=lambda name: (normalized(name), name))

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def _list(self, folder: str, real: str) -> None:
        self._seen.add(real)
        try:
            self.folders[folder] = Path(self.path(folder)).stat().st_mtime_ns
            with os.scandir(self.path(folder)) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    self._enter(entry, f"{folder}/{entry.name}" if folder else entry.name, real)
        except OSError as error:
            self.report.unreadable_files[self.path(folder)] = f"the folder cannot be read: {error.strerror}"

    def _enter(self, entry: os.DirEntry[str], name: str, parent: str) -> None:
        """Notes a file, or a folder that is to be listed; `parent` is the real path of the folder that it lies in."""
        link = entry.is_symlink()
        if is_folder(entry):
            if is_hidden(entry.name):
                self.report.skip(HIDDEN, name)
            else:
                real = os.path.realpath(entry.path) if link else str(Path(parent, entry.name))
                heappush(self._waiting, (link, name, real))
        elif not self.is_photograph(entry.name):
            if not is_hidden(entry.name) and entry.name.casefold() not in SILENT:
                suffix = Path(entry.name).suffix.lower()
                self.report.skip(f"{suffix} is no ending of a photograph" if suffix else "no photographs", name)
        elif link:
            self._linked_files.append((name, os.path.realpath(entry.path)))
        elif entry.is_file(follow_symlinks=False):
            self.names.append(name)
        else:
            self.report.skip(IRREGULAR, name)

    def _follow_files(self) -> None:
        """A link to nowhere stays: it is a photograph that cannot be read."""
        files: set[str] = set()
        for name, real in sorted(self._linked_files):
            path = Path(real)
            kind = file_type(path)
            if real in files or (kind and str(path.parent) in self._seen and self.is_photograph(path.name)):
                self.report.skip(AGAIN, name)
            elif kind not in (0, stat.S_IFREG):
                self.report.skip(IRREGULAR, name)
            else:
                files.add(real)
                self.names.append(name)
                self.links.append(name)


def file_type(path: Path) -> int:
    """What lies there, as `stat.S_IFMT` says it; 0: nothing that can be reached."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return 0


def is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
