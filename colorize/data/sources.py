"""The photographs that come with the package, and folders of one's own."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np

from colorize.data.collection import Collection, normalized
from colorize.data.listing import list_folder
from colorize.data.photographs import Photographs
from colorize.errors import UserError
from colorize.ranges import Between, Name

DEMO = Path(__file__).parent / "photos"
DEMO_VALIDATION = 24


class Demo(Photographs):
    """The 134 openly licensed photographs that come with the package (`photos/CREDITS.tsv`): 110 train, 24 validate.

    The 24 are those whose names have the smallest SHA-256, so nobody chose them and they are the same everywhere.
    """

    def __init__(self, **pixels):
        table = list_folder(DEMO)
        table.notes = []  # of the list of credits beside them
        every = Collection(table)
        ranked = by_hash(every)
        super().__init__(
            every.select(ranked[DEMO_VALIDATION:]),
            every.select(ranked[:DEMO_VALIDATION]),
            held_back=f"the {DEMO_VALIDATION} whose names have the smallest hashes",
            **pixels,
        )


class Folder(Photographs):
    """A folder of photographs, searched through and through.

    Folders directly below `root` are classes when there are at least two (`labels: false` switches that off); a
    photograph that lies in `root` itself has none.
    Validation is either a folder of its own, `val_root`, or the fraction `val_fraction` of `root` whose relative
    names have the smallest hashes.

    Raises `UserError` when a folder is missing or holds no photographs, or when a split would be empty.
    """

    def __init__(
        self, root: Name, *, val_root: Name | None = None, val_fraction: Between = 0.1, labels: bool = True, **pixels
    ):
        table = list_folder(root)
        classes = table.classes if labels and len(table.classes) > 1 else []
        train = Collection(table.relabelled(classes))
        if val_root is not None:
            val, held_back = Collection(list_folder(val_root).relabelled(classes)), f"all of {val_root}"
        else:
            train, val = split(train, val_fraction, root)
            held_back = f"{val_fraction:.0%} of {root}, those whose names have the smallest hashes"
        super().__init__(train, val, classes=classes, held_back=held_back, **pixels)


def split(photos: Collection, fraction: float, root: str) -> tuple[Collection, Collection]:
    """(training, validation): the same photographs on every machine, whatever the folder around them is called."""
    if not 0 < fraction < 1:
        raise UserError(f"data.val_fraction is {fraction}; it must lie between 0 and 1, or name a data.val_root")
    if len(photos) < 2:
        raise UserError(f"{root!r} holds one photograph; it takes two to train and validate, or a data.val_root")
    ranked = by_hash(photos)
    count = min(max(round(len(photos) * fraction), 1), len(photos) - 1)
    return photos.select(np.sort(ranked[count:])), photos.select(np.sort(ranked[:count]))


def by_hash(photos: Collection) -> np.ndarray:
    """(N,) their places, in the order of the SHA-256 of their names."""
    names = (normalized(name).encode(errors="surrogateescape") for name in photos.names())
    beginnings = b"".join(sha256(name).digest()[:8] for name in names)
    return np.argsort(np.frombuffer(beginnings, dtype=">u8"), kind="stable").astype(np.int32)
