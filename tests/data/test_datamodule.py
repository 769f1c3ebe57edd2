"""The embedded photographs, folders of one's own, and files that cannot be read."""

import csv
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from colorize.config import build_part
from colorize.data import Demo, Folder
from colorize.data.sources import DEMO, DEMO_VALIDATION, PEOPLE
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.selection import select_photographs
from colorize.training.schedule import Phase
from colorize.utils.errors import UserError

LICENCES = {"public-domain", "CC0-1.0", "MIT"} | {
    f"CC-BY{sa}-{v}" for sa in ("", "-SA") for v in ("1.0", "2.0", "2.5", "3.0", "4.0")
}


def draws(data, count):
    return (draw for draw, _ in zip(Phase(steps=1).draws(len(data.train), 0, 0), range(count), strict=False))


def test_every_photograph_has_its_row_and_a_known_licence():
    with (DEMO / "CREDITS.tsv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert rows.keys() == {path.name for path in DEMO.glob("*.jpg")}
    for row in rows.values():
        assert row["licence"] in LICENCES, row
        assert row["copyright"].strip(), row
        if row["licence"] == "MIT":  # which asks that its text goes with every copy
            licence = DEMO / f"{row['file'].split('_')[0]}_LICENSE.txt"
            assert row["copyright"].lower().startswith("(c) 2016 jack moore")
            assert "Copyright (c) 2016 Jack Moore" in licence.read_text()


def of_demo(people):
    return [path for path in DEMO.glob("*.jpg") if people or not path.name.startswith(PEOPLE)]


@pytest.mark.parametrize("people", [True, False])
def test_demo_is_split_by_the_hash_of_the_name(people):
    data = Demo(people=people)
    assert (len(data.train), len(data.val)) == (len(of_demo(people)) - DEMO_VALIDATION, DEMO_VALIDATION)
    assert not {p.name for p in data.train} & {p.name for p in data.val}
    of = lambda photo: sha256(photo.name.encode()).hexdigest()  # noqa: E731
    assert max(map(of, data.val)) < min(map(of, data.train))


def test_demo_has_faces_to_train_on_and_to_be_judged_by(config):
    data = build_part(config("data=demo").data, "data")
    held_out = set(data.val.names())
    assert "uswds_hero.jpg" in held_out  # seven faces, of light and of dark skin
    assert sum(name.startswith(PEOPLE) for name in data.train.names()) == len(of_demo(True)) - len(of_demo(False)) - 2
    assert set(select_photographs(Protocol(name="demo", source="demo", size=96)).photos.names()) == held_out


def test_class_folders_give_labels_and_the_root_none(photographs):
    data = Folder(str(photographs), val_fraction=0.2)
    assert data.classes == ["cats", "dogs"]
    assert (len(data.train), len(data.val)) == (11, 3)
    for photo in [*data.train, *data.val]:
        folder = Path(photo.name).parent.name
        assert photo.label == (data.classes.index(folder) if folder else -1)


def test_labels_can_be_switched_off(photographs):
    assert Folder(str(photographs), labels=False).classes == []


def test_a_validation_folder_of_its_own(photographs):
    data = Folder(str(photographs / "dogs"), val_root=str(photographs / "cats"))
    assert (len(data.train), len(data.val)) == (6, 6)


def test_the_split_does_not_depend_on_where_the_folder_lies(photographs, tmp_path):
    moved = tmp_path / "else where"
    names = [p.name for p in Folder(str(photographs)).val]
    photographs.rename(moved)
    assert [p.name for p in Folder(str(moved)).val] == names


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_impossible_fractions_are_refused(photographs, fraction):
    with pytest.raises(UserError, match="val_fraction"):
        Folder(str(photographs), val_fraction=fraction)


def test_a_folder_without_photographs_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(UserError, match=r"no photographs in .*looked for \.jpg"):
        Folder(str(tmp_path))
    with pytest.raises(UserError, match="there is no folder"):
        Folder(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    "argument",
    [
        {"size": 8},
        {"crop": (0, 1)},
        {"crop": (0.9, 0.5)},
        {"num_workers": -1},
        {"num_workers": "x"},
        {"geometry": "round"},
        {"enhance": 0},
        {"input": "green"},
        {"max_bad": -1},
    ],
)
def test_impossible_geometry_is_refused(argument):
    with pytest.raises(UserError, match=next(iter(argument))):
        Demo(**argument)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_batches_are_the_same_whatever_loads_them(photographs, method, monkeypatch):
    """Windows and macOS spawn their workers, older Linux forks them."""
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method}")
    monkeypatch.setattr(
        "multiprocessing.context._default_context._actual_context", torch.multiprocessing.get_context(method)
    )
    data = Folder(str(photographs), size=32)
    single = [b for b, _ in zip(data.batches(draws(data, 12), [4], 0), range(3), strict=True)]
    several = [b for b, _ in zip(data.batches(draws(data, 12), [4], 2), range(3), strict=True)]
    for one, other in zip(single, several, strict=True):
        assert torch.equal(one.rgb, other.rgb)
        assert torch.equal(one.label, other.label)
        assert one.rgb.dtype == torch.uint8
        assert one.rgb.shape == (4, 3, 32, 32)


def damage(folder):
    files = sorted(folder.rglob("*.jpg"))
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:300])
    files[2].write_text("not a picture: at all")
    return {str(path) for path in files[:3]}


def test_unreadable_photographs_are_named_and_replaced(photographs):
    bad = damage(photographs)
    data = Folder(str(photographs), val_root=str(photographs / "dogs"), size=32)
    batch = next(data.batches(draws(data, 14), [14], 0))
    assert {path for path, _ in batch.unreadable} == bad
    assert batch.rgb.shape == (14, 3, 32, 32)


def test_unreadable_photographs_stop_a_validation(photographs, tmp_path):
    whole = shutil.copytree(photographs, tmp_path / "whole")
    damage(photographs)
    data = Folder(str(whole), val_root=str(photographs))
    with pytest.raises(UserError, match=r"cannot read .*repair or remove it"):
        [data.centre(photo) for photo in data.val]


def test_nothing_readable_at_all_is_an_error(photographs):
    for path in photographs.rglob("*.jpg"):
        path.write_bytes(b"")
    data = Folder(str(photographs))
    with pytest.raises(UserError, match=r"none of the \d+ training photographs can be read"):
        next(data.batches(draws(data, 4), [4], 0))


def test_what_is_kept_in_memory_is_what_is_read(photographs, monkeypatch):
    data = Folder(str(photographs), size=32)
    kept = [next(data.batches(draws(data, 24), [24], 0)).rgb for _ in range(2)]
    monkeypatch.setattr("colorize.data.loader.CACHE_LIMIT_BYTES", 0)
    assert all(torch.equal(rgb, next(data.batches(draws(data, 24), [24], 0)).rgb) for rgb in kept)
