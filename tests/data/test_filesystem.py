"""Folders as the world has them: links, pipes, what systems leave behind, accents in two forms, parts unreadable."""

import os
import shutil
import socket
import unicodedata
from pathlib import Path

import pytest
import torch

from colorize.data import Folder, collection
from colorize.data.collection import Collection, Photo, lines_digest
from colorize.data.datamodule import DataModule
from colorize.data.listing import list_folder
from colorize.evaluation.selection import order_of_names
from colorize.training.schedule import StepBatches
from colorize.utils.errors import UserError
from tests.helpers.data_sets import jpeg


def fill(folder, *names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    return folder


def names(folder):
    return [photo.name for photo in Collection(list_folder(folder))]


# --- each photograph once


def test_circular_links_are_followed_once(tmp_path):
    """To itself, to each other, to the folder above, and past the root: neither endless nor many times."""
    folder = fill(tmp_path / "root", "0.jpg", "a/1.jpg", "b/2.jpg")
    for place, to in {
        "again": ".",
        "a/b": "../b",
        "b/a": "../a",
        "a/up": "..",
        "b/out": "../..",
        "c": str(folder),
    }.items():
        (folder / place).symlink_to(to)
    fill(tmp_path, "beside.jpg")
    assert names(folder) == ["0.jpg", "a/1.jpg", "b/2.jpg"]
    assert list_folder(folder).notes == [
        f"left out of {folder}: links to what is listed already (6): a/b, a/up, again, …"
    ]


def test_links_lead_to_each_photograph_once(tmp_path):
    elsewhere = fill(tmp_path / "elsewhere", "9.jpg", "deep/8.jpg")
    folder = fill(tmp_path / "root", "0.jpg")
    for place, to in {
        "first": elsewhere, "second": elsewhere, "third": elsewhere / "deep", "again.jpg": folder / "0.jpg",
        "nine.jpg": elsewhere / "9.jpg", "lone.jpg": fill(tmp_path, "x.jpg") / "x.jpg", "other.jpg": tmp_path / "x.jpg",
        "broken.jpg": "nowhere.jpg",
    }.items():  # fmt: skip
        (folder / place).symlink_to(to)
    assert names(folder) == ["0.jpg", "broken.jpg", "first/9.jpg", "first/deep/8.jpg", "lone.jpg"]


@pytest.mark.parametrize("folder", [".ipynb_checkpoints", ".Trash-1000/files", "@eaDir", "__MACOSX", "$RECYCLE.BIN"])
def test_hidden_folders_and_those_of_systems_are_passed_over(folder, tmp_path):
    root = fill(tmp_path / "root", "a/0.jpg", "a/1.jpg", f"{folder}/0.jpg", f"a/{folder}/1.jpg", "a/._0.jpg")
    table = list_folder(root)
    assert names(root) == ["a/0.jpg", "a/1.jpg"]
    assert table.classes == ["a"]
    assert "hidden or of the system (2): " in table.notes[0]


def test_a_hidden_root_is_what_the_user_named(tmp_path):
    assert names(fill(tmp_path / ".hidden" / "@eaDir", "a/0.jpg")) == ["a/0.jpg"]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_only_regular_files_are_photographs(kind, tmp_path, monkeypatch):
    folder = fill(tmp_path / "root", "0.jpg", "1.jpg")
    monkeypatch.chdir(folder)
    if kind == "pipe":
        os.mkfifo("odd.jpg")
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("odd.jpg")
    elif kind == "device":
        Path("odd.jpg").symlink_to("/dev/zero")
    else:
        Path("odd.jpg").mkdir()
    table = list_folder(folder)
    assert names(folder) == ["0.jpg", "1.jpg"]
    assert table.notes == ([] if kind == "folder" else [f"left out of {folder}: no regular files (1): odd.jpg"])


def test_what_would_never_end_is_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UserError, match="no regular file"):
        Photo(str(tmp_path / "pipe.jpg"), "pipe.jpg").read()
    (tmp_path / "sparse.jpg").write_bytes(jpeg(0))
    os.truncate(tmp_path / "sparse.jpg", 2**33)
    with pytest.raises(UserError, match=r"it has 8\.6 GB, and a photograph may have 2\.1"):
        Photo(str(tmp_path / "sparse.jpg"), "sparse.jpg").read()


def test_files_of_other_endings_are_counted(tmp_path):
    folder = fill(tmp_path / "root", "0.jpg", "notes.txt", "a.xcf", "b.xcf", "Thumbs.db", "README")
    assert sorted(list_folder(folder).notes) == [
        f"left out of {folder}: .txt is no ending of a photograph (1): notes.txt",
        f"left out of {folder}: .xcf is no ending of a photograph (2): a.xcf, b.xcf",
        f"left out of {folder}: no photographs (1): README",
    ]


# --- training and validation apart


def test_validation_within_the_training_folder_is_taken_out(tmp_path):
    root = fill(tmp_path / "root", *(f"{part}/{i}.jpg" for part in ("train", "val") for i in range(3)))
    data = Folder(str(root), val_root=str(root / "val"))
    assert [photo.name for photo in data.train] == ["train/0.jpg", "train/1.jpg", "train/2.jpg"]
    assert "3 photographs that validate are left out of training" in data.notes


