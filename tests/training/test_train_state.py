"""A step and what is kept of the network: gradients, averages, chance."""

import pytest
import torch

from colorize.batch import Batch
from colorize.models.load import best_state
from colorize.training.train_state import TrainState
from colorize.utils.errors import UserError
from tests.helpers.trainers import Record, same, trainer_of


def test_accumulation_gives_the_gradient_of_the_whole_batch(small, tmp_path):
    """Without normalisation over the batch, two halves weigh what the whole does."""
    gradients = []
    for batch_size, accumulate in ((4, 1), (2, 2)):
        words = (f"trainer.batch_size={batch_size}", f"trainer.accumulate={accumulate}", "trainer.clip=null")
        cfg = small("transformer", "loss=l1", *words)
        trainer = trainer_of(cfg, tmp_path)
        trainer.start_phase("all")
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train = lambda mode, module=module: module
                module.eval = lambda module=module: module
                module.training = False
        steps = []
        trainer.train_states["model"].step = lambda lr, player=trainer.train_states["model"], steps=steps: steps.append(
            torch.cat([p.grad.flatten() for p in player.parameters])
        )
        trainer.train_step(next(trainer.step_batches("all", 0)))
        gradients += steps
    whole, halves = gradients
    assert (whole - halves).norm() < 0.02 * whole.norm()  # spectral norm's vectors advance with each forward pass


def test_a_loss_that_is_not_a_number_stops_before_any_weight_moves(small, tmp_path):
    trainer = trainer_of(small("cnn", "loss=l1"), tmp_path)
    trainer.start_phase("all")
    (batch,) = next(trainer.step_batches("all", 0))
    before = [p.clone() for p in trainer.model.parameters()]
    broken = Batch(batch.L, batch.ab * float("nan"))
    with pytest.raises(UserError, match="'pixel' became nan at step 1"):
        trainer.optimizer_step([broken], trainer.weights["all"], 1.0, 1)
    assert all(torch.equal(p, old) for p, old in zip(trainer.model.parameters(), before, strict=True))


def test_averaged_weights_have_their_own_singular_vectors(small, tmp_path):
    trainer = trainer_of(small("transformer", "loss=l1", "optimizer.lr=0.05", "trainer.ema=0.9"), tmp_path)
    trainer.start_phase("all")
    for _, batches in zip(range(3), trainer.step_batches("all", 0), strict=False):
        trainer.train_step(batches)
    player = trainer.train_states["model"]

    def error() -> float:
        """How far the largest singular value of the worst convolution is from 1."""
        found = [part for part in player.ema.module.eval().modules() if hasattr(part, "parametrizations")]
        return max(abs(torch.linalg.matrix_norm(part.weight.flatten(1).double(), ord=2).item() - 1) for part in found)

    copied = error()
    player.ema_or_model()
    assert error() < 0.02
    assert error() < copied / 2


@pytest.mark.parametrize("effective", [(4, 1), (2, 2), (1, 4)])
def test_chance_belongs_to_the_photograph(effective, small, tmp_path):
    """However a step is divided among passes, diffusion sees the same noise at the same levels."""
    batch_size, accumulate = effective
    words = (f"trainer.batch_size={batch_size}", f"trainer.accumulate={accumulate}", "model.dropout=0.3")
    trainer = trainer_of(small("diffusion", "loss=ddpm", *words), tmp_path)
    trainer.start_phase("all")
    value = trainer.train_step(next(trainer.step_batches("all", 0)))["noise"]
    reference = trainer_of(small("diffusion", "loss=ddpm", "trainer.batch_size=4", "model.dropout=0.3"), tmp_path)
    reference.start_phase("all")
    assert value == pytest.approx(reference.train_step(next(reference.step_batches("all", 0)))["noise"], rel=1e-5)


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
    player = TrainState(module, ema=0.9)
    player.start_phase(torch.optim.SGD(module.parameters(), lr=1.0))
    expected = None
    for n in range(30):
        module.weight.data.fill_(float(n))
        module.weight.grad = torch.zeros_like(module.weight)
        player.step(1.0)
        decay = min(0.9, (1 + n) / (10 + n))
        expected = float(n) if expected is None else decay * expected + (1 - decay) * n
        assert player.ema_or_model().weight.item() == pytest.approx(expected, rel=1e-5)
    assert best_state(player.state())["weight"].item() == pytest.approx(expected, rel=1e-5)
    assert best_state(TrainState(module).state())["weight"].item() == 29
