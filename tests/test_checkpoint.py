"""Checkpoints appear whole or not at all, and run nothing."""

import errno
import pickle

import pytest
import torch

from colorize.checkpoint import Checkpoints, read, write_whole
from colorize.errors import UserError


class Runs:
    """Opens a file when it is unpickled the unsafe way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_what_is_saved_is_what_is_loaded(tmp_path):
    state = {"steps": 3, "tensor": torch.arange(4).to(torch.bfloat16), "nested": {"value": None, "list": [1.5]}}
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    checkpoints.save(state, best=True)
    for path in (checkpoints.last, checkpoints.best):
        loaded = read(path)
        assert torch.equal(loaded.pop("tensor"), state["tensor"])
        assert loaded == {k: v for k, v in state.items() if k != "tensor"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "last.pt"]


def test_best_stays_when_the_last_is_worse(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"steps": 1}, best=True)
    checkpoints.save({"steps": 2})
    assert (read(checkpoints.best)["steps"], read(checkpoints.last)["steps"]) == (1, 2)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"steps": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("colorize.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save({"steps": 2})
    assert read(checkpoints.last)["steps"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(UserError, match="not a whole, plain checkpoint"):
        read(tmp_path / "last.pt")


def test_a_truncated_checkpoint_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"tensor": torch.zeros(1000)})
    checkpoints.last.write_bytes(checkpoints.last.read_bytes()[:2000])
    with pytest.raises(UserError, match="not a whole, plain checkpoint"):
        checkpoints.load()


@pytest.mark.parametrize(
    "save", [lambda value, path: torch.save(value, path), lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_a_file_that_wants_to_run_code_is_refused(tmp_path, save):
    save({"steps": Runs(tmp_path / "ran")}, tmp_path / "last.pt")
    with pytest.raises(UserError, match="not a whole, plain checkpoint"):
        read(tmp_path / "last.pt")
    assert not (tmp_path / "ran").exists()


def test_a_missing_one_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no checkpoint .*gone\.pt"):
        read(tmp_path / "gone.pt")
