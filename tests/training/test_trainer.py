"""The loop: a run cut in two ends where the whole run ends, and what must not happen does not."""

import re
from itertools import islice
from math import isfinite

import pytest
import torch
from omegaconf import OmegaConf

from colorize.batch import Batch
from colorize.models.load import best_state
from colorize.training.build import build_parts, build_trainer
from colorize.training.checks import summarised, unreached
from colorize.training.run import introduce
from colorize.training.train_state import Player
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
    assert trainer.frozen == []
    before = {k: [p.clone() for p in player.module.parameters()] for k, player in trainer.players.items()}
    trainer.enter("all")
    for _, batches in zip(range(2), trainer.stream("all", 0), strict=False):  # some branches start at zero
        trainer.advance(batches)
    for name, player in trainer.players.items():
        pairs = zip(player.module.named_parameters(), before[name], strict=True)
        still = [n for (n, p), old in pairs if torch.equal(p, old)]
        assert still == [], name


def comparing(loss):
    """The term by which a network is seen to learn; of a loss that has none, the weighted sum of all terms."""
    return next((name for name, term in loss.terms.items() if isinstance(term, COMPARING)), "loss")


def steps_of(trainer):
    """The named terms of one optimizer step after another on the same photographs: same noise at the same levels."""
    trainer.enter("all")
    batches = next(trainer.stream("all", 0))
    while True:
        torch.manual_seed(0)
        yield trainer.step(batches, trainer.weights["all"], 1.0)


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
        assert re.fullmatch(r"loss term '\w+' needs \[.*\]; the model answers \[.*\]: choose .*", str(refusal))  # noqa: PT017
        return
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    for values in islice(steps_of(trainer), 2):
        assert all(map(isfinite, values.values()))
    assert any(not torch.equal(p, before[name]) for name, p in trainer.model.named_parameters())


def test_what_no_term_reads_is_frozen_and_named(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1", "model.classes=7"), tmp_path)
    names = [f"classify.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")]
    assert trainer.frozen == names
    assert summarised(names) == "classify (4)"
    trainer.enter("all")
    assert not any(p.requires_grad for p in trainer.model.classify.parameters())
    assert all(p.requires_grad for p in trainer.model.colour.parameters())
    before = [p.clone() for p in trainer.model.classify.parameters()]
    trainer.advance(next(trainer.stream("all", 0)))
    assert all(torch.equal(p, old) for p, old in zip(trainer.model.classify.parameters(), before, strict=True))


def test_what_the_schedule_freezes_is_not_said_to_be_unread(small, tmp_path, capsys):
    cfg = small("gan", "loss=l1", "+schedule.all.frozen=[encoder]")
    parts = build_parts(cfg)
    trainer = build_trainer(cfg, parts, tmp_path)
    assert trainer.unread == []
    assert {name.split(".")[0] for name in trainer.frozen} == {"encoder"}
    introduce(cfg, parts, trainer, False)
    printed = capsys.readouterr().out
    assert f"frozen by the schedule: encoder ({len(trainer.frozen)})" in printed
    assert "no loss term reads" not in printed


def test_what_one_phase_reads_is_not_frozen(small, tmp_path):
    cfg = small("multicolor", "loss=multicolor")
    phase = {"_target_": "colorize.training.schedule.Phase", "steps": 2}
    nothing_but = {"hsv": 0, "yuv": 0, "rgb": 0, "perceptual": 0, "adversarial": 0, "colorful": 0}
    cfg.schedule = OmegaConf.create({"lab": {**phase, "weights": nothing_but}})
    frozen = trainer_of(cfg, tmp_path).frozen
    assert {name.split(".")[0] for name in frozen} == {"colours", "mappers", "complement"}
    assert not any(".lab." in name for name in frozen)
    cfg.schedule = OmegaConf.create({"lab": {**phase, "weights": nothing_but}, "all": phase})
    assert trainer_of(cfg, tmp_path).frozen == []


def test_finding_what_is_reached_changes_nothing(small, tmp_path):
    for model in options("model"):
        parts = build_parts(small(model, f"loss={own_loss(model)}"))
        before = {k: v.clone() for k, v in parts.model.state_dict().items()}
        state = torch.get_rng_state()
        unreached(parts.model, parts.loss, parts.loss.weights, 64, 3)
        assert same(before, dict(parts.model.state_dict()))
        assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("size", [32, 96])
def test_a_network_of_one_size_is_trained_at_that_size(size, small, tmp_path):
    cfg = small("cnn", "loss=l1", "model.branches=1", "model.global_size=64", f"data.size={size}")
    with pytest.raises(UserError, match=f"data.size is {size}; this CNN takes 64 alone: say data.size=64"):
        trainer_of(cfg, tmp_path)


