"""The run folder's lines, and W&B that never asks and never waits."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image

from colorize.cli import main
from colorize.tracking import JsonLines, Loggers, Tracker, WandB, begin
from colorize.utils.errors import UserError
from tests.helpers.configs import BIN, ROOT
from tests.helpers.tracked_runs import QUICK, TINY, logged_in, losses, tracked, written
from tests.helpers.wandb_server import WandbServer


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
    assert "colorize sync" in tracker.said
    (folder,) = (tmp_path / "wandb").glob("offline-run-*-run-1")
    words = [BIN / "wandb", "leet", "inspect", "--json", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    history = [json.loads(line) for line in done.stdout.splitlines() if json.loads(line).get("type") == "history"]
    text = json.dumps(history)
    for name, value in values.items():
        assert name in text
        assert str(value) in text


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
    log = begin(lambda: tracker)
    for step in range(5):
        log.scalars({"lr": 1.0}, step)
    log.finish()
    assert (tracker.lines, tracker.asked) == (5, ["finish"])
    assert capsys.readouterr().out.count("the tracker left out numbers ([Errno 28] No space left on device)") == 1


def test_a_tracker_that_cannot_start_stops_nothing_but_a_misspelt_option_does(tmp_path, capsys):
    log = begin(lambda: 1 / 0)
    log.scalars({"lr": 1.0}, 1)
    assert "the tracker could not start (division by zero)" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"tracker\.mode is 'onlin'; it must be one of auto, online"):
        begin(lambda: WandB("id", "name", {}, mode="onlin", folder=str(tmp_path)))


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()


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


def test_what_could_not_be_sent_is_sent_later_and_once(tmp_path, server):
    deaf = WandbServer()
    deaf.stop()  # its address answers nobody
    done = tracked(tmp_path, deaf, "name=cut", "tracker.patience=[2,2]", "schedule.all.steps=2", *QUICK)
    assert "W&B cannot be online" in done.stdout
    assert "colorize sync outputs" in done.stdout
    environment = logged_in(tmp_path, server)
    words = [sys.executable, "-m", "colorize", "sync"]
    sent = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "sending 1 of 1: offline-run-" in sent.stdout
    assert "sent offline-run-" in sent.stdout
    ((run, lines),) = server.history.items()
    assert losses(lines) == losses(written(tmp_path / "outputs/cut"))
    again = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "nothing is pending in 'outputs'" in again.stdout
    assert len(server.history[run]) == len(lines)


def test_sync_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["sync"]) == 2
    assert "there is no 'outputs/wandb': nothing was tracked there" in capsys.readouterr().err
    tracker = WandB("one", "one", {}, mode="offline")
    tracker.scalars({"lr": 1.0}, 1)
    tracker.finish()
    nobody = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    nobody |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    words = [sys.executable, "-m", "colorize", "sync"]  # W&B remembers within a process that it was logged in
    done = subprocess.run(words, env=nobody, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "1 runs are pending, and W&B is not logged in here: say `wandb login` first" in done.stderr


@pytest.mark.parametrize("answers", [False, True])
def test_sync_asks_a_server_that_does_not_answer_once(tmp_path, monkeypatch, capsys, answers):
    """Refused at once, or taken by somebody who never answers."""
    monkeypatch.chdir(tmp_path)
    tracker = WandB("one", "one", {}, mode="offline")
    tracker.finish()
    monkeypatch.setattr("wandb.login", lambda **_: True)
    monkeypatch.setattr("colorize.cli.wandb.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        if not answers:
            silent.close()
        monkeypatch.setattr("colorize.cli.wandb.address_of", lambda: address)
        assert main(["sync"]) == 2
    assert f"1 runs are pending, and W&B's server {address} does not answer" in capsys.readouterr().err


def test_a_mistyped_option_of_sync_is_one_sentence(capsys):
    assert main(["sync", "--fodler", "x"]) == 2
    assert capsys.readouterr().err.startswith("colorize sync: there is no option '--fodler'")


def test_asked_to_be_online_without_a_key_it_says_so_and_is_offline(tmp_path, monkeypatch):
    monkeypatch.setattr("wandb.login", lambda **_: False)  # as above
    tracker = WandB("key", "key", {}, mode="online", folder=str(tmp_path))
    tracker.finish()
    assert tracker.said.startswith("W&B is not logged in here; offline: upload it later with `colorize sync")


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


def blank(path):
    path.write_bytes(os.urandom(64))
    return path


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
    log = begin(lambda: tracker)
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
