"""TensorBoard and trackio, each through its real package, read back by the package's own reader."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.tracking import TensorBoard, Trackio, start_tracker
from colorize.utils.errors import UserError

SETTINGS = {"model": {"width": 1}, "overrides": ["model=cnn"]}


def red():
    return Image.new("RGB", (6, 4), "red")


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0})
    events.Reload()
    return events


def text(events, tag):
    return events.Tensors(tag)[-1].tensor_proto.string_val[0].decode()


def test_tensorboard_holds_what_it_was_told(tmp_path):
    for steps, value in (((1, 2, 3), 0.5), ((3, 4), 0.25)):  # the second start takes step 3 again
        tracker = TensorBoard("run-1", "a run", SETTINGS, folder=str(tmp_path))
        for step in steps:
            tracker.scalars({"train/pixel": value}, step)
        tracker.images({"samples": red()}, steps[-1])
        tracker.summary({"val/psnr": 21.25, "absent/lpips": "no | weights"})
        tracker.table("eval/demo/pictures", ["photograph", "painted", "psnr"], [["a.jpg", Path("a.jpg"), 20.5]])
        tracker.finish()
    events = read_events(tmp_path / "run-1")
    found = [(event.step, event.value) for event in events.Scalars("train/pixel")]
    assert found == [(1, 0.5), (2, 0.5), (3, 0.25), (4, 0.25)]
    picture = events.Images("samples")[-1]
    assert (picture.step, picture.width, picture.height) == (4, 6, 4)
    assert json.loads(text(events, "config/text_summary")) == SETTINGS
    assert "| psnr | 21.25 |" in text(events, "summary/val/text_summary")
    assert "| lpips | no \\| weights |" in text(events, "summary/absent/text_summary")
    assert text(events, "eval/demo/pictures/text_summary").splitlines()[2] == "| a.jpg | 20.5 |"


TOLD = """
import sys
from pathlib import Path
from PIL import Image
from colorize.tracking import Trackio
for steps in ((1, 2), (3,)):
    tracker = Trackio("run-1", "a run", {"model": {"width": 1}}, folder="kept")
    for step in steps:
        tracker.scalars({"train/pixel": step / 2, "lr": 1e-3}, step)
    Image.new("RGB", (6, 4), "red").save("a.jpg")
    tracker.images({"samples": Image.open("a.jpg")}, step)
    tracker.summary({"val/psnr": 21.25, "absent/lpips": "no weights"})
    tracker.table("eval/demo/pictures", ["photograph", "painted", "psnr"], [["a.jpg", Path("a.jpg"), 20.5]])
    tracker.finish()
"""
READ = """
import json
from trackio.sqlite_storage import SQLiteStorage
(run,) = SQLiteStorage.get_runs("colorize")
found = [run, SQLiteStorage.get_logs("colorize", run), SQLiteStorage.get_run_config("colorize", run)]
print(json.dumps(found, default=str))
"""


def test_trackio_holds_what_it_was_told_and_keeps_it_here(tmp_path):
    away = {"TRACKIO_SPACE_ID": "someone/space", "TRACKIO_SERVER_URL": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "TRACKIO_DIR"} | away
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", TOLD], cwd=tmp_path, env=environment, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    del environment["TRACKIO_SPACE_ID"], environment["TRACKIO_SERVER_URL"]
    environment["TRACKIO_DIR"] = str(tmp_path / "kept")
    done = subprocess.run([sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=True)
    run, lines, config = json.loads(done.stdout)
    assert run == "run-1"
    assert [(line["step"], line["train/pixel"]) for line in lines if "train/pixel" in line] == [
        (1, 0.5),
        (2, 1),
        (3, 1.5),
    ]
    shown = [line["samples"] for line in lines if "samples" in line]
    assert len(shown) == 2
    picture = next((tmp_path / "kept/media").rglob("*.png"))
    assert np.asarray(Image.open(picture).convert("RGB"))[..., 0].min() > 200
    (table, _) = (line["eval/demo/pictures"] for line in lines if "eval/demo/pictures" in line)
    assert (table["_value"][0]["photograph"], table["_value"][0]["psnr"]) == ("a.jpg", 20.5)
    (summary, _) = (line["summary"]["_value"] for line in lines if "summary" in line)
    assert summary == [{"name": "val/psnr", "value": 21.25}, {"name": "absent/lpips", "value": "no weights"}]
    assert config["model"] == {"width": 1}


@pytest.mark.parametrize(
    ("tracker", "package", "extra"),
    [(TensorBoard, "torch.utils.tensorboard", "tensorboard"), (Trackio, "trackio", "trackio")],
)
def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, tracker, package, extra):
    monkeypatch.setitem(sys.modules, package, None)  # as Python marks what cannot be imported
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    with pytest.raises(UserError, match=rf"tracker={extra} needs the package {extra}: pip install {extra}"):
        start_tracker(lambda: tracker("id", "name", {}))


@pytest.mark.parametrize("name", ["tensorboard", "trackio"])
def test_their_options_are_what_they_take(config, name):
    from colorize.config import build_part

    cfg = config(f"tracker={name}", "model=cnn")
    assert build_part(cfg.tracker, "tracker").keywords["folder"] == f"outputs/{name}"
