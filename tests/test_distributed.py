"""Several processes are one: the same weights, the same scores, one run folder."""

import os
import subprocess
import sys
from itertools import chain

import pytest
import torch
from conftest import ROOT, SMALL
from several import train
from torch import nn

from colorize.distributed import World, environment, share, synchronise_batch_norm
from colorize.errors import UserError
from colorize.stream import even_parts


def launch(folder, steps):
    """Every network, trained by two processes."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [sys.executable, *torchrun, ROOT / "tests" / "several.py", folder, "--steps", str(steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def twice(once):
    """Every network without batch norm, trained by one process and by two."""

    def run(folder):
        for model in SMALL:
            train(model, folder, steps=6)
        launch(folder, steps=6)

    folder = once("several", run)
    return lambda model: [torch.load(folder / f"{model}-{n}.pt", weights_only=True) for n in (1, 2)]


@pytest.mark.parametrize("model", SMALL)
def test_two_processes_are_one(model, twice):
    one, two = twice(model)
    assert one["state"].keys() == two["state"].keys()
    for player, state in one["state"].items():
        for kind in ("module", "average"):
            if state[kind] is not None:
                other = two["state"][player][kind]
                assert all(torch.allclose(value, other[name], rtol=0, atol=1e-5) for name, value in state[kind].items())
    ended, other = (side["state"]["model"]["module"] for side in (one, two))
    moved = norm(ended[name] - value for name, value in one["began"].items())
    assert norm(ended[name] - other[name] for name in ended) < 0.01 * moved  # not only because nothing moves far


def norm(tensors):
    return torch.stack([tensor.float().norm() for tensor in tensors]).norm()


@pytest.mark.parametrize("model", SMALL)
def test_two_processes_score_as_one(model, twice):
    one, two = twice(model)
    for metric, value in one["first"].items():
        assert two["first"][metric] == pytest.approx(value, abs=1e-6)
        assert two["last"][metric] == pytest.approx(one["last"][metric], abs=2e-3)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 7, 24])
def test_every_thing_has_one_process(processes, count):
    shares = [list(range(count))[World(rank, processes).part(count)] for rank in range(processes)]
    assert list(chain(*shares)) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("variables", "world"),
    [
        ({}, World()),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, World(3, 8, 1)),
        ({"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_LOCALID": "1"}, World(1, 2, 1)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, World()),  # in a batch script, outside of srun
        ({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, World()),
    ],
)
def test_who_this_process_is(variables, world):
    assert environment(variables) == world


def test_a_batch_that_cannot_be_shared():
    assert share(12, World(1, 3), 100) == 4
    with pytest.raises(UserError, match="is 12, which 5 processes cannot share equally: start one of 1, 2, 3"):
        share(12, World(0, 5), 100)
    with pytest.raises(UserError, match="there are 4 processes and 3 photographs: start fewer"):
        share(8, World(0, 4), 3)


def test_passes_are_even():
    assert even_parts(8, 16) == [8]
    assert even_parts(24, 16) == [12, 12]
    assert even_parts(10, 4) == [3, 3, 4]
    assert even_parts(5, 1) == [1] * 5


def test_batch_norm_over_processes_needs_gpus():
    module = nn.BatchNorm2d(3)
    assert synchronise_batch_norm(module, World(), torch.device("cpu")) is module
    assert isinstance(synchronise_batch_norm(module, World(0, 2), torch.device("cuda")), nn.SyncBatchNorm)
    with pytest.raises(UserError, match="sync_batchnorm=true needs GPUs"):
        synchronise_batch_norm(module, World(0, 2), torch.device("cpu"))
