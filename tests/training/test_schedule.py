"""Phases as pure functions: what is drawn, in which order, at which learning rate."""

import os
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import islice

import numpy as np
import pytest

from colorize.training.schedule import Phase, constant, linear_decay, multistep, phase_at, warmup_cosine
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of


def test_an_epoch_shows_every_photograph_once_and_in_another_order():
    draws = list(islice(Phase(steps=1).draws(11, 0, 7), 33))
    epochs = [[d.photo for d in draws[i : i + 11]] for i in (0, 11, 22)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert len({d.seed for d in draws}) == 33


@pytest.mark.parametrize("start", [1, 10, 11, 12, 25])
def test_the_stream_goes_on_where_it_is_entered(start):
    phase = Phase(steps=1, fraction=0.7, redraw_every=2)
    whole = list(islice(phase.draws(16, 0, 3, "all"), 60))
    assert list(islice(phase.draws(16, start, 3, "all"), 60 - start)) == whole[start:]


def photographs(phase, size, epoch, *key):
    return tuple(phase.subset(size, epoch, *key)(np.arange(phase.seen(size))))


def test_a_subset_is_redrawn_when_it_is_due_and_covers_what_it_says():
    phase = Phase(epochs=20, fraction=0.4, redraw_every=5)
    subsets = [frozenset(photographs(phase, 100, epoch, 0)) for epoch in range(20)]
    assert all(len(subset) == 40 for subset in subsets)
    assert [len(set(subsets[i : i + 5])) for i in (0, 5, 10, 15)] == [1, 1, 1, 1]
    assert len(set(subsets)) == 4
    orders = [photographs(phase, 100, epoch, 0) for epoch in range(5)]
    assert len(set(orders)) == 5


def test_subsets_depend_on_the_seed_and_on_nothing_else():
    phase = Phase(epochs=1, fraction=0.5)
    drawn = photographs(phase, 50, 3, 0, "a")
    assert drawn == photographs(Phase(steps=9, fraction=0.5), 50, 3, 0, "a")
    assert drawn != photographs(phase, 50, 3, 1, "a")
    assert drawn != photographs(phase, 50, 3, 0, "b")


def test_seeds_are_the_same_in_every_process():
    code = "from colorize.utils.seeds import seed_of; print(seed_of(0, 'step', 1))"
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert int(done.stdout) == seed_of(0, "step", 1)
    assert len({seed_of(0, "step", i) for i in range(10_000)}) == 10_000


def test_photographs_are_drawn_evenly():
    counts = Counter(d.photo for d in islice(Phase(steps=1, fraction=0.5).draws(10, 0, 0), 5 * 400))
    assert all(140 < count < 260 for count in counts.values())


def test_lengths():
    assert Phase(steps=7).steps(1000, 16) == 7
    assert Phase(epochs=2).steps(100, 16) == 13  # 200 photographs in full batches
    assert Phase(epochs=20, fraction=0.4).steps(1_281_167, 64) == 160_146


@pytest.mark.parametrize(
    ("phase", "scale", "steps"),
    [
        ({"steps": 400_000}, 0.01, 4000), ({"steps": 3}, 0.5, 2), ({"steps": 7}, 2.0, 14), ({"steps": 5}, 1e-6, 1),
        ({"epochs": 2}, 0.5, 6), ({"epochs": 2}, 1.0, 13), ({"epochs": 2}, 3.0, 38), ({"epochs": 0.1}, 0.1, 1),
    ],
)  # fmt: skip
def test_a_scale_makes_every_phase_longer_or_shorter(phase, scale, steps):
    """To the nearest step, of epochs of 100 photographs in batches of 16, and never to none."""
    assert Phase(**phase).steps(100, 16, scale) == steps
    lengths = {"first": 3, "second": 2}
    assert [phase_at(lengths, step) for step in range(5)] == [
        ("first", 0), ("first", 1), ("first", 2), ("second", 0), ("second", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either steps or epochs"),
        ({"steps": 1, "epochs": 1}, "either steps or epochs"),
        ({"steps": 0}, "phase.steps is 0; it must be greater than or equal to 1"),
        ({"epochs": -1}, "phase.epochs is -1; it must be greater than 0"),
        ({"steps": 1, "fraction": 0}, "fraction"),
        ({"steps": 1, "fraction": 1.1}, "fraction"),
        ({"steps": 1, "redraw_every": 0}, "redraw_every"),
        ({"steps": 1, "frozen": "encoder"}, "phase.frozen is 'encoder'; it must be a list"),
    ],
)
def test_impossible_phases_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Phase(**arguments)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.75, 1.0])
def test_a_warmup_of_any_length_comes_to_its_end(warmup):
    curve = partial(warmup_cosine, warmup=warmup, floor=0.1)
    assert curve(max(warmup, 1e-9)) == pytest.approx(1.0)
    assert curve(1.0) == pytest.approx(1.0 if warmup == 1 else 0.1)
    if warmup:
        assert curve(warmup / 2) == pytest.approx(0.5)
    Phase(steps=1, lr=curve)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (partial(warmup_cosine, warmup=1.5), "lr.warmup is 1.5; it must be less than or equal to 1"),
        (partial(warmup_cosine, warmup=-0.1), "lr.warmup is -0.1"),
        (partial(warmup_cosine, floor=-0.5), "lr.floor is -0.5; it must be greater than or equal to 0"),
        (partial(warmup_cosine, floor=float("nan")), "lr.floor is nan"),
        (partial(linear_decay, start=1.0), "lr.start is 1.0; it must be less than 1"),
        (partial(multistep, milestones=[]), "lr.milestones is .*; it must be a list of 1 or more"),
        (partial(multistep, milestones=[0.5, 1.0]), "lr.milestones.* is 1.0; it must be less than 1"),
        (lambda p: 0.5 - p, r"lr gives -0\.25 at 0\.75 of its phase; a learning rate is 0 or more"),
        (lambda p: float("nan"), "lr gives nan"),
    ],
)
def test_a_curve_that_fails_late_is_refused_at_once(curve, message):
    with pytest.raises(UserError, match=message):
        Phase(steps=1, lr=curve)


def test_learning_rate_curves():
    assert constant(0.3) == 1
    curve = [warmup_cosine(p, warmup=0.2, floor=0.1) for p in (0.05, 0.1, 0.2, 0.6, 1.0)]
    assert curve == pytest.approx([0.25, 0.5, 1.0, 0.55, 0.1])
