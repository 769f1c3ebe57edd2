"""A run folder belongs to one run, which one process trains."""

import errno
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from filelock import FileLock

from colorize.reports.run_data import gather
from colorize.run_folder import RunFolder
from colorize.tracking.logger import JsonLines
from colorize.training.resume import put_aside
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.errors import UserError
from colorize.utils.files import RunLock
from tests.helpers.commands import SMOKE, refused
from tests.helpers.configs import ROOT

HOLD = """
import os, sys, time
from colorize.utils.files import RunLock
lock = RunLock(sys.argv[1])
lock.acquire()
print("got it", flush=True)
if "worker" in sys.argv and os.fork() == 0:
    time.sleep(2)
    os._exit(0)
time.sleep(60)
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock of `run`."""
    started = []

    def start(*words):
        program = [sys.executable, "-c", HOLD, str(tmp_path / "run"), *words]
        process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        assert process.stdout.readline() == "got it\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr("colorize.utils.files.PATIENCE", 0.5)


def test_the_summary_does_not_say_where_files_lie(kept):
    text = (kept[0] / "run" / "summary.json").read_text()
    assert "of '…/photos', those whose names" in text
    assert not re.search(r"(^|[\s'\"(])[/~]\w", text)


def run_of(folder, token=None):
    (folder / ".hydra").mkdir(parents=True)
    if token:
        (folder / ".hydra" / "token").write_text(token)
    return RunFolder(folder)


def test_a_folder_that_is_being_trained_is_refused(holder, hasty, inside, tmp_path):
    process = holder()
    done = inside("train", *SMOKE[1:], f"hydra.run.dir={tmp_path / 'run'}", "overwrite=true")
    refused(done, "/run' is being trained by another process", f"pid {process.pid} on {socket.gethostname()}", "name=…")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", ".owner"}  # the other's


