"""One run, from a composed config to its summary."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.config import build_part
from colorize.data.datamodule import DataModule
from colorize.evaluation.network import open_tracker
from colorize.evaluation.result import row_label
from colorize.evaluation.validation import ValidationBaselines, measure_baselines
from colorize.metrics.metric_info import measured_on, score_table, stored_infos
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import load_trial
from colorize.tracking.logger import JsonLines, Logger, Loggers
from colorize.training.build import build_parts, build_trainer, fetch_metric_weights, origins
from colorize.training.checkpointing import InitialWeights, init_from, log_checkpoints
from colorize.training.checks import count_by_module
from colorize.training.final import (
    FinalEvaluations,
    commands_for_unmeasured,
    compose_protocols,
    final_protocols,
    print_next_steps,
)
from colorize.training.parts import Parts
from colorize.training.resume import check_lengths, put_aside, saved_config
from colorize.training.trainer import Trainer
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.console import format_count, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World, init_process_group, is_restart, leave
from colorize.utils.environment import commit, versions
from colorize.utils.errors import INTERRUPTED, TRY_AGAIN
from colorize.utils.files import RunLock, without_folders_in
from colorize.utils.hydra_overrides import saved_overrides
from colorize.utils.processes import StopSignal
from colorize.utils.trust import packages


def train_run(
    cfg: DictConfig, folder: str | Path, overrides: list[str], changes: Sequence[str],
    write_page: Callable[[Path], Path],
) -> int:  # fmt: skip
    """Train what `cfg` says in `folder`, going on where an earlier start of the same run stopped. The exit status.

    changes     with `resume`, the words that change the config of the run that is in the folder
    write_page  writes the page of the result in a file, and returns the page's file
    """
    keep_freed_memory(of_any_size=True)
    run = RunFolder(folder)
    cfg = saved_config(cfg, run, changes) if cfg.resume else cfg
    if is_restart(os.environ):
        cfg.overwrite = False  # what would go is this run's own
    lock = RunLock(folder)
    try:
        world = init_process_group(choose_device(cfg.trainer.device))
        world.on_main_then_broadcast(lock.acquire)
        with StopSignal() as stop:
            code = run_training(cfg, run, overrides, world, stop, write_page)
    finally:
        lock.release()
        leave()
    # W&B's agent ends runs that its sweep has seen enough of by a signal, and gives up after a few that failed
    return 0 if "WANDB_SWEEP_ID" in os.environ and code in (INTERRUPTED, TRY_AGAIN) else code


def run_training(
    cfg: DictConfig, run: RunFolder, overrides: list[str], world: World, stop: StopSignal,
    write_page: Callable[[Path], Path],
) -> int:  # fmt: skip
    initial = init_from(cfg, run, overrides)
    world.on_main_then_broadcast(lambda: run.check(cfg))
    summary = {} if cfg.overwrite else run.read_summary()
    if summary.get("status") in ("finished", "pruned") and not run.lengthened(cfg):
        return show_finished(cfg, run, summary, world)
    protocols = compose_protocols(final_protocols(cfg.evaluate.get("final")))
    parts, trainer, baselines = set_up_run(cfg, run, overrides, world, initial, protocols)
    final = FinalEvaluations(protocols, cfg, run, parts, trainer, baselines)
    world.on_main_then_broadcast(final.announce)
    trial = load_trial(run.folder, stop, packages(cfg.trust)) if world.is_main else None
    log = open_logger(cfg, run, trainer, overrides, [trial] if trial else []) if world.is_main else Logger()
    status, code, evaluations = "failed", 1, dict[str, Any]()
    try:
        finished = trainer.fit(log, stop)
        pruned = world.on_main_then_broadcast(lambda: trial is not None and trial.pruned)
        if finished:
            stop.interrupt_from_now_on()
            evaluations = final.evaluate(log)
        status, code = ("finished", 0) if finished else ("pruned", 0) if pruned else ("interrupted", trainer.exit_code)
        if world.is_main and code == 0:
            trainer.checkpoints.conclude(weights_alone=cfg.checkpoint.get("final") == "weights")
    except KeyboardInterrupt:
        status, code = "interrupted", stop.exit_code if stop else INTERRUPTED
    finally:
        summary = summarize_run(cfg, parts, trainer, baselines, status) | {"eval": evaluations}
        log_summary(log, summary)
        if world.is_main:
            log_checkpoints(log, cfg, parts.photographs, trainer.checkpoints)
            log.finish(code)
            run.write_summary(summary)
    if status == "interrupted":
        say(f"stopped at step {trainer.steps} of {trainer.total}; the same command resumes from the newest checkpoint")
    else:
        print_summary(summary)
        print_next_steps(run.folder, {write_page(file): of for file, of in final.files(evaluations).items()})
    return code


def show_finished(cfg: DictConfig, run: RunFolder, summary: dict[str, Any], world: World) -> int:
    """What a run ended with whose training is over; the exit status."""
    run.check_averages(cfg)
    if run.moved(cfg):
        world.on_main_then_broadcast(lambda: accept_moved_data(cfg, run))
    steps = f"{summary['status']}: {summary['steps']} steps"
    say(f"{str(run.folder)!r} is {steps}. Use name=… for another run, or overwrite=true")
    print_summary(summary)
    asked = final_protocols(cfg.evaluate.get("final")) if summary["status"] == "finished" else []
    for name, command in commands_for_unmeasured(run.folder, asked).items():
        say(f"evaluate.final names {name}, of which this finished run has no result: {command}")
    return 0


def log_summary(log: Logger, summary: dict[str, Any]) -> None:
    """The values of a run beside its evaluations, which are logged as they are made."""
    rows = {**score_rows(summary), "absent": summary["absent"]}
    log.summary({f"{name}/{key}": value for name, row in rows.items() for key, value in row.items()})
    log.summary({name: summary[name] for name in ("seconds", "parameters")})


def accept_moved_data(cfg: DictConfig, run: RunFolder) -> None:
    """Record where a finished run's photographs are now. Raises `UserError` where they are others."""
    photographs: DataModule = build_part(cfg.data, "data")
    run.check_photographs(cfg, photographs.contents(), photographs.fingerprint())
    run.keep_changes(cfg)


