"""Checks of a run: sizes, phases and unused parameters before it starts, divergence while it trains."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor

from colorize.batch import Batch
from colorize.data.datamodule import DataModule
from colorize.losses.loss import Loss
from colorize.models.base import Colorizer
from colorize.training.schedule import Phase
from colorize.utils.console import say
from colorize.utils.errors import UserError


def check_monitor(monitor: str, metrics: Iterable[str]) -> None:
    """Raises `UserError` for a number that validation does not have."""
    known = [f"val/{name}" for name in metrics]
    if monitor not in known:
        raise UserError(f"checkpoint.monitor is {monitor!r}; it must be one of {known}")


PIXEL = 3 + 3 * 4 + 3 * 4  # bytes of a pixel of a batch: as decoded, as lightness and ab, as the network answers


def check_memory(batch_size: int, size: int) -> None:
    """Raises `UserError` where the photographs of one forward pass alone, before any network, fill this machine."""
    needed = batch_size * size**2 * PIXEL
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else inf
    if needed > held / 2:
        raise UserError(
            f"trainer.batch_size={batch_size} at data.size={size} takes {needed / 1e9:.0f} GB for photographs alone, "
            f"and this machine has {held / 1e9:.0f} GB: make one of them smaller, and trainer.accumulate larger"
        )


def check_picture_sizes(model: Colorizer, loss: Loss, size: int, schedule: Mapping[str, Phase]) -> None:
    """Raises `UserError` for pictures that the model or a critic does not take."""
    sizes = {"data.size": size} | {f"schedule.{name}.size": p.size for name, p in schedule.items() if p.size}
    network = type(model).__name__
    for name, pixels in sizes.items():
        if model.fixed_size and pixels != model.fixed_size:
            raise UserError(
                f"{name} is {pixels}; this {network} takes {model.fixed_size} alone: use {name}={model.fixed_size}"
            )
        if pixels % model.multiple:
            fits = -(-pixels // model.multiple) * model.multiple
            raise UserError(f"{name} is {pixels}; {network} takes multiples of {model.multiple}, such as {fits}")
        for term, part in loss.terms.items():
            if pixels < (least := getattr(part.critic, "least", 0)):
                critic = type(part.critic).__name__
                raise UserError(f"{name} is {pixels}; the critic of {term!r}, {critic}, takes {least} pixels and more")


def unused_parameters(model: Colorizer, loss: Loss, weights: Mapping[str, float], size: int, classes: int) -> list[str]:
    """The names of trainable parameters that no gradient comes to.

    The graph of a forward pass of one photograph is followed backwards. Nothing changes, as batch norm's counters and
    the vectors of spectral norms would in training mode. Tensors without numbers (`FakeTensorMode`) take ten times as
    long at small sizes, and at the published ones as long.
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    device = next(iter(named.values())).device
    modes = model.training, loss.training
    model.eval(), loss.eval()
    with torch.random.fork_rng(devices=[]):
        ab = torch.randn(1, 2, size, size).to(device)  # some colour: a term may answer what has none with a constant
        label = torch.zeros(1, dtype=torch.long, device=device) if classes else None
        batch = Batch(ab[:, :1] + 50, 20 * ab, label)
        total, _ = loss(model(batch), batch, weights)
    model.train(modes[0]), loss.train(modes[1])
    reached = leaves_of(total)
    return [name for name, parameter in named.items() if parameter not in reached]


def leaves_of(total: Tensor) -> set[Tensor]:
    """The parameters from which `total` was computed."""
    todo, seen, leaves = [total.grad_fn], set(), set()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [following for following, _ in node.next_functions]
            if (parameter := getattr(node, "variable", None)) is not None:  # of the node that keeps a leaf's gradient
                leaves.add(parameter)
    return leaves


def unused_in_phases(
    model: Colorizer, loss: Loss, weights: Mapping[str, Mapping[str, float]], photographs: DataModule
) -> dict[str, list[str]]:
    """phase -> the trainable parameters that none of its loss terms reaches; `weights` are each phase's."""
    known: dict[frozenset[str], list[str]] = {}
    for terms in map(frozenset, weights.values()):
        if terms not in known:
            ones = dict.fromkeys(terms, 1.0)
            known[terms] = unused_parameters(model, loss, ones, photographs.size, len(photographs.classes))
    return {phase: known[frozenset(own)] for phase, own in weights.items()}


def frozen_parameters(
    model: Colorizer, schedule: Mapping[str, Phase], unused: Mapping[str, Iterable[str]]
) -> dict[str, list[str]]:
    """phase -> the trainable parameters that do not learn in it: what no term reads, and what it freezes.

    Raises `UserError` where a phase freezes what is not there, or everything.
    """
    found = {}
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    for phase, settings in schedule.items():
        rest = set(unused[phase])
        for beginning in settings.frozen:
            frozen = [name for name in names if f"{name}.".startswith(f"{beginning}.")]
            if not frozen:
                parts = sorted({name.split(".")[0] for name in names})
                raise UserError(
                    f"phase {phase!r} freezes {beginning!r}, which is not in the model; its parts are {parts}"
                )
            rest |= set(frozen)
        if len(rest) == len(names):
            raise UserError(f"phase {phase!r} freezes every parameter of the model: leave one to learn")
        found[phase] = [name for name in names if name in rest]
    return found


