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
