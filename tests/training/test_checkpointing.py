"""What a run finds when it is started again: other processes, another machine, files that a kill left half done."""

import mmap
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from colorize.tracking import JsonLines, Logger
from colorize.training.build import build_parts, build_trainer
from colorize.utils import devices as memory
from colorize.utils.checkpoint import weights_only_state
from colorize.utils.distributed import World
from colorize.utils.serialization import read
from tests.faults.runs import same


def trainer_of(cfg, folder, world=None, **settings):
    return build_trainer(cfg, build_parts(cfg, **settings), folder, world)


@pytest.fixture
def killed(small, tmp_path):
    """A run that evaluated twice, the second time better, and the folder of its checkpoints."""
    cfg = small("cnn", "loss=l1", "evaluate.historical=false")
    trainer = trainer_of(cfg, tmp_path)
    scores = iter([{"psnr": 1.0}, {"psnr": 20.0}, {"psnr": 21.0}])
    trainer.judges["validation"].score = lambda *_: (next(scores), None)
    assert trainer.fit(Logger())
    return cfg, tmp_path, trainer.checkpoints


def resumed(cfg, folder):
    trainer = trainer_of(cfg, folder)
    assert trainer.restore()
    return trainer


@pytest.mark.parametrize("left", ["older", "nothing", "damaged"])
def test_a_kill_between_the_checkpoint_and_its_copy_is_repaired(left, killed):
    cfg, folder, checkpoints = killed
    newest = checkpoints.newest()
    assert read(checkpoints.best)["steps"] == 4
    if left == "older":
        shutil.copyfile(checkpoints.steps()[1], checkpoints.best)
    elif left == "nothing":
        checkpoints.best.unlink()
    else:
        checkpoints.best.write_bytes(newest.read_bytes()[:5000])
    assert resumed(cfg, folder).best == 21.0
    assert same(read(checkpoints.best), weights_only_state(read(newest)))


def test_a_best_checkpoint_that_cannot_be_brought_back_is_made_anew(killed, capsys):
    cfg, folder, checkpoints = killed
    stale = checkpoints.steps()[1].read_bytes()
    state = read(checkpoints.newest())
    state["health"]["best_at"], state["steps"] = 3, 5
    checkpoints.save(state)
    checkpoints.best.write_bytes(stale)
    assert resumed(cfg, folder).best == 20.0  # of step 2: the next one above it counts
    checkpoints.best.unlink()
    assert resumed(cfg, folder).best is None
    assert "best.pt is missing" in capsys.readouterr().out


def test_a_best_checkpoint_of_a_later_step_stays(killed):
    """The newest checkpoint was damaged: the run goes on from the one before, and comes to the best one again."""
    cfg, folder, checkpoints = killed
    checkpoints.newest().unlink()
    before = checkpoints.best.read_bytes()
    assert resumed(cfg, folder).best == 20.0
    assert checkpoints.best.read_bytes() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
def test_a_power_cut_leaves_checkpoint_best_and_the_numbers_before_them(small, tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink().name))
    trainer = trainer_of(small("cnn", "loss=l1", "evaluate.historical=false", "evaluate.every=4"), tmp_path)
    log = JsonLines(tmp_path)
    synced.clear()
    assert trainer.fit(log)
    last = synced[synced.index("metrics.jsonl", synced.index("step-00000002.pt.part")) :]
    assert last == ["metrics.jsonl", "step-00000004.pt.part", "checkpoints", "best.pt.part", "checkpoints"]


def test_passes_grow_again_with_fewer_processes(small, tmp_path):
    cfg = small("cnn", "loss=l1", "trainer.batch_size=4")
    two = trainer_of(cfg, tmp_path, World(0, 2))
    assert two.optimizer_step.micro_batch == 2
    two.train_states["model"].wrap = lambda module: module  # there is no other process
    two.start_phase("all")
    two.checkpoints.save(two.state())
    one = trainer_of(cfg, tmp_path)
    assert one.restore()
    assert one.optimizer_step.micro_batch == 4


def test_passes_that_memory_has_no_room_for_stay_small(small, tmp_path):
    cfg = small("cnn", "loss=l1", "trainer.batch_size=4")
    one = trainer_of(cfg, tmp_path)
    one.start_phase("all")
    one.optimizer_step.halve_micro_batch(32)
    one.checkpoints.save(one.state())
    again = trainer_of(cfg, tmp_path)
    assert again.restore()
    assert again.optimizer_step.micro_batch == 2


def test_a_run_goes_on_where_the_pretrained_file_is_not(small, tmp_path, monkeypatch):
    cfg = small("gan", "loss=l1", "model.encoder=tf_efficientnet_lite0", "model.pretrained=true")
    first = trainer_of(cfg, tmp_path)
    first.start_phase("all")
    first.checkpoints.save(first.state())
    monkeypatch.setattr("colorize.models.encoders.find_weights", lambda name: None)
    second = trainer_of(cfg, tmp_path, restored=True)
    assert second.model.encoder.origin == "tf_efficientnet_lite0, ImageNet (in the checkpoint)"
    assert second.model.pretrained is True
    assert second.restore()
    held = first.model.state_dict()
    assert all(torch.equal(value, held[name]) for name, value in second.model.state_dict().items())


def test_a_run_of_the_same_process_starts_afresh(small, tmp_path):
    """Jobs of a sweep share a process: not the peak of memory, nor the choice of arithmetic."""
    try:
        before = trainer_of(small("cnn", "loss=l1", "trainer.deterministic=true"), tmp_path / "one")
        with mmap.mmap(-1, 200_000_000) as held:  # no allocator keeps it for later
            held.write(bytes(200_000_000))
        peak = before.peak.read()["memory"]
        after = trainer_of(small("cnn", "loss=l1"), tmp_path / "two")
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert after.peak.read().get("memory", 0) < peak - 0.1


def test_a_peak_that_the_system_does_not_forget_is_not_told_twice(monkeypatch):
    monkeypatch.setattr(memory, "FORGETS", False)
    heights = iter([5_000_000_000, 5_000_000_000, 6_000_000_000])
    monkeypatch.setattr(memory, "_peak_bytes", lambda: next(heights))
    peak = memory.PeakMemory(torch.device("cpu"))
    assert peak.read() == {}
    assert peak.read() == {"memory": 6.0}
