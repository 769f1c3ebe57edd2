"""The verb `sync`: what could not be sent is sent once, and what is missing is said."""

import os
import socket
import subprocess
import sys

import pytest

from colorize.cli import main
from colorize.tracking import WandB
from tests.helpers.tracked_runs import QUICK, logged_in, losses, tracked, written
from tests.helpers.wandb_server import WandbServer


def test_what_could_not_be_sent_is_sent_later_and_once(tmp_path, server, inside):
    deaf = WandbServer()
    deaf.stop()  # its address answers nobody
    done = tracked(tmp_path, deaf, "name=cut", "tracker.patience=[1,1]", "schedule.all.steps=2", *QUICK)
    assert "W&B cannot be online" in done.stdout
    assert "colorize sync outputs" in done.stdout
    environment = logged_in(tmp_path, server)
    words = [sys.executable, "-m", "colorize", "sync"]
    sent = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "sending 1 of 1: offline-run-" in sent.stdout
    assert "sent offline-run-" in sent.stdout
    ((run, lines),) = server.history.items()
    assert losses(lines) == losses(written(tmp_path / "outputs/cut"))
    assert "nothing is pending in 'outputs'" in inside("sync").stdout
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
    assert "1 runs are pending, and W&B is not logged in here: run `wandb login` first" in done.stderr


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
        monkeypatch.setattr("colorize.cli.wandb.server_address", lambda: address)
        assert main(["sync"]) == 2
    assert f"1 runs are pending, and W&B's server {address} does not answer" in capsys.readouterr().err


def test_a_mistyped_option_of_sync_is_one_sentence(capsys):
    assert main(["sync", "--fodler", "x"]) == 2
    assert capsys.readouterr().err.startswith("colorize sync: there is no option '--fodler'")
