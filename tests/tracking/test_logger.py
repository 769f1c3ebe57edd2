"""The run folder's lines, and trackers that fail beside them."""

import json

import pytest
from PIL import Image

from colorize.tracking import JsonLines, Loggers, Tracker, WandB, start_tracker
from colorize.utils.errors import UserError


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


def test_a_sheet_is_encoded_once(tmp_path, monkeypatch):
    """W&B gets the file of the run folder: to encode it again would take longer than all else that is logged."""
    saved, save = [], Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda *words, **more: saved.append(words) or save(*words, **more))
    log = Loggers([JsonLines(tmp_path), WandB("run-1", "a run", {}, folder=str(tmp_path))])
    log.images({"samples": Image.effect_noise((64, 64), 50).convert("RGB")}, 7)
    log.finish()
    (kept,) = (tmp_path / "wandb").glob("offline-run-*-run-1/files/media/images/samples_*.png")
    assert kept.read_bytes() == (tmp_path / "samples" / "step-000007.png").read_bytes()
    assert len(saved) == 1


class Failing(Tracker):
    """A service that breaks at its second line."""

    def __init__(self):
        self.lines, self.asked = 0, []

    def scalars(self, values, step):
        self.lines += 1
        if self.lines == 2:
            raise OSError(28, "No space left on device")

    def finish(self, exit_code=0):
        self.asked.append("finish")


def test_one_failure_of_a_tracker_is_told_once_and_it_goes_on(capsys):
    tracker = Failing()
    log = start_tracker(lambda: tracker)
    for step in range(5):
        log.scalars({"lr": 1.0}, step)
    log.finish()
    assert (tracker.lines, tracker.asked) == (5, ["finish"])
    assert capsys.readouterr().out.count("the tracker left out numbers (No space left on device)") == 1


def test_a_tracker_that_cannot_start_stops_nothing_but_a_misspelt_option_does(tmp_path, capsys):
    log = start_tracker(lambda: 1 / 0)
    log.scalars({"lr": 1.0}, 1)
    assert "the tracker could not start (division by zero)" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"tracker\.mode is 'onlin'; it must be auto, online"):
        start_tracker(lambda: WandB("id", "name", {}, mode="onlin", folder=str(tmp_path)))
