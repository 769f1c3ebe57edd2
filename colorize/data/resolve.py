"""The data source that an argument of the command line means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from colorize.data.collection import Collection
from colorize.data.datamodule import DataModule
from colorize.data.huggingface import Hub
from colorize.data.imagenet import DEVKITS, KAGGLE, SOLUTION, TRAIN_TAR, VAL_TAR, ImageNet
from colorize.data.listing import list_folder
from colorize.data.shards import open_shards, shard_files
from colorize.data.sources import DEMO
from colorize.utils.download import is_remote, without_secrets
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

HUB = "hf://"
WORDS = "demo, a folder, tar files such as 'train-*.tar', or hf://NAME"


class ResolvedSource(NamedTuple):
    title: str
    train: Collection
    val: Collection | None  # None where the source does not say which photographs validate
    classes: Sequence[str]

    def notes(self) -> list[str]:
        """What is not among the photographs, in sentences."""
        held = [photos.table for photos in (self.train, self.val) if photos is not None]
        return list(dict.fromkeys(note for table in held for note in table.remarks()))


def open_source(word: str) -> ResolvedSource:
    """`demo`; a folder, in ImageNet's layout or of tar files or any other; tar files by a pattern or an address; or
    `hf://NAME` on the Hugging Face hub. Raises `UserError` for what is not there or empty."""
    if word == "demo":
        demo = list_folder(DEMO).relabelled([])
        demo.notes = []  # the list of credits beside them
        return ResolvedSource("the demo photographs", Collection(demo), None, [])
    if word.startswith(HUB):
        return from_data_module(word, Hub(word.removeprefix(HUB)))
    folder = at_home(word)
    if is_remote(word) or (not folder.is_dir() and ".tar" in word):
        return ResolvedSource(without_secrets(word), *open_shards(word))
    if not folder.is_dir():
        found = f"{word!r} is a file" if folder.exists() else f"there is no folder {word!r}"
        raise UserError(f"{found}: give {WORDS}")
    if any((folder / name).exists() for name in (TRAIN_TAR, VAL_TAR, KAGGLE)) or has_both_sets(folder):
        return from_data_module(word, ImageNet(word, labels=has_validation_classes(folder)))
    if shard_files(folder, "train"):
        return ResolvedSource(word, *open_shards(word))
    table = list_folder(word)
    classes = table.classes if len(table.classes) > 1 else []
    return ResolvedSource(word, Collection(table.relabelled(classes)), None, classes)


def has_both_sets(folder: Path) -> bool:
    """Whether there are folders train/ and val/, and class folders in the former."""
    return (folder / "val").is_dir() and (folder / "train").is_dir() and has_subfolders(folder / "train")


def has_validation_classes(folder: Path) -> bool:
    """Whether ImageNet's validation photographs have classes: by their folders, or a list of them."""
    inner = folder / KAGGLE if (folder / KAGGLE).is_dir() else folder
    if (inner / "val").is_dir() and has_subfolders(inner / "val"):
        return True
    return any((place / name).exists() for place in (folder, inner) for name in (SOLUTION, *DEVKITS))


def has_subfolders(folder: Path) -> bool:
    return sum(entry.is_dir() for entry in folder.iterdir()) > 1


def from_data_module(word: str, data: DataModule) -> ResolvedSource:
    return ResolvedSource(word, data.train, data.val, data.classes or data.train.table.classes)


@dataclass(frozen=True)
class InspectedSource:
    title: str
    photographs: Collection
    classes: Sequence[str]
    notes: Sequence[str] = ()  # what is not among the photographs, in sentences

    def __len__(self) -> int:
        return len(self.photographs)

    @property
    def labels(self) -> np.ndarray:
        """(N,) class; -1: none"""
        return self.photographs.labels


def open_sources(word: str, val_word: str | None) -> tuple[InspectedSource, InspectedSource | None]:
    """What `word` means; to validate on, what `val_word` means or `word` says itself.

    Raises `UserError` where both are the same photographs, which would all be leaks.
    """
    found = open_source(word)
    train = InspectedSource(found.title, found.train, found.classes, found.train.table.remarks())
    if val_word is None:
        held = found.val
        title = f"{found.title}, validation"
        return train, None if held is None else InspectedSource(title, held, found.classes, held.table.remarks())
    other = open_source(val_word)
    val = InspectedSource(other.title, other.train, other.classes, other.train.table.remarks())
    if len(train) == len(val) and source_start(train) == source_start(val):
        raise UserError(f"{found.title!r} and --val are the same photographs: name some that training never sees")
    return train, val


def source_start(source: InspectedSource) -> tuple[str, int]:
    """Which file a source begins with, and where in it."""
    first = source.photographs[0]
    return os.path.realpath(first.file), first.start
