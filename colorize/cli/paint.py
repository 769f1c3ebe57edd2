"""The verbs `paint` and `export`: colour photographs with a network, and write it as two plain files."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.batch import Batch
from colorize.cli.parser import Arguments, add_trust, trusted
from colorize.cli.paths import Job, numbered, plan, why
from colorize.imaging.color import lab_to_rgb, to_uint8
from colorize.imaging.image_io import FORMATS, LoadedPhotograph, check_size, open_photograph, save_photograph
from colorize.imaging.raster import check_free_memory
from colorize.imaging.transforms import METHODS, Upsampling, resize
from colorize.models.base import Colorizer
from colorize.models.export import save
from colorize.models.load import load, trained_size
from colorize.run_folder import RunFolder
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device, empty_cache, is_out_of_memory, keep_freed_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of

STRIP = 2**20  # pixels of the photograph that are in work at a time: some 100 MB
SMALLEST = 32  # pixels of the shorter side: where memory does not suffice for these, it does not for the photograph
LONGEST = 4  #   times the size asked for: how long the longer side of a panorama is at most, for the network


def paint(argv: list[str]) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are."""
    words = read_words(argv)
    jobs, notes = plan(words.photographs, at_home(words.output), words.format)
    for note in notes:
        say(printable(note))
    waiting = [job for job in jobs if words.overwrite or not is_there(job, words.samples)]
    there = len(jobs) - len(waiting)
    bad = paint_all(waiting, words) if waiting else 0
    failed = f"; {bad} could not be" if bad else ""
    say(f"painted {len(waiting) - bad} of {len(jobs)}{failed}{already(there, len(jobs))}")
    return 1 if bad else 0


def read_words(argv: list[str]) -> Namespace:
    parser = Arguments("paint", "Colour photographs at their full size.")
    parser.add_argument("photographs", nargs="+", help="files, folders with what is below, or patterns ('scans/*.tif')")
    parser.add_argument(
        "-w", "--weights", required=True, help="a run folder, a checkpoint, an export, a published file, a hub name"
    )
    parser.add_argument("-o", "--output", required=True, help="a folder; or, for one photograph, a file")
    parser.add_argument("--format", choices=sorted(FORMATS), help="of the files in the folder (png)")
    parser.add_argument("--size", type=int, help="pixels of the shorter side at which colour is predicted")
    parser.add_argument("--upsample", choices=METHODS, default="guided", help="how colour comes to full size (guided)")
    parser.add_argument("--samples", type=int, default=1, help="colourings of each photograph, by diffusion")
    parser.add_argument("--seed", type=int, default=0, help="of diffusion's chance")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--max-pixels", type=int, help="of a photograph; larger ones are not opened (500 million)")
    parser.add_argument("--overwrite", action="store_true", help="paint again what is there already")
    add_trust(parser)
    words = parser.parse_args(argv)
    for name in ("size", "samples", "max_pixels"):
        if (value := getattr(words, name)) is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} is {value}; it must be 1 or more")
    return words


def already(there: int, jobs: int) -> str:
    if not there:
        return ""
    count = "all are" if there == jobs > 1 else f"{there} {'is' if there == 1 else 'are'}"
    return f"; {count} there already (--overwrite paints them again)"


def is_there(job: Job, samples: int) -> bool:
    return all(target.exists() for target in numbered(job.target, samples))


def paint_all(jobs: list[Job], words: Namespace) -> int:
    """Paint each, whatever happens to the others; how many could not be."""
    device = choose_device(words.device, option="--device")
    keep_freed_memory()
    model = load(words.weights, trusted(words.trust)).to(device)
    if words.samples > 1 and not model.stochastic:
        raise UserError(f"{type(model).__name__} gives one colouring of a photograph: --samples is for diffusion")
    size = words.size or trained_size(words.weights) or model.fixed_size or model.usual_size
    say(f"{type(model).__name__} on {device}, colour predicted at {size} pixels of the shorter side")
    bad = 0
    for job in jobs:
        try:
            told = paint_one(model, job, size, words)
        except Exception as error:  # a decoder, an encoder, the network or the disk: the other photographs go on
            if os.environ.get("HYDRA_FULL_ERROR"):
                raise
            print(f"{printable(job.source)}: {why(error, job.source)}", file=sys.stderr)
            bad += 1
        else:
            say(told)
    return bad


