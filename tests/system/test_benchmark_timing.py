"""What the benchmarks of speed share: jobs in turns, verdicts, kinds of operation; and the script for a GPU."""

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from tests.helpers.configs import ROOT


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")


def test_jobs_take_turns_and_the_first_round_does_not_count():
    import interleaved

    calls = []
    timings = interleaved.measure({name: lambda name=name: calls.append(name) for name in "ab"}, rounds=2)
    assert calls == ["a", "b"] * 3
    assert {name: of.rounds for name, of in timings.items()} == {"a": 2, "b": 2}


def test_a_busy_machine_and_too_few_rounds_give_no_verdict():
    import interleaved

    quiet, noisy = interleaved.timing_of([1, 1.01, 1.02, 1.03]), interleaved.timing_of([1, 1.1, 1.2, 1.6, 2.0])
    assert (noisy.low, noisy.median, noisy.high) == (1.1, 1.2, 1.6)
    assert interleaved.verdict_of({"a": quiet}) is None
    assert (
        interleaved.verdict_of({"a": quiet, "b": noisy})
        == "no verdict: the machine was busy (spread 42 %)"  # 0.5 / 1.2
    )
    assert interleaved.verdict_of({"a": interleaved.timing_of([1])}) == "no verdict: 1 rounds, of 4 that it takes"
    assert interleaved.summary({"a": quiet, "b": noisy})["busy"] is True
    assert interleaved.summary({"a": quiet})["busy"] is False
    assert interleaved.processor()["threads"] == torch.get_num_threads()


def test_the_operations_of_a_step_are_told_apart():
    from operators import OperatorTimes, rows_of

    net = nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8))
    optimizer = torch.optim.AdamW(net.parameters())
    with OperatorTimes() as profile:
        profile.follow(optimizer)
        net(torch.randn(2, 4, 10, 10)).sum().backward()
        optimizer.step()
    rows = rows_of(profile.found, 1e12)
    first = 2 * 2 * 8 * 8 * 8 * 4 * 9  # of 2 pictures of 8², 8 filters of 4 × 3²; no gradient is due for the input
    assert rows["convolution 3×3, forward"]["gflop"] == first / 1e9
    assert rows["convolution 3×3, backward"]["gflop"] == first / 1e9
    assert {"convolution 3×3 depthwise, backward", "normalisation", "activation", "optimizer"} <= rows.keys()
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)


def test_a_process_that_fails_or_takes_too_long_leaves_one_line():
    from gpu import last_line

    python = [sys.executable, "-c"]
    assert last_line([*python, "print('first'); print('{\"a\": 1}')"], 60) == {"a": 1}
    assert last_line([*python, "raise MemoryError('no room\\n')"], 60) == {"error": "MemoryError: no room"}
    assert last_line([*python, "import time; time.sleep(60)"], 0.1) == {"error": "stopped after 0 s"}


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_in_small_on_a_cpu(tmp_path):
    words = [
        "bash",
        ROOT / "benchmarks" / "gpu.sh",
        tmp_path / "gpu.json",
        "--tiny",
        "--rounds",
        "1",
        "--models",
        "cnn",
    ]
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert found == json.loads(done.stdout.splitlines()[-1])
    assert found["device"]["model"]
    assert found["networks"]["cnn"].keys() == {"eager", "compiled"}
    assert found["networks"]["cnn"]["eager"]["train_images_per_second"] > 0
    assert found["loading"]["images_per_second"]
