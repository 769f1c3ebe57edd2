"""W&B beside the run folder: it never asks, never waits, and hears what the run folder holds."""

import json
import os
import subprocess
import sys
import time

import pytest
from PIL import Image

from colorize.tracking import WandB
from tests.helpers.configs import BIN, ROOT
from tests.helpers.tracked_runs import QUICK, TINY, blank, logged_in, losses


def test_wandb_offline_holds_what_the_run_folder_holds(tmp_path):
    tracker = WandB("run-1", "a run", {"model": {"width": 1}}, folder=str(tmp_path))
    values = {"train/pixel": 0.5, "val/psnr": 21.25, "lr": 1e-3}
    tracker.scalars(values, 7)
    tracker.images({"samples": Image.new("RGB", (4, 4))}, 7)
    tracker.summary({"val/psnr": 21.25})
    tracker.finish()
    assert "colorize sync" in tracker.said
    (folder,) = (tmp_path / "wandb").glob("offline-run-*-run-1")
    words = [BIN / "wandb", "leet", "inspect", "--json", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    history = [json.loads(line) for line in done.stdout.splitlines() if json.loads(line).get("type") == "history"]
    text = json.dumps(history)
    for name, value in values.items():
        assert name in text
        assert str(value) in text


def test_a_second_run_in_one_process_is_another_run(tmp_path):
    first = WandB("one", "one", {}, folder=str(tmp_path))
    second = WandB("two", "two", {}, folder=str(tmp_path))  # the first was never finished
    assert (first.run.id, second.run.id) == ("one", "two")
    second.finish()


def test_without_a_key_nothing_asks_on_a_terminal(tmp_path):
    """A terminal is where W&B would stop at its question."""
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    environment |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none"), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    words = [sys.executable, str(ROOT / "train.py"), *TINY, *QUICK]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, cwd=tmp_path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed, deadline = b"", time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        printed += piece
    assert process.wait(timeout=20) == 0, printed.decode()
    assert b"W&B offline" in printed
    assert b"training" in printed  # the bar, since this is a terminal


PART = """
import sys
from colorize.tracking import WandB
tracker = WandB("again", "again", {}, folder="outputs")
for step in map(int, sys.argv[1:]):
    tracker.scalars({"train/loss": step / 4}, step)
tracker.finish()
"""


def test_a_resumed_run_goes_on_under_its_id(tmp_path, server):
    environment = logged_in(tmp_path, server)
    for steps in (("1", "2", "3"), ("4", "5")):
        words = [sys.executable, "-c", PART, *steps]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    assert list(server.runs) == ["again"]
    assert losses(server.history["again"]) == [(step, step / 4) for step in range(1, 6)]
    assert [line["_step"] for line in server.history["again"]] == [0, 1, 2, 3, 4]


def test_a_job_that_fails_leaves_no_line_to_the_next(tmp_path, server):
    """Hydra's multirun starts its jobs one after the other in one process."""
    broken = PART.replace("tracker.finish()", 'WandB("next", "next", {}, folder="outputs").finish()')
    words = [sys.executable, "-c", broken + 'assert tracker.run.id == "again"', "1", "2"]
    environment = logged_in(tmp_path, server)
    subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    assert set(server.runs) == {"again", "next"}
    assert losses(server.history["again"]) == [(1, 0.25), (2, 0.5)]
    assert losses(server.history["next"]) == []


def test_asked_to_be_online_without_a_key_it_says_so_and_is_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("wandb.login", lambda **_: False)  # as above
    tracker = WandB("key", "key", {}, mode="online", folder=str(tmp_path))
    tracker.finish()
    assert tracker.said.startswith("W&B is not logged in here; offline: upload it later with `colorize sync")


def test_twenty_starts_offline_hold_the_newest_checkpoints_alone(tmp_path):
    """Of a run that keeps two and its best: files of weights by their inodes, the second names in W&B's folders too."""
    run = tmp_path / "run"
    run.mkdir()
    best = blank(run / "best.pt")
    for start in range(20):
        blank(run / f"step-{start:08d}.pt")
        for old in sorted(run.glob("step-*.pt"))[:-2]:
            old.unlink()
        tracker = WandB("run-01234567", "run", {}, folder=str(tmp_path))
        tracker.checkpoint(best, ["best"], {})
        tracker.checkpoint(run / f"step-{start:08d}.pt", ["latest"], {})
        tracker.finish()
        assert len({path.stat().st_ino for path in tmp_path.rglob("*.pt")}) <= 3
    assert len(list((tmp_path / "wandb").rglob("*.pt"))) == 2
