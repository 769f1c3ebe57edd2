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
from colorize.ranges import Between, Count, Few, Name


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
        self, root: Name, *, val_root: Name | None = None, val_fraction: Between = 0.1, classes: Name | None = None,
        labels: bool = True, streams: Few = 8, buffer: Count = 4096, **pixels,
    ):  # fmt: skip
        train_files, val_files = sets(root, val_root)
        self.every = train = Collection(list_tars(train_files, list_shard, "shards"))
        if not len(train):
            raise UserError(
                f"there are no photographs in {root!r}, e.g. {train_files[0]!r}: looked for KEY.jpg and such"
            )
        if val_files:
            val, held_back = Collection(list_tars(val_files, list_shard, "shards")), f"all of {val_root or root}"
        else:
            train, val = split(train, val_fraction, root)
            held_back = f"{val_fraction:.0%} of {root}, those whose names have the smallest hashes"
        names = read_classes(classes, train_files[0], train, val) if labels else []
        order = ShardOrder(train.files, streams=streams, buffer=buffer)  # type: ignore[arg-type]
        super().__init__(train, val, classes=names, held_back=held_back, order=order, **pixels)


def sets(root: str, val_root: str | None) -> tuple[list[str], list[str]]:
    """The tar files to train on and those to validate on, of which there may be none."""
    train = named(root, "train", "root")
    if val_root:
        return train, named(val_root, "val", "val_root")
    folder = Path(root).expanduser()
    return train, shard_files(folder, "val") if not remote(root) and folder.is_dir() else []


def named(word: str, part: str, key: str) -> list[str]:
    """The tar files of a pattern, or those of a folder that are called so. Raises `UserError` where there are none."""
    folder = Path(word).expanduser()
    if remote(word) or not folder.is_dir():
        return expand(word)
    if not (found := shard_files(folder, part)):
        raise UserError(f"there is no {part}-*.tar in {word!r}: give the tar files, such as data.{key}='{word}/*.tar'")
    return found


def shard_files(folder: Path, part: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(f"{part}-*.tar"))


def list_shard(file: str, broken: dict[str, str]) -> list[Labelled]:
    """The photographs of one tar file, named SHARD/KEY.jpg."""
    shard = Path(file).stem
    found: dict[str, Labelled] = {}
    labels: dict[str, int] = {}
    with local(file).open("rb") as opened:
        for member in members(file, broken):
            key, _, kind = member.name.rpartition("/")[2].partition(".")
            key = member.name[: -len(kind) - 1]
            if f".{kind.lower()}".endswith(SUFFIXES):
                found[key] = Labelled(f"{shard}/{member.name}", NONE, member.start, member.size)
            elif kind in ("cls", "json"):
                opened.seek(member.start)
                labels[key] = read_label(opened.read(member.size), kind, f"{file} ({member.name})")
    return [photo._replace(label=labels.get(key, NONE)) for key, photo in found.items()]


def read_label(text: bytes, kind: str, where: str) -> int:
    try:
        return int(text) if kind == "cls" else int(json.loads(text).get("label", NONE))
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{where} holds no class: it must be a number from 0 up") from error


def read_classes(given: str | None, beside: str, train: Collection, val: Collection) -> list[str]:
    """The names of the classes: of the list, or their numbers. None where no photograph has one."""
    most = int(max(train.labels.max(), val.labels.max()))
    if most < 0:
        return []
    path = Path(given) if given else Path(beside).parent / "classes.txt"
    if not given and (remote(beside) or not path.is_file()):
        return [str(number) for number in range(most + 1)]
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r} of classes")
    names = path.read_text(encoding="utf-8").splitlines()
    if len(names) <= most:
        raise UserError(f"{str(path)!r} has {len(names)} classes, and a photograph is of class {most} (from 0)")
    return names
