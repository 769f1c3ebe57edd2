"""Photographs in tar files, as webdataset lays them out: KEY.jpg, with KEY.cls or KEY.json beside it for the class."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from colorize.data.collection import LARGEST, NONE, Collection
from colorize.data.datamodule import DataModule
from colorize.data.filesystem import ListingReport, expand_pattern
from colorize.data.listing import SUFFIXES, Member, file_identity, list_tars, members
from colorize.data.loader import ShardOrder
from colorize.data.sources import split_by_hash
from colorize.utils.download import is_remote, local_copy, without_secrets
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.validation import Between, Count, Few, Name

MAX_LABEL_BYTES = 2**20  #           bytes of a .cls or .json that are read
MOST_CLASSES = 100_000  #  a larger number is no class
# Endings of names, before that of the file, of annotation pictures (masks, depth) that are not photographs
ANNOTATION_SUFFIXES = {
    "seg", "segm", "segmentation", "semantic", "instance", "mask", "label", "labels", "annotation", "depth",
    "disparity", "normal", "normals", "edge", "edges", "sketch", "alpha", "matte", "trimap", "flow", "heatmap",
    "saliency", "thumb", "thumbnail",
}  # fmt: skip


class Shards(DataModule):
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
        train, val, names = open_shards(root, val_root, classes, labels=labels)
        self.every = train
        if val is not None:
            val_description = f"all of {without_secrets(val_root or root)!r}"
        else:
            train, val, val_description = split_by_hash(train, val_fraction, without_secrets(root))
        order = partial(ShardOrder, streams=streams, buffer=buffer)
        super().__init__(train, val, classes=names, val_description=val_description, order=order, **pixels)


def open_shards(
    root: str, val_root: str | None = None, classes: str | None = None, *, labels: bool = True
) -> tuple[Collection, Collection | None, list[str]]:
    """The photographs to train on, those to validate on if tar files of their own hold them, and the classes' names.

    Raises `UserError` where there are no photographs, or all tar files to train on validate too.
    """
    train_files = tar_files(root, "train", "root")
    val_files = tar_files(val_root, "val", "val_root") if val_root else shard_files(at_home(root), "val")
    held = {file_identity(file) for file in val_files}
    apart = [file for file in train_files if file_identity(file) not in held]
    if not apart:
        raise UserError(f"every tar file of {without_secrets(root)!r} validates too: name others, or no data.val_root")
    train = shard_collection(apart, root)
    val = shard_collection(val_files, val_root or root) if val_files else None
    if val is not None and len(apart) < len(train_files):
        taken = held & {file_identity(file) for file in train_files}
        numbers = [number for number, file in enumerate(val_files) if file_identity(file) in taken]
        both = int(np.isin(val.files, numbers).sum())  # type: ignore[arg-type]
        train.table.notes.append(f"{both} photographs of tar files that validate are left out of training")
    return train, val, read_classes(classes, apart[0], train, val) if labels else []


def shard_collection(files: list[str], root: str) -> Collection:
    photos = Collection(list_tars(files, list_shard, "shards"))
    if not len(photos):
        why = next(iter(photos.table.unreadable_files.values()), "looked for KEY.jpg and such")
        raise UserError(
            f"there are no photographs in {without_secrets(root)!r}, e.g. {without_secrets(files[0])!r}: {why}"
        )
    return photos


def tar_files(word: str, part: str, key: str) -> list[str]:
    """The tar files of a pattern, or those of a folder that are called so. Raises `UserError` where there are none."""
    folder = at_home(word)
    if is_remote(word) or not folder.is_dir():
        return expand_pattern(word)
    if not (found := shard_files(folder, part)):
        raise UserError(f"there is no {part}-*.tar in {word!r}: give the tar files, such as data.{key}='{word}/*.tar'")
    return found


def shard_files(folder: Path, part: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(f"{part}-*.tar"))


def list_shard(file: str, report: ListingReport) -> list[Member]:
    """The photographs of one tar file, named SHARD/KEY.jpg.

    What stands behind the first full stop of a name is a field of the key before it: KEY.seg.png is no photograph
    beside KEY.jpg. Where no photograph has that key, the full stop is one of its name, as in "St. Peter.jpg".
    """
    shard = Path(without_secrets(file)).stem
    pictures: dict[str, Member] = {}  # KEY, or a name without its ending
    labels: dict[str, int] = {}
    with local_copy(file).open("rb") as opened:
        for member in members(file, report):
            stem, suffix = split_ending(member.name)
            if suffix in (".cls", ".json"):
                opened.seek(member.start)
                labels[stem] = read_label(opened.read(min(member.size, MAX_LABEL_BYTES)), suffix, member.name, report)
            elif suffix not in SUFFIXES:
                report.skip(f"{suffix} is no ending of a photograph", member.name)
            elif not 0 < member.size <= LARGEST:
                report.skip(f"no bytes, or more than {LARGEST / 1e9:.1f} GB", member.name)
            else:
                keep_best(pictures, stem, member, report)
    found = []
    for stem, member in pictures.items():
        key = key_of(stem)
        if stem != key and (key in pictures or stem.rpartition(".")[2].lower() in ANNOTATION_SUFFIXES):
            report.skip(f"beside a photograph, .{member.name[len(key) + 1 :]}", member.name)
        else:
            label = labels.get(stem, labels.get(key, NONE))
            found.append(member._replace(name=f"{shard}/{member.name}", label=label))
    return found


def split_ending(name: str) -> tuple[str, str]:
    """A name without its ending, and the ending in small letters."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.rpartition(".")
    return (f"{folder}{slash}{stem}", f".{ending.lower()}") if dot else (name, "")


def key_of(name: str) -> str:
    """What stands before the first full stop of its last part."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{base.partition('.')[0]}"


def keep_best(pictures: dict[str, Member], stem: str, member: Member, report: ListingReport) -> None:
    """Of two with one key the JPEG is the photograph; of two with one name the later, which has replaced the other."""
    before = pictures.get(stem)
    if before is not None:
        first, then = (SUFFIXES.index(split_ending(one.name)[1]) for one in (before, member))
        report.skip("another photograph has the key", before.name if then <= first else member.name)
        if then > first:
            return
    pictures[stem] = member


def read_label(text: bytes, suffix: str, name: str, report: ListingReport) -> int:
    """The class, from 0 up. JSON without "label", such as a caption's, has none; others go into the `report`."""
    try:
        value: Any = text.decode("utf-8-sig").strip()
        if suffix == ".json":
            held = json.loads(value)
            value = held.get("label") if isinstance(held, dict) else None
            if value is None or isinstance(value, list | dict):
                return NONE
        number = int(value)
        if 0 <= number < MOST_CLASSES and not isinstance(value, bool):
            return number
    except (ValueError, OverflowError, RecursionError):  # no number, no text, no JSON
        pass
    report.skip(f"classes that are no number from 0 to {MOST_CLASSES - 1}", name)
    return NONE


def read_classes(given: str | None, beside: str, *collections: Collection | None) -> list[str]:
    """The names of the classes: of the list, or their numbers. None where no photograph has one."""
    most = max(int(photos.labels.max()) for photos in collections if photos is not None)
    if most < 0:
        return []
    path = at_home(given) if given else Path(beside).parent / "classes.txt"
    if not given and (is_remote(beside) or not path.is_file()):
        return [str(number) for number in range(most + 1)]
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r} of classes")
    names = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    if len(names) <= most:
        raise UserError(f"{str(path)!r} has {len(names)} classes, and a photograph is of class {most} (from 0)")
    return names
