"""ImageNet, in the layouts in which it is handed out, and the data source that an argument of a command line means."""

import csv
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from colorize.data.collection import NONE, Collection, Table
from colorize.data.datamodule import DataModule
from colorize.data.filesystem import ListingReport
from colorize.data.huggingface import Hub
from colorize.data.listing import Member, is_photograph, list_folder, list_tars, members
from colorize.data.shards import open_shards, shard_files
from colorize.data.sources import DEMO
from colorize.utils.download import is_remote, without_secrets
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.validation import Name

TRAIN_TAR, VAL_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKITS = ("ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12.tar.gz")
KAGGLE, SOLUTION = "ILSVRC/Data/CLS-LOC", "LOC_val_solution.csv"


class ImageNet(DataModule):
    """ImageNet in `root`, in any of the ways in which it is handed out; classes are WordNet ids, in their order.

    Training: train/WNID/*.JPEG, or ILSVRC2012_img_train.tar, which is read as it is.
    Validation: val/WNID/*.JPEG; or val/*.JPEG or ILSVRC2012_img_val.tar, whose classes the development kit
    (ILSVRC2012_devkit_t12, a folder or .tar.gz) or Kaggle's LOC_val_solution.csv tells.
    Kaggle's folder ILSVRC/Data/CLS-LOC is found below `root`.

    Raises `UserError` where a part is missing, or validation has classes that training does not.
    """

    def __init__(self, root: Name, *, labels: bool = True, **pixels):
        folder = at_home(root)
        inner = folder / KAGGLE if (folder / KAGGLE).is_dir() else folder
        train = list_training(inner)
        val = list_validation(inner, folder, train.classes, labels)
        super().__init__(
            Collection(train),
            val,
            classes=train.classes if labels else [],
            val_description=f"the validation set of {root!r}",
            **pixels,
        )


def list_part(folder: Path, part: str, archive: str, name: str) -> Table:
    """The photographs of a folder or, without it, of a tar file."""
    if (folder / part).is_dir():
        return list_folder(folder / part)
    if (folder / archive).is_file():
        return list_tars([str(folder / archive)], list_archive, "imagenet", folders=True)
    raise UserError(f"ImageNet's {name} photographs are not in {str(folder)!r}: looked for {part}/ and {archive}")


def list_training(folder: Path) -> Table:
    table = list_part(folder, "train", TRAIN_TAR, "training")
    if len(table.classes) < 2 or (table.columns["labels"] == NONE).any():
        raise UserError(
            f"ImageNet's training photographs in {str(folder)!r} do not lie in class folders (train/n01440764/…)"
        )
    return table


def list_validation(inner: Path, root: Path, classes: list[str], labels: bool) -> Collection:
    table = list_part(inner, "val", VAL_TAR, "validation")
    if not labels:
        return Collection(table)
    if not table.classes:
        truth = read_solutions(root, inner)
        wnids = [truth.get(Path(name).stem, "") for name in Collection(table).names()]
        table.classes = sorted(set(wnids))
        table.columns["labels"] = np.array([table.classes.index(wnid) for wnid in wnids], dtype=np.int32)
    table = table.relabelled(classes)
    if (table.columns["labels"] == NONE).any():
        name = table.name(int(np.argmax(table.columns["labels"] == NONE)))
        raise UserError(
            f"nothing tells the class of ImageNet's validation photograph {name!r}, or it is none of training's "
            f"{len(classes)}: see that both sets are complete"
        )
    return Collection(table)


def read_solutions(*folders: Path) -> dict[str, str]:
    """Name of a validation photograph, without its suffix -> WordNet id."""
    for folder in folders:
        if (folder / SOLUTION).is_file():
            with (folder / SOLUTION).open(encoding="utf-8", newline="") as file:
                return {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}
        for name in DEVKITS:
            if (folder / name).exists():
                return devkit_classes(folder / name)
    raise UserError(
        f"ImageNet's validation photographs in {str(folders[0])!r} lie in one folder, and nothing tells their classes: "
        f"put {DEVKITS[1]} or {SOLUTION} beside them, sort them into class folders, or use data.labels=false"
    )


def devkit_classes(path: Path) -> dict[str, str]:
    """The development kit numbers the classes in an order of its own, which its meta.mat gives."""
    from scipy.io import loadmat

    names = ("data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt")
    if path.is_dir():
        meta, truth = ((path / name).read_bytes() for name in names)
    else:
        with tarfile.open(path) as tar:
            meta, truth = (tar.extractfile(f"{DEVKITS[0]}/{name}").read() for name in names)  # type: ignore[union-attr]
    synsets = loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
    wnid = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets if int(row["num_children"]) == 0}
    places = enumerate(truth.decode().split(), start=1)
    return {f"ILSVRC2012_val_{place:08d}": wnid[int(number)] for place, number in places}


def list_archive(file: str, report: ListingReport) -> list[Member]:
    return [member for member in members(file, report) if is_photograph(member.name)]


HUB = "hf://"


class ResolvedSource(NamedTuple):
    title: str
    train: Collection
    val: Collection | None  # None where the source does not say which photographs validate
    classes: Sequence[str]
    val_title: str = ""  # of validation photographs from another source

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
        raise UserError(f"{found}: give demo, a folder, tar files such as 'train-*.tar', or hf://NAME")
    has_both_sets = (folder / "val").is_dir() and (folder / "train").is_dir() and has_subfolders(folder / "train")
    if any((folder / name).exists() for name in (TRAIN_TAR, VAL_TAR, KAGGLE)) or has_both_sets:
        return from_data_module(word, ImageNet(word, labels=has_validation_classes(folder)))
    if shard_files(folder, "train"):
        return ResolvedSource(word, *open_shards(word))
    table = list_folder(word)
    classes = table.classes if len(table.classes) > 1 else []
    return ResolvedSource(word, Collection(table.relabelled(classes)), None, classes)


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


def open_both_sets(word: str, val_word: str | None) -> ResolvedSource:
    """What `word` means; to validate on, what `val_word` means or `word` says itself.

    Raises `UserError` where both are the same photographs, which would all be leaks.
    """
    source = open_source(word)
    if val_word is None:
        return source
    val = open_source(val_word)
    first, other = source.train[0], val.train[0]
    same_start = (os.path.realpath(first.file), first.start) == (os.path.realpath(other.file), other.start)
    if len(source.train) == len(val.train) and same_start:
        raise UserError(f"{source.title!r} and --val are the same photographs: name some that training never sees")
    return source._replace(val=val.train, val_title=val.title)
