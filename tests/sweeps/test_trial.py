"""A run folder that says it is a trial of a search: what it says is data, and may be wrong."""

import pytest

from colorize.sweeps.jobs import load_trial, write_trial
from colorize.sweeps.study import JOURNAL
from colorize.utils.errors import UserError

MEDIAN = {"_target_": "optuna.pruners.MedianPruner"}


def test_no_search_is_begun_beside_a_run_that_says_it_is_a_trial(tmp_path):
    write_trial(tmp_path / "run", 0, "val/psnr", MEDIAN)
    with pytest.raises(UserError, match="there is none"):
        load_trial(tmp_path / "run", None)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "content",
    [b"[1]\n", b"{}\n", b'{"op_code": "x"}\n', b"{\n{}\n", b"\xff\n{}\n", b'{"op_code": 0}\n'],
)
def test_a_damaged_search_is_named(content, tmp_path):
    write_trial(tmp_path / "run", 0, "val/psnr", MEDIAN)
    (tmp_path / JOURNAL).write_bytes(content)
    with pytest.raises(UserError, match=JOURNAL):
        load_trial(tmp_path / "run", None)


@pytest.mark.parametrize("arguments", [{"n_startup_trials": -5}, {"n_startup_trials": "x"}, {"interval_steps": 0}])
def test_a_pruner_that_cannot_be_is_named(arguments, tmp_path):
    write_trial(tmp_path / "run", 0, "val/psnr", MEDIAN | arguments)
    with pytest.raises(UserError, match="pruner"):
        load_trial(tmp_path / "run", None)
