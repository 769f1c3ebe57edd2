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
from tests.helpers.tracked_runs import QUICK, TINY, blank, colorize, logged_in, losses, program


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


TABLES = """
import sys
from pathlib import Path
from PIL import Image
from colorize.tracking import WandB
for mode, name, column in (word.split(",") for word in sys.argv[1:]):
    tracker = WandB("tables", "tables", {}, folder="outputs", mode=mode)
    if name:
        Image.new("RGB", (8, 8), column).save(f"{column}.png")
        tracker.table(f"eval/{name}/pictures", ["photograph", column], [["cat", Path(f"{column}.png")]])
    else:
        tracker.scalars({"train/loss": 1.0}, 3)
    tracker.summary({f"eval/{name or 'other'}/psnr": 20.0})
    tracker.finish()
"""


def held_table(server, name):
    """The columns and pictures of a table, found as W&B's page finds it: from the summary to a version's files."""
    (run,) = server.runs
    said = server.summary[run][f"eval/{name}/pictures"]
    assert (said["_type"], said["nrows"], said["ncols"]) == ("table-file", 1, 2)
    assert said["path"] in server.files[run]
    client = said["artifact_path"].removeprefix("wandb-client-artifact://").split("/")[0]
    (version,) = (each for each in server.artifacts if each["client"] == client)
    assert version["committed"]
    held = json.loads(version["files"][f"eval/{name}/pictures.table.json"])
    return held["columns"], [file for file in version["files"] if file.endswith(".png")]


@pytest.mark.parametrize("first", ["offline", pytest.param("online", marks=pytest.mark.slow)])
def test_tables_of_pictures_survive_later_parts(first, tmp_path, server):
    """W&B keeps the summary of the part that is sent last: of a run that was resumed, and of one evaluated again."""
    words = [f"{first},validation,red", "offline,historical,blue", "offline,historical,green", "offline,,"]
    program(tmp_path, server, TABLES, *words)
    colorize(tmp_path, server, "sync")
    (run,) = server.runs
    assert held_table(server, "validation")[0] == ["photograph", "red"]
    columns, pictures = held_table(server, "historical")
    assert columns == ["photograph", "green"]  # of the newest evaluation
    assert len(pictures) == 1
    assert server.summary[run].keys() >= {"eval/validation/psnr", "eval/historical/psnr", "eval/other/psnr"}
    assert losses(server.history[run]) == [(3, 1.0)]


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
