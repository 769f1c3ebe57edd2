"""What comes at which step: the same from every source after a resume anywhere, with any workers and processes; every
photograph of an epoch once; and what happens to photographs that cannot be read."""

import json
import shutil
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from colorize.data import Folder, ImageNet, Shards
from colorize.data.loader import SampleIndex
from colorize.imaging.color import grey_to_lightness, rgb_to_lab
from colorize.training.schedule import Phase, StepBatches
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from tests.helpers.configs import SMALL
from tests.helpers.data_sets import write_imagenet, write_shards

BATCH, SIZE = 6, 32


@pytest.fixture
def sources(tmp_path, photographs):
    def build(kind: str, **pixels):
        options = {"size": SIZE, **pixels}
        if kind == "folder":
            return Folder(str(photographs), **options)
        if kind == "imagenet":
            return ImageNet(str(write_imagenet(tmp_path / "imagenet", "archives")), **options)
        return Shards(str(write_shards(tmp_path / "tars")), buffer=8, streams=4, **options)

    return build


def stream(data, rank=0, processes=1, workers=0, phase=None, seed=0):
    data.num_workers = workers
    schedule = {"all": phase or Phase(steps=1)}
    return StepBatches(
        data, schedule, torch.device("cpu"), World(rank, processes), effective_batch=BATCH, batch_size=3, seed=seed
    )


def taken(data, first, last, **how):
    """L and ab of the steps from `first` up to `last`, of one process."""
    steps = islice(stream(data, **how)("all", first), last - first)
    return [torch.cat([torch.cat([b.L, b.ab], dim=1) for b in batches]) for batches in steps]


@pytest.mark.parametrize("kind", ["folder", "imagenet", "shards"])
def test_a_resumed_run_sees_what_the_whole_run_saw(sources, kind):
    data = sources(kind)
    whole = taken(data, 0, 11)  # several epochs
    for first in range(1, 11):
        assert all(map(torch.equal, taken(data, first, 11), whole[first:]))
    for workers in (1, 2):
        assert all(map(torch.equal, taken(data, 0, 11, workers=workers), whole))
        assert all(map(torch.equal, taken(data, 4, 11, workers=workers), whole[4:]))


@pytest.mark.parametrize("kind", ["folder", "imagenet", "shards"])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_processes_share_what_one_would_see(sources, kind, workers):
    data = sources(kind)
    whole = taken(data, 0, 7)
    shares = [taken(data, 3, 7, rank=rank, processes=2, workers=workers) for rank in (0, 1)]
    assert all(torch.equal(torch.cat(parts), one) for *parts, one in zip(*shares, whole[3:], strict=True))


@pytest.mark.parametrize("kind", ["folder", "imagenet", "shards"])
@pytest.mark.parametrize(("processes", "workers"), [(1, 0), (2, 0), (3, 0), (2, 2)])
def test_every_photograph_of_an_epoch_comes_once(sources, kind, processes, workers, monkeypatch):
    """By their numbers: each worker hands on which photograph it was told to read."""
    data = sources(kind)
    size = len(data.train)
    monkeypatch.setattr("colorize.data.loader.TrainDataset.__getitem__", numbered)
    steps = -(-3 * size // BATCH)
    shares = [numbers(data, steps, rank, processes, workers) for rank in range(processes)]
    order = [number for step in zip(*shares, strict=True) for part in step for number in part]
    for epoch in range(3):
        assert Counter(order[epoch * size : (epoch + 1) * size]) == Counter(range(size))


def numbered(self, draw: SampleIndex):
    return torch.zeros(3, SIZE, SIZE, dtype=torch.uint8), None, draw.photo, draw.seed, [], []


def numbers(data, steps, rank, processes, workers):
    data.classes = data.classes or ["any"]  # so that labels are handed on
    held = islice(stream(data, rank, processes, workers)("all", 0), steps)
    return [torch.cat([batch.label for batch in batches]).tolist() for batches in held]


def test_seeds_give_other_orders(sources):
    data = sources("shards")
    assert not torch.equal(taken(data, 0, 1)[0], taken(data, 0, 1, seed=1)[0])


def test_more_processes_than_photographs_are_refused(tmp_path):
    data = Shards(str(write_shards(tmp_path / "tars", 1, 4)), val_fraction=0.3, size=SIZE)
    with pytest.raises(UserError, match="4 processes and 3 photographs: start fewer"):
        stream(data, processes=4)


def damage(photographs, count):
    bad = sorted(photographs.rglob("*.jpg"))[:count]
    for path in bad:
        path.write_bytes(path.read_bytes()[:300])
    return bad


def test_training_goes_on_within_its_budget(photographs, capsys):
    bad = damage(photographs, 3)
    data = Folder(str(photographs), val_root=str(photographs / "dogs"), size=SIZE, max_bad=3)
    held = stream(data)
    assert all(sum(map(len, batches)) == BATCH for batches in islice(held("all", 0), 5))
    assert set(held.unreadable) == set(map(str, bad))
    assert capsys.readouterr().out.count("skipped") == 3


def test_training_stops_beyond_its_budget(photographs):
    damage(photographs, 3)
    data = Folder(str(photographs), val_root=str(photographs / "dogs"), size=SIZE, max_bad=2)
    with pytest.raises(UserError, match=r"3 training photographs cannot be read, and data.max_bad allows 2"):
        list(islice(stream(data)("all", 0), 5))


@pytest.mark.parametrize(("budget", "allowed"), [(0, 0), (0.01, 1), (0.5, 7), (5, 5)])
def test_a_budget_is_a_number_or_a_share(photographs, tmp_path, budget, allowed):
    val = shutil.copytree(photographs, tmp_path / "val", dirs_exist_ok=True)  # what validates does not train
    assert Folder(str(photographs), val_root=str(val), max_bad=budget).max_bad == allowed


def test_a_broken_shard_counts(tmp_path, capsys):
    folder = write_shards(tmp_path / "tars")
    shard = folder / "train-002.tar"
    shard.write_bytes(shard.read_bytes()[:4000])
    held = stream(Shards(str(folder), size=SIZE))
    next(held("all", 0))
    assert "breaks off" in held.unreadable[str(shard)]
    assert "train-002.tar" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"data.max_bad allows 0"):
        next(stream(Shards(str(folder), size=SIZE, max_bad=0))("all", 0))


