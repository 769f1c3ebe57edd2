"""The loop: a run cut in two ends where the whole run ends, and every network learns."""

import re
from itertools import islice
from math import isfinite

import pytest
import torch
from omegaconf import OmegaConf

from colorize.utils.errors import UserError
from colorize.utils.serialization import read
from tests.helpers.configs import COMPARING, options, own_loss
from tests.helpers.trainers import Record, cut_in_two, same, trainer_of

PAIRS = [(model, own_loss(model)) for model in options("model")] + [("transformer", "l1")]
EVERY_PAIR = [(model, loss) for model in options("model") for loss in options("loss")]


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_a_run_cut_in_two_ends_where_the_whole_run_ends(model, loss, small, tmp_path):
    cfg = small(model, f"loss={loss}", "checkpoint.every=100", f"evaluate.historical={model == 'cnn'}")
    whole = trainer_of(cfg, tmp_path / "whole")
    heard = Record()
    assert whole.fit(heard)
    second, first_heard, second_heard = cut_in_two(cfg, tmp_path / "cut", whole, heard)
    shown = ["historical", "samples"] if model == "cnn" else ["samples"]
    assert first_heard.pictures + second_heard.pictures == heard.pictures == [(step, shown) for step in (0, 2, 4)]
    saved = read(second.checkpoints.newest())
    assert same(saved["players"], whole.state()["players"])


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_every_player_moves(model, loss, small, tmp_path):
    # at 32² the deepest map is one pixel, and batch norm takes away all that a bias adds to it
    trainer = trainer_of(small(model, f"loss={loss}", "data.size=64"), tmp_path)
    assert trainer.always_frozen == []
    before = {k: [p.clone() for p in player.module.parameters()] for k, player in trainer.train_states.items()}
    trainer.start_phase("all")
    for _, batches in zip(range(2), trainer.step_batches("all", 0), strict=False):  # some branches start at zero
        trainer.train_step(batches)
    for name, player in trainer.train_states.items():
        pairs = zip(player.module.named_parameters(), before[name], strict=True)
        still = [n for (n, p), old in pairs if torch.equal(p, old)]
        assert still == [], name


def comparing(loss):
    """The term by which a network is seen to learn; of a loss that has none, the weighted sum of all terms."""
    return next((name for name, term in loss.terms.items() if isinstance(term, COMPARING)), "loss")


def steps_of(trainer):
    """The named terms of one optimizer step after another on the same photographs: same noise at the same levels."""
    trainer.start_phase("all")
    batches = next(trainer.step_batches("all", 0))
    while True:
        torch.manual_seed(0)
        yield trainer.optimizer_step(batches, trainer.weights["all"], 1.0, 1)


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_every_network_learns_eight_photographs(model, loss, small, tmp_path):
    words = ["trainer.batch_size=8", "schedule=single", "optimizer.lr=0.003", "optimizer.encoder=1"]
    words.append("optimizer.critic.lr=2e-5")  # a critic that learns as fast swings what is compared to and fro
    trainer = trainer_of(small(model, f"loss={loss}", *words), tmp_path)
    term = comparing(trainer.loss)
    compared = (values[term] for values in islice(steps_of(trainer), 90))
    first = next(compared)
    assert any(value < 0.7 * first for value in compared)


@pytest.mark.parametrize(("model", "loss"), EVERY_PAIR)
def test_every_pair_trains_or_is_refused(model, loss, small, tmp_path):
    try:
        trainer = trainer_of(small(model, f"loss={loss}"), tmp_path)
    except UserError as refusal:
        assert re.fullmatch(r"loss term '\w+' needs \[.*\]; the model answers \[.*\]: use loss=.*", str(refusal))  # noqa: PT017
        return
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    for values in islice(steps_of(trainer), 2):
        assert all(map(isfinite, values.values()))
    assert any(not torch.equal(p, before[name]) for name, p in trainer.model.named_parameters())


def test_phases_start_with_fresh_optimizers_and_their_own_weights(small, tmp_path):
    cfg = small("cnn", "loss=ddcolor", "evaluate.every=100")
    phase = {"_target_": "colorize.training.schedule.Phase", "steps": 2}
    alone = {**phase, "weights": {"perceptual": 0, "adversarial": 0}}
    rivals = {**phase, "weights": {"perceptual": 0}, "optimizer": {"betas": [0.5, 0.9]}}
    cfg.schedule = OmegaConf.create({"alone": alone, "rivals": rivals})
    trainer = trainer_of(cfg, tmp_path)
    heard = Record()
    trainer.fit(heard)
    terms = {step: set(values) for step, values in heard.lines if "lr" in values}
    assert "train/adversarial" not in terms[2]
    assert {"train/adversarial", "train/adversarial_critic"} <= terms[3]
    for player in trainer.train_states.values():
        assert player.optimizer.param_groups[0]["betas"] == (0.5, 0.9)
        assert {int(state["step"]) for state in player.optimizer.state.values()} == {2}


