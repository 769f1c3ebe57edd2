"""The verb `paint`: colour photographs with a network."""

import time
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.batch import Batch
from colorize.cli.parser import ArgumentParser, trusted_packages
from colorize.cli.paths import PaintJob, plan_jobs, report_failure, sample_files
from colorize.imaging.color import to_uint8
from colorize.imaging.gamut import GAMUTS
from colorize.imaging.image_io import FORMATS, LoadedPhotograph, check_size, open_photograph, save_photograph
from colorize.imaging.raster import check_free_memory
from colorize.imaging.transforms import METHODS, Upsampling, resize
from colorize.models.base import Colorizer
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device, empty_cache, is_out_of_memory, keep_freed_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of

STRIP = 2**20  # pixels of the photograph that are in work at a time: some 100 MB
SMALLEST = 32  # pixels of the shorter side: where memory does not suffice for these, it does not for the photograph
LONGEST = 4  #   times the size asked for: how long the longer side of a panorama is at most, for the network


def paint(args: Namespace) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are."""
    jobs, notes = plan_jobs(args.photographs, at_home(args.output), args.format)
    for note in notes:
        say(printable(note))
    painted = [job for job in jobs if all(target.exists() for target in sample_files(job.target, args.samples))]
    waiting = jobs if args.overwrite else [job for job in jobs if job not in painted]
    there = len(jobs) - len(waiting)
    bad = paint_all(waiting, args) if waiting else 0
    failed = f"; {bad} could not be" if bad else ""
    say(f"painted {len(waiting) - bad} of {len(jobs)}{failed}{describe_existing(there, len(jobs))}")
    return 1 if bad else 0


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
    parser.add_number("--size", 1, help="pixels of the shorter side at which colour is predicted")
    parser.add_argument("--upsample", choices=METHODS, default="guided", help="how colour comes to full size (guided)")
    parser.add_argument(
        "--gamut", choices=GAMUTS, default="chroma", help="colours that sRGB lacks: less chroma, or clipped (chroma)"
    )
    parser.add_number("--samples", 1, default=1, help="colourings of each photograph, by a stochastic model (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples of a stochastic model (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_number("--max-pixels", 1, help="of a photograph; larger ones are not opened (500 million)")
    parser.add_trust()


def describe_existing(there: int, jobs: int) -> str:
    if not there:
        return ""
    count = "all already exist" if there == jobs > 1 else f"{there} already exist{'s' if there == 1 else ''}"
    return f"; {count} (--overwrite paints them again)"


def paint_all(jobs: list[PaintJob], args: Namespace) -> int:
    """Paint each, whatever happens to the others; how many could not be."""
    device = choose_device(args.device, option="--device")
    keep_freed_memory()
    model = load(args.weights, trusted_packages(args.trust)).to(device)
    if args.samples > 1 and not model.stochastic:
        raise UserError(f"{type(model).__name__} gives one colouring of a photograph: --samples is for diffusion")
    size = args.size or trained_size(args.weights) or model.fixed_size or model.usual_size
    name = f"{type(model).__name__}{describe_checkpoint(args.weights)}"
    say(f"{name} on {device}, colour predicted at {size} pixels of the shorter side")
    failed: list[Path] = []
    for job in jobs:
        with report_failure(job.source, failed):
            say(paint_one(model, job, size, args).line)
    return len(failed)


class PaintRecord(NamedTuple):
    """How a photograph was painted: its own width and height, seconds, and what had to be decided."""

    source: Path
    targets: list[Path]
    width: int
    height: int
    seconds: float
    notes: list[str]

    @property
    def summary(self) -> str:
        return "; ".join([f"{self.width}×{self.height}, {self.seconds:.1f} s", *self.notes])

    @property
    def line(self) -> str:
        return f"{printable(self.source)} -> {printable(self.targets[0])} ({self.summary})"


@torch.no_grad()
def paint_one(model: Colorizer, job: PaintJob, size: int, args: Namespace) -> PaintRecord:
    """Write the predictions for a photograph, one for each sample."""
    began = time.monotonic()
    targets = sample_files(job.target, args.samples)
    photograph = open_photograph(job.source, args.max_pixels)
    width, height = photograph.image.size
    check_size(width, height, targets[0])
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    notes = [*photograph.notes, *(["its name was too long"] if job.shortened else [])]
    for i, target in enumerate(targets):
        L, ab, used = predict_within_memory(model, photograph, size, seed_of(args.seed, job.source.name, i))
        if used < size:
            notes.append(f"memory ran out at --size {size}: colour is predicted at {used}")
        notes += save_photograph(full_size_color(photograph, L, ab, args.upsample, args.gamut), photograph, target)
    return PaintRecord(job.source, targets, width, height, time.monotonic() - began, list(dict.fromkeys(notes)))


def predict_within_memory(
    model: Colorizer, photograph: LoadedPhotograph, size: int, seed: int
) -> tuple[Tensor, Tensor, int]:
    """The lightness L (1, 1, h, w) of a photograph, the colours ab (1, 2, h, w), and the size at which memory sufficed:
    `size`, or a half, a quarter … of it."""
    device = next(model.parameters()).device
    while True:
        try:
            L = network_input(photograph, size).to(device)
            return L, model.colorize(L, [torch.Generator().manual_seed(seed)], check=False), size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or size < 2 * SMALLEST:
                raise
        size //= 2
        empty_cache(device)


def lightness_of(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> L (1, 1, H, W)"""
    return Batch.from_rgb(torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None]).L


def network_input(photograph: LoadedPhotograph, size: int) -> Tensor:
    """Lightness with `size` pixels on the shorter side (1, 1, h, w), computed at full size, a strip at a time.

    Each strip is brought to its width at once: memory does not grow with the photograph's.
    """
    width, height = photograph.image.size
    scale = min(size / min(height, width), LONGEST * size / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    narrow = [resize(lightness_of(photograph.rows(*strip)), (strip[1], small[1])) for strip in strips(height, width)]
    return resize(torch.cat(narrow, dim=2), small).clamp(0, 100)


def strips(height: int, width: int) -> list[tuple[int, int]]:
    """(first row, rows) of each strip."""
    rows = max(1, STRIP // width)
    return [(first, min(rows, height - first)) for first in range(0, height, rows)]


def full_size_color(
    photograph: LoadedPhotograph, L: Tensor, ab: Tensor, method: str, gamut: str = "chroma"
) -> Image.Image:
    """The photograph (RGB) with the colours ab (1, 2, h, w) that were predicted for L (1, 1, h, w), of `METHODS` and
    `GAMUTS`.

    Raises `UserError` where the memory for it is not free, 4 bytes a pixel.
    """
    width, height = photograph.image.size
    check_free_memory(width, height, 4 * width * height, "painting")
    result = Image.new("RGB", (width, height))
    upsampling = Upsampling(L, ab, (height, width), method)
    for first, rows in strips(height, width):
        full = lightness_of(photograph.rows(first, rows)).to(L.device)
        rgb = to_uint8(GAMUTS[gamut](full, upsampling.rows(full, first)))[0].permute(1, 2, 0)
        result.paste(Image.fromarray(rgb.cpu().numpy()), (0, first))
    return result
