"""Averages of several lengths: the closed formulas of Karras et al. 2024, and the reconstruction of any length."""

import pytest
import torch

from colorize import load
from colorize.training.ema import KEPT, exponent_of, load_average, power_function
from colorize.training.train_state import TrainState
from colorize.utils.checkpoint import SNAPSHOTS, Checkpoints
from colorize.utils.errors import UserError
from colorize.utils.serialization import read
from tests.helpers.configs import tiny_words
from tests.helpers.trainers import Record, cut_in_two, trainer_of


@pytest.mark.parametrize(("length", "gamma"), [(0.05, 16.97), (0.10, 6.94)])
def test_exponents_are_those_of_the_paper(length, gamma):
    assert exponent_of(length) == pytest.approx(gamma, abs=0.005)


@pytest.mark.parametrize("length", [0.005, 0.05, 0.1, 0.2, 0.28])
def test_a_length_is_the_width_of_its_profile(length):
    """The standard deviation of the age of what is averaged, as a part of the training; eq. of section 3.1 as well."""
    gamma = exponent_of(length)
    assert (gamma + 1) ** 0.5 / ((gamma + 2) * (gamma + 3) ** 0.5) == pytest.approx(length, rel=1e-6)
    steps, update = 4000, power_function(length)
    averages = [torch.zeros(2, dtype=torch.float64)]
    for step in range(1, steps + 1):
        update(
            averages, [torch.tensor([step / steps, (step / steps) ** 2], dtype=torch.float64)], torch.tensor(step - 1)
        )
    mean, square = averages[0].tolist()
    assert (square - mean**2) ** 0.5 == pytest.approx(length, rel=0.01)


class Wandering(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(500))
        self.register_buffer("seen", torch.zeros(()))


def wander(folder, lengths, steps=800):
    """A random walk that comes to rest, averaged at every step: the module, and its state with all averages."""
    torch.manual_seed(0)
    module, checkpoints = Wandering(), Checkpoints(folder / "checkpoints")
    state = TrainState(module, lengths=lengths)
    state.start_phase(torch.optim.SGD(module.parameters(), lr=1.0))
    for step in range(1, steps + 1):
        module.weight.grad = torch.randn(500) + 5 * torch.exp(torch.tensor(-step / 100))
        module.seen.fill_(step)
        state.step(1.0)
        if step * KEPT // steps > (step - 1) * KEPT // steps:
            checkpoints.save({"steps": step, "players": {"model": state.state()}}, snapshot=True)
    return module, state


@pytest.mark.parametrize(("length", "error"), [(0.05, 1e-5), (0.1, 1e-5), (0.08, 0.005), (0.13, 0.005), (0.2, 0.05)])
def test_a_reconstructed_average_is_the_one_that_was_tracked(length, error, tmp_path):
    wander(tmp_path, [0.05, 0.1])
    module, tracked = wander(tmp_path / "tracked", [length])
    found = Wandering()
    step, missed = load_average(found, tmp_path, length)
    expected = tracked.averages[length].module
    assert (found.weight - expected.weight).norm() < error * (module.weight - expected.weight).norm()
    assert step == found.seen == 800
    assert missed < 10 * error


def test_a_run_tracks_its_lengths_and_goes_on_with_them(small, tmp_path):
    """Each step of a run that is shorter than its snapshots is kept, whatever `checkpoint.keep` says."""
    words = ("loss=l1", "checkpoint.every=100", "checkpoint.keep=1", "trainer.ema_lengths=[0.05,0.1]")
    cfg = small("cnn", *words, "evaluate.historical=false")
    whole, heard = trainer_of(cfg, tmp_path / "whole"), Record()
    assert whole.fit(heard)
    cut_in_two(cfg, tmp_path / "cut", whole, heard)
    snapshots = {path.name: path.read_bytes() for path in (tmp_path / "whole" / SNAPSHOTS).iterdir()}
    assert sorted(snapshots) == [f"step-{step:08d}.pt" for step in (1, 2, 3, 4)]
    assert {path.name: path.read_bytes() for path in (tmp_path / "cut" / SNAPSHOTS).iterdir()} == snapshots
    assert len(whole.checkpoints.steps()) == 1
    plain, silent = trainer_of(small("cnn", "loss=l1", "evaluate.historical=false"), tmp_path / "plain"), Record()
    plain.fit(silent)
    assert silent.lines == heard.lines


def test_a_length_that_joins_a_run_is_refused_and_one_may_leave(inside, run_folder):
    run = run_folder("cnn", "l1", "trainer.ema_lengths=[0.05,0.1]")
    done = inside("train", f"resume={run}", "trainer.ema_lengths=[0.05,0.2]")
    assert done.returncode == 2
    assert "is finished without averages of trainer.ema_lengths 0.2" in done.stderr
    (run / "summary.json").unlink()
    done = inside("train", f"resume={run}", "trainer.ema_lengths=[0.05,0.2]")
    assert done.returncode == 2
    assert "trainer.ema_lengths has 0.2, and the averages in" in done.stderr
    assert inside("train", f"resume={run}", "trainer.ema_lengths=[0.1]").returncode == 0


def test_an_average_of_any_length_is_exported(inside, run_folder, tmp_path):
    run = run_folder("cnn", "l1", "trainer.ema_lengths=[0.05,0.1]")
    done = inside("export", run, "--ema-length", "0.1", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "average of length 0.1 at step 4" in done.stdout
    newest = read(run / SNAPSHOTS / "step-00000004.pt")["averages"][0.1]
    for name, weight in load("out").named_parameters():
        torch.testing.assert_close(weight, newest[f"module.{name}"], rtol=1e-4, atol=1e-6)


def test_a_length_that_cannot_be_had_is_refused(inside, run_folder, trained, tmp_path):
    run = run_folder()
    assert inside("export", run, "-o", "out").returncode == 0
    for weights, length, told in (
        (run, "0.1", "has no averages to choose from"),
        ("out", "0.1", "--ema-length needs a run folder"),
        (run, "0.5", "--ema-length is 0.5"),
    ):
        done = inside("export", weights, "--ema-length", length, "-o", "other")
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    (run / SNAPSHOTS).mkdir()
    wander(tmp_path / "other", [0.1], steps=16)
    whole = (tmp_path / "other" / SNAPSHOTS / "step-00000004.pt").read_bytes()
    checkpoint = next((run / "checkpoints").glob("step-*.pt")).read_bytes()
    for content in (b"", b"no snapshot", whole[:-1], whole[:500] + b"x" + whole[501:], checkpoint):
        (run / SNAPSHOTS / "step-00000004.pt").write_bytes(content)
        with pytest.raises(UserError, match="is damaged, or no snapshot"):
            load_average(Wandering(), run, 0.1)
    wander(run, [0.1], steps=16)
    assert "of another network" in inside("export", run, "--ema-length", "0.1", "-o", "other").stderr
    refused = inside("train", *tiny_words("cnn", "l1", "trainer.ema_lengths=[0.5]", "name=x"))
    assert "trainer.ema_lengths[0] is 0.5" in refused.stderr
