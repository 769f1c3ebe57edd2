"""The photographs that are inspected: those to train on, and those to validate on, if they are known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from colorize.data.collection import Collection
from colorize.data.recognise import recognise
from colorize.errors import UserError


@dataclass(frozen=True)
class Source:
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


def open_sources(word: str, val_word: str | None) -> tuple[Source, Source | None]:
    """What `word` means; to validate on, what `val_word` means or `word` says itself.

    Raises `UserError` where both are the same photographs, which would all be leaks.
    """
    found = recognise(word)
    train = Source(found.title, found.train, found.classes, found.train.table.said())
    if val_word is None:
        held = found.val
        title = f"{found.title}, validation"
        return train, None if held is None else Source(title, held, found.classes, held.table.said())
    other = recognise(val_word)
    val = Source(other.title, other.train, other.classes, other.train.table.said())
    if len(train) == len(val) and located(train) == located(val):
        raise UserError(f"{found.title!r} and --val are the same photographs: name some that training never sees")
    return train, val


def located(source: Source) -> tuple[str, int]:
    """Which file a source begins with, and where in it."""
    first = source.photographs[0]
    return os.path.realpath(first.file), first.start
