"""Small runs of all six networks that are cut short on purpose, and what is left of them afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
TIMES = ("images_per_second", "perf/tflops", "perf/mfu", "memory")
NOT_COMPARED = ("seconds", "trained_seconds")
# The thread that writes checkpoints takes its time: train.py goes on beside it for several steps
SLOW_WRITER = """
import os, runpy, sys, threading, time
sync = os.fsync
def slow(number):
    time.sleep(0.5 * (threading.current_thread() is not threading.main_thread()))
    sync(number)
os.fsync = slow
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


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

    def start_slow_writer(self) -> subprocess.Popen:
        """Start it, and return while it writes its second checkpoint or a later one."""
        plain = self.command
        self.command = [sys.executable, "-c", SLOW_WRITER, *plain[1:]]
        process, self.command = self.start(), plain
        while process.poll() is None and not (self.checkpoints() and self.parts()):
            time.sleep(0.005)
        assert process.poll() is None, self.log()
        return process

    def parts(self) -> list[Path]:
        """What is being written."""
        return [*self.folder.glob("checkpoints/*.part")]

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
