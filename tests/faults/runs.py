"""Small runs of all six networks that are cut short on purpose, and what is left of them afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
DECODERS = ["model.widths=[16,16,16]", "model.queries=8", "model.dim=16", "model.heads=2", "model.feedforward=32"]
PHASES = ["schedule=pretrain_then_adversarial", "schedule.pretrain.steps={half}", "schedule.adversarial.steps={half}"]
ONE = ["schedule=warmup_cosine", "schedule.all.steps={steps}"]
# A few channels of each network with its own loss, every kind of state that a run has: critics, averages, two phases
RECIPES = {
    "cnn": ["loss=iizuka", "model.width=0.1", "model.global_size=32", *ONE],
    "gan_unet": ["loss=pix2pix", "model.widths=[8,8,16,32]", *PHASES],
    "gan": ["loss=pix2pix", "model.encoder=test_resnet", "model.width=0.2", *PHASES],
    "diffusion": ["loss=ddpm", "model.encoder=test_convnext", "model.widths=[8,16,16]", "model.time=16", *ONE],
    "transformer": ["loss=ddcolor", "model.encoder=test_convnext", *DECODERS, *ONE],
    "multicolor": ["loss=multicolor", "model.encoder=test_convnext", *DECODERS, "model.complement=[8,16,8]", *ONE],
}
TIMES = ("images_per_second", "memory")
NOT_COMPARED = ("seconds", "trained_seconds")


class Run:
    """One run in its folder, started as often as it takes."""

    def __init__(self, model: str, folder: Path, *, steps: int, every: int, processes: int = 1):
        settings = [word.format(steps=steps, half=steps // 2) for word in RECIPES[model]]
        self.folder, self.steps = folder, steps
        script = [sys.executable, str(ROOT / "train.py")]
        if processes > 1:
            script = [
                sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
                "--max-restarts=2", str(ROOT / "train.py"),
            ]  # fmt: skip
        self.command = [
            *script, f"model={model}", *settings, "tracker=none", "data.size=32", f"trainer.batch_size={2 * processes}",
            "trainer.log_every=1", "metrics=quick",
            f"evaluate={{every: {2 * every}, samples: 2, historical: false, final: false}}",
            "evaluate.judges.train_slice=false", f"checkpoint.every={every}", f"hydra.run.dir='{folder}'",
        ]  # fmt: skip

    def start(self, **options) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
        log = (self.folder.parent / f"{self.folder.name}.log").open("a")
        options |= {"env": environment, "cwd": self.folder.parent, "stdout": log, "stderr": log}
        return subprocess.Popen(self.command, start_new_session=True, **options)

    def finish(self) -> None:
        """Start it until it ends by itself. Raises `RuntimeError` where it does not end well."""
        if (code := self.start().wait(timeout=600)) != 0:
            raise RuntimeError(f"{self.folder} ended with {code}:\n{self.log()[-2000:]}")

    def log(self) -> str:
        return (self.folder.parent / f"{self.folder.name}.log").read_text()

    def steps_logged(self) -> int:
        return max((line["step"] for line in self.lines()), default=0)

    def lines(self) -> list[dict]:
        path = self.folder / "metrics.jsonl"
        texts = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(text) for text in texts if text.endswith("\n")]

    def checkpoints(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("checkpoints/step-*.pt"), reverse=True)

    def ended(self) -> tuple[dict, list[dict]]:
        """Every player's weights, averages and optimizer state, of the newest and of the best checkpoint, and every
        logged number but times."""
        newest, best = (
            {key: value for key, value in torch.load(path, weights_only=True).items() if key not in NOT_COMPARED}
            for path in (self.checkpoints()[0], self.best())
        )
        lines = [{key: value for key, value in line.items() if key not in TIMES} for line in self.lines()]
        return {"newest": newest, "best": best}, lines

    def best(self) -> Path:
        return self.folder / "checkpoints" / "best.pt"

    def wait_for_step(self, process: subprocess.Popen, step: int, seconds: float = 120) -> bool:
        """Whether the run logs `step` before it ends."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and process.poll() is None:
            if self.steps_logged() >= step:
                return True
            time.sleep(0.005)
        return False


def same(one, other) -> bool:
    """Whether two nests of values are equal, bit for bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def kill_all(process: subprocess.Popen) -> None:
    """SIGKILL to the run and to all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def children(process: subprocess.Popen) -> list[int]:
    """The process numbers below a run, from Linux's /proc."""
    found, waiting = [], [process.pid]
    while waiting:
        parent = waiting.pop()
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            below = [int(number) for number in path.read_text().split()]
            found += below
            waiting += below
    return found


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
    "disk full": full_disk,
    "newest truncated": damaged(truncate),
    "newest bit-flipped": damaged(flip_a_bit),
    "worker killed": worker_killed,
    "killed before best.pt": killed_before_best,
}