def set_up_run(
    cfg: DictConfig, run: RunFolder, overrides: list[str], world: World, initial: InitialWeights | None,
    protocols: Sequence[DictConfig],
) -> tuple[Parts, Trainer, ValidationBaselines]:  # fmt: skip
    """Build everything, make the folder the run's, and go back to its newest checkpoint, if there is one."""
    begun = not cfg.overwrite and bool(Checkpoints(run.folder / "checkpoints").steps())
    fetch = partial(world.on_main_then_broadcast, partial(fetch_metric_weights, protocols))
    parts = build_parts(cfg, {} if cfg.overwrite else run.read_resolved(), restored=begun, fetch=fetch)
    if initial:
        parts.notes += initial.load_into(parts.model)
    trainer = build_trainer(cfg, parts, run.folder, world, new=cfg.overwrite or not run.config.exists())
    if initial:
        parts.notes += initial.load_into_critics(trainer.train_states)
    digests = world.on_main_then_broadcast(lambda: [parts.photographs.contents(), parts.photographs.fingerprint()])
    if not cfg.overwrite:
        run.check_photographs(cfg, *digests)
        check_lengths(cfg, run, trainer)
    print_setup(cfg, parts, trainer)
    baselines = baselines_of(cfg, run, parts, trainer)
    if cfg.overwrite:
        world.on_main_then_broadcast(lambda: put_aside(run.folder))
    world.on_main_then_broadcast(lambda: run.claim(cfg, overrides, parts.resolved, digests))
    world.on_main_then_broadcast(lambda: run.keep_baselines(parts.validator.photographs.manifest, vars(baselines)))
    if trainer.restore():
        say(f"resumes after step {trainer.steps}")
    world.on_main_then_broadcast(lambda: run.keep_changes(cfg))
    return parts, trainer, baselines


def baselines_of(cfg: DictConfig, run: RunFolder, parts: Parts, trainer: Trainer) -> ValidationBaselines:
    """Those of the run's first start; else measured, which reads every validation photograph, and finds broken ones
    before the folder is claimed."""
    validator, world = parts.validator, trainer.world
    kept = world.on_main_then_broadcast(
        lambda: None if cfg.overwrite else run.read_baselines(validator.photographs.manifest)
    )
    if kept:
        return ValidationBaselines(**kept)
    return measure_baselines(validator, parts.photographs, trainer.device, world)


