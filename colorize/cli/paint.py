"""The verb `paint`: colour photographs with a network."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch

from colorize.cli.guidance import Guidance
from colorize.cli.painting import TimedPhotograph, color_photograph, prediction_sizes, read_photograph
from colorize.cli.painting_record import (
    PaintRecord,
    check_formats,
    is_painted,
    list_choices,
    page_number,
)
from colorize.cli.parser import trusted_packages
from colorize.cli.paths import PaintJob, plan_jobs, report_failure
from colorize.cli.pipeline import paint_in_pipeline
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.models.named_weights import weights_name
from colorize.models.precision import set_precision
from colorize.reports.iiif import MANIFEST, write_iiif_manifest
from colorize.reports.painted_page import PaintedRow, place_beside, write_painted_report
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World, init_process_group, leave
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

LONGEST_SHARE = timedelta(days=30)  # for which a process that has painted its photographs waits for the others


@dataclass
class Outcome:
    """What became of photographs, by their place among all that were to be painted."""

    rows: dict[int, list[PaintedRow]] = field(default_factory=dict)  # for the report
    thumbnails: dict[Path, tuple[str, str]] = field(default_factory=dict)
    failed: list[Path] = field(default_factory=list)


def paint(args: Namespace) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are. Several processes that torchrun
    or srun has started share the photographs."""
    world = init_process_group(torch.device("cpu"), LONGEST_SHARE)  # they exchange names and texts alone
    try:
        return paint_shared(args, world)
    finally:
        leave()


def paint_shared(args: Namespace, world: World) -> int:
    """Paint the share of this process. The first process looks for the photographs, and at the end reports on all."""
    jobs, waiting = world.on_main_then_broadcast(partial(plan, args))
    outcome, unwritten = Outcome(), list[Path]()
    try:
        device = choose_device(args.device, option="--device")  # mistakes are said also where all are painted already
        guidance = Guidance(args, jobs)
        if args.hints:
            say(f"photographs with hints: {len(guidance.hint_files)} of {len(jobs)}")
        if waiting:
            paint_all(waiting, args, guidance, device, world, outcome)
    finally:  # also of what was painted before Ctrl-C
        outcome = merge(world.gather(outcome))
        if args.report and outcome.rows and world.is_main:
            rows = [row for place in sorted(outcome.rows) for row in outcome.rows[place]]
            with report_failure(at_home(args.output), unwritten):
                write_painted_report(at_home(args.output), rows, thumbnails=outcome.thumbnails)
        world.gather(None)  # torchrun ends all processes once one has failed: none goes before the report is there
    if args.iiif and world.is_main:
        with report_failure(at_home(args.output) / MANIFEST, unwritten):
            write_iiif_manifest(at_home(args.output), args.iiif, list_choices(jobs, args))
    failed, there = len(outcome.failed), len(jobs) - len(waiting)
    not_done = f"; {failed} could not be" if failed else ""
    say(f"painted {len(waiting) - failed} of {len(jobs)}{not_done}{describe_existing(there, len(jobs))}")
    incomplete = any(world.gather(bool(unwritten)))  # also for the manifest
    return 1 if failed or incomplete else 0


def plan(args: Namespace) -> tuple[list[PaintJob], list[PaintJob]]:
    """All photographs, and those that are to be painted."""
    jobs, notes = plan_jobs(args.photographs, at_home(args.output), args.format)
    for note in notes:
        say(printable(note))
    check_formats(args, jobs)
    return jobs, jobs if args.overwrite else [job for job in jobs if not is_painted(job, args)]


def merge(outcomes: list[Outcome]) -> Outcome:
    """Those of all processes as one."""
    whole = Outcome()
    for outcome in outcomes:
        whole.rows |= outcome.rows
        whole.thumbnails |= outcome.thumbnails
        whole.failed += outcome.failed
    return whole


def describe_existing(there: int, jobs: int) -> str:
    if not there:
        return ""
    count = "all already exist" if there == jobs > 1 else f"{there} already exist{'s' if there == 1 else ''}"
    return f"; {count}, perhaps painted with other settings (--overwrite paints them again)"


def paint_all(
    jobs: list[PaintJob], args: Namespace, guidance: Guidance, device: torch.device, world: World, outcome: Outcome
) -> None:
    """Paint every photograph that is this process's, whatever happens to the others."""
    keep_freed_memory()
    model = load(args.weights, trusted_packages(args.trust)).to(device)
    if args.samples > 1 and not model.stochastic:
        raise UserError(f"{model.title} gives one colouring of a photograph: --samples is for diffusion")
    size = trained_size(args.weights) or model.fixed_size or model.usual_size
    checkpoint = describe_checkpoint(args.weights)
    name = f"{weights_name(args.weights)}{checkpoint}"
    sizes = prediction_sizes(model, size, args)
    said = " or ".join(map(str, sizes))
    say(f"{model.title}{checkpoint} on {device}, colour predicted at {said} pixels of the shorter side")
    passes = len(jobs) // world.size * args.samples * len(sizes)
    precision = set_precision(
        model, args.precision, "painting", size=sizes[0], photographs=1, passes=passes, world=world
    )
    for note in precision.notes("painting"):
        say(note)
    places = {job: place for place, job in enumerate(jobs)}

    def report(job: PaintJob, painted: Callable[[], PaintRecord]) -> None:
        rows: list[PaintedRow] = []
        with report_failure(job.source, outcome.failed) as told:
            record = painted()
            print(record.line, flush=True) if not world.is_main else say(record.line)
            rows += record.rows(at_home(args.output), name) if args.report else []
            outcome.thumbnails |= record.thumbnails
        where = place_beside(job.source, at_home(args.output))
        rows += [PaintedRow(where, "", page_number(job), warnings=sentence) for sentence in told]
        outcome.rows[places[job]] = rows

    def color(job: PaintJob, timed: TimedPhotograph) -> Callable[[], PaintRecord]:
        return color_photograph(model, job, timed, size, args, guidance)

    paint_in_pipeline(jobs[world.rank :: world.size], partial(read_photograph, args=args), color, report)
