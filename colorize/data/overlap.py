"""Photographs that two lists have in common, under whatever names."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from colorize.data.collection import Collection
from colorize.data.listing import located
from colorize.errors import UserError


def apart(train: Collection, val: Collection) -> Collection:
    """`train` without the files that validate too: a folder within the other, or links to it.

    Raises `UserError` where none is left.
    """
    if train.table is val.table or not {"names", "files"} & train.table.columns.keys() & val.table.columns.keys():
        return train
    if train.files is not None and val.files is not None:
        held = {located(val.table.places[number]) for number in np.unique(val.files)}
        both = [number for number in np.unique(train.files) if located(train.table.places[number]) in held]
        keep = ~np.isin(train.files, both)
    elif train.files is None and val.files is None and may_share(train, val):
        paths = set(real_paths(val))
        keep = np.array([path not in paths for path in real_paths(train)], dtype=bool)
    else:
        return train
    if not keep.any():
        raise UserError("every training photograph validates too: name another data.val_root, or leave it out")
    return train if keep.all() else train.select(np.flatnonzero(keep))


def may_share(train: Collection, val: Collection) -> bool:
    """Whether files of both lie in one folder, or are links: without either nothing needs to be compared."""
    links = bool(train.table.links or val.table.links)
    return links or not real_folders(train).isdisjoint(real_folders(val))


def real_folders(photos: Collection) -> set[str]:
    root = photos.table.places[0]
    return {os.path.realpath(f"{root}/{folder}") for folder in {name.rpartition("/")[0] for name in photos.names()}}


def real_paths(photos: Collection) -> Iterator[str]:
    """The path of each photograph without links."""
    root, links = photos.table.places[0], set(photos.table.links)
    folders: dict[str, str] = {}
    for name in photos.names():
        folder, _, base = name.rpartition("/")
        if folder not in folders:
            folders[folder] = os.path.realpath(f"{root}/{folder}")
        yield os.path.realpath(f"{root}/{name}") if name in links else f"{folders[folder]}{os.sep}{base}"
