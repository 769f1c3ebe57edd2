"""The precision of a run, where `auto` leaves it open: by a probe of its own passes, of which nothing stays."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

from colorize.batch import Batch
from colorize.models.precision import describe_network
from colorize.training.trainer import Trainer
from colorize.utils.precision import Probe, choose_precision


def measure_precision(trainer: Trainer) -> None:
    """Let a trainer that has not begun use the faster precision; of several processes the first one decides.

    Not measured, and float32 on a CPU, with trainer.compile, whose programs take longer to make than a probe may last,
    and with trainer.deterministic, since seconds are never the same.
    """
    settings = trainer.settings
    if settings.compile or settings.deterministic:
        return
    probe = probe_of_training(trainer)
    trainer.set_precision(
        trainer.world.on_main_then_broadcast(lambda: choose_precision(settings.precision, trainer.device, probe))
    )


def probe_of_training(trainer: Trainer) -> Probe:
    """A pass is forward and backward, of the loss and its critics as the longest phase weighs them."""
    phase = max(trainer.lengths, key=trainer.lengths.__getitem__)
    size, weights = trainer.schedule[phase].size or trainer.photographs.size, trainer.weights[phase]
    step, loss, classes = trainer.optimizer_step, trainer.loss, len(trainer.photographs.classes)
    states = {name: state for name, state in trainer.train_states.items() if name == "model" or name in weights}

    def take_pass(count: int, context: AbstractContextManager) -> None:
        with unchanged([trainer.model, loss]):
            label = torch.zeros(count, dtype=torch.long) if classes else None
            batch = Batch.from_rgb(torch.rand(count, 3, size, size), label, range(count))
            step.train_mode()
            step.autocast = context
            if step.gradients(states, [batch], weights) is None:
                raise MemoryError

    key = {
        "network": describe_network(trainer.model), "use": "training", "size": size,
        "trained": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "loss": [f"{name} {type(loss.terms[name]).__qualname__}" for name in weights],
        "layout": [trainer.settings.channels_last, trainer.settings.recompute],
    }  # fmt: skip
    passes, parameters = trainer.total * len(step.passes), sum(p.numel() for p in trainer.model.parameters())
    return Probe(take_pass, max(step.passes), passes, parameters, key)


@contextmanager
def unchanged(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Afterwards their buffers and modes, and torch's random numbers, are as they were, and no gradient is left."""
    buffers = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
    modes = [(part, part.training) for module in modules for part in module.modules()]
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            for buffer, held in buffers:
                buffer.copy_(held)
            for part, training in modes:
                part.training = training
            for module in modules:
                module.zero_grad()
