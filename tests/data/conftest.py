"""Fixtures of this folder's tests."""

import pytest

from tests.helpers.data_sets import datasets, jpeg


@pytest.fixture
def hub(tmp_path):
    """A folder that holds a data set as the library saves it."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})

    def rows(first, count):
        held = [{"bytes": jpeg(first + i), "path": None} for i in range(count)]
        return datasets.Dataset.from_dict({"image": held, "label": [i % 2 for i in range(count)]}, features=features)

    held = datasets.DatasetDict({"train": rows(0, 10), "validation": rows(100, 4)})
    held.save_to_disk(tmp_path / "set")
    return str(tmp_path / "set")
