"""The one training loop. It knows phases, train states and batches, and no kind of model."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from colorize.batch import Batch
from colorize.config import MODES, sign_of
from colorize.evaluation.validation import Validator, score_all
from colorize.losses.loss import Loss
from colorize.models.base import Colorizer
from colorize.tracking.logger import Logger
from colorize.training import checks
from colorize.training.checkpointing import best_score, load_states, read_checkpoint, repair_best
from colorize.training.config_schema import CheckpointSettings, TrainerSettings
from colorize.training.ema import KEPT
from colorize.training.optimizers import Optimizers
from colorize.training.parts import Parts
from colorize.training.performance import StepFlops, StepProfiler
from colorize.training.schedule import Phase, StepBatches, phase_at, phase_lengths
from colorize.training.train_state import OptimizerStep, TrainState
from colorize.utils import devices
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.console import ProgressBar, say
from colorize.utils.distributed import World, synchronise_batch_norm
from colorize.utils.errors import TRY_AGAIN, UserError
from colorize.utils.precision import Precision, autocast, choose_precision
from colorize.utils.processes import StopSignal
from colorize.utils.seeds import seed_of


class Trainer:
    """Trains the model of `parts` to minimise its loss through the phases of `schedule`.

    checkpoint      optimizer steps between two checkpoints, and how many stay; `monitor` is the number, such as
                    val/psnr, whose best checkpoint is kept as best.pt; `mode` is "max" or "min" where the metric does
                    not say itself which of two numbers is the better one
    steps_scale     factor on the length of every phase
    """

    def __init__(
        self, parts: Parts, optimizers: Optimizers, schedule: Mapping[str, Phase], settings: TrainerSettings, *,
        folder: str | Path, checkpoint: CheckpointSettings, world: World, seed: int = 0, steps_scale: float = 1.0,
    ):  # fmt: skip
        photographs, metrics = parts.photographs, parts.validator.metrics
        checks.check_monitor(checkpoint.monitor, metrics)
        checks.check_picture_sizes(parts.model, parts.loss, photographs.size, schedule)
        parts.loss.check(parts.model.answers)
        self.photographs, self.judges, self.optimizers, self.schedule = photographs, parts.judges, optimizers, schedule
        self.settings, self.checkpoint, self.seed, self.world = settings, checkpoint, seed, world
        self.weights = {name: parts.loss.active(phase.weights) for name, phase in schedule.items()}
        self.effective_batch = settings.batch_size * settings.accumulate
        self.lengths = phase_lengths(schedule, len(photographs.train), self.effective_batch, steps_scale)
        self.total = sum(self.lengths.values())
        better = metrics[checkpoint.monitor.removeprefix("val/")].better
        self.sign = sign_of(checkpoint.monitor, better, checkpoint.mode, "checkpoint.mode", MODES)
        self.checkpoints = Checkpoints(Path(folder) / "checkpoints", checkpoint.keep)
        self._place(parts)
        unused = checks.unused_in_phases(self.model, self.loss, self.weights, photographs)
        self.frozen_parameters = checks.frozen_parameters(self.model, schedule, unused)
        self.always_unused, self.always_frozen = map(checks.in_every_phase, (unused, self.frozen_parameters))
        self._make_states()
        self.phase: str | None = None
        self.steps, self.seconds, self.trained_seconds = 0, 0.0, 0.0
        self.best: float | None = None
        self.scores: dict[str, float] = {}  # of the newest validation
        self.monitor, self.exit_code = checks.TrainingMonitor(), 0

    def _place(self, parts: Parts) -> None:
        """Bring model and loss to the device, in the layout and with the arithmetic that the settings say."""
        self.device = devices.choose_device(self.settings.device, self.world)
        devices.configure_device(self.device, self.settings.deterministic)
        self.peak = devices.PeakMemory(self.device)
        layout = torch.channels_last if self.settings.channels_last else torch.contiguous_format
        model, loss = (part.to(self.device, memory_format=layout) for part in (parts.model, parts.loss))  # type: ignore[call-overload]
        if self.settings.sync_batchnorm:
            model, loss = (synchronise_batch_norm(part, self.world, self.device) for part in (model, loss))
        self.model: Colorizer = model
        self.loss: Loss = loss

    def _make_states(self) -> None:
        """The states of the model and of the critics inside loss terms, and what takes their steps."""
        settings = self.settings
        self.step_batches = StepBatches(
            self.photographs, self.schedule, self.device, self.world, effective_batch=self.effective_batch,
            batch_size=settings.batch_size, seed=self.seed,
        )  # fmt: skip
        critics = {name: term.critic for name, term in self.loss.terms.items() if term.critic is not None}
        self.train_states = {"model": TrainState(self.model, settings.ema, self.world.wrap, settings.ema_lengths)}
        self.train_states |= {name: TrainState(critic, None, self.world.wrap) for name, critic in critics.items()}  # type: ignore[arg-type]
        self.optimizer_step = OptimizerStep(
            self.train_states, self.loss, device=self.device, clip=settings.clip, world=self.world,
            passes=self.step_batches.passes,
        )  # fmt: skip
        if settings.recompute and not devices.recompute_activations(self.model):
            network = type(self.model).__name__
            raise UserError(f"trainer.recompute=true finds no blocks of {network} to recompute: leave it out")
        self.set_precision(choose_precision(settings.precision, self.device))
        if settings.compile:
            devices.check_compiler(self.device)
            say("trainer.compile=true: the first step waits for torch.compile, on a CPU for minutes")
            self.model.compile()

    def set_precision(self, precision: Precision) -> None:
        """Of the model's forward passes from here on."""
        self.precision = precision
        self.optimizer_step.autocast = autocast(self.device.type, precision.dtype)
        self.flops = StepFlops(self.device, precision.dtype, self.settings.compile)

    def fit(self, log: Logger, stop: StopSignal | None = None) -> bool:
        """Train to the end of the schedule: True. Where a signal stops it: False, and the same call resumes later.

        `stop` is one that listens already; it stops after the first step.
        """
        if self.steps == 0:
            self.evaluate(log, self.judges)
        bar = ProgressBar("training", self.total, "steps", done=self.steps)
        profiled = self.settings.profile and self.world.is_main
        profiler = StepProfiler(self.checkpoints.folder.parent / "profile") if profiled else None
        listening = nullcontext(stop) if stop is not None else StopSignal()
        with listening as stop, bar, self.checkpoints, profiler or nullcontext():
            stopping = False
            while self.steps < self.total and not stopping:
                name, done = phase_at(self.lengths, self.steps)
                self.start_phase(name)
                began = time.monotonic()
                for batches in islice(self.step_batches(name, done), self.lengths[name] - done):
                    values = self.train_step(batches)
                    elapsed = time.monotonic() - began  # loading included
                    self.trained_seconds += elapsed
                    self.log_step(values, elapsed, log, bar)
                    if profiler:
                        profiler.step()
                    due = [judge for judge, each in self.judges.items() if self.is_due(each.every)]
                    better = bool(due) and self.evaluate(log, due)
                    self.checkpoints.wait(if_done=True)  # a full disk is said at once
                    self.seconds += time.monotonic() - began
                    began = time.monotonic()
                    stopping = self.world.any(bool(stop), self.device)
                    if stopping or due or self.snapshot_due or self.steps % self.checkpoint.every == 0:
                        log.flush()  # a resumed run keeps the lines up to its checkpoint: they have to be there
                        self.save(best=better)
                    if stopping:
                        break
        self.exit_code = (stop.exit_code if stop else TRY_AGAIN) if stopping else 0
        return self.steps == self.total

    def is_due(self, every: int) -> bool:
        """Whether the step just taken is one of every so many, or the last."""
        return self.steps % every == 0 or self.steps == self.total

    @property
    def snapshot_due(self) -> bool:
        """Whether the averages of several lengths are kept of the step just taken: evenly over training."""
        kept = [step * KEPT // self.total for step in (self.steps - 1, self.steps)]
        return bool(self.settings.ema_lengths) and kept[0] < kept[1]

    def start_phase(self, name: str) -> None:
        """Unless it is under way: networks carry over, optimizers start fresh."""
        if name == self.phase:
            return
        self.phase = name
        for parameter, p in self.model.named_parameters():
            if any(parameter in names for names in self.frozen_parameters.values()):
                p.requires_grad_(parameter not in self.frozen_parameters[name])
        active = [state for state in self.train_states if state == "model" or state in self.weights[name]]
        self.optimizer_step.active, self.optimizer_step.frozen = active, self.schedule[name].frozen
        for state in active:
            changes, module = self.schedule[name].optimizer, self.train_states[state].module
            self.train_states[state].start_phase(self.optimizers.build(module, changes, critic=state != "model"))
        self.monitor.start_phase()

    def train_step(self, batches: list[Batch]) -> dict[str, float]:
        """Take the next optimizer step."""
        name, done = phase_at(self.lengths, self.steps)
        lr = self.schedule[name].lr((done + 1) / self.lengths[name])
        torch.manual_seed(seed_of(self.seed, "step", self.steps, self.world.rank))  # a resumed run draws the same
        with self.flops.counted(name, self.optimizer_step.limit):
            values = self.optimizer_step(batches, self.weights[name], lr, self.steps + 1)
        self.steps += 1
        self.monitor.step(values, self.steps)
        return values

    def log_step(self, values: Mapping[str, float], seconds: float, log: Logger, bar: ProgressBar) -> None:
        """Show the step just taken, and log it when a line is due."""
        rate = self.effective_batch / seconds
        bar.update_step(self.steps, values["loss"], rate)
        if not self.is_due(self.settings.log_every):
            return
        name, last = phase_at(self.lengths, self.steps - 1)
        epoch = (last + 1) * self.effective_batch / self.schedule[name].seen(len(self.photographs.train))
        terms = {f"train/{term}": value for term, value in values.items()}
        active = self.optimizer_step.active
        rates = {"lr" if name == "model" else f"lr/{name}": self.train_states[name].lr for name in active}
        measured = {"images_per_second": round(rate, 2), **self.flops.read(seconds), **self.peak.read()}
        log.scalars({"epoch": round(epoch, 4), **terms, **rates, **measured}, self.steps)

    def evaluate(self, log: Logger, judges: Sequence[str] | Mapping[str, Validator]) -> bool:
        """Let these judges score the best weights there are, log scores and samples; whether validation's score is the
        best so far."""
        module = self.train_states["model"].ema_or_model().eval()
        self.world.broadcast_buffers(module)
        scores, grids = score_all([self.judges[name] for name in judges], module.colorize, self.device, self.world)  # type: ignore[arg-type]
        log.scalars(scores, self.steps)
        log.images(grids, self.steps)
        if "validation" in judges:
            self.scores = {name[4:]: value for name, value in scores.items() if name.startswith("val/")}
        if self.steps == 0 or "validation" not in judges:
            return False
        value = scores.get(self.checkpoint.monitor)  # none of the hue error while all is grey
        better = value is not None and (self.best is None or value * self.sign > self.best)
        self.best = value * self.sign if value is not None and better else self.best
        self.monitor.evaluated(self.scores, better, self.steps, self.total)
        return better

    def save(self, *, best: bool) -> None:
        found = self.world.gather(self.step_batches.unreadable)
        self.step_batches.unreadable = {file: why for part in found for file, why in part.items()}
        if self.world.is_main:
            self.checkpoints.save_in_background(self.state(), best=best, snapshot=self.snapshot_due)

    def state(self) -> dict[str, Any]:
        return {
            "steps": self.steps, "seconds": self.seconds, "trained_seconds": self.trained_seconds,
            "piece": self.optimizer_step.limit, "phase": self.phase, "best": self.best, "sign": self.sign,
            "scores": self.scores, "unreadable": self.step_batches.unreadable,
            "photographs": self.photographs.fingerprint(), "health": self.monitor.state(),
            "players": {name: state.state() for name, state in self.train_states.items()},
        }  # fmt: skip

    def restore(self) -> bool:
        """Go back to the newest checkpoint that is whole; False where there is none."""
        path = self.world.on_main_then_broadcast(self.checkpoints.newest)
        if path is None:
            return False
        content = read_checkpoint(path, self.photographs.fingerprint(), self.total, self.schedule)
        self.start_phase(content["phase"])
        for name in ("steps", "seconds", "trained_seconds", "scores"):
            setattr(self, name, content[name])
        self.optimizer_step.limit, self.step_batches.unreadable = content["piece"], content["unreadable"]
        self.monitor.load(content["health"])
        load_states(self.train_states, content, path)
        best = best_score(content, self.sign)
        self.best = repair_best(self.checkpoints, best, self.monitor.best_at, self.world)
        return True