@torch.no_grad()
def paint_one(model: Colorizer, job: Job, size: int, words: Namespace) -> str:
    """Writes the photograph's colourings; what there is to say of it."""
    began = time.monotonic()
    targets = numbered(job.target, words.samples)
    photograph = open_photograph(job.source, words.max_pixels)
    width, height = photograph.image.size
    check_size(width, height, targets[0])
    targets[0].parent.mkdir(parents=True, exist_ok=True)
    notes = [*photograph.notes, *(["its name was too long"] if job.shortened else [])]
    for i, target in enumerate(targets):
        L, ab, used = predicted(model, photograph, size, seed_of(words.seed, job.source.name, i))
        if used < size:
            notes.append(f"memory ran out at --size {size}: colour is predicted at {used}")
        notes += save_photograph(coloured(photograph, L, ab, words.upsample), photograph, target)
    said = "".join(f"; {note}" for note in dict.fromkeys(notes))
    paths = f"{printable(job.source)} -> {printable(targets[0])}"
    return f"{paths} ({width}×{height}, {time.monotonic() - began:.1f} s{said})"


def predicted(model: Colorizer, photograph: LoadedPhotograph, size: int, seed: int) -> tuple[Tensor, Tensor, int]:
    """The lightness L (1, 1, h, w) of a photograph, the colours ab (1, 2, h, w), and the size at which memory sufficed:
    `size`, or a half, a quarter … of it."""
    device = next(model.parameters()).device
    while True:
        try:
            L = shrunk(photograph, size).to(device)
            return L, model.colorize(L, [torch.Generator().manual_seed(seed)], check=False), size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or size < 2 * SMALLEST:
                raise
        size //= 2
        empty_cache(device)


def lightness(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> L (1, 1, H, W)"""
    return Batch.from_rgb(torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None]).L


def shrunk(photograph: LoadedPhotograph, size: int) -> Tensor:
    """Lightness with `size` pixels on the shorter side (1, 1, h, w), computed at full size, a strip at a time.

    Each strip is brought to its width at once: memory does not grow with the photograph's.
    """
    width, height = photograph.image.size
    scale = min(size / min(height, width), LONGEST * size / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    narrow = [resize(lightness(photograph.rows(*strip)), (strip[1], small[1])) for strip in strips(height, width)]
    return resize(torch.cat(narrow, dim=2), small).clamp(0, 100)


def strips(height: int, width: int) -> list[tuple[int, int]]:
    """(first row, rows) of each strip."""
    rows = max(1, STRIP // width)
    return [(first, min(rows, height - first)) for first in range(0, height, rows)]


def coloured(photograph: LoadedPhotograph, L: Tensor, ab: Tensor, method: str) -> Image.Image:
    """The photograph (RGB) with the colours ab (1, 2, h, w) that were predicted for L (1, 1, h, w).

    Raises `UserError` where the memory for it is not free, 4 bytes a pixel.
    """
    width, height = photograph.image.size
    check_free_memory(width, height, 4 * width * height, "painting")
    result = Image.new("RGB", (width, height))
    upsampling = Upsampling(L, ab, (height, width), method)
    for first, rows in strips(height, width):
        full = lightness(photograph.rows(first, rows)).to(L.device)
        rgb = to_uint8(lab_to_rgb(full, upsampling.rows(full, first)))[0].permute(1, 2, 0)
        result.paste(Image.fromarray(rgb.cpu().numpy()), (0, first))
    return result


def export(argv: list[str]) -> int:
    """`colorize export RUN_OR_FILE -o FOLDER`; the exit status."""
    parser = Arguments("export", "Write a network as safetensors weights, JSON config and model card.")
    parser.add_argument("weights", help="a run folder, a checkpoint, a published file, or a name on the hub")
    parser.add_argument("-o", "--output", required=True, help="the folder to write")
    parser.add_argument("--name", help="of the model; by default that of the run or of the file")
    parser.add_argument("--licence", help="of the weights, such as apache-2.0")
    add_trust(parser)
    words = parser.parse_args(argv)
    if (Path(words.output) / "config.json").exists():
        raise UserError(f"{words.output!r} holds an export already: choose another folder, or delete it")
    model = load(words.weights, trusted(words.trust))
    card: dict[str, Any] = {"name": words.name or Path(words.weights).stem} | facts(words.weights)
    card |= {"license": words.licence} if words.licence else {}
    folder = save(model, words.output, card)
    say(f"{card['name']}: {type(model).__name__} in {str(folder)!r}")
    return 0


def facts(weights: str) -> dict[str, Any]:
    """What a run knows of its network."""
    known: dict[str, Any] = {"trained_size": size} if (size := trained_size(weights)) else {}
    folder = Path(weights) if Path(weights).is_dir() else Path(weights).parent.parent
    if (folder / ".hydra").is_dir():
        summary = RunFolder(folder).read_summary()
        known |= {key: summary[key] for key in ("data", "loss", "steps", "val", "validation") if key in summary}
    return known
