"""The verb `paint`: photographs of any size and kind, coloured at their full size.

Colour is predicted at the size that the network knows and brought to the photograph's along its edges; the lightness
is the photograph's own, pixel for pixel. B batch, H W photograph.
"""

from __future__ import annotations

import glob
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorize.arguments import Arguments
from colorize.batch import Batch
from colorize.color import lab_to_rgb, to_uint8
from colorize.data.listing import SUFFIXES
from colorize.devices import choose_device, keep_freed_memory
from colorize.errors import UserError
from colorize.loading import load, trained_size
from colorize.models import CNN, Colorizer, Diffusion, Transformer
from colorize.models.base import resize
from colorize.photograph_files import Photograph, open_photograph
from colorize.photograph_saving import FORMATS, save_photograph
from colorize.seeds import seed_of
from colorize.terminal import say
from colorize.upsampling import METHODS, Upsampling

STRIP = 2**22  # pixels of the photograph that are in work at a time
LONGEST = 4  #   times the size asked for: how long the longer side of a panorama is at most, for the network


@dataclass(frozen=True)
class Job:
    source: Path
    target: Path  # before the numbers of several samples


def paint(argv: list[str]) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are."""
    words = read_words(argv)
    jobs = plan([Path(word) for word in words.photographs], Path(words.output), words.format)
    device = choose_device(words.device, said="--device")
    keep_freed_memory()
    model = load(words.weights).to(device)
    if words.samples > 1 and not model.stochastic:
        raise UserError(f"{type(model).__name__} gives one colouring of a photograph: --samples is for diffusion")
    size = words.size or trained_size(words.weights) or usual_size(model)
    say(f"{type(model).__name__} on {device}, colour predicted at {size} pixels of the shorter side")
    painted, bad = 0, 0
    for job in jobs:
        targets = numbered(job.target, words.samples)
        if not words.overwrite and all(target.exists() for target in targets):
            say(f"{job.source}: {str(targets[0])!r} is there already (--overwrite paints it again)")
            continue
        try:
            paint_one(model, job, targets, size, words)
            painted += 1
        except UserError as error:
            print(f"{job.source}: {error}", file=sys.stderr)
            bad += 1
    say(f"painted {painted} of {len(jobs)}" + (f"; {bad} could not be" if bad else ""))
    return 1 if bad else 0


def read_words(argv: list[str]) -> Namespace:
    parser = Arguments("paint", "Colour photographs at their full size.")
    parser.add_argument("photographs", nargs="+", help="files, folders, or patterns such as 'scans/*.tif'")
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
    parser.add_argument("--overwrite", action="store_true", help="paint again what is there already")
    words = parser.parse_args(argv)
    for name in ("size", "samples"):
        if (value := getattr(words, name)) is not None and value < 1:
            parser.error(f"--{name} is {value}; it must be 1 or more")
    return words


def plan(given: list[Path], output: Path, kind: str | None) -> list[Job]:
    """What is painted where. Raises `UserError` where two photographs, or a photograph and its source, would meet."""
    sources = [source for path in given for source in found(path)]
    single = len(sources) == 1 and len(given) == 1 and not given[0].is_dir()
    if output.suffix[1:].lower() in FORMATS and not output.is_dir():
        if not single:
            raise UserError(f"{str(output)!r} is one file for {len(sources)} photographs: give a folder")
        jobs = [Job(sources[0], output)]
    else:
        jobs = [Job(source, output / f"{source.stem}.{kind or 'png'}") for source in sources]
    taken: dict[Path, Path] = {}
    for job in jobs:
        if (other := taken.setdefault(job.target, job.source)) is not job.source:
            raise UserError(
                f"{str(other)!r} and {str(job.source)!r} would both become {str(job.target)!r}: paint them to "
                "different folders"
            )
        if job.target.resolve() in {source.resolve() for source in sources}:
            raise UserError(f"{str(job.target)!r} is one of the photographs: choose another folder")
    output_folder = jobs[0].target.parent
    output_folder.mkdir(parents=True, exist_ok=True)
    return jobs


def found(path: Path) -> list[Path]:
    """The photographs that a word means."""
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not inside:
            raise UserError(f"no photographs in {str(path)!r}: looked for {', '.join(SUFFIXES)} directly in it")
        return inside
    matches = sorted(Path(match) for match in glob.glob(str(path)))  # noqa: PTH207 (a pattern may be absolute)
    if not matches:
        raise UserError(f"there is no photograph {str(path)!r}")
    return [match for match in matches if match.is_file()]


def numbered(target: Path, samples: int) -> list[Path]:
    if samples == 1:
        return [target]
    return [target.with_name(f"{target.stem}-{i + 1}{target.suffix}") for i in range(samples)]


def usual_size(model: Colorizer) -> int:
    """For weights that do not say at which size they were trained: what their papers did, or their authors do."""
    if model.fixed_size:
        return model.fixed_size
    if isinstance(model, Transformer) and not model.thesis:
        return 512  # trained at 256, used at 512
    return {CNN: 224, Diffusion: 128}.get(type(model), 256)


@torch.no_grad()
def paint_one(model: Colorizer, job: Job, targets: list[Path], size: int, words: Namespace) -> None:
    began = time.monotonic()
    photograph = open_photograph(job.source)
    device = next(model.parameters()).device
    L = shrunk(photograph.rgb, size).to(device)
    notes = list(photograph.notes)
    for i, target in enumerate(targets):
        chance = torch.Generator().manual_seed(seed_of(words.seed, job.source.name, i))
        ab = model.colorize(L, [chance])
        notes += save_photograph(coloured(photograph, L, ab, words.upsample), photograph, target)
    height, width = photograph.rgb.shape[:2]
    said = "".join(f"; {note}" for note in dict.fromkeys(notes))
    say(f"{job.source} -> {targets[0]} ({width}×{height}, {time.monotonic() - began:.1f} s{said})")


def lightness(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> L (1, 1, H, W)"""
    return Batch.from_rgb(torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None]).L


def shrunk(rgb: np.ndarray, size: int) -> Tensor:
    """Lightness with `size` pixels on the shorter side (1, 1, h, w), computed at full size, a strip at a time."""
    height, width = rgb.shape[:2]
    scale = min(size / min(height, width), LONGEST * size / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    L = torch.cat([lightness(rgb[first : first + rows]) for first, rows in strips(height, width)], dim=2)
    return resize(L, small).clamp(0, 100)


def strips(height: int, width: int) -> list[tuple[int, int]]:
    """(first row, rows) of each strip."""
    rows = max(1, STRIP // width)
    return [(first, min(rows, height - first)) for first in range(0, height, rows)]


def coloured(photograph: Photograph, L: Tensor, ab: Tensor, method: str) -> np.ndarray:
    """The photograph (H, W, 3) uint8 with the colours ab (1, 2, h, w) that were predicted for L (1, 1, h, w)."""
    height, width = photograph.rgb.shape[:2]
    upsampling = Upsampling(L, ab, (height, width), method)
    result = np.empty_like(photograph.rgb)
    for first, rows in strips(height, width):
        full = lightness(photograph.rgb[first : first + rows]).to(L.device)
        rgb = to_uint8(lab_to_rgb(full, upsampling.rows(full, first)))[0].permute(1, 2, 0)
        result[first : first + rows] = rgb.cpu().numpy()
    return result
