"""A trainer from a config, a logger that keeps what it is given, and a run that is cut in two."""

import signal

import torch

from colorize.tracking import Logger
from colorize.training.build import build_parts, build_trainer
from tests.faults.runs import TIMES


class Record(Logger):
    """Keeps what is logged; raises `SIGINT` when it hears of step `stop_at`."""

    def __init__(self, stop_at=None):
        self.lines, self.pictures, self.stop_at = [], [], stop_at

    def scalars(self, values, step):
        self.lines.append((step, {k: v for k, v in values.items() if k not in TIMES}))
        if step == self.stop_at and "lr" in values:
            signal.raise_signal(signal.SIGINT)

    def images(self, named, step):
        self.pictures.append((step, sorted(named)))


def trainer_of(cfg, folder):
    return build_trainer(cfg, build_parts(cfg), folder)


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return torch.equal(one.cpu(), other.cpu()) if isinstance(one, torch.Tensor) else one == other


def cut_in_two(cfg, folder, whole, heard):
    """A run that is stopped at step 3 and goes on ends as `whole` did and logs the same: its trainer, both logs."""
    first, first_heard = trainer_of(cfg, folder), Record(stop_at=3)
    assert not first.fit(first_heard)
    assert first.steps == 3
    second, second_heard = trainer_of(cfg, folder), Record()
    assert second.restore()
    assert second.fit(second_heard)
    assert same(whole.state()["players"], second.state()["players"])
    assert first_heard.lines + second_heard.lines == heard.lines
    return second, first_heard, second_heard
