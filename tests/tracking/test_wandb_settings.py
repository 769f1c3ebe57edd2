"""Settings of W&B: the environment's, the user's, and names and tags that it refuses."""

import json
import subprocess

import pytest

from colorize.tracking import Tracker, WandB, start_tracker
from tests.helpers.configs import BIN
from tests.helpers.tracked_runs import blank


def parts(folder):
    """What each part of a run, offline, is announced as, by W&B's own reader."""
    found = []
    for run in sorted((folder / "wandb").glob("offline-run-*")):
        words = [BIN / "wandb", "leet", "inspect", "--json", run]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found.append(next(each["run"] for each in map(json.loads, done.stdout.splitlines()) if each["type"] == "run"))
    return found


SETTINGS = {
    "names": {"model": "cnn", "loss": "l1", "data": "demo", "look": ""},
    "group": "cnn-l1-demo-0123",
    "overrides": [],
}
ENVIRONMENT = {
    "WANDB_PROJECT": "faces", "WANDB_NAME": "mine", "WANDB_RUN_GROUP": "ours", "WANDB_TAGS": "one,two",
    "WANDB_JOB_TYPE": "study", "WANDB_ENTITY": "lab",
}  # fmt: skip


def test_the_environment_comes_before_what_we_think_and_after_the_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    WandB("a-1", "a", SETTINGS).finish()
    (plain,) = parts(tmp_path / "outputs")
    assert (plain["project"], plain["display_name"], plain["run_group"]) == ("colorize", "a", "cnn-l1-demo-0123")
    assert (plain["job_type"], plain["tags"]) == ("train", ["cnn", "l1", "demo"])
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "there"))
    WandB("a-2", "a", SETTINGS).finish()
    (there,) = parts(tmp_path / "there")
    assert (there["project"], there["display_name"], there["run_group"]) == ("faces", "mine", "ours")
    assert (there["job_type"], there["tags"], there["entity"]) == ("study", ["one", "two"], "lab")
    said = {**SETTINGS, "overrides": ["name=a"]}
    WandB(
        "a-3", "a", said, project="mine", group="g", tags=["x"], job_type="j", entity="e", folder=str(tmp_path / "here")
    ).finish()
    (here,) = parts(tmp_path / "here")
    assert (here["project"], here["display_name"], here["run_group"]) == ("mine", "a", "g")
    assert (here["job_type"], here["tags"], here["entity"]) == ("j", ["x"], "e")


def test_an_empty_mode_and_loose_tags_of_the_environment(tmp_path, monkeypatch):
    settings = {**SETTINGS, "data": {"root": "K\udcf6ln"}}  # a name that is no UTF-8
    with monkeypatch.context() as patch:
        for variable, value in (("MODE", ""), ("TAGS", " one , two,, one "), ("API_KEY", "")):
            patch.setenv(f"WANDB_{variable}", value)
        WandB("K\udcf6ln-1", "K\udcf6ln", settings, folder=str(tmp_path)).finish()
    (part,) = parts(tmp_path)
    assert (part["tags"], part["display_name"], part["run_id"]) == (["one", "two"], r"K\xf6ln", "K_ln-1")


@pytest.mark.parametrize("name", ["faces/first", "a: 50%", "what?#1\\2", "n" * 150, "é" * 100, " x "])
def test_every_name_is_tracked_as_it_was_said(name, tmp_path, monkeypatch):
    from wandb.sdk.artifacts._validators import validate_artifact_name

    from colorize.tracking.wandb_files import versions_of

    tracker = WandB(f"{name}-01234567", name, SETTINGS, folder=str(tmp_path))
    assert tracker.run.name == name
    assert tracker.run.id.endswith("-01234567")
    assert validate_artifact_name(versions_of(tracker.run.id))
    tracker.checkpoint(blank(tmp_path / "step-00000001.pt"), ["latest"], {})
    tracker.finish()
    assert list((tmp_path / "wandb").rglob("checkpoints/*.pt"))


def test_ids_that_were_allowed_stay():
    from colorize.tracking.wandb_files import id_of, versions_of

    for run_id in ("smoke-cnn-l1-demo-s0-01234567", "a b-01234567", "café-01234567", "x" * 100 + "-01234567"):
        assert id_of(run_id) == run_id
    assert versions_of("a.b_c-01234567") == "a.b_c-01234567"
    assert id_of("n" * 150 + "-01234567") != id_of("n" * 150 + "-01234568")


def test_tags_that_wandb_refuses_are_left_out(tmp_path, capsys):
    WandB("a-1", "a", {}, folder=str(tmp_path), tags=["one", "y" * 65, "one", ""]).finish()
    (part,) = parts(tmp_path)
    assert part["tags"] == ["one"]
    assert capsys.readouterr().out.count("is left out") == 2


class Refusing(Tracker):
    def __init__(self):
        self.heard = []

    def scalars(self, values, step):
        self.heard.append(step)

    def checkpoint(self, file, aliases, metadata):
        raise ValueError("artifact name is longer than 128")

    def summary(self, values):
        raise OSError("gone")


def test_what_is_refused_is_left_out_and_the_rest_goes_on(capsys):
    tracker = Refusing()
    log = start_tracker(lambda: tracker)
    for step in range(6):
        log.scalars({}, step)
        log.checkpoint(None, [], {})
    assert tracker.heard == list(range(6))
    assert capsys.readouterr().out.count("the tracker left out a checkpoint (artifact name is longer than 128)") == 1
    for _ in range(5):
        log.summary({})
    log.scalars({}, 7)
    assert tracker.heard == list(range(6))
    assert "the tracker failed and is left out from here on (gone)" in capsys.readouterr().out
