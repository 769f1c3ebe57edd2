"""Data sets of the Hugging Face hub, by name or in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from colorize.data.collection import NONE, Collection, Photo, Table
from colorize.data.datamodule import DataModule
from colorize.data.sources import split_by_hash
from colorize.imaging.decode import UNREADABLE
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line
from colorize.utils.validation import Between, Name


class Hub(DataModule):
    """A data set with a column of pictures: `root` is its name on the hub, or a folder with it.

    subset      the name of one of several, such as a language; null: the only one
    train, val  names of its splits; without a split `val`, null: `val_fraction` of train, by the hashes of the places
    image       the column of pictures; null: the first there is
    label       the column of classes; null: the first there is, if any

    Raises `UserError` where the package is not installed, the hub cannot be reached, or a split or column is missing.
    """

    def __init__(
        self, root: Name, *, subset: Name | None = None, train: Name = "train", val: Name | None = "validation",
        val_fraction: Between = 0.1, image: Name | None = None, label: Name | None = None, labels: bool = True,
        **pixels,
    ):  # fmt: skip
        if val is not None and is_single(root):
            raise UserError(
                f"data.root={root!r} is a single set, which would train and validate: use data.val=null, and a part of "
                "it validates alone"
            )
        training = HubTable(root, subset, train, image, label if labels else "")
        if val is not None and splits_overlap(train, val, training.rows.info.splits or {}):
            raise UserError(f"data.train={train!r} and data.val={val!r} have photographs in common: name other splits")
        photos = Collection(training)
        if val is None:
            photos, held, val_description = split_by_hash(photos, val_fraction, root)
        else:
            held = Collection(HubTable(root, subset, val, image, label if labels else ""))
            val_description = f"the split {val!r} of {root!r}"
        super().__init__(photos, held, classes=training.classes, val_description=val_description, **pixels)


class Row(Photo):
    """A picture in a row of a data set."""

    table: HubTable

    @property
    def length(self) -> int:
        try:
            return len(self.read())
        except UNREADABLE:
            return 0

    def read(self) -> bytes:
        """Raises `OSError` for a row without a picture."""
        held = self.table.rows[self.start][self.table.image] or {}
        if held.get("bytes") is not None:
            return held["bytes"]
        if not held.get("path"):
            raise OSError("its row has no picture")
        return Photo(held["path"], self.name).read()


class HubTable(Table):
    """The rows of a split, which the library keeps mapped into memory."""

    def __init__(self, root: str, subset: str | None, part: str, image: str | None, label: str | None):
        rows = load_split(root, subset, part)
        self.image = find_column(rows, image, "Image", root)
        label = find_column(rows, label, "ClassLabel", root) if label != "" else None
        labels = np.full(len(rows), NONE, np.int32) if label is None else np.asarray(rows[label], np.int32)
        super().__init__({"labels": labels}, [part])
        self.classes = [] if label is None else list(rows.features[label].names)
        from datasets import Image

        self.rows = rows.select_columns([self.image]).cast_column(self.image, Image(decode=False))

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        return f"{self.places[0]}/{row:09d}"

    def photo(self, row: int) -> Row:
        photo = Row(self.name(row), self.name(row), int(self.columns["labels"][row]), row)
        photo.table = self
        return photo


def load_split(root: str, subset: str | None, part: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError("data=hf needs the package datasets: pip install datasets") from error
    datasets.disable_progress_bars()
    try:
        folder = at_home(root)
        if is_single(root) or (folder / "dataset_dict.json").is_file():
            held = datasets.load_from_disk(str(folder))
            if isinstance(held, datasets.DatasetDict):
                if part not in held:
                    raise ValueError(f'Unknown split "{part}". Should be one of {sorted(held)}.')
                return held[part]
            return held
        return datasets.load_dataset(root, subset, split=part)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise UserError(f"cannot load the split {part!r} of data.root={root!r}: {first_line(error)}") from error


def is_single(root: str) -> bool:
    """Whether a folder holds one set as the library saves it, and not several splits."""
    return at_home(root).joinpath("dataset_info.json").is_file()


def splits_overlap(train: str, val: str, sizes: Mapping[str, Any]) -> bool:
    """Whether two splits, such as "train[:90%]" and "train[80%:]", have rows in common; `sizes`: the library's own."""
    if train == val:
        return True
    from datasets import ReadInstruction

    counts = {name: split.num_examples for name, split in sizes.items()}
    try:
        one, other = (ReadInstruction.from_spec(word).to_absolute(counts) for word in (train, val))
    except (ValueError, AssertionError):  # plain names of a set that was saved without sizes
        return False
    return any(
        a.splitname == b.splitname and max(a.from_, b.from_) < min(a.to, b.to)
        for a in one for b in other
    )  # fmt: skip


def find_column(rows: Any, name: str | None, kind: str, root: str) -> str | None:
    """The column of that name, or the first of that kind; none is all right for classes."""
    found = [key for key, feature in rows.features.items() if type(feature).__name__ == kind]
    if name is not None and name not in found:
        raise UserError(f"{root!r} has no {kind} column {name!r}; it has {found or 'none'}")
    if name is None and not found and kind == "Image":
        raise UserError(f"{root!r} has no column of pictures; its columns are {list(rows.features)}")
    return name or (found[0] if found else None)