def in_every_phase(phases: Mapping[str, Sequence[str]]) -> list[str]:
    """The names that every phase has."""
    first, *others = phases.values()
    return [name for name in first if all(name in other for other in others)]


def count_by_module(names: Iterable[str]) -> str:
    """Parameters by the module that they belong to: "classify (4)"."""
    counts = Counter(name.split(".")[0] for name in names)
    return ", ".join(f"{part} ({count})" for part, count in counts.items())


SMOOTHING = 0.98  #    of the running means: they remember about fifty steps
SETTLED = 100  #       steps of a phase before anything is judged
EXPLODED = 10.0  #     times the smallest running mean of the loss so far,
ROSE = 2.0  #          or times its size, where that mean is not above zero
WON, LOST = 0.98, 0.52  # shares of right judgements at which a critic has won, or only guesses
GREY = 0.3  #          chroma of predictions over that of the truth
STALLED = 0.5  #       share of the schedule without a better score


class TrainingMonitor:
    """Watches the numbers of a run. Its state is plain values: a resumed run warns as the whole run would."""

    def __init__(self) -> None:
        self.warnings: dict[str, dict[str, Any]] = {}  # sign -> the step, and the sentence
        self.best_at = 0  #                            step of the best evaluation
        self.start_phase()

    def start_phase(self) -> None:
        """A new phase: another loss, other optimizers."""
        self.means: dict[str, float] = {}  # number -> its running mean in this phase
        self.seen = 0
        self.first: float | None = None  #   running mean of the loss once it had settled,
        self.lowest = float("inf")  #        at its best,
        self.spread = self.noise = 0.0  #    and how far values lie from it: now, and at its best

    def step(self, values: Mapping[str, float], step: int) -> None:
        """The numbers of an optimizer step."""
        self.seen += 1
        for name, value in values.items():
            old = self.means.get(name, value)
            self.means[name] = SMOOTHING * old + (1 - SMOOTHING) * value
        loss = self.means["loss"]
        self.spread = SMOOTHING * self.spread + (1 - SMOOTHING) * abs(values["loss"] - loss)
        if self.seen < SETTLED:
            return
        self.first = loss if self.first is None else self.first
        if loss < self.lowest:
            self.lowest, self.noise = loss, self.spread
        if how := self.exploded(loss):
            self.warn("exploding", step, f"the loss is {how}")
        for name in (name for name in values if name.endswith("_right")):
            critic, share = name.removesuffix("_right"), self.means[name]
            right = f"{critic} is right about {share:.0%} of what it sees"
            if share > WON:
                self.warn(f"{critic}_won", step, f"{right}: the network learns nothing from it")
            if share < LOST:
                self.warn(f"{critic}_lost", step, f"{right}: it only guesses")

    def exploded(self, loss: float) -> str | None:
        """How far the loss has risen above its best, in words, where that is too far.

        A loss that was zero or negative has no multiples: its rise is measured by its own size, by what it had learned,
        and by its noise.
        """
        rise = loss - self.lowest
        if self.lowest > 0:
            exploded = loss > EXPLODED * self.lowest and rise > ROSE * self.noise  # the noise counts near zero
            return f"{loss / self.lowest:.0f} times what it was at its best" if exploded else None
        assert self.first is not None
        size = max(-self.lowest, self.first - self.lowest, self.noise)
        return f"{loss:.3g}, and was {self.lowest:.3g} at its best" if rise > ROSE * size else None

    def evaluated(self, scores: Mapping[str, float], better: bool, step: int, total: int) -> None:
        """The scores of an evaluation, and whether they are the best so far."""
        self.best_at = step if better else self.best_at
        chroma = scores.get("chroma")
        if chroma is not None and chroma < GREY and step > total / 2:
            self.warn("grey", step, f"predictions are nearly grey: {chroma:.0%} of the truth's chroma")
        if step < total and step - self.best_at > STALLED * total:
            self.warn("stalled", step, f"no better score since step {self.best_at}")

    def warn(self, sign: str, step: int, sentence: str) -> None:
        if sign not in self.warnings:
            self.warnings[sign] = {"step": step, "sentence": sentence}
            say(f"warning at step {step}: {sentence}")

    def state(self) -> dict[str, Any]:
        held = dict(vars(self))
        return {"found": held.pop("warnings"), **held}

    def load(self, state: Mapping[str, Any]) -> None:
        held = {"warnings" if name == "found" else name: value for name, value in state.items()}
        vars(self).update({name: value for name, value in held.items() if name in vars(self)})