def test_validation_reached_by_links_is_taken_out(tmp_path):
    root = fill(tmp_path / "root", "a/0.jpg", "a/1.jpg", "2.jpg")
    val = fill(tmp_path / "val", "3.jpg")
    (val / "linked.jpg").symlink_to(root / "a" / "1.jpg")
    (root / "of val.jpg").symlink_to(val / "3.jpg")
    data = Folder(str(root), val_root=str(val))
    assert [photo.name for photo in data.train] == ["2.jpg", "a/0.jpg"]
    assert len(data.val) == 2


@pytest.mark.parametrize("val", ["root", "root/a/..", "link", ""])
def test_validation_on_all_of_training_is_refused(val, tmp_path):
    root = fill(tmp_path / "root", "a/0.jpg", "b/1.jpg")
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(UserError, match=r"every training photograph validates too: name another data\.val_root"):
        Folder(str(root), val_root=str(tmp_path / val))


# --- a part that cannot be read


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder of which a part cannot be read, as on a network drive: also for the root user."""
    root = fill(tmp_path / "root", *(f"a/{i}.jpg" for i in range(4)), *(f"b/{i}.jpg" for i in range(4)))
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return root


def test_a_folder_that_cannot_be_read_counts_as_unreadable(locked, capsys):
    data = Folder(str(locked), max_bad=0)
    assert len(data.train) + len(data.val) == 4
    assert data.unreadable_files == {f"{locked}/b": "the folder cannot be read: Permission denied"}
    stream = StepBatches.__new__(StepBatches)
    stream.photographs, stream.unreadable = data, {}
    with pytest.raises(UserError, match=r"1 training photographs cannot be read, and data\.max_bad allows 0"):
        stream.remember_unreadable(data.unreadable_files.items())
    assert f"skipped {locked}/b: the folder cannot be read" in capsys.readouterr().out


def test_a_validation_folder_that_cannot_be_read_is_refused(locked, tmp_path):
    with pytest.raises(UserError, match=r"validation photographs are missing from .*/b: the folder cannot be read"):
        Folder(str(fill(tmp_path / "train", "0.jpg", "1.jpg")), val_root=str(locked))


# --- accents in one or two characters


def test_names_in_either_normal_form_are_the_same(tmp_path):
    written = [f"{folder}/{letter} {i}.jpg" for folder in ("Köln", "zoo") for letter in "éaz" for i in range(8)]
    here = fill(tmp_path / "here", *(unicodedata.normalize("NFC", name) for name in written))
    mac = fill(tmp_path / "mac", *(unicodedata.normalize("NFD", name) for name in written))
    one, other = Folder(str(here), val_fraction=0.3), Folder(str(mac), val_fraction=0.3)
    assert (one.fingerprint(), one.manifest(), one.classes) == (other.fingerprint(), other.manifest(), other.classes)
    assert [photo.read() for photo in one.val] == [photo.read() for photo in other.val]
    assert [photo.label for photo in one.train] == [photo.label for photo in other.train]
    left = one.train.without({unicodedata.normalize("NFD", photo.name) for photo in one.train[:3]})
    assert len(left) == len(one.train) - 3


def test_what_identified_names_before_identifies_them_still(tmp_path):
    """Of a run that began with ASCII or composed names."""
    every = Collection(list_folder(fill(tmp_path / "root", "a/0.jpg", "é.jpg", "z.jpg")))
    assert lines_digest(every.lines()) == lines_digest([b"a/0.jpg\nz.jpg\n\xc3\xa9.jpg"])


def test_a_protocol_finds_names_in_either_form():
    decomposed = unicodedata.normalize("NFD", "Köln.jpg")
    assert order_of_names(["Köln"], [collection.normalized(decomposed)], "title", "pattern") == [0]


# --- the processes that load


@pytest.mark.parametrize(
    ("env", "cores", "workers"),
    [
        ({}, 6, 6),
        ({}, 64, 8),
        ({"LOCAL_WORLD_SIZE": "4"}, 12, 3),
        ({"LOCAL_WORLD_SIZE": "8"}, 4, 1),
        ({"SLURM_PROCID": "0", "SLURM_STEP_TASKS_PER_NODE": "4(x2)", "SLURM_CPUS_ON_NODE": "16"}, 16, 4),
        ({"SLURM_PROCID": "0", "SLURM_STEP_TASKS_PER_NODE": "4", "SLURM_CPUS_ON_NODE": "16"}, 2, 2),
    ],
)
def test_loading_processes_share_the_cores_that_may_be_used(env, cores, workers, photographs, monkeypatch):
    for name in ("LOCAL_WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    data = Folder(str(photographs))
    assert data.workers(torch.device("cuda")) == workers
    assert data.workers(torch.device("cpu")) == 0


def test_too_little_shared_memory_is_one_sentence(photographs, monkeypatch):
    class Loader:
        def __init__(self, *_, **__):
            pass

        def __iter__(self):
            raise RuntimeError("unable to write to file </torch_1_2_3>: No space left on device (28)")
            yield

    monkeypatch.setattr("colorize.data.loader.DataLoader", Loader)
    with pytest.raises(UserError, match=r"/dev/shm.*data.num_workers=0.*--shm-size"):
        next(Folder(str(photographs)).batches([], [1], 3))


def test_a_copy_of_the_photographs_has_the_same_fingerprint(photographs, tmp_path):
    copy = shutil.copytree(photographs, tmp_path / "copy")
    assert Folder(str(copy)).fingerprint() == Folder(str(photographs)).fingerprint()
    assert isinstance(Folder(str(copy)), DataModule)
