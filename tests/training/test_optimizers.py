"""Optimizers and learning rates: each option takes a step, each part learns at its own rate."""

import pytest

from colorize.training.config_schema import with_checked_values
from colorize.utils.errors import UserError
from tests.helpers.configs import options
from tests.helpers.trainers import trainer_of


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [*((name, "single") for name in options("optimizer")), *(("adam", name) for name in options("schedule"))],
)
def test_every_optimizer_and_schedule_takes_a_step(optimizer, schedule, small, tmp_path):
    loss = "pix2pix" if schedule == "pretrain_then_adversarial" else "l1"
    cfg = small("cnn", f"loss={loss}", f"optimizer={optimizer}", f"schedule={schedule}")
    cfg.schedule = {phase: settings for phase, settings in cfg.schedule.items() if "_target_" in settings}
    trainer = trainer_of(cfg, tmp_path)
    trainer.start_phase(next(iter(trainer.lengths)))
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train_step(next(trainer.step_batches(trainer.phase, 0)))
    assert any((p != old).any() for p, old in zip(trainer.model.parameters(), before, strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta"])
def test_a_phase_asks_nothing_that_an_optimizer_does_not_take(optimizer, small):
    """As the second phase of `pretrain_then_adversarial`, which sets β₁."""
    words = ("loss=pix2pix", f"optimizer={optimizer}", "schedule=pretrain_then_adversarial", "~schedule.all")
    with pytest.raises(UserError, match=r"takes no \['betas'\]"):
        with_checked_values(small("cnn", *words), "train")


def test_the_encoder_learns_at_its_own_rate(small, tmp_path):
    words = ("optimizer.lr=0.001", "optimizer.encoder=0.1", "optimizer.critic.lr=0.0005")
    trainer = trainer_of(small("transformer", *words), tmp_path)
    trainer.start_phase("all")
    groups = trainer.train_states["model"].optimizer.param_groups
    names = {p: name for name, p in trainer.model.named_parameters()}
    for group in groups:
        slow = {names[p].startswith("encoder.") for p in group["params"]}
        plain = {p.ndim < 2 for p in group["params"]}
        assert (len(slow), len(plain)) == (1, 1)
        assert group["lr"] == (0.0001 if slow == {True} else 0.001)
        assert group["weight_decay"] == (0 if plain == {True} else 0.01)
    assert sum(len(group["params"]) for group in groups) == len(names)
    assert {g["lr"] for g in trainer.train_states["adversarial"].optimizer.param_groups} == {0.0005}