def test_accumulation_gives_the_gradient_of_the_whole_batch(small, tmp_path):
    """Without normalisation over the batch, two halves weigh what the whole does."""
    gradients = []
    for batch_size, accumulate in ((4, 1), (2, 2)):
        words = (f"trainer.batch_size={batch_size}", f"trainer.accumulate={accumulate}", "trainer.clip=null")
        cfg = small("transformer", "loss=l1", *words)
        trainer = trainer_of(cfg, tmp_path)
        trainer.enter("all")
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train = lambda mode, module=module: module
                module.eval = lambda module=module: module
                module.training = False
        steps = []
        trainer.players["model"].step = lambda lr, player=trainer.players["model"], steps=steps: steps.append(
            torch.cat([p.grad.flatten() for p in player.parameters])
        )
        trainer.advance(next(trainer.stream("all", 0)))
        gradients += steps
    whole, halves = gradients
    assert (whole - halves).norm() < 0.02 * whole.norm()  # spectral norm's vectors advance with each forward pass


def test_a_loss_that_is_not_a_number_stops_before_any_weight_moves(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1"), tmp_path)
    trainer.enter("all")
    (batch,) = next(trainer.stream("all", 0))
    before = [p.clone() for p in trainer.model.parameters()]
    broken = Batch(batch.L, batch.ab * float("nan"))
    with pytest.raises(UserError, match="'pixel' became nan at step 1"):
        trainer.step([broken], trainer.weights["all"], 1.0)
    assert all(torch.equal(p, old) for p, old in zip(trainer.model.parameters(), before, strict=True))


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
    for player in trainer.players.values():
        assert player.optimizer.param_groups[0]["betas"] == (0.5, 0.9)
        assert {int(state["step"]) for state in player.optimizer.state.values()} == {2}


def test_the_gan_pretrains_alone_and_begins_its_second_phase_fresh(small, tmp_path):
    """Phase 1 trains the generator alone, phase 2 starts from its weights with fresh optimizers and β₁ 0.5."""
    lengths = ("schedule.pretrain.steps=3", "schedule.adversarial.steps=3", "optimizer=adam")
    cfg = small("gan", "loss=pix2pix", "schedule=pretrain_then_adversarial", *lengths)
    cfg.schedule = {name: phase for name, phase in cfg.schedule.items() if name != "all"}
    OmegaConf.update(cfg, "schedule.adversarial.optimizer.critic", {"lr": 0.007}, force_add=True)
    trainer = trainer_of(cfg, tmp_path)
    trainer.enter("pretrain")
    assert list(trainer.players) == ["model", "adversarial"]
    assert trainer.playing == ["model"]
    model, critic = trainer.players["model"], trainer.players["adversarial"]
    assert critic.optimizer is None
    untouched = {name: value.clone() for name, value in critic.module.state_dict().items()}
    for _, batches in zip(range(3), trainer.stream("pretrain", 0), strict=False):
        assert "adversarial" not in trainer.advance(batches)
    assert same(untouched, dict(critic.module.state_dict()))
    first, learned = model.optimizer, {name: value.clone() for name, value in model.module.state_dict().items()}
    assert {int(state["step"]) for state in first.state.values()} == {3}
    assert {group["betas"] for group in first.param_groups} == {(0.9, 0.999)}

    trainer.enter("adversarial")
    assert trainer.playing == ["model", "adversarial"]
    assert same(learned, dict(model.module.state_dict()))
    assert model.optimizer is not first
    assert len(model.optimizer.state) == len(critic.optimizer.state) == 0
    assert {group["betas"] for group in model.optimizer.param_groups} == {(0.5, 0.999)}
    assert {group["betas"] for group in critic.optimizer.param_groups} == {(0.5, 0.999)}
    assert {group["lr"] for group in critic.optimizer.param_groups} == {0.007}
    values = trainer.advance(next(trainer.stream("adversarial", 0)))
    assert {"adversarial", "adversarial_critic", "adversarial_critic_right"} <= values.keys()
    assert not same(untouched, dict(critic.module.state_dict()))


def test_one_photograph_is_too_few_for_batch_norm(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1", "trainer.batch_size=1"), tmp_path)
    trainer.enter("all")
    with pytest.raises(UserError, match="batch norm needs two photographs or more in a pass"):
        trainer.advance(next(trainer.stream("all", 0)))


@pytest.mark.parametrize(("model", "loss"), [("gan_unet", "l1"), ("cnn", "pix2pix")])
def test_a_checkpoint_of_another_network_is_refused(model, loss, small, tmp_path):
    trainer_of(small("cnn", "loss=l1"), tmp_path).fit(Record())
    with pytest.raises(UserError, match=r"step-00000004\.pt' is a checkpoint of another network, critic or optimizer"):
        trainer_of(small(model, f"loss={loss}"), tmp_path).restore()


def test_a_phase_has_its_size_and_its_frozen_parts(small, tmp_path):
    cfg = small("transformer", "loss=l1", "data.size=64")
    phase = {"_target_": "colorize.training.schedule.Phase", "steps": 2}
    small_first = {**phase, "size": 32, "frozen": ["encoder", "pixels.steps.0"]}
    cfg.schedule = OmegaConf.create({"small": small_first, "whole": phase})
    trainer = trainer_of(cfg, tmp_path)
    assert trainer.frozen == []
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}
    statistics = {name: b.clone() for name, b in trainer.model.encoder.named_buffers()}
    trainer.enter("small")
    batches = next(trainer.stream("small", 0))
    assert batches[0].L.shape == (2, 1, 32, 32)
    trainer.advance(batches)
    moved = {name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])}
    assert moved
    assert not any(name.startswith(("encoder.", "pixels.steps.0.")) for name in moved)
    assert same(statistics, dict(trainer.model.encoder.named_buffers()))
    trainer.steps = 2
    trainer.enter("whole")
    batches = next(trainer.stream("whole", 0))
    assert batches[0].L.shape == (2, 1, 64, 64)
    trainer.advance(batches)
    assert any(not torch.equal(p, before[name]) for name, p in trainer.model.named_parameters() if "encoder" in name)


