"""The one training loop. It knows phases, players and batches; it does not know what a GAN or a diffusion is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorize.batch import Batch
from colorize.checkpoint import Checkpoints
from colorize.data import Photographs
from colorize.devices import choose_device, choose_precision
from colorize.errors import UserError
from colorize.evaluate import Evaluator
from colorize.losses import Loss
from colorize.models import Colorizer
from colorize.optimizers import Optimizers
from colorize.player import Player
from colorize.reach import freeze_unreached
from colorize.schedule import Phase, locate
from colorize.seeds import seed_of
from colorize.signals import StopSignal
from colorize.terminal import Bar, say
from colorize.tracking import Logger


class Trainer:
    """Trains `model` to lessen `loss` through the phases of `schedule`. Everything is handed in already built.

    batch_size      photographs in one forward pass; times `accumulate` of those in one optimizer step
    clip            largest norm of each player's gradient; null: no limit
    ema             decay of the averaged weights that are evaluated and saved; null: none
    device          auto, cpu, cuda, mps or one GPU, such as cuda:1
    precision       float32, bfloat16 (autocast around the model's forward), or auto: bfloat16 where a GPU gains by it
    log_every       optimizer steps between two lines of numbers
    evaluate_every, checkpoint_every    likewise, in optimizer steps
    monitor, mode   the number, such as val/psnr, whose best ("max" or "min") checkpoint is kept as best.pt
    """

    def __init__(
        self, model: Colorizer, loss: Loss, photographs: Photographs, optimizers: Optimizers,
        schedule: Mapping[str, Phase], evaluator: Evaluator, *, folder: str | Path, seed: int = 0,
        batch_size: int = 16, accumulate: int = 1, clip: float | None = 1.0, ema: float | None = None,
        device: str = "auto", precision: str = "auto", channels_last: bool = True, log_every: int = 10,
        evaluate_every: int = 200, checkpoint_every: int = 100, monitor: str = "val/psnr", mode: str = "max",
    ):  # fmt: skip
        counts = {
            "batch_size": batch_size, "accumulate": accumulate, "log_every": log_every,
            "evaluate_every": evaluate_every, "checkpoint_every": checkpoint_every,
        }  # fmt: skip
        for name, value in counts.items():
            if not isinstance(value, int) or value < 1:
                raise UserError(f"trainer's {name} is {value!r}; it must be a whole number from 1 up")
        if mode not in ("max", "min"):
            raise UserError(f"checkpoint.mode is {mode!r}; it must be max or min")
        known = [f"val/{name}" for name in evaluator.metrics]
        if monitor not in known:
            raise UserError(f"checkpoint.monitor is {monitor!r}; it must be one of {known}")
        if model.fixed_size and photographs.size != model.fixed_size:
            raise UserError(
                f"data.size is {photographs.size}; this {type(model).__name__} takes {model.fixed_size} alone: say "
                f"data.size={model.fixed_size}"
            )
        if photographs.size % model.multiple:
            raise UserError(
                f"data.size is {photographs.size}; {type(model).__name__} takes multiples of {model.multiple}, such as "
                f"{-(-photographs.size // model.multiple) * model.multiple}"
            )
        loss.check(model.answers)
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model: Colorizer = model.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.loss: Loss = loss.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        self.photographs, self.optimizers, self.schedule, self.evaluator = photographs, optimizers, schedule, evaluator
        self.batch_size, self.accumulate, self.clip, self.seed = batch_size, accumulate, clip, seed
        self.log_every, self.evaluate_every, self.checkpoint_every = log_every, evaluate_every, checkpoint_every
        self.monitor, self.sign = monitor, 1 if mode == "max" else -1
        self.checkpoints = Checkpoints(Path(folder) / "checkpoints")
        self.weights = {name: loss.active(phase.weights) for name, phase in schedule.items()}
        self.frozen = freeze_unreached(
            self.model, self.loss, self.weights.values(), photographs.size, len(photographs.classes)
        )
        self.lengths = {
            name: phase.steps(len(photographs.train), self.effective_batch) for name, phase in schedule.items()
        }
        self.total = sum(self.lengths.values())
        self.players = {"model": Player(self.model, ema)}
        self.players |= {name: Player(term.critic) for name, term in loss.terms.items() if term.critic is not None}  # type: ignore[arg-type]
        self.playing: list[str] = []  #   the players of the current phase
        self.phase: str | None = None
        self.steps, self.seconds, self.trained_seconds = 0, 0.0, 0.0
        self.best: float | None = None
        self.scores: dict[str, float] = {}  # of the newest evaluation
        self.unreadable: dict[str, str] = {}  # file -> why

    @property
    def effective_batch(self) -> int:
        return self.batch_size * self.accumulate

    def fit(self, log: Logger) -> bool:
        """Train to the end of the schedule: True. Where a signal stops it: False, and the same call goes on later."""
        if self.steps == 0:
            self.evaluate(log)
        with StopSignal() as stop, Bar(self.total, self.steps) as bar:
            while self.steps < self.total and not stop:
                name, done = locate(self.lengths, self.steps)
                self.enter(name)
                began = time.monotonic()
                for batches in islice(self.stream(name, done), self.lengths[name] - done):
                    values = self.advance(batches)
                    elapsed = time.monotonic() - began  # loading included
                    self.trained_seconds += elapsed
                    self.tell(values, self.effective_batch / elapsed, log, bar)
                    evaluated = self.steps % self.evaluate_every == 0 or self.steps == self.total
                    if evaluated:
                        self.evaluate(log)
                    self.seconds += time.monotonic() - began
                    began = time.monotonic()
                    if stop or evaluated or self.steps % self.checkpoint_every == 0:
                        self.save(best=evaluated and self.is_best())
                    if stop:
                        break
        return self.steps == self.total

    @property
    def evaluated(self) -> str:
        """Which weights are scored and shown, in words."""
        return "moving average" if self.players["model"].average is not None else "as trained"

    def enter(self, name: str) -> None:
        """Begin a phase, unless it is under way: networks carry over, optimizers start fresh."""
        if name == self.phase:
            return
        self.phase = name
        self.playing = [player for player in self.players if player == "model" or player in self.weights[name]]
        for player in self.playing:
            changes = self.schedule[name].optimizer
            module = self.players[player].module
            self.players[player].begin(self.optimizers.build(module, critic=player != "model", **changes))

    def stream(self, name: str, done: int) -> Iterator[list[Batch]]:
        """The batches of each optimizer step of a phase, from its step number `done` on; without end."""
        draws = self.schedule[name].draws(len(self.photographs.train), done * self.effective_batch, self.seed, name)
        workers = self.photographs.workers(self.device)
        batches = []
        for pixels in self.photographs.batches(draws, self.batch_size, workers):
            self.remember_unreadable(pixels.unreadable)
            rgb = pixels.rgb.to(self.device, non_blocking=True)
            label = None if pixels.label is None else pixels.label.to(self.device, non_blocking=True)
            batches.append(Batch.from_rgb(rgb, label))
            if len(batches) == self.accumulate:
                yield batches
                batches = []

    def advance(self, batches: list[Batch]) -> dict[str, float]:
        """Take the next optimizer step."""
        name, done = locate(self.lengths, self.steps)
        lr = self.schedule[name].lr((done + 1) / self.lengths[name])
        torch.manual_seed(seed_of(self.seed, "step", self.steps))  # a resumed run draws the same noise
        values = self.step(batches, self.weights[name], lr)
        self.steps += 1
        return values

    def tell(self, values: Mapping[str, float], rate: float, log: Logger, bar: Bar) -> None:
        """Show the step just taken, and log it when a line is due."""
        bar.update(self.steps, values["loss"], rate)
        if self.steps % self.log_every and self.steps != self.total:
            return
        name, last = locate(self.lengths, self.steps - 1)
        epoch = (last + 1) * self.effective_batch / self.schedule[name].seen(len(self.photographs.train))
        terms = {f"train/{term}": value for term, value in values.items()}
        lr = self.players["model"].optimizer.param_groups[0]["lr"]  # type: ignore[union-attr]
        log.scalars({"epoch": round(epoch, 4), **terms, "lr": lr, "images_per_second": round(rate, 2)}, self.steps)

    def step(self, batches: list[Batch], weights: Mapping[str, float], lr: float) -> dict[str, float]:
        """One update of every player. All gradients are taken before any weight moves.

        Returns the unweighted terms, each critic's loss, the weighted total as `loss` and the gradient norms.
        Raises `UserError` when one of them is not a finite number; no weight has moved then.
        """
        self.model.train()
        self.loss.train()
        for batch in batches:
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                pred = self.model(batch)
            pred = pred.float()
            total, terms = self.loss(pred, batch, weights)
            (total / len(batches)).backward()
            for name in self.playing[1:]:
                terms[f"{name}_critic"] = self.loss.terms[name].critic_loss(pred.detach(), batch)  # type: ignore[operator]
                (terms[f"{name}_critic"] / len(batches)).backward()
            terms["loss"] = total
        for name in self.playing:
            suffix = "" if name == "model" else f"_{name}_critic"
            terms[f"gradient{suffix}"] = self.players[name].gradient_norm(self.clip)
        values = self.finite(terms)
        for name in self.playing:
            self.players[name].step(lr)
        return values

    def finite(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """The values as numbers, fetched from the device together."""
        values = dict(zip(terms, torch.stack([t.detach() for t in terms.values()]).tolist(), strict=True))
        for name, value in values.items():
            if value != value or value in (float("inf"), float("-inf")):
                raise UserError(
                    f"{name!r} became {value} at step {self.steps + 1}; the checkpoint of the step that was saved last "
                    "is whole: start again from it with a lower optimizer.lr or trainer.clip"
                )
        return values

    def evaluate(self, log: Logger) -> None:
        """Score the best weights there are, and log the scores and samples."""
        module = self.players["model"].best_module.eval()
        self.scores, grid = self.evaluator.score(module.colorize, self.device)  # type: ignore[arg-type]
        log.scalars({f"val/{name}": value for name, value in self.scores.items()}, self.steps)
        log.images({"samples": grid}, self.steps)

    def is_best(self) -> bool:
        """Whether the newest score is the best so far; remembers it then."""
        value = self.scores[self.monitor.removeprefix("val/")] * self.sign
        if self.best is not None and value <= self.best:
            return False
        self.best = value
        return True

    def save(self, *, best: bool) -> None:
        self.checkpoints.save(self.state(), best=best)

    def state(self) -> dict[str, Any]:
        return {
            "steps": self.steps, "seconds": self.seconds, "trained_seconds": self.trained_seconds,
            "phase": self.phase, "best": self.best, "scores": self.scores, "unreadable": self.unreadable,
            "photographs": self.photographs.fingerprint(),
            "players": {name: player.state() for name, player in self.players.items()},
        }  # fmt: skip

    def restore(self) -> bool:
        """Go back to the newest checkpoint; False where there is none."""
        state = self.checkpoints.load()
        if state is None:
            return False
        if state["photographs"] != self.photographs.fingerprint():
            raise UserError(
                f"the photographs are not those that {str(self.checkpoints.last)!r} was trained on: put them back, or "
                "say name=… for a new run"
            )
        for name in ("steps", "seconds", "trained_seconds", "best", "scores", "unreadable"):
            setattr(self, name, state[name])
        self.enter(state["phase"])
        for name, player in self.players.items():
            player.load(state["players"][name])
        return True

    def remember_unreadable(self, found: Sequence[tuple[str, str]]) -> None:
        """Name each photograph that training skips, once."""
        for file, why in found:
            if file not in self.unreadable:
                self.unreadable[file] = why
                say(f"skipped {file}: {why}")
