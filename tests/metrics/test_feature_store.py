"""Features on disk: over processes, and resumed."""

import pytest
import torch

from colorize.metrics.distribution import DistributionMetric
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from tests.helpers.features import toy


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_are_as_one(processes, tmp_path):
    """101 pictures in unpadded shares; each process has its own folder, and all answer the same."""
    random = torch.Generator().manual_seed(8)
    true = torch.randint(0, 256, (101, 3, 16, 16), dtype=torch.uint8, generator=random)
    painted = (true.float() * 0.7 + 20).to(torch.uint8)
    whole = DistributionMetric(toy())
    whole.add(true, "truth")
    whole.add(painted, "painted")
    metrics = [DistributionMetric(toy(), tmp_path / str(rank)) for rank in range(processes)]
    for rank, metric in enumerate(metrics):
        share = World(rank, processes).shard(101)
        metric.add(true[share], "truth")
        metric.add(painted[share], "painted")
    parts = [metric.parts() for metric in metrics]
    expected = whole.compute().values
    for metric in metrics:
        metric.merge(parts)
        assert metric.compute().values == {
            name: pytest.approx(score, abs=1e-6) for name, score in expected.items()
        }  # fmt: skip
        assert metric.split_half().values["kd_toy"] == pytest.approx(whole.split_half().values["kd_toy"], abs=1e-6)
    assert expected.keys() == {
        "fd_toy", "fd_inf_toy", "kd_toy", "kd_paired_toy", "precision_toy", "recall_toy"
    }  # fmt: skip
    assert all(score["low"] <= score["value"] <= score["high"] and score["n"] == 101 for score in expected.values())


def test_a_folder_is_gone_on_with(pairs, tmp_path):
    """A process that was killed in the middle of a row, and had painted two pictures more than it had noted."""
    metric = DistributionMetric(toy(), tmp_path)
    metric.add(pairs[1], "truth")
    metric.add(pairs[0][:12], "painted")
    with next(tmp_path.glob("painted.*")).open("ab") as file:
        file.write(b"half a row")
    metric = DistributionMetric(toy(), tmp_path)
    assert (metric.count("truth"), metric.count("painted")) == (20, 12)
    metric.keep("painted", 10)
    metric.add(pairs[0][10:], "painted")
    whole = DistributionMetric(toy())
    whole.add(pairs[1], "truth")
    whole.add(pairs[0], "painted")
    assert metric.compute().values["fd_toy"] == pytest.approx(whole.compute().values["fd_toy"], abs=1e-9)


def test_another_processes_folder_must_be_seen(measured, tmp_path):
    parts = [measured.parts(), measured.parts()]
    parts[1]["truth"][0][0] = tmp_path / "elsewhere" / "truth.f32"
    with pytest.raises(UserError, match="give all processes a folder that they share"):
        measured.merge(parts)
