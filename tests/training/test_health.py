"""What a run warns of, and what it does not."""

import pytest

from colorize.training.checks import TrainingMonitor


def watch(numbers, **others):
    health = TrainingMonitor()
    health.start_phase()
    for step, loss in enumerate(numbers, start=1):
        health.step({"loss": loss, **others}, step)
    return health


def test_a_falling_loss_is_well():
    assert watch([10 * 0.99**i for i in range(1000)]).warnings == {}


def test_a_loss_that_explodes_is_said_once(capsys):
    health = watch([1.0] * 300 + [1.0 * 1.1**i for i in range(100)])
    assert list(health.warnings) == ["exploding"]
    assert 300 < health.warnings["exploding"]["step"] < 400
    assert capsys.readouterr().out.count("warning at step") == 1


@pytest.mark.parametrize(("share", "sign"), [(0.999, "won"), (0.5, "lost"), (0.7, None)])
def test_a_critic_that_wins_or_collapses(share, sign):
    health = watch([1.0] * 200, adversarial_critic_right=share)
    assert list(health.warnings) == ([f"adversarial_critic_{sign}"] if sign else [])


def test_nothing_is_said_before_a_phase_has_settled():
    assert watch([1.0] * 99, adversarial_critic_right=1.0).warnings == {}
    health = watch([1.0] * 150, adversarial_critic_right=0.7)
    health.start_phase()
    health.step({"loss": 1e6, "adversarial_critic_right": 1.0}, 151)
    assert health.warnings == {}


def test_going_grey_and_stalling():
    health = TrainingMonitor()
    for step in range(100, 1100, 100):
        health.evaluated({"chroma": 0.1}, step <= 300, step, 1000)
    assert health.warnings["grey"]["step"] == 600
    assert health.warnings["stalled"]["step"] == 900
    fine = TrainingMonitor()
    for step in range(100, 1100, 100):
        fine.evaluated({"chroma": 0.6}, step % 200 == 0, step, 1000)
    assert fine.warnings == {}


def test_a_run_that_ends_does_not_stall():
    """Newcomers read it twice below a finished run: there is nothing left to do about it."""
    monitor = TrainingMonitor()
    for step in (100, 200, 300, 400, 500):
        monitor.evaluated({}, step <= 200, step, 500)
    assert monitor.warnings == {}


def test_its_state_goes_on():
    one, two = watch([1.0] * 150), TrainingMonitor()
    two.load(one.state())
    for health in (one, two):
        for step in range(151, 250):
            health.step({"loss": 50.0}, step)
    assert one.warnings == two.warnings != {}


@pytest.mark.parametrize(
    ("before", "after"),
    [(-100.0, 500.0), (-1.0, 5.0), (0.0, 3.0), (-5.0, 30.0)],  # none is ten times the size of its best
)
def test_a_loss_that_was_zero_or_negative_explodes_too(before, after):
    health = watch([before] * 200 + [after] * 200)
    assert list(health.warnings) == ["exploding"]
    assert health.warnings["exploding"]["sentence"].endswith(f"and was {before:.3g} at its best")


@pytest.mark.parametrize(
    "numbers",
    [
        [3 - i / 100 for i in range(600)],  # falls below zero
        [(-1.0) ** i * (2 + i % 3) for i in range(1000)],  # lies about zero, as adversarial terms do
        [-1.0 + 0.5 * (i // 100 % 2) for i in range(1000)],
        [0.0] * 300,
    ],
)
def test_a_loss_about_zero_is_well(numbers):
    assert watch(numbers).warnings == {}


def test_a_state_of_before_goes_on():
    health = watch([-1.0] * 150)
    state = {name: value for name, value in health.state().items() if name not in ("first", "spread", "noise")}
    resumed = TrainingMonitor()
    resumed.load(state)
    for step in range(151, 400):
        resumed.step({"loss": 50.0}, step)
    assert list(resumed.warnings) == ["exploding"]
