"""ImageNet (ILSVRC 2012) as it is downloaded: class folders, the archive's tar files, or Kaggle's layout."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np

from colorize.data.collection import NONE, Collection, Table
from colorize.data.datamodule import DataModule
from colorize.data.listing import LabelledMember, TarReport, is_photograph, list_folder, list_tars, members
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
            held_back=f"the validation set of {root}",
            **pixels,
        )


def list_training(folder: Path) -> Table:
    if (folder / "train").is_dir():
        table = list_folder(folder / "train")
    elif (folder / TRAIN_TAR).is_file():
        table = list_tars([str(folder / TRAIN_TAR)], list_archive, "imagenet", folders=True)
    else:
        raise UserError(
            f"ImageNet's training photographs are not in {str(folder)!r}: looked for train/ and {TRAIN_TAR}"
        )
    if len(table.classes) < 2 or (table.columns["labels"] == NONE).any():
        raise UserError(
            f"ImageNet's training photographs in {str(folder)!r} do not lie in class folders (train/n01440764/…)"
        )
    return table


def list_validation(inner: Path, root: Path, classes: list[str], labels: bool) -> Collection:
    if (inner / "val").is_dir():
        table = list_folder(inner / "val")
    elif (inner / VAL_TAR).is_file():
        table = list_tars([str(inner / VAL_TAR)], list_archive, "imagenet", folders=True)
    else:
        raise UserError(f"ImageNet's validation photographs are not in {str(inner)!r}: looked for val/ and {VAL_TAR}")
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

    meta, truth = read_devkit(path)
    synsets = loadmat(meta, squeeze_me=True)["synsets"]
    wnid = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets if int(row["num_children"]) == 0}
    numbers = [int(line) for line in truth.split()]
    return {f"ILSVRC2012_val_{place:08d}": wnid[number] for place, number in enumerate(numbers, start=1)}


def read_devkit(path: Path) -> tuple[io.BytesIO, str]:
    """The bytes of meta.mat, and the text of the validation's ground truth."""
    names = ("data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt")
    if path.is_dir():
        found = [(path / name).read_bytes() for name in names]
    else:
        with tarfile.open(path) as tar:
            found = [tar.extractfile(f"{DEVKITS[0]}/{name}").read() for name in names]  # type: ignore[union-attr]
    return io.BytesIO(found[0]), found[1].decode()


def list_archive(file: str, report: TarReport) -> list[LabelledMember]:
    return [LabelledMember(m.name, NONE, m.start, m.size) for m in members(file, report) if is_photograph(m.name)]
