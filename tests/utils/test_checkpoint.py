"""Checkpoints appear whole or not at all, and run nothing."""

import errno
import pickle
from threading import Event
from unittest.mock import Mock

import pytest
import torch

from colorize.utils.checkpoint import Checkpoints
from colorize.utils.errors import UserError
from colorize.utils.files import write_whole
from colorize.utils.serialization import read


class Runs:
    """Opens a file when it is unpickled the unsafe way."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_what_is_saved_is_what_is_loaded(tmp_path):
    state = {"steps": 3, "tensor": torch.arange(4).to(torch.bfloat16), "nested": {"value": None, "list": [1.5]}}
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest() is None
    path = checkpoints.save(state, best=True)
    assert checkpoints.newest() == path
    for file in (path, checkpoints.best):
        loaded = read(file)
        assert torch.equal(loaded.pop("tensor"), state["tensor"])
        assert loaded == {k: v for k, v in state.items() if k != "tensor"}
    assert torch.load(path, weights_only=True)["steps"] == 3  # the checksum does not disturb torch
    assert names(tmp_path) == ["best.pt", "step-00000003.pt"]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_stay_and_the_best(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 3, 4):
        checkpoints.save({"steps": step}, best=step == 2)
    assert names(tmp_path) == ["best.pt", "step-00000003.pt", "step-00000004.pt"]
    assert read(checkpoints.best)["steps"] == 2


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"steps": 1})

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("colorize.utils.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save({"steps": 2})
    assert read(checkpoints.newest())["steps"] == 1
    assert names(tmp_path) == ["step-00000001.pt"]


def test_a_checkpoint_is_written_in_the_background_as_its_state_was(tmp_path, monkeypatch):
    """Training goes on in the same tensors, and the file is what `save` writes."""
    layer = torch.nn.BatchNorm2d(4)
    state = {"steps": 1, "layer": layer.state_dict(), "nested": [{"rate": 1.0}, (torch.ones(2),)]}
    expected = Checkpoints(tmp_path / "now").save(state).read_bytes()
    go_on = Event()
    monkeypatch.setattr("colorize.utils.checkpoint.os.fsync", lambda _: go_on.wait(10))
    with Checkpoints(tmp_path / "later") as checkpoints:
        checkpoints.save_in_background(state)
        layer.weight.data.zero_()
        state["nested"][0]["rate"] = 2.0
        state["nested"][1][0].zero_()
        assert checkpoints.steps() == []
        go_on.set()
    assert checkpoints.path(1).read_bytes() == expected


def test_the_next_write_waits_for_the_one_before_and_raises_its_error(tmp_path, monkeypatch):
    checkpoints, full = Checkpoints(tmp_path), OSError(errno.ENOSPC, "No space left on device")
    checkpoints.save({"steps": 1})
    monkeypatch.setattr("colorize.utils.checkpoint.os.fsync", Mock(side_effect=full))
    for ask in (lambda: checkpoints.save_in_background({"steps": 3}), lambda: checkpoints.wait()):
        checkpoints.save_in_background({"steps": 2})
        with pytest.raises(OSError, match="No space left"):
            ask()
    checkpoints.save_in_background({"steps": 2})
    with pytest.raises(OSError, match="No space left"), checkpoints:
        raise UserError("of a step")
    assert names(tmp_path) == ["step-00000001.pt"]
    checkpoints.wait(if_done=True)  # it was said once


def cut(path):
    path.write_bytes(path.read_bytes()[:2000])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def unseal(path):
    path.write_bytes(path.read_bytes()[:-48])


@pytest.mark.parametrize("damage", [cut, flip, unseal, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_is_put_aside_for_the_one_before(tmp_path, damage, capsys):
    checkpoints = Checkpoints(tmp_path)
    tensor = torch.arange(10_000)
    first = checkpoints.save({"steps": 1, "tensor": tensor})
    damage(checkpoints.save({"steps": 2, "tensor": tensor}))
    assert checkpoints.newest() == first
    assert "step-00000002.pt' is damaged" in capsys.readouterr().out
    assert names(tmp_path) == ["step-00000001.pt", "step-00000002.damaged"]
    damage(first)
    with pytest.raises(UserError, match=r"every checkpoint in .* is damaged"):
        checkpoints.newest()


def test_a_flipped_bit_is_found(tmp_path):
    path = Checkpoints(tmp_path).save({"steps": 1, "tensor": torch.zeros(10_000)})
    flip(path)
    with pytest.raises(UserError, match="its checksum is wrong"):
        read(path)


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short", b"PK\x03\x04" + 5000 * b"x"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(UserError, match="not a whole, plain checkpoint"):
        read(tmp_path / "last.pt")


@pytest.mark.parametrize(
    "save", [lambda value, path: torch.save(value, path), lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_a_file_that_wants_to_run_code_is_refused(tmp_path, save, recwarn):
    save({"steps": Runs(tmp_path / "ran")}, tmp_path / "last.pt")
    with pytest.raises(UserError, match="not a whole, plain checkpoint"):
        read(tmp_path / "last.pt")
    assert not (tmp_path / "ran").exists()
    assert not recwarn.list  # torch's, with a path of its own, beside the refusal


def test_a_missing_one_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no checkpoint .*gone\.pt"):
        read(tmp_path / "gone.pt")
