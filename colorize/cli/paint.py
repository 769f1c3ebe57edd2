"""The verb `paint`: colour photographs with a network."""

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch

from colorize.cli.guidance import Guidance, guidance_options
from colorize.cli.painting import TimedPhotograph, color_photograph, prediction_sizes, read_photograph
from colorize.cli.painting_record import (
    PaintRecord,
    archive_options,
    check_formats,
    is_painted,
    list_choices,
    page_number,
)
from colorize.cli.parser import ArgumentParser, trusted_packages
from colorize.cli.paths import PaintJob, plan_jobs, report_failure
from colorize.cli.pipeline import paint_in_pipeline
from colorize.imaging.gamut import GAMUTS
from colorize.imaging.image_io import FORMATS
from colorize.imaging.transforms import METHODS
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.models.named_weights import weights_name
from colorize.models.precision import set_precision
from colorize.models.prediction import AUTO
from colorize.reports.iiif import MANIFEST, write_iiif_manifest
from colorize.reports.painted_page import PaintedRow, place_beside, write_painted_report
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World, init_process_group, leave
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.precision import PRECISIONS

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
        if waiting:
            paint_all(waiting, args, Guidance(args, jobs), world, outcome)
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


def paint_options(parser: ArgumentParser) -> None:
    parser.add_argument("photographs", nargs="+", help="files, folders with what is below, or patterns ('scans/*.tif')")
    parser.add_argument(
        "-w",
        "--weights",
        help="a run folder, a checkpoint, an export, a published file, a name of `colorize models` or of the hub "
        "(default: the weights that are shipped)",
    )
    parser.add_output("a folder; or, for one photograph, a file", overwrite="paint again what already exists")
    parser.add_argument("--format", choices=sorted(FORMATS), help="of the files in the folder (png)")
    parser.add_number(
        "--size", 16, type=size_of, help="pixels of the shorter side at which colour is predicted; auto: that of "
        "three whose colours agree most with the others' (default: the size that the network was trained at)"
    )  # fmt: skip
    parser.add_argument("--upsample", choices=METHODS, default="guided", help="how colour comes to full size (guided)")
    parser.add_argument(
        "--gamut", choices=GAMUTS, default="chroma", help="colours that sRGB lacks: less chroma, or clipped (chroma)"
    )
    guidance_options(parser)
    parser.add_number("--samples", 1, default=1, help="colourings of each photograph, by a stochastic model (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples of a stochastic model (0)")
    archive_options(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument(
        "--precision", choices=("auto", *PRECISIONS), default="auto", help="of the network; auto: bfloat16 for many "
        "photographs on a CPU where that is measured to be faster, else float32 (auto)"
    )  # fmt: skip
    parser.add_number("--max-pixels", 1, help="of a photograph; larger ones are not opened (500 million)")
    parser.add_trust()


def size_of(word: str) -> int | str:
    if word == AUTO or re.fullmatch(r"-?\d+", word):
        return word if word == AUTO else int(word)
    raise ArgumentTypeError(f"{word!r} is neither a number of pixels nor {AUTO}")


def describe_existing(there: int, jobs: int) -> str:
    if not there:
        return ""
    count = "all already exist" if there == jobs > 1 else f"{there} already exist{'s' if there == 1 else ''}"
    return f"; {count} (--overwrite paints them again)"


def paint_all(jobs: list[PaintJob], args: Namespace, guidance: Guidance, world: World, outcome: Outcome) -> None:
    """Paint every photograph that is this process's, whatever happens to the others."""
    device = choose_device(args.device, option="--device")
    keep_freed_memory()
    model = load(args.weights, trusted_packages(args.trust)).to(device)
    if args.samples > 1 and not model.stochastic:
        raise UserError(f"{type(model).__name__} gives one colouring of a photograph: --samples is for diffusion")
    size = trained_size(args.weights) or model.fixed_size or model.usual_size
    name = f"{weights_name(args.weights)}{describe_checkpoint(args.weights)}"
    sizes = prediction_sizes(model, size, args)
    said = " or ".join(map(str, sizes))
    say(f"{name} on {device}, colour predicted at {said} pixels of the shorter side")
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
