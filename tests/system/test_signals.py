"""Signals: each ends a run with a status that says so, and what is begun in the background ignores Ctrl-C."""

import json
import signal
import subprocess
import sys
import time

import pytest

from colorize.run_folder import RunFolder
from colorize.utils.processes import StopSignal
from colorize.utils.serialization import read
from tests.helpers.commands import lines
from tests.helpers.configs import ROOT
from tests.helpers.run_weights import WORDS


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 75), ("SIGUSR1", 75), ("SIGUSR2", 75), ("SIGINT", 130)])
def test_every_signal_has_its_status(name, code, capsys):
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    with StopSignal() as stop:
        assert not stop
        signal.raise_signal(getattr(signal, name))
        assert stop
    assert stop.exit_code == code
    assert f"{name}: stopping after this step" in capsys.readouterr().out


def test_a_background_jobs_ctrl_c_stays_ignored():
    """A shell without job control starts what it puts into the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop
            signal.raise_signal(signal.SIGTERM)
            assert stop.exit_code == 75
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_a_signal_ends_a_run_with_a_status_that_says_so(tmp_path):
    """A run in a process of its own; SIGINT is in cli/test_app.py, the others are among the faults."""
    process = start(tmp_path, "schedule.all.steps=100000", "checkpoint.every=100000", "evaluate.every=100000")
    process.send_signal(signal.SIGUSR1)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 75
    assert "SIGUSR1: stopping after this step" in printed
    folder = tmp_path / "outputs" / "run"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert read(RunFolder(folder).checkpoint("last"))["steps"] == summary["steps"] == lines(folder)[-1]["step"]


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    process = start(tmp_path, "schedule.all.steps=100000", "evaluate.every=100000", "trainer.batch_size=64")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    for path in (tmp_path / "outputs" / "run" / "checkpoints").glob("*"):
        assert path.suffix == ".pt"
        read(path)


def test_ctrl_c_ends_a_sweep(tmp_path):
    words = ("-m", "seed=0,1", "schedule.all.steps=100000", "evaluate.every=100000")
    process = start(tmp_path, *words, "hydra.sweep.dir=outputs/sweep", folder="sweep/000-*")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((tmp_path / "outputs" / "sweep").glob("001-*"))


def start(home, *words, folder="run"):
    """A run in a process of its own that has taken some steps."""
    command = [sys.executable, ROOT / "train.py", *words, *WORDS, "name=run"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not any(log.read_text().count("\n") >= 4 for log in (home / "outputs").glob(f"{folder}/metrics.jsonl")):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(process.communicate()[0])
        time.sleep(0.01)
    return process