def print_setup(cfg: DictConfig, parts: Parts, trainer: Trainer) -> None:
    """Print what is about to be trained, on what and for how long."""
    size = format_count(parts.model.count_parameters())
    say(f"{cfg.name}: {cfg.names.model} of {size} parameters on {trainer.device}, loss {cfg.names.loss}")
    data = parts.photographs
    say(
        f"{cfg.names.data}: {len(data.train)} train, {len(parts.validator)} validate, {len(data.classes)} classes "
        f"at {data.size}² pixels, input {data.input}; {trainer.total} steps of {trainer.effective_batch}"
        + (f", shared by {trainer.world.size} processes" if trainer.world.size > 1 else "")
    )
    say(f"validation: {data.val_description}")
    look = [] if data.look is None else [f"look: {data.look}"]
    weights = [f"{name}: {origin}" for name, origin in origins(parts, filled=bool(cfg.init_from)).items()]
    published = [f"{cfg.names[group]}: {text}" for group, text in (cfg.published or {}).items() if text]
    for note in (*data.notes, *look, *weights, *parts.notes, *published):
        say(note)
    if trainer.always_unused:
        say(f"frozen, since no loss term reads their output: {count_by_module(trainer.always_unused)}")
    if frozen := [name for name in trainer.always_frozen if name not in trainer.always_unused]:
        say(f"frozen by the schedule: {count_by_module(frozen)}")


def open_logger(
    cfg: DictConfig, run: RunFolder, trainer: Trainer, overrides: list[str], others: list[Logger]
) -> Loggers:
    lines = JsonLines(run.folder, trainer.steps)
    settings: Any = OmegaConf.to_container(cfg, resolve=True)
    settings |= {"overrides": saved_overrides(run.folder) if cfg.resume else overrides, "commit": commit()}
    return Loggers([lines, *others, open_tracker(run, build_part(cfg.tracker, "tracker"), settings)])


def summarize_run(
    cfg: DictConfig, parts: Parts, trainer: Trainer, baselines: ValidationBaselines, status: str
) -> dict[str, Any]:
    """What a run ends with, without folders of this machine but those of training photographs that cannot be read."""
    seen, data = trainer.steps * trainer.effective_batch, parts.photographs
    evaluated = "moving average" if trainer.settings.ema else "as trained"
    summary = {
        "name": cfg.name, "model": cfg.names.model, "loss": cfg.names.loss, "data": cfg.names.data, "status": status,
        "steps": trainer.steps, "seconds": round(trainer.seconds, 1), "parameters": parts.model.count_parameters(),
        "images_per_second": round(seen / trainer.trained_seconds, 1) if trainer.trained_seconds else None,
        "val": trainer.scores, "baseline": baselines.rows, "truth": baselines.truth,
        "validation": {
            "photographs": len(parts.validator), "size": data.size, "input": data.input,
            "manifest": parts.validator.photographs.manifest, "held_back": data.val_description,
        },
        "weights": {**origins(parts, filled=bool(cfg.init_from)), "evaluated": evaluated, "init_from": cfg.init_from},
        "absent": parts.absent, "measures": stored_infos(trainer.scores), "notes": parts.notes,
        "health": trainer.monitor.warnings,
        "versions": versions(), "commit": commit(), "device": str(trainer.device), "processes": trainer.world.size,
        "seed": cfg.seed, "precision": trainer.precision.record(),
    }  # fmt: skip
    return without_folders_in(summary) | {"unreadable": trainer.step_batches.unreadable}


def score_rows(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"val": summary["val"], **summary["baseline"], "truth": summary["truth"]}


def print_summary(summary: dict[str, Any]) -> None:
    title = measured_on(summary["validation"]["photographs"], summary["validation"]["size"])
    title += f"; the last weights, step {summary['steps']:,}"
    rows = score_rows(summary).items()
    score_table({summary["name"] if row == "val" else row_label(row): scores for row, scores in rows}, title)
    for warning in summary["health"].values():
        say(f"warned at step {warning['step']}: {warning['sentence']}")
    if summary["unreadable"]:
        say(f"{len(summary['unreadable'])} training photographs could not be read; summary.json names them")
