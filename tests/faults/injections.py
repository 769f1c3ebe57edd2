"""What cuts a run short: signals, kills, damage, a full disk. `FAULTS` names them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch

from .runs import Run, children, kill_all


def at_random(run: Run, chance: random.Random, seconds: float) -> int:
    """Kill the run at a random instant, again and again, until it ends before it is hit; how often it was hit."""
    hits = 0
    while True:
        process = run.start()
        try:
            process.wait(timeout=chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            kill_all(process)
            hits += 1
            continue
        if process.returncode != 0:
            raise RuntimeError(f"{run.folder} ended with {process.returncode}:\n{run.log()[-2000:]}")
        return hits


def by_signal(number: signal.Signals) -> Callable[[Run, random.Random], None]:
    """Stop the run politely in its middle; the same command then goes on."""

    def fault(run: Run, chance: random.Random) -> None:
        process = run.start()
        assert run.wait_for_step(process, chance.randrange(2, run.steps - 3)), run.log()
        process.send_signal(number)
        expected = 130 if number == signal.SIGINT else 75
        assert process.wait(timeout=60) == expected, run.log()
        newest = torch.load(run.checkpoints()[0], weights_only=True)
        assert newest["steps"] == run.steps_logged()  # nothing is lost

    return fault


def killed_while_writing(run: Run, chance: random.Random) -> None:
    """Kill the run three times while it writes a checkpoint beside its steps: the one before is whole."""
    for _ in range(3):
        process = run.start_slow_writer()
        time.sleep(chance.uniform(0, 0.4))
        kill_all(process)
        assert torch.load(run.checkpoints()[0], weights_only=True)["steps"] > 0


def stopped_while_writing(run: Run, chance: random.Random) -> None:
    """Ctrl-C while a checkpoint is written: it is waited for, and that of the last step after it."""
    process = run.start_slow_writer()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130, run.log()
    assert not run.parts()
    newest = torch.load(run.checkpoints()[0], weights_only=True)
    assert newest["steps"] == run.steps_logged()


def damaged(damage: Callable[[bytes], bytes]) -> Callable[[Run, random.Random], None]:
    """Kill the run once it has two checkpoints, and damage the newer."""

    def fault(run: Run, chance: random.Random) -> None:
        process = run.start()
        while process.poll() is None and len(run.checkpoints()) < 2:
            time.sleep(0.005)
        kill_all(process)
        newest = run.checkpoints()[0]
        newest.write_bytes(damage(newest.read_bytes()))

    return fault


def truncate(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flip_a_bit(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 4
    return bytes(changed)


def killed_before_best(run: Run, chance: random.Random) -> None:
    """Kill the run when its first evaluation is saved, and take away best.pt, which may not have been written then."""
    process = run.start()
    while process.poll() is None and not run.best().exists():
        time.sleep(0.002)
    kill_all(process)
    first = torch.load(run.best(), weights_only=True)["steps"]
    run.best().unlink()
    for path in run.checkpoints():
        if int(path.stem.removeprefix("step-")) > first:
            path.unlink()


def full_disk(run: Run, chance: random.Random) -> None:
    """No file may grow beyond a few kilobytes: the checkpoint does not fit, and the run ends in one sentence."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, 2**14))

    first = run.start()
    while first.poll() is None and not run.checkpoints():
        time.sleep(0.005)
    kill_all(first)
    before = len(run.checkpoints())
    assert run.start(preexec_fn=limit).wait(timeout=120) == 1, run.log()
    assert "cannot write it" in run.log()
    assert len(run.checkpoints()) >= before


def worker_killed(run: Run, chance: random.Random) -> None:
    """A data worker dies: the run ends with an error, and the same command goes on."""
    run.command.append("data.num_workers=1")
    process = run.start()
    assert run.wait_for_step(process, chance.randrange(2, run.steps - 3)), run.log()
    workers = children(process)
    os.kill(workers[-1], signal.SIGKILL)
    assert process.wait(timeout=120) != 0, run.log()


def process_killed(run: Run, chance: random.Random) -> None:
    """One of two training processes dies; torchrun starts both again."""
    process = run.start()
    assert run.wait_for_step(process, chance.randrange(2, run.steps // 3)), run.log()
    trainers = [pid for pid in children(process) if b"train.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(chance.choice(trainers), signal.SIGKILL)
    assert process.wait(timeout=300) == 0, run.log()


FAULTS: dict[str, Callable[[Run, random.Random], None]] = {
    "SIGTERM": by_signal(signal.SIGTERM),
    "SIGINT": by_signal(signal.SIGINT),
    "SIGUSR1": by_signal(signal.SIGUSR1),
    "SIGUSR2": by_signal(signal.SIGUSR2),
    "SIGKILL while writing": killed_while_writing,
    "SIGINT while writing": stopped_while_writing,
    "disk full": full_disk,
    "newest truncated": damaged(truncate),
    "newest bit-flipped": damaged(flip_a_bit),
    "worker killed": worker_killed,
    "killed before best.pt": killed_before_best,
}
