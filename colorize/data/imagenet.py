"""ImageNet (ILSVRC 2012) as it is downloaded: class folders, the archive's tar files, or Kaggle's layout."""

from __future__ import annotations

import csv
import tarfile
from pathlib import Path

import numpy as np

from colorize.data.collection import NONE, Collection, Table
from colorize.data.listing import Labelled, is_photograph, list_folder, list_tars, members
from colorize.data.photographs import Photographs
from colorize.errors import UserError

TRAIN_TAR, VAL_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
DEVKITS = ("ILSVRC2012_devkit_t12", "ILSVRC2012_devkit_t12.tar.gz")
KAGGLE, SOLUTION = "ILSVRC/Data/CLS-LOC", "LOC_val_solution.csv"


class ImageNet(Photographs):
    """ImageNet in `root`, in any of the ways in which it is handed out; classes are WordNet ids, in their order.

    Training: train/WNID/*.JPEG, or ILSVRC2012_img_train.tar, which is read as it is.
    Validation: val/WNID/*.JPEG; or val/*.JPEG or ILSVRC2012_img_val.tar, whose classes the development kit
    (ILSVRC2012_devkit_t12, a folder or .tar.gz) or Kaggle's LOC_val_solution.csv tells.
    Kaggle's folder ILSVRC/Data/CLS-LOC is found below `root`.

    Raises `UserError` where a part is missing, or validation has classes that training does not.
    """

    def __init__(self, root: str, *, labels: bool = True, **pixels):
        folder = Path(root).expanduser()
        inner = folder / KAGGLE if (folder / KAGGLE).is_dir() else folder
        train, classes = training(inner)
        val = validation(inner, folder, classes, labels)
        super().__init__(
            train, val, classes=classes if labels else [], held_back=f"the validation set of {root}", **pixels
        )


def training(folder: Path) -> tuple[Collection, list[str]]:
    if (folder / "train").is_dir():
        table = list_folder(folder / "train")
    elif (folder / TRAIN_TAR).is_file():
        table = list_tars([str(folder / TRAIN_TAR)], list_archive, "imagenet")
    else:
        raise UserError(f"ImageNet's training photographs are not in {str(folder)!r}: looked for train/ and {TRAIN_TAR}")
    wnids = [name.split("/")[0] if "/" in name else "" for name in Collection(table).names()]
    classes = sorted(set(wnids))
    if "" in classes or len(classes) < 2:
        raise UserError(f"ImageNet's training photographs in {str(folder)!r} do not lie in class folders (train/n01440764/…)")
    number = {wnid: i for i, wnid in enumerate(classes)}
    table.columns["labels"] = np.array([number[wnid] for wnid in wnids], dtype=np.int32)
    return Collection(table), classes