@posix
def test_a_file_system_without_locks_is_named_with_what_to_do(inside, monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    done = inside(*(word.removesuffix(".py") for word in SMOKE))
    refused(done, "without locks (No locks available)", "hydra.run.dir=")
    assert not list((tmp_path / "outputs").iterdir())


def test_a_killed_process_leaves_no_lock(holder, tmp_path):
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    assert lock.taken().endswith(f"(pid {os.getpid()} on {socket.gethostname()})")
    lock.release()


@posix
def test_a_worker_that_outlives_its_killed_process_does_not_keep_the_folder(holder, tmp_path):
    """With filelock before 4 it holds what its parent held until it ends, and is waited for, as a run that saves is."""
    process = holder("worker")
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    lock.release()


def test_the_lock_is_free_after_training_and_after_a_mistake(hasty, inside, tmp_path):
    words = (*SMOKE[1:], "name=run", "metrics=quick", "evaluate.historical=false", "schedule.all.steps=1")
    assert inside("train", *words, "trainer.device=gpu").returncode == 2
    assert inside("train", *words).returncode == 0
    lock = RunLock(tmp_path / "outputs" / "run")
    lock.acquire()
    with pytest.raises(UserError, match="is being trained by another process"):
        RunLock(tmp_path / "outputs" / "run").acquire()
    lock.release()
    assert not (tmp_path / "outputs" / "run" / ".owner").exists()


@pytest.mark.parametrize("word", ["trainer.device=gpu", "~schedule.all", "evaluate.samples=0"])
def test_a_run_that_is_refused_leaves_no_folder(word, inside, tmp_path):
    refused(inside("train", *SMOKE[1:], "name=run", word))
    assert not (tmp_path / "outputs" / "run").exists()


def test_a_token_stays_with_its_run(tmp_path):
    token = run_of(tmp_path / "a").token()
    assert len(token) == 8
    assert RunFolder(tmp_path / "a").token() == token  # resumed
    (tmp_path / "a").rename(tmp_path / "b")
    assert RunFolder(tmp_path / "b").token() == token  # moved
    shutil.copytree(tmp_path / "b", tmp_path / "copy")
    of_copy = RunFolder(tmp_path / "copy").token()
    assert of_copy != token
    assert RunFolder(tmp_path / "copy").token() == of_copy
    assert RunFolder(tmp_path / "b").token() == token
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert RunFolder(tmp_path / "link").token() == token  # the same folder by another name


def test_a_token_of_before_stays(tmp_path):
    run = run_of(tmp_path / "a", "0123abcd")
    assert run.token() == "0123abcd"
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    assert RunFolder(tmp_path / "copy").token() != "0123abcd"


def test_a_copy_by_hand_is_neither_deleted_nor_gone_on_from(tmp_path, inside, capsys):
    """Only names that we make are ours: `step-` and a number."""
    copies = ("step-00000002-good.pt", "step-backup.pt", "step-00000099 (copy).pt", "best-of-may.pt", "step-2.pt.bak")
    folder = tmp_path / "run" / "checkpoints"
    checkpoints = Checkpoints(folder, keep=1)
    checkpoints.save({"steps": 2})
    for name in copies:
        (folder / name).write_bytes(b"mine")
    (tmp_path / "run" / ".hydra").mkdir()
    assert checkpoints.newest().name == "step-00000002.pt"
    checkpoints.save({"steps": 3}, best=True)
    assert {path.name for path in folder.iterdir()} == {*copies, "step-00000003.pt", "best.pt"}
    run = RunFolder(tmp_path / "run")
    assert run.checkpoint("last").name == "step-00000003.pt"
    with pytest.raises(UserError, match="it has 3, last, best"):
        run.checkpoint("backup")


def test_a_copy_that_is_called_after_a_day_is_neither_deleted_nor_gone_on_from(tmp_path):
    """Its name is one that we make, of a step that it is not of."""
    checkpoints = Checkpoints(tmp_path, keep=1)
    mine = tmp_path / "step-20261128.pt"
    shutil.copy(checkpoints.save({"steps": 2}), mine)
    shutil.copy(mine, tmp_path / "step-000000002.pt")  # nine digits that begin with 0
    (tmp_path / "step-00000009.pt").mkdir()
    assert checkpoints.newest().name == "step-00000002.pt"
    checkpoints.save({"steps": 3})
    assert [path.name for path in checkpoints.steps()] == ["step-00000003.pt"]
    assert mine.exists()
    assert (tmp_path / "step-000000002.pt").exists()


def test_steps_are_numbers_not_words(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for steps in (99_999_999, 100_000_000):
        checkpoints.save({"steps": steps})
    assert checkpoints.newest().name == "step-100000000.pt"


def test_pictures_of_ones_own_stay(tmp_path):
    (tmp_path / "samples").mkdir()
    names = ("step-000004.png", "step-000002.png", "step-000004-for-the-paper.png", "step-last.png")
    for name in names:
        (tmp_path / "samples" / name).write_bytes(b"")
    assert gather(tmp_path).sheet("samples") == (
        "after step 4 of its training",
        tmp_path / "samples" / "step-000004.png",
    )
    JsonLines(tmp_path, 2).finish()
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == sorted(set(names) - {"step-000004.png"})
    JsonLines(tmp_path).finish()
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == sorted(names[2:])


OURS = (
    ".hydra/config.yaml", "metrics.jsonl", "summary.json", "run.html", "samples/step-000004.png",
    "checkpoints/best.pt", "checkpoints/step-00000004.pt", "checkpoints/step-00000002.damaged",
    "results/validation.json", "results/validation.csv", "results/validation.html",
    "results/validation.pictures/000-a.jpg", "results/clean.work/part-0/x.f32",
)  # fmt: skip
NOT_OURS = (
    "notes.txt",
    "trial.json",
    "checkpoints/step-4-mine.pt",
    "samples/mine.png",
    "results/mine.json",
    "results/a.txt",
    "results/validation.notes.txt",
)


def test_overwriting_puts_the_old_run_aside_and_touches_nothing_else(tmp_path):
    folder, aside = tmp_path / "outputs" / "run", tmp_path / "outputs" / ".overwritten"

    def fill(text):
        for name in (*OURS, *NOT_OURS):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text('{"protocol": {}}' if name == "results/validation.json" else text)

    def files(place):
        return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}

    (aside / "run-fast-20260101-000000").mkdir(parents=True)  # another run's
    (aside / "run-20260101-000000").mkdir()  # of this one, older
    fill('"first"')
    put_aside(folder)
    assert files(folder) == {*NOT_OURS}
    first = {path.name for path in aside.iterdir()} - {"run-fast-20260101-000000"}
    assert len(first) == 1
    assert files(aside / first.pop()) == {*OURS}
    fill('"second"')
    put_aside(folder)
    (newest,) = [path for path in aside.iterdir() if path.name != "run-fast-20260101-000000"]
    assert (newest / "metrics.jsonl").read_text() == '"second"'
    put_aside(folder)  # nothing is there: nothing is lost
    assert newest.exists()
