"""Photographs in tar files, as webdataset lays them out: KEY.jpg, with KEY.cls or KEY.json beside it for the class."""

from __future__ import annotations

import json
from pathlib import Path

from colorize.data.collection import NONE, Collection
from colorize.data.listing import SUFFIXES, Labelled, list_tars, members
from colorize.data.order import ShardOrder
from colorize.data.photographs import Photographs
from colorize.data.sources import split
from colorize.data.storage import expand, local, remote
from colorize.errors import UserError


class Shards(Photographs):
    """Tar files: a path, a pattern such as train-*.tar or train-{000..131}.tar, or an address (http, s3, …).

    root            the tar files to train on; or a folder of train-*.tar and val-*.tar
    val_root        those to validate on; null: `val_fraction` of the photographs, by the hashes of their names
    classes         a text file with a class in each line; null: classes.txt beside the tar files, if it is there
    labels          false: leave the classes alone
    streams, buffer see `ShardOrder`

    Every tar file is listed once, and then read wherever a photograph lies. Those at an address are copied first.
    """

    def __init__(
        self, root: str, *, val_root: str | None = None, val_fraction: float = 0.1, classes: str | None = None,
        labels: bool = True, streams: int = 8, buffer: int = 4096, **pixels,
    ):  # fmt: skip
        train_files, val_files = sets(root, val_root)
        train = Collection(list_tars(train_files, list_shard, "shards"))
        if val_files:
            val, held_back = Collection(list_tars(val_files, list_shard, "shards")), f"all of {val_root or root}"
        else:
            train, val = split(train, val_fraction, root)
            held_back = f"{val_fraction:.0%} of {root}, those whose names have the smallest hashes"
        names = read_classes(classes, train_files[0], train, val) if labels else []
        order = ShardOrder(train.files, streams=streams, buffer=buffer)  # type: ignore[arg-type]
        super().__init__(train, val, classes=names, held_back=held_back, order=order, **pixels)
