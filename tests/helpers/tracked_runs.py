"""Runs that W&B follows at the stand-in server, each on a machine of its own: a HOME with nothing in it."""

import json
import os
import subprocess
import sys

from tests.helpers.configs import BIN, ROOT, SMALL

TINY = ("experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "tracker=wandb", "trainer.log_every=1")
# What costs time and is not tracking
QUICK = ("metrics=quick", "evaluate.historical=false", "evaluate.judges.train_slice=false")


def logged_in(folder, server):
    """The environment of a machine that is logged in at `server` and nowhere else."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    return keep | {"HOME": str(folder / "home"), "WANDB_HTTP_TIMEOUT": "3", **server.environment()}


def tracked(folder, server, *words):
    """A training run of four steps, which has to succeed."""
    program = [sys.executable, str(ROOT / "train.py"), *words, *TINY]
    done = subprocess.run(
        program, cwd=folder, env=logged_in(folder, server), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def colorize(folder, server, *words, code=0, env=None):
    """A verb of the console command, which has to end with `code`."""
    program, environment = [sys.executable, "-m", "colorize", *words], {**logged_in(folder, server), **(env or {})}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def losses(lines):
    return [(line["step"], line["train/loss"]) for line in lines if "train/loss" in line]


def written(run):
    """The lines of a run folder."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def numbers(lines):
    """What W&B holds without its own counters and pictures, in the order of its lines."""
    plain = [{k: v for k, v in line.items() if k[0] != "_" and not isinstance(v, dict)} for line in lines]
    return [line for line in plain if len(line) > 1]


def inspected(run):
    """The records of an offline run, as W&B's own reader has them."""
    done = subprocess.run(
        [BIN / "wandb", "leet", "inspect", "--json", run], capture_output=True, text=True, check=True
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def history(run):
    """The lines of an offline run, without pictures, of which the reader makes a column for each detail."""
    lines = [record["history"]["item"] for record in inspected(run) if record["type"] == "history"]
    pictures = {name.removesuffix("_type") for line in lines for name in line if name.endswith("._type")}
    return [{k: v for k, v in line.items() if not k.startswith(tuple(pictures))} for line in lines]


def blank(path):
    path.write_bytes(os.urandom(64))
    return path


def program(folder, server, text, *words, **more):
    """A small Python program on a machine of its own; what it printed."""
    environment = {**logged_in(folder, server), **more.pop("env", {})}
    done = subprocess.run(
        [sys.executable, "-c", text, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False, **more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
