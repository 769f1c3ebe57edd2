"""What a run leaves on the disk, W&B's folders included."""

import pytest

from colorize.cli import main
from colorize.run_folder import RunFolder
from colorize.utils.serialization import read
from tests.helpers.configs import SMALL

TINY = ("experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "evaluate.historical=false", "metrics=quick")


class Stopped:
    """A signal that came before the run began: it stops after its first step."""

    exit_code = 75

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __bool__(self):
        return True


@pytest.mark.parametrize("starts", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_that_is_stopped_and_started_again_holds_no_more_weights_than_it_keeps(
    starts, tmp_path, monkeypatch, capsys
):
    """Two days of a cluster's jobs, offline. A second name of a file (a hard link) takes no space, and is none more."""
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    words = [
        *TINY,
        "tracker=wandb",
        f"schedule.all.steps={starts + 1}",
        "evaluate.every=1",
        "checkpoint.keep=2",
        "name=run",
    ]
    folder = tmp_path / "outputs" / "run"
    with monkeypatch.context() as patch:
        patch.setattr("colorize.training.run.StopSignal", Stopped)
        for start in range(starts):
            patch.setattr("sys.argv", ["colorize"])
            assert main(["train", *words]) == 75, capsys.readouterr().err
            assert read(RunFolder(folder).checkpoint("last"))["steps"] == start + 1
            assert len(weights(tmp_path)) <= 2 + 1
    monkeypatch.setattr("sys.argv", ["colorize"])
    assert main(["train", *words]) == 0
    assert RunFolder(folder).read_summary()["status"] == "finished"
    assert len(weights(folder)) == 2
    assert len(weights(tmp_path)) <= 2 + 1


def weights(folder):
    """The files of weights below, each once whatever its names: they are far larger than all else that is kept."""
    found = {path.stat().st_ino: path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 100_000}
    return [path for path in found.values() if b"colorize sha256" in path.read_bytes()[-64:]]