def test_the_input_is_the_lightness_of_the_truth_or_luma(sources):
    plain = next(stream(sources("folder"))("all", 0))[0]
    assert plain.grey is None
    assert plain.input is plain.L
    luma = next(stream(sources("folder", input="luma"))("all", 0))[0]
    assert torch.equal(luma.L, plain.L)
    assert torch.equal(luma.ab, plain.ab)
    assert (luma.input - luma.L).abs().max() > 5


def inverted(rgb, random):
    return 255 - rgb.mean(axis=2).astype(np.uint8)


def test_a_look_changes_the_input_of_training_alone(sources):
    plain, seen = (sources("folder", look=look) for look in (None, inverted))
    before, after = (next(stream(data)("all", 0))[0] for data in (plain, seen))
    assert torch.equal(before.L, after.L)
    assert torch.equal(before.ab, after.ab)
    assert torch.corrcoef(torch.stack([after.input.flatten(), after.L.flatten()]))[0, 1] < -0.5
    validation = seen.centre(seen.val[0])[None]
    assert torch.equal(validation, plain.centre(plain.val[0])[None])
    assert seen.grey(validation) is None


def test_enhanced_truth_is_seen_by_critics_alone(sources):
    batch = next(stream(sources("folder", enhance=1.2))("all", 0))[0]
    plain = next(stream(sources("folder"))("all", 0))[0]
    assert torch.equal(batch.ab, plain.ab)
    assert plain.shown_ab is plain.ab
    assert batch.shown_ab.norm(dim=1).mean() > 1.1 * plain.ab.norm(dim=1).mean()
    pieces = batch.split(2)
    assert torch.equal(torch.cat([piece.shown_ab for piece in pieces]), batch.shown_ab)


def test_grey_is_as_light_as_it_looks():
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.allclose(grey_to_lightness(grey), rgb_to_lab(grey.expand(-1, 3, -1, -1))[:, :1], atol=1e-4)


def test_treated_photographs_are_said_once_for_each_kind(tmp_path, capsys):
    from PIL import Image

    for i in range(6):
        Image.new("RGB", (40, 40), (40 * i, 0, 0)).convert("CMYK").save(tmp_path / f"{i}.jpg")
    list(islice(stream(Folder(str(tmp_path), size=SIZE))("all", 0), 3))
    assert capsys.readouterr().out.count("converted from CMYK") == 1


@pytest.mark.parametrize("recipe", ["cpu/cnn", "cpu/transformer"])
@pytest.mark.parametrize("kind", ["folder", "imagenet", "shards"])
def test_recipes_train_on_every_source(inside, tmp_path, photographs, recipe, kind):
    root = {
        "folder": photographs,
        "imagenet": write_imagenet(tmp_path / "imagenet", "archives"),
        "shards": write_shards(tmp_path / "tars"),
    }[kind]
    words = (
        f"experiment={recipe}", f"data={kind}", f"data.root='{root}'", "data.size=32", "schedule.all.steps=3",
        "trainer.batch_size=4", "tracker=none", "metrics=quick", "evaluate.every=3",
        "checkpoint.monitor=val/psnr", "checkpoint.mode=max", "evaluate.historical=false", "evaluate.final=false",
    )  # fmt: skip
    done = inside("train", *words, *SMALL[recipe.removeprefix("cpu/")], "hydra.run.dir=run")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["status"], summary["data"], summary["steps"]) == ("finished", kind, 3)
    assert summary["validation"]["input"] == "lab_l"
