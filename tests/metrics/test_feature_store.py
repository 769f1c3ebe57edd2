"""Features on disk: any number of pictures, and resumed."""

import pytest
import torch

from tests.helpers.features import Measured, toy


def test_many_pictures_have_every_distance(tmp_path):
    random = torch.Generator().manual_seed(8)
    true = torch.randint(0, 256, (101, 3, 16, 16), dtype=torch.uint8, generator=random)
    whole = Measured(toy(), tmp_path)
    whole.add((true.float() * 0.7 + 20).to(torch.uint8), true)
    found = whole.compute().values
    assert found.keys() == {"fd_toy", "fd_inf_toy", "kd_toy", "kd_paired_toy", "precision_toy", "recall_toy"}
    assert all(score.low <= score.value <= score.high and score.n == 101 for score in found.values())


def test_a_folder_is_gone_on_with(pairs, tmp_path):
    """A process that was killed in the middle of a row, and had painted two pictures more than it had noted."""
    painted, true = pairs
    Measured(toy(), tmp_path).add(painted[:12], true)
    with next(tmp_path.glob("painted.*")).open("ab") as file:
        file.write(b"half a row")
    resumed = Measured(toy(), tmp_path)
    assert [len(resumed.store.file(row)) for row in ("truth", "painted")] == [20, 12]
    resumed.store.file("painted").keep(10)
    resumed.store.add(painted[10:], "painted")
    whole = Measured(toy(), tmp_path / "whole")
    whole.add(painted, true)
    assert vars(resumed.compute().values["fd_toy"]) == pytest.approx(vars(whole.compute().values["fd_toy"]), abs=1e-9)
