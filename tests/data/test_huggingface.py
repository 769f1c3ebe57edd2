"""Data sets of the Hugging Face hub."""

import pytest

from colorize.data.huggingface import Hub, splits_overlap
from colorize.data.loader import SampleIndex
from colorize.utils.errors import UserError
from tests.helpers.data_sets import datasets, jpeg


def test_a_data_set_of_the_hub(hub):
    data = Hub(hub)
    assert (len(data.train), len(data.val), data.classes) == (10, 4, ["cat", "dog"])
    assert [(photo.label, photo.read()) for photo in data.train] == [(i % 2, jpeg(i)) for i in range(10)]
    divided = Hub(hub, val=None, val_fraction=0.2)
    assert (len(divided.train), len(divided.val)) == (8, 2)
    assert Hub(hub, labels=False).classes == []
    with pytest.raises(UserError, match="cannot load the split 'test'"):
        Hub(hub, val="test")
    with pytest.raises(UserError, match=r"has no Image column 'picture'; it has \['image'\]"):
        Hub(hub, image="picture")


def test_a_folder_of_pictures_is_a_data_set_of_the_hub_too(photographs):
    data = Hub(str(photographs), val=None)
    assert len(data.train) + len(data.val) == 14


def test_a_single_set_does_not_validate_on_what_it_trains(hub, tmp_path):
    datasets.load_from_disk(hub)["train"].save_to_disk(tmp_path / "one")
    with pytest.raises(UserError, match=r"single set, which would train and validate: use data\.val=null"):
        Hub(str(tmp_path / "one"))
    data = Hub(str(tmp_path / "one"), val=None, val_fraction=0.2)
    assert (len(data.train), len(data.val)) == (8, 2)
    assert not set(data.train.names()) & set(data.val.names())


@pytest.mark.parametrize(
    ("train", "val", "refused"),
    [
        ("train", "train", True), ("train[:80%]", "train[70%:]", True), ("train+validation", "validation", True),
        ("train[:80%]", "train[80%:]", False), ("train", "validation", False), ("train[:3]", "train[-3:]", False),
    ],
)  # fmt: skip
def test_splits_that_overlap_are_refused(train, val, refused):
    sizes = {
        name: datasets.SplitInfo(name, num_examples=count) for name, count in {"train": 10, "validation": 4}.items()
    }
    assert splits_overlap(train, val, sizes) == refused


def test_a_split_of_the_same_name_is_refused(hub):
    with pytest.raises(UserError, match="have photographs in common: name other splits"):
        Hub(hub, val="train")


def test_a_row_without_a_picture_is_skipped(tmp_path):
    features = datasets.Features({"image": datasets.Image()})
    rows = [None, None, *({"bytes": jpeg(i), "path": None} for i in range(5))]
    datasets.Dataset.from_dict({"image": rows}, features=features).save_to_disk(tmp_path / "set")
    data = Hub(str(tmp_path / "set"), val=None, size=32, max_bad=3)
    row = next(photo for photo in [*data.train, *data.val] if photo.start == 0)
    with pytest.raises(OSError, match="its row has no picture"):
        row.read()
    batch = next(data.batches([SampleIndex(i, i) for i in range(len(data.train))], [len(data.train)], 0))
    assert {why for _, why in batch.unreadable} == {"its row has no picture"}
    assert data.contents()


def test_the_hub_cannot_be_reached(monkeypatch):
    with pytest.raises(UserError, match=r"cannot load the split 'train' of data.root='nobody/nothing'"):
        Hub("nobody/nothing")