def test_averaged_weights_have_their_own_singular_vectors(small, tmp_path):
    trainer = trainer_of(small("transformer", "loss=l1", "optimizer.lr=0.05", "trainer.ema=0.9"), tmp_path)
    trainer.enter("all")
    for _, batches in zip(range(3), trainer.stream("all", 0), strict=False):
        trainer.advance(batches)
    player = trainer.players["model"]

    def error() -> float:
        """How far the largest singular value of the worst convolution is from 1."""
        found = [part for part in player.average.module.eval().modules() if hasattr(part, "parametrizations")]
        return max(abs(torch.linalg.matrix_norm(part.weight.flatten(1).double(), ord=2).item() - 1) for part in found)

    copied = error()
    player.best_module()
    assert error() < 0.02
    assert error() < copied / 2


@pytest.mark.parametrize("effective", [(4, 1), (2, 2), (1, 4)])
def test_chance_belongs_to_the_photograph(effective, small, tmp_path):
    """However a step is divided among passes, diffusion sees the same noise at the same levels."""
    batch_size, accumulate = effective
    words = (f"trainer.batch_size={batch_size}", f"trainer.accumulate={accumulate}", "model.dropout=0.3")
    trainer = trainer_of(small("diffusion", "loss=ddpm", *words), tmp_path)
    trainer.enter("all")
    value = trainer.advance(next(trainer.stream("all", 0)))["noise"]
    reference = trainer_of(small("diffusion", "loss=ddpm", "trainer.batch_size=4", "model.dropout=0.3"), tmp_path)
    reference.enter("all")
    assert value == pytest.approx(reference.advance(next(reference.stream("all", 0)))["noise"], rel=1e-5)


def test_bits_are_the_same_when_they_must_be(small, tmp_path):
    cfg = small("gan", "trainer.deterministic=true")
    try:
        ends = []
        for name in ("one", "two"):
            trainer = trainer_of(cfg, tmp_path / name)
            trainer.fit(Record())
            ends.append(trainer.state()["players"])
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert same(*ends)


def test_the_average_is_the_one_it_says():
    module = torch.nn.Linear(1, 1, bias=False)
    player = Player(module, ema=0.9)
    player.begin(torch.optim.SGD(module.parameters(), lr=1.0))
    expected = None
    for n in range(30):
        module.weight.data.fill_(float(n))
        module.weight.grad = torch.zeros_like(module.weight)
        player.step(1.0)
        decay = min(0.9, (1 + n) / (10 + n))
        expected = float(n) if expected is None else decay * expected + (1 - decay) * n
        assert player.best_module().weight.item() == pytest.approx(expected, rel=1e-5)
    assert best_state(player.state())["weight"].item() == pytest.approx(expected, rel=1e-5)
    assert best_state(Player(module).state())["weight"].item() == 29


