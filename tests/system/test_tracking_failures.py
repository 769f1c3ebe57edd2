"""Runs whose tracking fails: the network, the server, the disk, the key; the run goes on."""

import subprocess
import sys
import time

import pytest

from tests.helpers.configs import ROOT
from tests.helpers.tracked_runs import (
    QUICK,
    TINY,
    colorize,
    history,
    logged_in,
    losses,
    numbers,
    program,
    written,
)
from tests.helpers.wandb_server import WandbServer


def test_a_network_that_is_lost_in_mid_run(tmp_path, server, inside):
    """Training goes on, waits no longer than it was told, and everything arrives later."""
    words = ("name=lost", "schedule.all.steps=80", "evaluate.every=40", "tracker.patience=[5,2]", *QUICK)
    program = [sys.executable, str(ROOT / "train.py"), *TINY, *words]
    deaf, log = WandbServer(), tmp_path / "outputs/lost/metrics.jsonl"
    process = subprocess.Popen(program, cwd=tmp_path, env=logged_in(tmp_path, deaf), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (log.exists() and '"step": 3' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    deaf.stop()
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    assert "W&B online" in printed
    assert "W&B did not take everything within 2 s: upload it later with `colorize sync outputs`" in printed
    lines = written(tmp_path / "outputs/lost")
    assert [step for step, _ in losses(lines)] == [*range(1, 81)]
    colorize(tmp_path, server, "sync")
    (arrived,) = server.history.values()
    assert numbers(arrived) == lines
    assert {alias for version in server.artifacts for alias in version["aliases"]} >= {"latest", "best", "step-80"}
    assert "nothing is pending" in inside("sync").stdout


LONG = """
from pathlib import Path
from colorize.tracking import JsonLines, Loggers, WandB, start_tracker
Path("outputs/long").mkdir(parents=True)
service = start_tracker(lambda: WandB("long", "long", {}, mode="offline", patience=(5, 5)))
log = Loggers([JsonLines("outputs/long"), service])
for step in range(400):
    log.scalars({f"train/{name}": step / 7 for name in range(3)}, step)
log.finish()
"""


def test_a_full_disk_under_the_offline_folder(tmp_path, server):
    """W&B's own process is the one that writes there."""
    resource = pytest.importorskip("resource", reason="Windows has no limits of that kind")
    most = 2**16
    limits = (most, resource.RLIM_INFINITY)
    program(tmp_path, server, LONG, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    (kept,) = (tmp_path / "outputs/wandb").glob("offline-run-*-long/*.wandb")
    assert kept.stat().st_size <= most
    assert [line["step"] for line in written(tmp_path / "outputs/long")] == [*range(400)]


SHORT = """
import time
from pathlib import Path
from colorize.tracking import WandB, start_tracker
log = start_tracker(lambda: WandB("short", "short", {}, mode="online", patience=(5, 2)))
for step in range(3):
    log.scalars({"lr": 1.0}, step)
began = time.monotonic()
log.finish()
assert time.monotonic() - began < 4
"""


def test_a_run_that_was_deleted_on_the_server(tmp_path, server):
    server.delete("short")
    printed = program(tmp_path, server, SHORT)
    assert "W&B cannot be online (run short was previously created and deleted; try a new run name)" in printed
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]
    done = colorize(tmp_path, server, "sync", code=2)
    assert f"not sent: {run.name} (run short was previously created and deleted; try a new run name)" in done.stdout
    assert "1 of 1 runs could not be sent" in done.stderr


def test_a_run_that_is_deleted_in_mid_run(tmp_path, server):
    announced = server.on_UpsertBucket

    def announce_then_delete(words):
        server.delete(words["name"])
        return announced(words)

    server.on_UpsertBucket = announce_then_delete
    assert "W&B did not take everything within 2 s" in program(tmp_path, server, SHORT)
    (run,) = (tmp_path / "outputs/wandb").glob("run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]


@pytest.mark.parametrize("answer", [None, {}], ids=["null", "empty"])
def test_a_server_that_answers_with_nothing(answer, tmp_path, server):
    server.instead = [answer]
    assert "W&B cannot be online (" in program(tmp_path, server, SHORT)
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]


def test_a_server_that_answers_with_nothing_in_mid_run(tmp_path, server):
    """W&B's own process dies of it, which ends no run and shows no traceback."""
    announced = server.on_UpsertBucket

    def announce_then_nothing(words):
        server.instead = [{"data": dict.fromkeys(("viewer", "upsertBucket", "createRunFiles", "createArtifact"))}]
        return announced(words)

    server.on_UpsertBucket = announce_then_nothing
    words, environment = [sys.executable, "-c", SHORT], logged_in(tmp_path, server)
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_key_that_is_wrong(tmp_path, server):
    wrong = {"WANDB_API_KEY": "short"}
    printed = program(tmp_path, server, SHORT, env=wrong)
    assert "W&B cannot be online (WANDB_API_KEY invalid: API key must have 40+ characters" in printed
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]
    done = colorize(tmp_path, server, "sync", code=2, env=wrong)
    assert "1 runs are pending, and W&B does not take the key" in done.stderr


def test_two_jobs_with_one_id(tmp_path, server):
    """A run folder was copied, and both are trained at once: neither stops, and each keeps its own lines here."""
    program = [sys.executable, "-c", TWICE]
    jobs = []
    for word in ("1", "2"):
        words = [*program, word]
        jobs.append(subprocess.Popen(words, cwd=tmp_path, env=logged_in(tmp_path, server), stderr=subprocess.PIPE))
        while not list((tmp_path / "outputs/wandb").glob("run-*-twice")):
            assert jobs[0].poll() is None, jobs[0].stderr.read().decode()
            time.sleep(0.1)
        time.sleep(1)  # W&B calls a run's folder by the second in which it began
    for job in jobs:
        assert job.wait(timeout=120) == 0, job.stderr.read().decode()
    found = sorted([line["lr"] for line in history(run)] for run in (tmp_path / "outputs/wandb").glob("run-*-twice"))
    assert found == [[1.0] * 5, [2.0] * 5]
    assert list(server.runs) == ["twice"]
    assert {line["lr"] for line in server.history["twice"]} == {1.0, 2.0}


TWICE = """
import sys, time
from colorize.tracking import WandB
tracker = WandB("twice", "twice", {}, mode="online", patience=(20, 20))
for step in range(5):
    tracker.scalars({"lr": float(sys.argv[1])}, step)
    time.sleep(0.5)
tracker.finish()
"""
