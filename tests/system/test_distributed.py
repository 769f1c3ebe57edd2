"""Several processes are one: the same weights, the same scores, one run folder."""

import json
import os
import subprocess
import sys
from itertools import chain

import pytest
import torch
from torch import nn

from colorize.training.schedule import micro_batch_sizes
from colorize.utils.devices import check_compiler, choose_device
from colorize.utils.distributed import World, photographs_per_process, synchronise_batch_norm, world_from_environment
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT, SMALL
from tests.helpers.pretended_gpus import answer, networks
from tests.helpers.two_processes import train


def launch(script, folder, *words):
    """Two processes of a script of tests/helpers."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [sys.executable, *torchrun, "-m", f"tests.helpers.{script}", folder, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]


@pytest.fixture
def twice(once):
    """Every network without batch norm, trained by one process and by two."""

    def run(folder):
        for model in SMALL:
            train(model, folder, steps=4)
        launch("two_processes", folder, "--steps=4")

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
    shares = [list(range(count))[World(rank, processes).shard(count)] for rank in range(processes)]
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
    assert world_from_environment(variables) == world


def test_a_batch_that_cannot_be_shared():
    assert photographs_per_process(12, World(1, 3), 100) == 4
    with pytest.raises(UserError, match="is 12, which 5 processes cannot share equally: start one of 1, 2, 3"):
        photographs_per_process(12, World(0, 5), 100)
    with pytest.raises(UserError, match="there are 4 processes and 3 photographs: start fewer"):
        photographs_per_process(8, World(0, 4), 3)


def test_passes_are_even():
    assert micro_batch_sizes(8, 16) == [8]
    assert micro_batch_sizes(24, 16) == [12, 12]
    assert micro_batch_sizes(10, 4) == [3, 3, 4]
    assert micro_batch_sizes(5, 1) == [1] * 5


@pytest.fixture
def pretended(once):
    """Two processes that trained and evaluated on two GPUs that are not there."""
    return once("pretended", lambda folder: launch("pretended_gpus", folder))


@pytest.mark.parametrize(("launcher", "verbs", "backend"), [("torchrun", 2, ["nccl"]), ("ray", 1, [])])
def test_each_process_takes_its_own_gpu_and_all_meet_over_nccl(launcher, verbs, backend, pretended):
    for rank in range(2):
        asked = json.loads((pretended / f"{launcher}-{rank}.json").read_text())
        own = f"cuda:{rank}"
        assert asked["backend"] == verbs * backend
        assert asked["device_id"] == [own] * len(asked["backend"])  # so that a barrier, too, knows its device
        assert set(asked["current"]) == {own}
        assert asked["tensors"] == [own]
        assert all(asked["pinned"])


def test_several_gpus_write_one_run(pretended):
    for run in ("run", "ray"):
        summary = json.loads((pretended / run / "summary.json").read_text())
        assert (summary["status"], summary["device"], summary["processes"]) == ("finished", "cuda:0", 2)
        assert {path.name for path in (pretended / run / "checkpoints").iterdir()} >= {"best.pt", "step-00000004.pt"}
    assert (pretended / "run" / "results" / "demo.json").is_file()


@pytest.mark.parametrize("name", ["encoder", "critic"])
def test_batch_norm_over_processes_is_that_of_the_whole_batch(name, pretended):
    """An encoder of timm's, whose batch norms hold the activations, and a critic: outputs, gradients, statistics."""
    whole = answer(name, networks()[name], slice(0, 4))
    halves = [torch.load(pretended / f"normalised-{rank}.pt", weights_only=True)[name] for rank in range(2)]
    assert torch.allclose(torch.cat([half["said"] for half in halves]), whole["said"], rtol=0, atol=1e-5)
    for key in whole.keys() - {"said"}:
        for half in halves:
            assert torch.allclose(half[key], whole[key], rtol=1e-5, atol=1e-5), key


@pytest.mark.parametrize(
    ("count", "world", "device"),
    [
        (8, World(9, 16, 3), "cuda:3"),
        (1, World(9, 16, 3), "cuda:0"),
        (2, World(3, 4, 3), "cuda:1"),
        (2, World(), "cuda"),
    ],
)
def test_a_process_takes_the_gpu_of_its_number_among_those_it_sees(count, world, device, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)  # one where srun shows each task its own
    monkeypatch.setattr("torch.empty", lambda *_, **settings: None)
    assert choose_device("auto", world) == torch.device(device)
    with pytest.raises(UserError, match=r"trainer\.device=cuda:1 is one GPU for several processes: use cuda"):
        choose_device("cuda:1", World(1, 2, 1))
    assert choose_device("cuda:1", World(1, 2, 0)) == torch.device("cuda:1")  # the only process of its machine


@pytest.mark.parametrize("name", ["meta", "cuda:99", "gpu", "cpu:x"])
@pytest.mark.parametrize(("gpu", "others"), [(False, ""), (True, ", cuda, cuda:N")])
def test_a_device_that_does_not_compute_here_is_refused(gpu, others, name, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(UserError, match=rf"--device='{name}' is not here: use auto{others} or cpu$"):
        choose_device(name, option="--device")


def test_compiling_without_a_compiler_is_one_sentence(monkeypatch):
    from torch._inductor import config, cpp_builder

    cpp_builder.cpp_compiler_search.cache_clear()
    monkeypatch.setattr(config.cpp, "cxx", (None, "no-such-compiler"))
    with pytest.raises(UserError, match=r"No working C\+\+ compiler .*no-such-compiler.*: install a C\+\+ compiler"):
        check_compiler(torch.device("cpu"))


def test_batch_norm_over_processes_needs_gpus():
    module = nn.BatchNorm2d(3)
    assert synchronise_batch_norm(module, World(), torch.device("cpu")) is module
    assert isinstance(synchronise_batch_norm(module, World(0, 2), torch.device("cuda")), nn.SyncBatchNorm)
    with pytest.raises(UserError, match="sync_batchnorm=true needs GPUs"):
        synchronise_batch_norm(module, World(0, 2), torch.device("cpu"))
