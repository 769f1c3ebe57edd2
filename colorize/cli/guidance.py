"""What `colorize paint` is told of colour: strength, largest chroma, hints, a reference; and its map of confidence."""

import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from colorize.batch import Batch
from colorize.cli.paths import PaintJob, name_key, output_folder
from colorize.data.filesystem import Walk
from colorize.imaging.color import is_colourful
from colorize.imaging.guidance import guide
from colorize.imaging.hints import Hints, read_hints
from colorize.imaging.image_io import LoadedPhotograph, open_photograph
from colorize.models.confidence import expected_error
from colorize.models.reference import Reference
from colorize.utils.console import printable, say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.files import digest_of, is_file, write_whole

HINT_FILES = (".png", ".json")
CONFIDENCE = ".confidence.png"
MAPPED = "confidence of colour"  # begins the text in such a file
SMALL = 512  # pixels of the shorter side that are enough to see whether there is colour
UNIT = 5  #    grey levels of the map of confidence for a CIE unit


def map_file(target: Path) -> Path:
    """Of confidence, beside a painted file."""
    return target.with_name(f"{target.stem}{CONFIDENCE}")


class Guidance:
    """What the options of one command ask for. Raises `UserError` for what they cannot mean together."""

    def __init__(self, args: Namespace, jobs: Sequence[PaintJob], reference: Reference | None = None):
        """reference  that of the arguments, where it has been read"""
        self.args = args
        self.hint_files = find_hints(args.hints, jobs, at_home(args.output)) if args.hints else {}
        if args.reference and reference is None:
            reference = read_reference(args.reference, args.max_pixels, f"--reference: {str(args.reference)!r}")
        self.reference = reference
        if args.confidence:
            check_maps(jobs)

    def as_told(self, job: PaintJob) -> Namespace:
        """The options with the SHA-256 of the hints and of the reference in the place of their names, for the record of
        a painted file."""
        files = {"hints": self.hint_files.get(job), "reference": self.args.reference}
        return Namespace(**{**vars(self.args), **{name: path and digest_of(path) for name, path in files.items()}})

    def hints_of(self, job: PaintJob, photograph: LoadedPhotograph) -> Hints | None:
        """Raises `UserError` for hints that do not fit the photograph."""
        path = self.hint_files.get(job)
        return read_hints(path, photograph.image.size[::-1]) if path else None

    def apply(self, L: Tensor, ab: Tensor, hints: Hints | None) -> Tensor:
        """L (1, 1, h, w) and the predicted ab (1, 2, h, w) -> the ab that is wanted"""
        if self.reference:
            ab = self.reference.transfer(L.cpu(), ab.cpu()).to(ab)
        small = hints.resized((L.shape[2], L.shape[3])) if hints else None
        args = self.args
        return guide(
            ab, L, small, strength=args.strength, max_chroma=args.max_chroma, reach=args.reach, upsample=args.upsample
        )

    def expected_error(self, L: Tensor, answers: Tensor, hints: Hints | None) -> Tensor:
        """(1, 1, h, w) CIE units: of a network's answers (N, 2, h, w), as strength changes them; none at the hints."""
        error = expected_error(L, self.args.strength * answers)
        if hints is None:
            return error
        small = hints.resized((L.shape[2], L.shape[3]))
        certain = replace(small, ab=torch.zeros_like(small.ab))
        return guide(error.expand(-1, 2, -1, -1), L, certain, reach=self.args.reach)[:, :1].clamp(min=0)


def find_hints(path: Path, jobs: Sequence[PaintJob], output: Path) -> dict[PaintJob, Path]:
    """The file of hints of each photograph that has one: of a folder, the one that is called as the painted file is.

    Says which belong to none. Raises `UserError` where there is none at all, and for one of several photographs.
    """
    if path.is_dir():
        folder = output_folder(output)
        names = {job: job.target.relative_to(folder) if folder else Path(job.target.name) for job in jobs}
        files = {job: [path / name.with_suffix(end) for end in HINT_FILES] for job, name in names.items()}
        found = {job: file for job in jobs for file in files[job] if file.is_file()}
        if not found:
            looked = " and ".join(repr(str(file)) for file in files[jobs[0]])
            raise UserError(f"--hints: there are none for these photographs: looked for {looked} first")
        known = {name_key(file) for each in files.values() for file in each}
        if strays := [file for file in hints_below(path) if name_key(file) not in known]:
            say(f"hints of none of these photographs: {shorten_list(map(printable, strays))}")
        return found
    if not path.is_file():
        raise UserError(f"--hints: there is no file or folder {str(path)!r}")
    if len(jobs) > 1:
        raise UserError(
            f"--hints: {str(path)!r} is one file for {len(jobs)} photographs: give a folder with a PNG or JSON for each"
        )
    return {jobs[0]: path}


def hints_below(folder: Path) -> list[Path]:
    walk = Walk(str(folder), lambda name: name.lower().endswith(HINT_FILES) and not name.startswith("."))
    return [folder / name for name in walk.names]


def check_maps(jobs: Sequence[PaintJob]) -> None:
    """Raises `UserError` where a map would be written over a photograph, or over another that is painted."""
    sources = {os.path.realpath(job.source) for job in jobs}
    targets = {name_key(job.target): job for job in jobs}
    for job in jobs:
        if os.path.realpath(map_file(job.target)) in sources:
            raise UserError(f"{str(map_file(job.target))!r} is one of the photographs: choose another folder")
        if clash := targets.get(name_key(map_file(job.target))):
            raise UserError(
                f"{str(clash.source)!r} would be painted where the confidence of {str(job.source)!r} goes: rename it, "
                "or paint it to another folder"
            )


def read_reference(path: Path, max_pixels: int | None, name: str) -> Reference:
    """Raises `UserError`, which begins with `name`, for a reference that is grey or cannot be read."""
    if not path.is_file():
        raise UserError(f"{name}: there is no such photograph")
    try:
        pixels = small_pixels(open_photograph(path, max_pixels))
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    if not is_colourful(pixels):
        raise UserError(f"{name} is grey, or of one tone: give a photograph in colour")
    batch = Batch.from_rgb(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    return Reference(batch.L, batch.ab)


def small_pixels(photograph: LoadedPhotograph) -> np.ndarray:
    """(H, W, 3) uint8, some `SMALL` pixels on the shorter side"""
    image = photograph.image.reduce(max(1, min(photograph.image.size) // SMALL))
    return np.array(image.convert("RGB"))


def save_map(error: Tensor, photograph: LoadedPhotograph, target: Path) -> None:
    """(1, 1, h, w) CIE units -> a grey PNG of the photograph's size beside the painted file: 255 − `UNIT` · error."""
    small = (255 - UNIT * error[0, 0]).clamp(0, 255).round().byte().cpu().numpy()
    image = Image.fromarray(small).resize(photograph.image.size, Image.Resampling.BILINEAR)
    text = PngInfo()
    text.add_text("Description", f"{MAPPED}: (255 - grey) / {UNIT} is the expected error in CIE units")
    write_whole(map_file(target), lambda part: image.save(part, "PNG", pnginfo=text))


def remove_map(target: Path) -> None:
    """The one that lies beside the file, if any does; it is none, if a photograph is called so."""
    if is_map(path := map_file(target)):
        path.unlink()


def is_map(path: Path) -> bool:
    """Whether it is a map of confidence that was written here."""
    if not (path.name.endswith(CONFIDENCE) and is_file(path)):
        return False
    with path.open("rb") as file:
        return MAPPED.encode() in file.read(256)
