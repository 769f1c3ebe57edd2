"""Less memory, the same step."""

import copy
import platform
import subprocess
import sys

import pytest
import torch

from colorize.training.build import build_parts, build_trainer
from colorize.utils.devices import is_out_of_memory, recomputable_blocks, recompute_activations
from colorize.utils.errors import UserError
from tests.helpers.configs import SMALL, options, own_loss


def one_step(cfg, tmp_path, *, prepare=lambda trainer: None):
    trainer = build_trainer(cfg, build_parts(cfg), tmp_path)
    prepare(trainer)
    trainer.start_phase("all")
    values = trainer.train_step(next(trainer.step_batches("all", 0)))
    return values, trainer


@pytest.mark.parametrize("model", options("model"))
def test_recomputing_changes_nothing_but_memory(model, small, tmp_path):
    words = (f"loss={own_loss(model)}", *(["model.dropout=0.2"] if model == "diffusion" else []))
    kept, plain = one_step(small(model, *words), tmp_path)
    if model not in SMALL and not [*recomputable_blocks(plain.model)]:
        pytest.skip(f"{model} has no blocks to recompute, and training refuses to")
    again, thrifty = one_step(small(model, *words, "trainer.recompute=true"), tmp_path)
    assert kept == pytest.approx(again, rel=1e-6)
    one, other = plain.state()["players"], thrifty.state()["players"]
    for player in one:
        for name, value in one[player]["module"].items():
            assert torch.allclose(value.float(), other[player]["module"][name].float(), atol=1e-6), name


@pytest.mark.parametrize("model", SMALL)
def test_there_is_something_to_recompute(model, small):
    found = list(recomputable_blocks(build_parts(small(model)).model))
    assert len(found) >= 2
    inside = {id(part) for block in found for part in list(block.modules())[1:]}
    assert not any(id(block) in inside for block in found)


def test_a_network_without_blocks_says_that_recomputing_saves_nothing(small, tmp_path, monkeypatch):
    monkeypatch.setattr("colorize.utils.devices.recomputable_blocks", lambda module: iter(()))
    with pytest.raises(UserError, match=r"trainer\.recompute=true finds no blocks of CNN to recompute: leave it out"):
        one_step(small("cnn", "loss=l1", "trainer.recompute=true"), tmp_path)


def test_recomputing_saves_memory():
    net = torch.nn.Sequential(*(
        torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, padding=1), torch.nn.GELU(), torch.nn.Conv2d(8, 8, 3, padding=1))
        for _ in range(6)
    ))  # fmt: skip

    def kept(net):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            net(torch.randn(1, 8, 32, 32, requires_grad=True))
        return sum(sizes)

    thrifty = copy.deepcopy(net)
    assert recompute_activations(thrifty) == 6
    assert kept(thrifty) < kept(net) / 2


class Hungry(torch.nn.Module):
    """Stands for a device with room for two photographs."""

    def __init__(self, model, room):
        super().__init__()
        self.model, self.room, self.passes = model, room, []

    def forward(self, batch):
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.passes.append(len(batch))
        return self.model(batch)


def test_out_of_memory_halves_a_pass_and_keeps_the_step(small, tmp_path, capsys):
    cfg = small("diffusion", "loss=ddpm", "trainer.batch_size=7")
    whole, _ = one_step(cfg, tmp_path)
    hungry = []

    def prepare(trainer):
        hungry.append(Hungry(trainer.model, 2))
        trainer.train_states["model"].wrap = lambda module: hungry[0]

    pieces, trainer = one_step(cfg, tmp_path, prepare=prepare)
    assert hungry[0].passes == [2, 2, 2, 1]
    assert pieces["noise"] == pytest.approx(whole["noise"], rel=1e-5)  # the same noise for the same photographs
    assert pieces["gradient"] == pytest.approx(whole["gradient"], rel=1e-4)  # the last one weighs what it is
    assert capsys.readouterr().out.count("memory ran out") == 2
    assert trainer.state()["piece"] == 2  # a resumed run begins with what fits


def test_one_photograph_that_does_not_fit_is_said(small, tmp_path):
    def prepare(trainer):
        trainer.train_states["model"].wrap = lambda module: Hungry(module, 0)

    with pytest.raises(UserError, match="memory ran out on 1 photographs of 32² in a pass: use a smaller"):
        one_step(small("cnn", "loss=l1"), tmp_path, prepare=prepare)


def test_other_errors_are_not_taken_for_it():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4096 bytes."))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB, max allowed: 18.1 GB)."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert is_out_of_memory(MemoryError("std::bad_alloc"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


class WithoutRoom(Hungry):
    """Windows and Apple's GPUs have no class of error for it."""

    def forward(self, batch):
        if len(batch) > self.room:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB, max allowed: 18.1 GB).")
        return self.model(batch)


def test_memory_that_ran_out_elsewhere_halves_a_pass_too(small, tmp_path):
    def prepare(trainer):
        trainer.train_states["model"].wrap = lambda module: WithoutRoom(module, 2)

    _, trainer = one_step(small("cnn", "loss=l1", "trainer.batch_size=4"), tmp_path, prepare=prepare)
    assert trainer.optimizer_step.micro_batch == 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_a_step_does_not_ask_linux_for_the_same_memory_again():
    code = """
import resource, torch
from colorize.utils.devices import keep_freed_memory
assert keep_freed_memory(of_any_size=True)
for _ in range(2):  # the first lies where what is kept later begins
    torch.ones(2**25).sum()  # 128 MiB
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**25).sum()
assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2**10  # of 2**15 pages
"""
    subprocess.run([sys.executable, "-c", code], check=True)
