"""The one training loop. It knows phases, train states and batches, and no kind of model."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch

from colorize.batch import Batch
from colorize.config import MODES, sign_of
from colorize.data.datamodule import DataModule
from colorize.evaluation.validation import HistoricalSamples, Validator
from colorize.losses.loss import Loss
from colorize.models.base import Colorizer
from colorize.tracking.logger import Logger
from colorize.training.checks import (
    Health,
    check_compiled,
    check_phases,
    check_settings,
    check_sizes,
    in_all,
    resting,
    unread,
)
from colorize.training.optimizers import Optimizers
from colorize.training.schedule import Phase, Stream, locate
from colorize.training.train_state import Player, finite, gather_gradients
from colorize.utils import devices
from colorize.utils.checkpoint import Checkpoints, read_record
from colorize.utils.console import Bar, say
from colorize.utils.devices import check_compiler, choose_device, choose_precision, configure_device
from colorize.utils.distributed import World, synchronise_batch_norm
from colorize.utils.errors import TRY_AGAIN, UserError
from colorize.utils.processes import StopSignal
from colorize.utils.seeds import seed_of
from colorize.utils.validation import BatchSize, Between, Count, Name, Passes, Positive

ALONE = World()


class Trainer:
    """Trains `model` to lessen `loss` through the phases of `schedule`. Everything is handed in already built.

    batch_size      photographs in a forward pass. Of several processes each takes an even part of an optimizer step's
                    photographs, in passes of this size at most
    accumulate      batch_size × accumulate photographs make an optimizer step, however many processes share it
    clip            largest norm of each player's gradient; null: no limit
    ema             decay of the averaged weights that are evaluated and saved; null: none
    device          auto, cpu, cuda, mps or one GPU, such as cuda:1
    precision       float32, bfloat16 (autocast around the model's forward), or auto: bfloat16 where a GPU gains by it
    compile         let torch.compile make one program of the model's forward pass
    recompute       keep a block's input alone, and compute its activations again when they are needed
    sync_batchnorm  batch norm reads the photographs of all processes; GPUs only
    deterministic   the same bits on every start; without, a GPU may choose faster ways that add in any order
    log_every       optimizer steps between two lines of numbers
    evaluate_every, checkpoint_every    likewise, in optimizer steps
    keep            newest checkpoints that stay
    monitor, mode   the number, such as val/psnr, whose best checkpoint is kept as best.pt; mode is "max" or "min" where
                    the metric does not say itself which of two numbers is the better one
    steps_scale     factor on the length of every phase
    gallery         old photographs that are painted at each evaluation as well
    """

    def __init__(
        self, model: Colorizer, loss: Loss, photographs: DataModule, optimizers: Optimizers,
        schedule: Mapping[str, Phase], evaluator: Validator, *, folder: str | Path, seed: int = 0,
        batch_size: BatchSize = 16, accumulate: Passes = 1, clip: Positive | None = 1.0, ema: Between | None = None,
        device: Name = "auto", precision: Literal["auto", "float32", "bfloat16"] = "auto", channels_last: bool = True,
        compile: bool = False, recompute: bool = False, sync_batchnorm: bool = False, deterministic: bool = False,
        log_every: Count = 10, evaluate_every: Count = 200, checkpoint_every: Count = 100, keep: Count = 2,
        monitor: str = "val/psnr", mode: Literal["max", "min"] | None = None, steps_scale: Positive = 1.0,
        world: World = ALONE, gallery: HistoricalSamples | None = None,
    ):  # fmt: skip
        check_settings(
            evaluator, monitor, ema, clip, batch_size=batch_size, accumulate=accumulate, log_every=log_every,
            evaluate_every=evaluate_every, checkpoint_every=checkpoint_every,
        )  # fmt: skip
        check_compiled(compile, recompute)
        check_phases(schedule)
        check_sizes(model, loss, photographs.size, schedule)
        for phase in schedule.values():
            optimizers.check(phase.optimizer)
        loss.check(model.answers)
        self.weights = {name: loss.active(phase.weights) for name, phase in schedule.items()}
        self.world, self.effective_batch = world, batch_size * accumulate
        self.device = choose_device(device, world)
        configure_device(self.device, deterministic)
        self.peak = devices.PeakMemory(self.device)
        self.precision = choose_precision(precision, self.device)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = model.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        loss = loss.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        if sync_batchnorm:
            model, loss = (synchronise_batch_norm(part, world, self.device) for part in (model, loss))  # type: ignore[assignment]
        self.model: Colorizer = model
        self.loss: Loss = loss
        self.photographs, self.optimizers, self.schedule, self.evaluator = photographs, optimizers, schedule, evaluator
        self.gallery = gallery
        self.stream = Stream(
            photographs, schedule, self.device, world, effective_batch=self.effective_batch, batch_size=batch_size,
            seed=seed,
        )  # fmt: skip
        self.clip, self.seed, self.log_every = clip, seed, log_every
        self.evaluate_every, self.checkpoint_every = evaluate_every, checkpoint_every
        better = evaluator.metrics[monitor.removeprefix("val/")].better
        self.monitor, self.sign = monitor, sign_of(monitor, better, mode, "checkpoint.mode", MODES)
        self.checkpoints = Checkpoints(Path(folder) / "checkpoints", keep)
        silent = unread(self.model, self.loss, self.weights, photographs)
        self.resting = resting(self.model, schedule, silent)
        self.unread, self.frozen = in_all(silent), in_all(self.resting)  # no term reads; what else never learns too
        self.lengths = {
            name: phase.steps(len(photographs.train), self.effective_batch, steps_scale)
            for name, phase in schedule.items()
        }
        self.total = sum(self.lengths.values())
        self.players = {"model": Player(self.model, ema, world.wrap)}
        critics = {name: term.critic for name, term in loss.terms.items() if term.critic is not None}
        self.players |= {name: Player(critic, None, world.wrap) for name, critic in critics.items()}  # type: ignore[arg-type]
        if recompute:
            devices.recompute_activations(self.model)
        if compile:
            check_compiler(self.device)
            self.model.compile()
        self.playing: list[str] = []  #   the players of the current phase
        self.phase: str | None = None
        self.steps, self.seconds, self.trained_seconds = 0, 0.0, 0.0
        self.best: float | None = None
        self.scores: dict[str, float] = {}  # of the newest evaluation
        self.health, self.exit_code = Health(), 0
        self.room: int | None = None  #            photographs that a pass has memory for, once it ran out

    def fit(self, log: Logger, stop: StopSignal | None = None) -> bool:
        """Train to the end of the schedule: True. Where a signal stops it: False, and the same call goes on later.

        `stop` is one that listens already; it stops after the first step.
        """
        if self.steps == 0:
            self.evaluate(log)
        with nullcontext(stop) if stop is not None else StopSignal() as stop, Bar(self.total, self.steps) as bar:
            stopping = False
            while self.steps < self.total and not stopping:
                name, done = locate(self.lengths, self.steps)
                self.enter(name)
                began = time.monotonic()
                for batches in islice(self.stream(name, done), self.lengths[name] - done):
                    values = self.advance(batches)
                    elapsed = time.monotonic() - began  # loading included
                    self.trained_seconds += elapsed
                    self.tell(values, self.effective_batch / elapsed, log, bar)
                    evaluated = self.steps % self.evaluate_every == 0 or self.steps == self.total
                    better = evaluated and self.evaluate(log)
                    self.seconds += time.monotonic() - began
                    began = time.monotonic()
                    stopping = self.world.any(bool(stop), self.device)
                    if stopping or evaluated or self.steps % self.checkpoint_every == 0:
                        log.flush()  # a resumed run keeps the lines up to its checkpoint: they have to be there
                        self.save(best=better)
                    if stopping:
                        break
        self.exit_code = (stop.exit_code if stop else TRY_AGAIN) if stopping else 0
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
        for parameter, p in self.model.named_parameters():
            if any(parameter in names for names in self.resting.values()):
                p.requires_grad_(parameter not in self.resting[name])
        self.playing = [player for player in self.players if player == "model" or player in self.weights[name]]
        for player in self.playing:
            changes = self.schedule[name].optimizer
            module = self.players[player].module
            self.players[player].begin(self.optimizers.build(module, changes, critic=player != "model"))
        self.health.enter()

    def advance(self, batches: list[Batch]) -> dict[str, float]:
        """Take the next optimizer step."""
        name, done = locate(self.lengths, self.steps)
        lr = self.schedule[name].lr((done + 1) / self.lengths[name])
        torch.manual_seed(seed_of(self.seed, "step", self.steps, self.world.rank))  # a resumed run draws the same
        values = self.step(batches, self.weights[name], lr)
        self.steps += 1
        self.health.step(values, self.steps)
        return values

    def tell(self, values: Mapping[str, float], rate: float, log: Logger, bar: Bar) -> None:
        """Show the step just taken, and log it when a line is due."""
        bar.update(self.steps, values["loss"], rate)
        if self.steps % self.log_every and self.steps != self.total:
            return
        name, last = locate(self.lengths, self.steps - 1)
        epoch = (last + 1) * self.effective_batch / self.schedule[name].seen(len(self.photographs.train))
        terms = {f"train/{term}": value for term, value in values.items()}
        rates = {"lr" if name == "model" else f"lr/{name}": self.players[name].lr for name in self.playing}
        measured = {"images_per_second": round(rate, 2), **self.peak.read()}
        log.scalars({"epoch": round(epoch, 4), **terms, **rates, **measured}, self.steps)

    def step(self, batches: Sequence[Batch], weights: Mapping[str, float], lr: float) -> dict[str, float]:
        """One update of every player. All gradients are taken before any weight moves.

        Returns what `gather_gradients` does, and the gradient norms.
        Raises `UserError` when one of them is not a finite number; no weight has moved then.
        """
        self.train_mode()
        players = {name: self.players[name] for name in self.playing}
        autocast = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        while True:
            pieces = [piece for batch in batches for piece in batch.split(self.piece)]
            try:
                terms = gather_gradients(players, self.loss, pieces, weights, autocast)
                break
            except (RuntimeError, MemoryError) as error:
                if not devices.is_out_of_memory(error):
                    raise
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):  # torch's batch norm
                    raise
                raise UserError(
                    "batch norm needs two photographs or more in a pass, of each process: say a larger "
                    "trainer.batch_size, or start fewer processes"
                ) from error
            self.take_smaller_pieces()  # outside of the handler, which keeps the failed step's tensors alive
        terms = self.world.mean(terms)
        for name, player in players.items():
            terms["gradient" if name == "model" else f"gradient_{name}_critic"] = player.gradient_norm(self.clip)
        values = finite(terms, self.steps + 1)
        for player in players.values():
            player.step(lr)
        return values

    def train_mode(self) -> None:
        """Everything learns but what rests in this phase, whose batch norms keep their statistics."""
        self.model.train()
        self.loss.train()
        for name in self.schedule[self.phase].frozen if self.phase else ():
            if name in dict(self.model.named_modules()):
                self.model.get_submodule(name).eval()

    @property
    def piece(self) -> int:
        """Photographs that a pass takes at most."""
        return min(max(self.stream.passes), self.room or self.effective_batch)

    def take_smaller_pieces(self) -> None:
        """Halve the photographs of a pass after memory ran out; an optimizer step still sees all of its own."""
        for player in self.players.values():
            player.forget()
        devices.empty_cache(self.device)
        if self.piece == 1 or self.world.size > 1:
            raise UserError(
                f"memory ran out on {self.piece} photographs of {self.photographs.size}² in a pass: say a smaller "
                "trainer.batch_size and as much more trainer.accumulate, trainer.recompute=true, or a smaller data.size"
            )
        self.room = math.ceil(self.piece / 2)
        say(f"memory ran out: a pass takes {self.piece} photographs from here on; an optimizer step as many as before")

    def evaluate(self, log: Logger) -> bool:
        """Score the best weights there are, log the scores and samples; whether the score is the best so far."""
        module = self.players["model"].best_module().eval()
        self.world.same_buffers(module)
        self.scores, grid = self.evaluator.score(module.colorize, self.device, self.world)  # type: ignore[arg-type]
        scores, grids = {f"val/{name}": value for name, value in self.scores.items()}, {"samples": grid}
        if self.gallery and self.world.first:
            found, grids["historical"] = self.gallery.score(
                module.colorize, self.device, self.evaluator.batch_size,  # type: ignore[arg-type]
            )  # fmt: skip
            scores |= {f"historical/{name}": value for name, value in found.items()}
        log.scalars(scores, self.steps)
        log.images(grids, self.steps)
        if self.steps == 0:
            return False
        value = self.scores.get(self.monitor.removeprefix("val/"))  # none of the hue error while all is grey
        better = value is not None and (self.best is None or value * self.sign > self.best)
        self.best = value * self.sign if value is not None and better else self.best
        self.health.evaluated(self.scores, better, self.steps, self.total)
        return better

    def save(self, *, best: bool) -> None:
        found = self.world.gather(self.stream.unreadable)
        self.stream.unreadable = {file: why for part in found for file, why in part.items()}
        if self.world.first:
            self.checkpoints.save(self.state(), best=best)

    def state(self) -> dict[str, Any]:
        return {
            "steps": self.steps, "seconds": self.seconds, "trained_seconds": self.trained_seconds, "piece": self.room,
            "phase": self.phase, "best": self.best, "sign": self.sign, "scores": self.scores,
            "unreadable": self.stream.unreadable, "photographs": self.photographs.fingerprint(),
            "health": self.health.state(),
            "players": {name: player.state() for name, player in self.players.items()},
        }  # fmt: skip

    def restore(self) -> bool:
        """Go back to the newest checkpoint that is whole; False where there is none."""
        path = self.world.by_first(self.checkpoints.newest)
        if path is None:
            return False
        state = read_record(path)
        if state["photographs"] != self.photographs.fingerprint():
            raise UserError(
                f"the photographs are not those that {str(path)!r} was trained on: put them back, or "
                "say name=… for a new run"
            )
        if state.get("weights_alone") and state["steps"] < self.total:
            raise UserError(
                f"{str(path)!r} holds weights alone, as checkpoint.final=weights keeps them, and cannot be trained "
                f"further: say init_from={path} for a new run that begins with them"
            )
        if state["phase"] not in self.schedule:
            raise UserError(
                f"{str(path)!r} is of a phase {state['phase']!r}; this run's are {list(self.schedule)}: put "
                "the run's own checkpoint there"
            )
        self.enter(state["phase"])
        for name in ("steps", "seconds", "trained_seconds", "best", "scores"):
            setattr(self, name, state[name])
        wrong = self.best is not None and self.best * self.sign < 0  # older ones do not say their sign
        if self.best is not None and state.get("sign", -self.sign if wrong else self.sign) != self.sign:
            self.best = None  # it was kept in the wrong direction, and is the worst
        self.room = state["piece"]
        self.stream.unreadable = state["unreadable"]
        self.health.load(state["health"])
        try:
            for name, player in self.players.items():
                player.load(state["players"][name])
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{str(path)!r} is a checkpoint of another network, critic or optimizer than this run's: put the run's "
                "own there, or say init_from=… to begin a new run with its weights"
            ) from error
        self.repair_best()
        return True

    def repair_best(self) -> None:
        """A kill may leave best.pt absent, or older than the best score: it is made anew, or what it holds counts."""
        if self.best is None:
            return

        def repair() -> tuple[int, float | None]:
            held = self.checkpoints.repair_best(self.health.best_at)
            return (self.health.best_at, None) if held is None else (held["steps"], held["best"])

        step, best = self.world.by_first(repair)
        if best is None:
            say("best.pt is missing, and so is the checkpoint that it was a copy of: the next evaluation makes it anew")
        if best is None or step < self.health.best_at:
            self.best = best