def test_unreadable_photographs_are_counted_once(small, photographs, tmp_path, capsys):
    bad = sorted(photographs.rglob("*.jpg"))[0]
    bad.write_bytes(b"")
    folders = (f"data.root='{photographs}'", f"data.val_root='{photographs}/dogs'")
    cfg = small("cnn", "loss=l1", "data=folder", *folders, "schedule.all.steps=20", "evaluate.every=20")
    trainer = trainer_of(cfg, tmp_path / "run")
    trainer.fit(Record())
    assert list(trainer.stream.unreadable) == [str(bad)]
    assert capsys.readouterr().out.count(f"skipped {bad}") == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.batch_size=0", "batch_size"),
        ("trainer.device=tpu", "auto, cpu, cuda"),
        ("trainer.device=meta", "trainer.device='meta' is not here: say auto, cpu, cuda"),
        ("~schedule.all", "schedule has no phase"),
        ("trainer.precision=float16", "bfloat16"),
        ("checkpoint.monitor=val/pnsr", "val/psnr"),
        ("checkpoint.mode=most", "max or min"),
        ("optimizer.lr=0", "learning rate above 0"),
        ("optimizer.algorithm=Adamw", "no optimizer 'Adamw'"),
        ("+optimizer.momentum=0.9", r"takes no \['momentum'\]"),
        ("+optimizer.critic.beta=0.9", r"takes no \['beta'\]"),
        ("schedule.all.steps=0", "longer than nothing"),
        ("+schedule.all.weights={pixle: 1}", r"a phase weighs \['pixle'\]"),
        ("+schedule.all.fraction=1.5", "fraction is 1.5; it must lie above 0 and be at most 1"),
        ("+schedule.all.redraw_every=0", "redraw_every is 0"),
        ("+schedule.all.frozen=[encodr]", "phase 'all' freezes 'encodr', which is not in the model; its parts are"),
        ("+schedule.all.size=50", r"schedule\.all\.size is 50; Transformer takes multiples of 32, such as 64"),
        ("+schedule.al.steps=3", r"schedule\.al is not one of the schedule's phases, which are \['all'\]"),
        ("+schedule.all.optimizer={beta: 1}", r"takes no \['beta'\]"),
        ("optimizer.decay=some", "weights or all"),
        ("trainer.ema=2", "trainer.ema is 2"),
        ("trainer.clip=0", "trainer.clip is 0"),
        ("checkpoint.keep=0", r"checkpoint\.keep is 0"),
    ],
)
def test_impossible_settings_are_refused(override, message, small, tmp_path):
    with pytest.raises(UserError, match=message):
        trainer_of(small("transformer", override), tmp_path)


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [*((name, "single") for name in options("optimizer")), *(("adam", name) for name in options("schedule"))],
)
def test_every_optimizer_and_schedule_takes_a_step(optimizer, schedule, small, tmp_path):
    loss = "pix2pix" if schedule == "pretrain_then_adversarial" else "l1"
    cfg = small("cnn", f"loss={loss}", f"optimizer={optimizer}", f"schedule={schedule}")
    cfg.schedule = {phase: settings for phase, settings in cfg.schedule.items() if "_target_" in settings}
    trainer = trainer_of(cfg, tmp_path)
    trainer.enter(next(iter(trainer.lengths)))
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.advance(next(trainer.stream(trainer.phase, 0)))
    assert any((p != old).any() for p, old in zip(trainer.model.parameters(), before, strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta"])
def test_a_phase_asks_nothing_that_an_optimizer_does_not_take(optimizer, small, tmp_path):
    """As the second phase of `pretrain_then_adversarial`, which sets β₁."""
    words = ("loss=pix2pix", f"optimizer={optimizer}", "schedule=pretrain_then_adversarial", "~schedule.all")
    with pytest.raises(UserError, match=r"takes no \['betas'\]"):
        trainer_of(small("cnn", *words), tmp_path)


def test_a_compiled_network_does_not_recompute_too(small, tmp_path):
    with pytest.raises(UserError, match=r"trainer\.compile=true and trainer\.recompute=true do not go together"):
        trainer_of(small("cnn", "loss=l1", "trainer.compile=true", "trainer.recompute=true"), tmp_path)


def test_the_encoder_learns_at_its_own_rate(small, tmp_path):
    words = ("optimizer.lr=0.001", "optimizer.encoder=0.1", "optimizer.critic.lr=0.0005")
    trainer = trainer_of(small("transformer", *words), tmp_path)
    trainer.enter("all")
    groups = trainer.players["model"].optimizer.param_groups
    names = {p: name for name, p in trainer.model.named_parameters()}
    for group in groups:
        slow = {names[p].startswith("encoder.") for p in group["params"]}
        plain = {p.ndim < 2 for p in group["params"]}
        assert (len(slow), len(plain)) == (1, 1)
        assert group["lr"] == (0.0001 if slow == {True} else 0.001)
        assert group["weight_decay"] == (0 if plain == {True} else 0.01)
    assert sum(len(group["params"]) for group in groups) == len(names)
    assert {g["lr"] for g in trainer.players["adversarial"].optimizer.param_groups} == {0.0005}
