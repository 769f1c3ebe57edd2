"""Checks before a run: unused parameters, sizes, and settings that cannot be."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from colorize.training.build import build_parts, build_trainer
from colorize.training.checks import count_by_module, unused_parameters
from colorize.training.config_schema import with_checked_values
from colorize.training.run import print_setup
from colorize.utils.errors import UserError
from tests.helpers.configs import options, own_loss
from tests.helpers.trainers import Record, same, trainer_of


def test_what_no_term_reads_is_frozen_and_named(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1", "model.classes=7"), tmp_path)
    names = [f"classify.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")]
    assert trainer.always_frozen == names
    assert count_by_module(names) == "classify (4)"
    trainer.start_phase("all")
    assert not any(p.requires_grad for p in trainer.model.classify.parameters())
    assert all(p.requires_grad for p in trainer.model.colour.parameters())
    before = [p.clone() for p in trainer.model.classify.parameters()]
    trainer.train_step(next(trainer.step_batches("all", 0)))
    assert all(torch.equal(p, old) for p, old in zip(trainer.model.classify.parameters(), before, strict=True))


def test_what_the_schedule_freezes_is_not_said_to_be_unread(small, tmp_path, capsys):
    cfg = small("gan", "loss=l1", "+schedule.all.frozen=[encoder]")
    parts = build_parts(cfg)
    trainer = build_trainer(cfg, parts, tmp_path)
    assert trainer.always_unused == []
    assert {name.split(".")[0] for name in trainer.always_frozen} == {"encoder"}
    print_setup(cfg, parts, trainer)
    printed = capsys.readouterr().out
    assert f"frozen by the schedule: encoder ({len(trainer.always_frozen)})" in printed
    assert "no loss term reads" not in printed


def test_what_one_phase_reads_is_not_frozen(small, tmp_path):
    cfg = small("multicolor", "loss=multicolor")
    phase = {"_target_": "colorize.training.schedule.Phase", "steps": 2}
    nothing_but = {"hsv": 0, "yuv": 0, "rgb": 0, "perceptual": 0, "adversarial": 0, "colorful": 0}
    cfg.schedule = OmegaConf.create({"lab": {**phase, "weights": nothing_but}})
    frozen = trainer_of(cfg, tmp_path).always_frozen
    assert {name.split(".")[0] for name in frozen} == {"colours", "mappers", "complement"}
    assert not any(".lab." in name for name in frozen)
    cfg.schedule = OmegaConf.create({"lab": {**phase, "weights": nothing_but}, "all": phase})
    assert trainer_of(cfg, tmp_path).always_frozen == []


def test_finding_what_is_reached_changes_nothing(small, tmp_path):
    for model in options("model"):
        parts = build_parts(small(model, f"loss={own_loss(model)}"))
        modules = nn.ModuleList([parts.model, parts.loss])
        before = {k: v.clone() for k, v in modules.state_dict().items()}
        state = torch.get_rng_state()
        unused_parameters(parts.model, parts.loss, parts.loss.weights, 64, 3)
        assert same(before, dict(modules.state_dict()))
        assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("size", [32, 96])
def test_a_network_of_one_size_is_trained_at_that_size(size, small, tmp_path):
    cfg = small("cnn", "loss=l1", "model.branches=1", "model.global_size=64", f"data.size={size}")
    with pytest.raises(UserError, match=f"data.size is {size}; this CNN takes 64 alone: use data.size=64"):
        trainer_of(cfg, tmp_path)


def test_one_photograph_is_too_few_for_batch_norm(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1", "trainer.batch_size=1"), tmp_path)
    trainer.start_phase("all")
    with pytest.raises(UserError, match="batch norm needs two photographs or more in a pass"):
        trainer.train_step(next(trainer.step_batches("all", 0)))


@pytest.mark.parametrize(("model", "loss"), [("gan_unet", "l1"), ("cnn", "pix2pix")])
def test_a_checkpoint_of_another_network_is_refused(model, loss, small, tmp_path):
    trainer_of(small("cnn", "loss=l1"), tmp_path).fit(Record())
    with pytest.raises(UserError, match=r"step-00000004\.pt' is a checkpoint of another network, critic or optimizer"):
        trainer_of(small(model, f"loss={loss}"), tmp_path).restore()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.batch_size=0", "batch_size"),
        ("trainer.device=tpu", "use auto"),
        ("trainer.device=meta", "trainer.device='meta' is not here: use auto"),
        ("~schedule.all", "schedule is {}; it must have one part or more"),
        ("trainer.precision=float16", "bfloat16"),
        ("checkpoint.monitor=val/pnsr", "val/psnr"),
        ("checkpoint.mode=most", "max or min"),
        ("optimizer.lr=0", "learning rate above 0"),
        ("optimizer.algorithm=Adamw", "no optimizer 'Adamw'"),
        ("+optimizer.momentum=0.9", r"takes no \['momentum'\]"),
        ("+optimizer.critic.beta=0.9", r"takes no \['beta'\]"),
        ("schedule.all.steps=0", r"schedule\.all\.steps is 0; it must be greater than or equal to 1"),
        ("+schedule.all.weights={pixle: 1}", r"a phase weighs \['pixle'\]"),
        ("+schedule.all.fraction=1.5", r"schedule\.all\.fraction is 1\.5; it must be less than or equal to 1"),
        ("+schedule.all.redraw_every=0", "redraw_every is 0"),
        ("+schedule.all.frozen=[encodr]", "phase 'all' freezes 'encodr', which is not in the model; its parts are"),
        ("+schedule.all.size=50", r"schedule\.all\.size is 50; Transformer takes multiples of 32, such as 64"),
        ("+schedule.al.steps=3", r"schedule\.al is {steps: 3}; it must be a part with a _target_"),
        ("+schedule.all.optimizer={beta: 1}", r"takes no \['beta'\]"),
        ("optimizer.decay=some", "weights or all"),
        ("trainer.ema=2", "trainer.ema is 2"),
        ("trainer.clip=0", "trainer.clip is 0"),
        ("checkpoint.keep=0", r"checkpoint\.keep is 0"),
    ],
)
def test_impossible_settings_are_refused(override, message, small, tmp_path):
    with pytest.raises(UserError, match=message):
        trainer_of(with_checked_values(small("transformer", override), "train"), tmp_path)
