"""Data sources: each finds its photographs, splits them and hands them to `Photographs`."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from colorize.data.photographs import Photo, Photographs
from colorize.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
DEMO = Path(__file__).parent / "photos"
DEMO_VALIDATION = 24


class Demo(Photographs):
    """The 134 openly licensed photographs that come with the package (`photos/CREDITS.tsv`): 110 train, 24 validate.

    The 24 are those whose names have the smallest SHA-256, so nobody chose them and they are the same everywhere.
    """

    def __init__(self, **geometry):
        ranked = sorted(DEMO.glob("*.jpg"), key=lambda path: digest(path.name))
        photos = [Photo(path, path.stem) for path in ranked]
        held_back = f"the {DEMO_VALIDATION} whose names have the smallest hashes"
        super().__init__(photos[DEMO_VALIDATION:], photos[:DEMO_VALIDATION], held_back=held_back, **geometry)


class Folder(Photographs):
    """A folder of photographs, searched through and through.

    Folders directly below `root` are classes when there are at least two (`labels: false` switches that off); a
    photograph that lies in `root` itself has none.
    Validation is either a folder of its own, `val_root`, or the fraction `val_fraction` of `root` whose relative
    names have the smallest hashes.

    Raises `UserError` when a folder is missing or holds no photographs, or when a split would be empty.
    """

    def __init__(
        self, root: str, *, val_root: str | None = None, val_fraction: float = 0.1, labels: bool = True, **geometry
    ):
        found = find_photographs(root)
        classes = class_folders(found) if labels else []
        if val_root is not None:
            train, val, held_back = found, find_photographs(val_root), f"all of {val_root}"
        else:
            train, val = split(found, val_fraction, root)
            held_back = f"{val_fraction:.0%} of {root}, those whose names have the smallest hashes"
        super().__init__(
            [label(photo, classes) for photo in train],
            [label(photo, classes) for photo in val],
            classes=classes,
            held_back=held_back,
            **geometry,
        )


def find_photographs(root: str | os.PathLike) -> list[Photo]:
    """Every file below `root` with a photograph's suffix, in the order of its relative name; links are followed."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"there is no folder {str(folder)!r}: give the folder that holds the photographs")
    names = sorted(
        Path(parent, name).relative_to(folder).as_posix()
        for parent, _, files in os.walk(folder, followlinks=True)
        for name in files
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )
    if not names:
        raise UserError(f"no photographs in {str(folder)!r}: looked for {', '.join(SUFFIXES)} there and below")
    return [Photo(folder / name, name) for name in names]


def split(photos: list[Photo], fraction: float, root: str) -> tuple[list[Photo], list[Photo]]:
    """(training, validation): the same photographs on every machine, whatever the folder around them is called."""
    if not 0 < fraction < 1:
        raise UserError(f"data.val_fraction is {fraction}; it must lie between 0 and 1, or name a data.val_root")
    if len(photos) < 2:
        raise UserError(f"{root!r} holds one photograph; it takes two to train and validate, or a data.val_root")
    ranked = sorted(photos, key=lambda photo: digest(photo.name))
    count = min(max(round(len(photos) * fraction), 1), len(photos) - 1)
    return sorted(ranked[count:]), sorted(ranked[:count])


def class_folders(photos: list[Photo]) -> list[str]:
    """The names of the folders directly below the root, if they are two or more."""
    names = sorted({photo.name.split("/")[0] for photo in photos if "/" in photo.name})
    return names if len(names) > 1 else []


def label(photo: Photo, classes: list[str]) -> Photo:
    """The photograph with its class index; -1 outside every known class folder."""
    folder = photo.name.split("/")[0] if "/" in photo.name else None
    return photo._replace(label=classes.index(folder) if folder in classes else -1)


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()