def test_the_gan_pretrains_alone_and_begins_its_second_phase_fresh(small, tmp_path):
    """Phase 1 trains the generator alone, phase 2 starts from its weights with fresh optimizers and β₁ 0.5."""
    lengths = ("schedule.pretrain.steps=3", "schedule.adversarial.steps=3", "optimizer=adam")
    cfg = small("gan", "loss=pix2pix", "schedule=pretrain_then_adversarial", *lengths)
    cfg.schedule = {name: phase for name, phase in cfg.schedule.items() if name != "all"}
    OmegaConf.update(cfg, "schedule.adversarial.optimizer.critic", {"lr": 0.007}, force_add=True)
    trainer = trainer_of(cfg, tmp_path)
    trainer.start_phase("pretrain")
    assert list(trainer.train_states) == ["model", "adversarial"]
    assert trainer.optimizer_step.active == ["model"]
    model, critic = trainer.train_states["model"], trainer.train_states["adversarial"]
    assert critic.optimizer is None
    untouched = {name: value.clone() for name, value in critic.module.state_dict().items()}
    for _, batches in zip(range(3), trainer.step_batches("pretrain", 0), strict=False):
        assert "adversarial" not in trainer.train_step(batches)
    assert same(untouched, dict(critic.module.state_dict()))
    first, learned = model.optimizer, {name: value.clone() for name, value in model.module.state_dict().items()}
    assert {int(state["step"]) for state in first.state.values()} == {3}
    assert {group["betas"] for group in first.param_groups} == {(0.9, 0.999)}

    trainer.start_phase("adversarial")
    assert trainer.optimizer_step.active == ["model", "adversarial"]
    assert same(learned, dict(model.module.state_dict()))
    assert model.optimizer is not first
    assert len(model.optimizer.state) == len(critic.optimizer.state) == 0
    assert {group["betas"] for group in model.optimizer.param_groups} == {(0.5, 0.999)}
    assert {group["betas"] for group in critic.optimizer.param_groups} == {(0.5, 0.999)}
    assert {group["lr"] for group in critic.optimizer.param_groups} == {0.007}
    values = trainer.train_step(next(trainer.step_batches("adversarial", 0)))
    assert {"adversarial", "adversarial_critic", "adversarial_critic_right"} <= values.keys()
    assert not same(untouched, dict(critic.module.state_dict()))


def test_a_phase_has_its_size_and_its_frozen_parts(small, tmp_path):
    cfg = small("transformer", "loss=l1", "data.size=64")
    phase = {"_target_": "colorize.training.schedule.Phase", "steps": 2}
    small_first = {**phase, "size": 32, "frozen": ["encoder", "pixels.steps.0"]}
    cfg.schedule = OmegaConf.create({"small": small_first, "whole": phase})
    trainer = trainer_of(cfg, tmp_path)
    assert trainer.always_frozen == []
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    statistics = {name: b.clone() for name, b in trainer.model.encoder.named_buffers()}
    trainer.start_phase("small")
    batches = next(trainer.step_batches("small", 0))
    assert batches[0].L.shape == (2, 1, 32, 32)
    trainer.train_step(batches)
    moved = {name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved
    assert not any(name.startswith(("encoder.", "pixels.steps.0.")) for name in moved)
    assert same(statistics, dict(trainer.model.encoder.named_buffers()))
    trainer.steps = 2
    trainer.start_phase("whole")
    batches = next(trainer.step_batches("whole", 0))
    assert batches[0].L.shape == (2, 1, 64, 64)
    trainer.train_step(batches)
    assert any(not torch.equal(p, before[name]) for name, p in trainer.model.named_parameters() if "encoder" in name)


def test_unreadable_photographs_are_counted_once(small, photographs, tmp_path, capsys):
    bad = sorted(photographs.rglob("*.jpg"))[0]
    bad.write_bytes(b"")
    folders = (f"data.root='{photographs}'", f"data.val_root='{photographs}/dogs'")
    cfg = small("cnn", "loss=l1", "data=folder", *folders, "schedule.all.steps=20", "evaluate.every=20")
    trainer = trainer_of(cfg, tmp_path / "run")
    trainer.fit(Record())
    assert list(trainer.step_batches.unreadable) == [str(bad)]
    assert capsys.readouterr().out.count(f"skipped {bad}") == 1


def test_a_compiled_network_does_not_recompute_too(small, tmp_path):
    with pytest.raises(UserError, match=r"trainer\.compile=true and trainer\.recompute=true do not go together"):
        trainer_of(small("cnn", "loss=l1", "trainer.compile=true", "trainer.recompute=true"), tmp_path)
