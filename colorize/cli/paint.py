"""The verb `paint`: colour photographs with a network."""

import re
import time
from argparse import ArgumentTypeError, Namespace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.cli.guidance import Guidance, guidance_options, save_map
from colorize.cli.painting_record import (
    PaintRecord,
    archive_options,
    check_formats,
    describe_input,
    describe_painting,
    is_painted,
    list_choices,
    mark_photograph,
    page_number,
    target_profile,
    write_beside,
)
from colorize.cli.parser import ArgumentParser, trusted_packages
from colorize.cli.paths import PaintJob, plan_jobs, report_failure, sample_files
from colorize.imaging.color import lab_to_linear, to_uint8
from colorize.imaging.color_management import SRGB
from colorize.imaging.content_credentials import sign
from colorize.imaging.deep_color import from_srgb
from colorize.imaging.gamut import GAMUTS, into_gamut, is_outside
from colorize.imaging.hints import Hints
from colorize.imaging.image_io import (
    FORMATS,
    LoadedPhotograph,
    check_size,
    format_of,
    open_photograph,
    save_photograph,
)
from colorize.imaging.raster import check_free_memory
from colorize.imaging.transforms import METHODS, Upsampling
from colorize.models.base import Colorizer
from colorize.models.confidence import several_answers
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.models.named_weights import weights_name
from colorize.models.prediction import AUTO, lightness_of, predict_at_best_size, sizes_to_compare, strips
from colorize.reports.iiif import MANIFEST, write_iiif_manifest
from colorize.reports.painted_page import PaintedRow, place_beside, thumbnail_of, write_painted_report
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of


