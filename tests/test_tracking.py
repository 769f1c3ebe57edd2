"""The run folder's lines, and W&B that never asks and never waits."""

import json
import os
import subprocess
import sys
import time

import pytest
from conftest import BIN, ROOT
from PIL import Image

from colorize.tracking import JsonLines, WandB


def test_lines_after_the_checkpoint_are_cut(tmp_path):
    log = JsonLines(tmp_path)
    for step in range(1, 6):
        log.scalars({"train/pixel": step / 2}, step)
        log.images({"samples": Image.new("RGB", (4, 4))}, step)
    log.finish()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "train/pi')  # killed while writing
    log = JsonLines(tmp_path, step=3)
    log.scalars({"train/pixel": 9.0}, 4)
    log.finish()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["train/pixel"]) for line in lines] == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 9.0)]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [f"step-00000{i}.png" for i in (1, 2, 3)]


def test_a_run_that_begins_again_begins_empty(tmp_path):
    JsonLines(tmp_path).scalars({"lr": 1.0}, 1)
    JsonLines(tmp_path).finish()
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_wandb_offline_holds_what_the_run_folder_holds(tmp_path):
    tracker = WandB("run-1", "a run", {"model": {"width": 1}}, folder=str(tmp_path))
    values = {"train/pixel": 0.5, "val/psnr": 21.25, "lr": 1e-3}
    tracker.scalars(values, 7)
    tracker.images({"samples": Image.new("RGB", (4, 4))}, 7)
    tracker.summary({"val/psnr": 21.25})
    tracker.finish()
    assert "wandb sync" in tracker.said
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
    words = [sys.executable, str(ROOT / "train.py"), "experiment=smoke", "model=cnn", "loss=l1"]
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
