"""How a photograph is painted: it is read, its colours are predicted and brought to its full size, and it is written.

H W photograph, h w prediction.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.cli.guidance import Guidance, save_map
from colorize.cli.painting_record import (
    PaintRecord,
    describe_input,
    describe_painting,
    mark_photograph,
    page_number,
    target_profile,
    write_beside,
)
from colorize.cli.paths import PaintJob, sample_files
from colorize.imaging.choices import AUTO
from colorize.imaging.color import lab_to_linear, to_uint8
from colorize.imaging.color_management import SRGB
from colorize.imaging.content_credentials import sign
from colorize.imaging.deep_color import from_srgb
from colorize.imaging.gamut import into_gamut, is_outside
from colorize.imaging.hints import Hints
from colorize.imaging.image_io import LoadedPhotograph, check_size, format_of, open_photograph, save_photograph
from colorize.imaging.raster import check_free_memory
from colorize.imaging.transforms import Upsampling
from colorize.models.base import Colorizer
from colorize.models.confidence import several_answers
from colorize.models.prediction import lightness_of, predict_at_best_size, sizes_to_compare, visit_strips
from colorize.reports.painted_page import thumbnail_of
from colorize.utils.seeds import seed_of


class TimedPhotograph(NamedTuple):
    """A photograph, and the seconds that reading it took."""

    photograph: LoadedPhotograph
    seconds: float


def paint_one(model: Colorizer, job: PaintJob, trained: int, args: Namespace, guidance: Guidance) -> PaintRecord:
    """Write the predictions for a photograph, one for each sample; at the size that the network was trained at, where
    the options name none."""
    return color_photograph(model, job, read_photograph(job, args), trained, args, guidance)()


def read_photograph(job: PaintJob, args: Namespace) -> TimedPhotograph:
    began = time.monotonic()
    photograph = open_photograph(job.source, args.max_pixels, depth=args.depth, page=job.page)
    return TimedPhotograph(photograph, time.monotonic() - began)


@torch.no_grad()
def color_photograph(
    model: Colorizer, job: PaintJob, timed: TimedPhotograph, trained: int, args: Namespace, guidance: Guidance
) -> Callable[[], PaintRecord]:
    """Colour the photograph, and write all samples but the last. What is returned writes that one, in whichever thread
    it is called: it computes nothing by torch."""
    photograph, began = timed.photograph, time.monotonic() - timed.seconds
    targets = sample_files(job.target, args.samples)
    check_size(*photograph.image.size, targets[0])
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    profile, said = target_profile(photograph, args)
    notes = [*photograph.notes, *said, *describe_input(photograph, job)]
    hints, told, answers = guidance.hints_of(job, photograph), guidance.as_told(job), []
    sizes, thumbnails = prediction_sizes(model, trained, args), dict[Path, tuple[str, str]]()
    shown = args.report and profile is None and photograph.alpha is None
    for i, target in enumerate(targets):
        L, ab, used = predict_at_best_size(model, photograph, sizes, seed_of(args.seed, job.source.name, i))
        notes += describe_size(used, sizes)
        sizes = [used]
        answers.append(ab)
        ab = guidance.apply(L, ab, hints)
        before = thumbnail_of(np.asarray(photograph.image)) if shown else None
        reuse = target == targets[-1] and not args.iiif  # which writes the photograph as it was
        image = full_size_color(photograph, L, ab, args.upsample, args.gamut, args.depth, profile, hints, reuse=reuse)
        record = describe_painting(model, job, i, used, told)
        write = partial(write_sample, job, target, photograph, image, record, profile, before, args)
        if target != targets[-1]:
            notes += write(thumbnails)
    error = None
    if args.confidence:
        asked = several_answers(model, L, answers, key=f"{args.seed} {job.source.name}")
        error = guidance.expected_error(L, asked, hints)
    outside, seconds = is_outside(lab_to_linear(L, ab)).float().mean().item(), time.monotonic() - began
    page, sides = page_number(job), photograph.image.size
    painted = PaintRecord(job.source, targets, *sides, seconds, notes, page, used, outside, thumbnails)
    return partial(finish_painting, painted, write, error, photograph, job.target)


def write_sample(
    job: PaintJob, target: Path, photograph: LoadedPhotograph, image: Image.Image | np.ndarray, record: dict[str, Any],
    profile: bytes | None, before: str | None, args: Namespace, thumbnails: dict[Path, tuple[str, str]],
) -> list[str]:  # fmt: skip
    """Write a painted file and what the options ask for beside it; add its thumbnails, where there is one of `before`.
    The notes on it."""
    marked, said = mark_photograph(photograph, record, target)
    signed = {"kind": format_of(target), "source": job.source, "record": record, "keys": args.c2pa}
    finish = partial(sign, **signed) if args.c2pa else None
    notes = [*said, *save_photograph(image, marked, target, profile or SRGB, finish)]
    write_beside(job, target, photograph, record, args)
    if before is not None:
        thumbnails[target] = (before, thumbnail_of(np.asarray(image)))
    return notes


def finish_painting(
    painted: PaintRecord, write: Callable[..., list[str]], error: Tensor | None, photograph: LoadedPhotograph,
    target: Path,
) -> PaintRecord:  # fmt: skip
    """Write the last sample, and the map of the expected `error` if there is one."""
    began, thumbnails = time.monotonic(), dict(painted.thumbnails)
    notes = [*painted.notes, *write(thumbnails)]
    if error is not None:
        save_map(error, photograph, target)
    seconds = painted.seconds + time.monotonic() - began
    return painted._replace(seconds=seconds, notes=list(dict.fromkeys(notes)), thumbnails=thumbnails)


def prediction_sizes(model: Colorizer, trained: int, args: Namespace) -> list[int]:
    """At which colour is predicted: one, or those of which one is taken for each photograph."""
    return sizes_to_compare(model, trained) if args.size == AUTO else [args.size or trained]


def describe_size(used: int, sizes: list[int]) -> list[str]:
    if used not in sizes:
        return [f"memory ran out at --size {min(sizes)}: colour is predicted at {used}"]
    return [f"colour predicted at {used}"] if len(sizes) > 1 else []


def full_size_color(
    photograph: LoadedPhotograph, L: Tensor, ab: Tensor, method: str, gamut: str = "chroma", depth: int = 8,
    profile: bytes | None = None, hints: Hints | None = None, *, reuse: bool = False,
) -> Image.Image | np.ndarray:  # fmt: skip
    """The photograph with the colours ab (1, 2, h, w) that were predicted for L (1, 1, h, w), of `METHODS` and
    `GAMUTS`: RGB of 8 bits, or (H, W, 3) uint16 with `depth` 16; in sRGB, or in a `profile` for RGB.
    The pixels of `hints`, of the photograph's size, have theirs. With `reuse`, a photograph in RGB itself becomes the
    picture of 8 bits, so that one of hundreds of megapixels is not held twice.

    Raises `UserError` where the memory for it is not free: 4 bytes a pixel, or 16 with what is made of it on its way to
    a file.
    """
    width, height = photograph.image.size
    reuse = reuse and depth == 8 and photograph.image.mode == "RGB"
    if not reuse:
        check_free_memory(width, height, (4 if depth == 8 else 16) * width * height, "painting")
    image, deep = photograph.image, np.empty((0, width, 3), np.uint16)
    if depth == 8 and not reuse:
        image = Image.new("RGB", (width, height))
    elif depth > 8:
        deep = np.empty((height, width, 3), np.uint16)
    upsampling = Upsampling(L, ab, (height, width), method)

    def paint_strip(first: int, rows: int) -> None:
        full = lightness_of(photograph.rows(first, rows)).to(L.device)
        colors = upsampling.rows(full, first)
        colors = hints.put(colors, first) if hints else colors
        samples = encode_rgb(into_gamut(full, colors, gamut)[0], depth, profile)
        if depth == 8:
            image.paste(Image.fromarray(samples), (0, first))
        else:
            deep[first : first + rows] = samples

    visit_strips(paint_strip, height, width)
    return image if depth == 8 else deep


def encode_rgb(rgb: Tensor, depth: int, profile: bytes | None) -> np.ndarray:
    """sRGB (1, 3, H, W) in 0…1 -> (H, W, 3) uint8 or uint16, in sRGB or in a profile."""
    if depth == 8 and profile is None:
        return to_uint8(rgb)[0].permute(1, 2, 0).cpu().numpy()
    deep = np.rint(65535 * rgb[0].permute(1, 2, 0).cpu().numpy()).astype(np.uint16)
    return deep if profile is None else from_srgb(deep, profile, depth)