def paint(args: Namespace) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are."""
    jobs, notes = plan_jobs(args.photographs, at_home(args.output), args.format)
    for note in notes:
        say(printable(note))
    check_formats(args, jobs)
    waiting = jobs if args.overwrite else [job for job in jobs if not is_painted(job, args)]
    there = len(jobs) - len(waiting)
    failed: list[Path] = []
    unwritten: list[Path] = []  # of what is written about all of them
    if waiting:
        paint_all(waiting, args, Guidance(args, jobs), failed, unwritten)
    if args.iiif:
        with report_failure(at_home(args.output) / MANIFEST, unwritten):
            write_iiif_manifest(at_home(args.output), args.iiif, list_choices(jobs, args))
    not_done = f"; {len(failed)} could not be" if failed else ""
    say(f"painted {len(waiting) - len(failed)} of {len(jobs)}{not_done}{describe_existing(there, len(jobs))}")
    return 1 if failed or unwritten else 0


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


def paint_all(
    jobs: list[PaintJob], args: Namespace, guidance: Guidance, failed: list[Path], unwritten: list[Path]
) -> None:
    """Paint each, whatever happens to the others; adds those that could not be to `failed`, and the report to
    `unwritten` if it could not be written."""
    device = choose_device(args.device, option="--device")
    keep_freed_memory()
    model = load(args.weights, trusted_packages(args.trust)).to(device)
    if args.samples > 1 and not model.stochastic:
        raise UserError(f"{type(model).__name__} gives one colouring of a photograph: --samples is for diffusion")
    size = trained_size(args.weights) or model.fixed_size or model.usual_size
    checkpoint = describe_checkpoint(args.weights)
    said = " or ".join(map(str, prediction_sizes(model, size, args)))
    say(f"{type(model).__name__}{checkpoint} on {device}, colour predicted at {said} pixels of the shorter side")
    rows: list[PaintedRow] = []
    thumbnails: dict[Path, tuple[str, str]] = {}
    try:
        for job in jobs:
            with report_failure(job.source, failed) as told:
                painted = paint_one(model, job, size, args, guidance)
                say(painted.line)
                rows += (
                    painted.rows(at_home(args.output), weights_name(args.weights) + checkpoint) if args.report else []
                )
                thumbnails |= painted.thumbnails
            where = place_beside(job.source, at_home(args.output))
            rows += [PaintedRow(where, "", page_number(job), warnings=sentence) for sentence in told]
    finally:  # also of what was painted before Ctrl-C
        if args.report and rows:
            with report_failure(at_home(args.output), unwritten):
                write_painted_report(at_home(args.output), rows, thumbnails=thumbnails)


def prediction_sizes(model: Colorizer, trained: int, args: Namespace) -> list[int]:
    """At which colour is predicted: one, or those of which one is taken for each photograph."""
    return sizes_to_compare(model, trained) if args.size == AUTO else [args.size or trained]


@torch.no_grad()
def paint_one(model: Colorizer, job: PaintJob, trained: int, args: Namespace, guidance: Guidance) -> PaintRecord:
    """Write the predictions for a photograph, one for each sample; at the size that the network was trained at, where
    the options name none."""
    began = time.monotonic()
    targets = sample_files(job.target, args.samples)
    photograph = open_photograph(job.source, args.max_pixels, depth=args.depth, page=job.page)
    width, height = photograph.image.size
    check_size(width, height, targets[0])
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    profile, said = target_profile(photograph, args)
    notes = [*photograph.notes, *said, *describe_input(photograph, job)]
    hints, told, answers = guidance.hints_of(job, photograph), guidance.as_told(job), []
    sizes, thumbnails = prediction_sizes(model, trained, args), {}
    for i, target in enumerate(targets):
        L, ab, used = predict_at_best_size(model, photograph, sizes, seed_of(args.seed, job.source.name, i))
        notes += describe_size(used, sizes)
        sizes = [used]
        answers.append(ab)
        ab = guidance.apply(L, ab, hints)
        image = full_size_color(photograph, L, ab, args.upsample, args.gamut, args.depth, profile, hints)
        record = describe_painting(model, job, i, used, told)
        marked, said = mark_photograph(photograph, record, target)
        signed = {"kind": format_of(target), "source": job.source, "record": record, "keys": args.c2pa}
        finish = partial(sign, **signed) if args.c2pa else None
        notes += [*said, *save_photograph(image, marked, target, profile or SRGB, finish)]
        write_beside(job, target, photograph, record, args)
        if args.report and profile is None and photograph.alpha is None:
            thumbnails[target] = (thumbnail_of(np.asarray(photograph.image)), thumbnail_of(np.asarray(image)))
    if args.confidence:
        asked = several_answers(model, L, answers, key=f"{args.seed} {job.source.name}")
        save_map(guidance.expected_error(L, asked, hints), photograph, job.target)
    seconds, outside = time.monotonic() - began, is_outside(lab_to_linear(L, ab)).float().mean().item()
    notes = list(dict.fromkeys(notes))
    return PaintRecord(job.source, targets, width, height, seconds, notes, page_number(job), used, outside, thumbnails)


def describe_size(used: int, sizes: list[int]) -> list[str]:
    if used not in sizes:
        return [f"memory ran out at --size {min(sizes)}: colour is predicted at {used}"]
    return [f"colour predicted at {used}"] if len(sizes) > 1 else []


def full_size_color(
    photograph: LoadedPhotograph, L: Tensor, ab: Tensor, method: str, gamut: str = "chroma", depth: int = 8,
    profile: bytes | None = None, hints: Hints | None = None,
) -> Image.Image | np.ndarray:  # fmt: skip
    """The photograph with the colours ab (1, 2, h, w) that were predicted for L (1, 1, h, w), of `METHODS` and
    `GAMUTS`: RGB of 8 bits, or (H, W, 3) uint16 with `depth` 16; in sRGB, or in a `profile` for RGB.
    The pixels of `hints`, of the photograph's size, have theirs.

    Raises `UserError` where the memory for it is not free: 4 bytes a pixel, or 16 with what is made of it on its way to
    a file.
    """
    width, height = photograph.image.size
    check_free_memory(width, height, (4 if depth == 8 else 16) * width * height, "painting")
    image, deep = Image.new("RGB", (width, height) if depth == 8 else (1, 1)), np.empty((0, width, 3), np.uint16)
    if depth > 8:
        deep = np.empty((height, width, 3), np.uint16)
    upsampling = Upsampling(L, ab, (height, width), method)
    for first, rows in strips(height, width):
        full = lightness_of(photograph.rows(first, rows)).to(L.device)
        colors = upsampling.rows(full, first)
        colors = hints.put(colors, first) if hints else colors
        samples = encode_rgb(into_gamut(full, colors, gamut)[0], depth, profile)
        if depth == 8:
            image.paste(Image.fromarray(samples), (0, first))
        else:
            deep[first : first + rows] = samples
    return image if depth == 8 else deep


def encode_rgb(rgb: Tensor, depth: int, profile: bytes | None) -> np.ndarray:
    """sRGB (1, 3, H, W) in 0…1 -> (H, W, 3) uint8 or uint16, in sRGB or in a profile."""
    if depth == 8 and profile is None:
        return to_uint8(rgb)[0].permute(1, 2, 0).cpu().numpy()
    deep = np.rint(65535 * rgb[0].permute(1, 2, 0).cpu().numpy()).astype(np.uint16)
    return deep if profile is None else from_srgb(deep, profile, depth)
