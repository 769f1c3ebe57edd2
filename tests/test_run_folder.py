"""A run folder belongs to one run, which one process trains."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from conftest import ROOT
from test_command_line import SMOKE, refused

from colorize.errors import UserError
from colorize.locking import RunLock
from colorize.runs import RunFolder

HOLD = """
import os, sys, time
from colorize.locking import RunLock
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
    monkeypatch.setattr("colorize.locking.PATIENCE", 0.5)


def run_of(folder, token=None):
    (folder / ".hydra").mkdir(parents=True)
    if token:
        (folder / ".hydra" / "token").write_text(token)
    return RunFolder(folder)


def test_a_folder_that_is_being_trained_is_refused(holder, hasty, inside, tmp_path):
    process = holder()
    done = inside("train", *SMOKE[1:], f"hydra.run.dir={tmp_path / 'run'}", "overwrite=true")
    refused(done, "/run' is being trained by another process", f"pid {process.pid} on {socket.gethostname()}", "name=…")
    assert not (tmp_path / "run" / ".hydra").exists()


@posix
def test_a_killed_process_leaves_no_lock(holder, tmp_path):
    process = holder()
    process.send_signal(signal.SIGKILL)
    process.wait()
    lock = RunLock(tmp_path / "run")
    lock.acquire()
    assert lock.read_owner() == (os.getpid(), socket.gethostname())
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
