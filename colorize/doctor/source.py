"""The photographs that a word means: `demo`, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from colorize.data.photographs import Photo
from colorize.data.sources import DEMO, class_folders, find_photographs, label


@dataclass(frozen=True)
class Source:
    title: str
    photographs: Sequence[Photo]
    classes: Sequence[str]
    labels: np.ndarray  # (N,) class; -1: none

    def __len__(self) -> int:
        return len(self.photographs)


def open_source(word: str) -> Source:
    """Raises `UserError` for a folder that is missing or holds no photographs."""
    found = find_photographs(DEMO if word == "demo" else word)
    classes = class_folders(found)
    labels = np.array([label(photo, classes).label for photo in found], dtype=np.int32)
    return Source("the demo photographs" if word == "demo" else word, found, classes, labels)


def read(photo: Photo) -> bytes:
    return photo.path.read_bytes()
