"""The photographs that a word on the command line means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from colorize.data.collection import Collection
from colorize.data.hub import Hub
from colorize.data.imagenet import DEVKITS, KAGGLE, SOLUTION, TRAIN_TAR, VAL_TAR, ImageNet
from colorize.data.listing import list_folder
from colorize.data.photographs import Photographs
from colorize.data.shards import open_shards, shard_files
from colorize.data.sources import DEMO
from colorize.data.storage import remote, shown
from colorize.errors import UserError
from colorize.home import at_home

HUB = "hf://"
WORDS = "demo, a folder, tar files such as 'train-*.tar', or hf://NAME"


class Source(NamedTuple):
    title: str
    train: Collection
    val: Collection | None  # None where the source does not say which photographs validate
    classes: Sequence[str]

    def notes(self) -> list[str]:
        """What is not among the photographs, in sentences."""
        held = [photos.table for photos in (self.train, self.val) if photos is not None]
        return list(dict.fromkeys(note for table in held for note in table.said()))


def recognise(word: str) -> Source:
    """`demo`; a folder, in ImageNet's layout or of tar files or any other; tar files by a pattern or an address; or
    `hf://NAME` on the Hugging Face hub. Raises `UserError` for what is not there or empty."""
    if word == "demo":
        demo = list_folder(DEMO).relabelled([])
        demo.notes = []  # the list of credits beside them
        return Source("the demo photographs", Collection(demo), None, [])
    if word.startswith(HUB):
        return divided(word, Hub(word.removeprefix(HUB)))
    folder = at_home(word)
    if remote(word) or (not folder.is_dir() and ".tar" in word):
        return Source(shown(word), *open_shards(word))
    if not folder.is_dir():
        raise UserError(f"there is no folder {word!r}: give {WORDS}")
    if any((folder / name).exists() for name in (TRAIN_TAR, VAL_TAR, KAGGLE)) or holds_sets(folder):
        return divided(word, ImageNet(word, labels=tells_classes(folder)))
    if shard_files(folder, "train"):
        return Source(word, *open_shards(word))
    table = list_folder(word)
    classes = table.classes if len(table.classes) > 1 else []
    return Source(word, Collection(table.relabelled(classes)), None, classes)


def holds_sets(folder: Path) -> bool:
    """Whether there are folders train/ and val/, and class folders in the former."""
    return (folder / "val").is_dir() and (folder / "train").is_dir() and holds_folders(folder / "train")


def tells_classes(folder: Path) -> bool:
    """Whether ImageNet's validation photographs have classes: by their folders, or a list of them."""
    inner = folder / KAGGLE if (folder / KAGGLE).is_dir() else folder
    if (inner / "val").is_dir() and holds_folders(inner / "val"):
        return True
    return any((place / name).exists() for place in (folder, inner) for name in (SOLUTION, *DEVKITS))


def holds_folders(folder: Path) -> bool:
    return sum(entry.is_dir() for entry in folder.iterdir()) > 1


def divided(word: str, data: Photographs) -> Source:
    return Source(word, data.train, data.val, data.classes or data.train.table.classes)
