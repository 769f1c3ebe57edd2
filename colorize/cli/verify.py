"""The verb `verify`: paint the source of a painted file again, as the file says, and compare."""

import json
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from shutil import copyfile
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import torch
from PIL import Image

from colorize.cli.guidance import Guidance, is_map, map_file
from colorize.cli.options import parse_arguments
from colorize.cli.painting import paint_one
from colorize.cli.painting_record import NO_SETTINGS, ORIGINAL, SIDECAR, network_digest, read_sidecar
from colorize.cli.parser import trusted_packages
from colorize.cli.paths import PaintJob, find_photographs, report_failure, sample_files
from colorize.data.filesystem import Walk
from colorize.imaging.choices import FORMATS
from colorize.imaging.content_credentials import signer_of
from colorize.imaging.provenance import differing_keys, read_marks
from colorize.models.base import Colorizer
from colorize.models.load import load
from colorize.utils.console import printable, say
from colorize.utils.devices import choose_device
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import digest_of
from colorize.utils.precision import PRECISIONS

GUIDES = ("hints", "reference")


def verify(args: Namespace) -> int:
    """The exit status: 0, or 1 where a file is not what its source becomes."""
    words = [at_home(word) for word in args.painted]
    found = [path for word in words for path, _ in find_photographs(word, True, None, [])]
    named = [path for path in dict.fromkeys(found) if path.suffix[1:].lower() in FORMATS and not is_beside(path)]
    guides = guides_of(named)
    painted = [path for path in named if not (guides and is_among(path, guides))]
    verifier = Verifier(args)
    failed: list[Path] = []
    lost = lost_files(words)
    for path in lost:
        with report_failure(path, failed):
            raise UserError("it is not there, and its sidecar is")
    for path in painted:
        with report_failure(path, failed):
            if difference := verifier.difference(path):
                raise UserError(f"it differs: {difference}")
            signer = signer_of(path)
            say(
                f"{printable(path)}: agrees, {f'every pixel, and is signed by {signer}' if signer else 'byte for byte'}"
            )
    count = len(lost) + len(painted)
    say(f"{count - len(failed)} of {count} agree")
    return 1 if failed else 0


def lost_files(words: Sequence[Path]) -> list[Path]:
    """Painted files that are no longer beside their sidecars, of all folders that are named."""
    sidecars = [path for word in words if word.is_dir() for path in sorted(word.rglob(f"*{SIDECAR}"))]
    files = [path.with_name(path.name.removesuffix(SIDECAR)) for path in dict.fromkeys(sidecars)]
    return [path for path in files if not path.exists()]


def is_beside(path: Path) -> bool:
    """Whether it is what `paint` wrote beside a painted file: the original, or the map of confidence."""
    return is_map(path) or (path.name.endswith(ORIGINAL) and path.with_name(path.name.removesuffix(ORIGINAL)).exists())


def guides_of(painted: Sequence[Path]) -> set[str]:
    """The SHA-256 of the hints and references that painted files name: they may lie among them."""
    guides = set()
    for path in painted:
        with suppress(UserError, OSError):  # which is said when the file is verified
            settings = (read_sidecar(path) or read_marks(path))["settings"]
            guides |= {str(settings[name]) for name in GUIDES if name in settings}
    return guides


def is_among(path: Path, digests: set[str]) -> bool:
    with suppress(OSError):  # likewise
        return digest_of(path) in digests
    return False


class Verifier:
    """Paints again; networks and the checksums of sources are computed once."""

    def __init__(self, args: Namespace):
        self.args, self.networks = args, dict[str | None, Colorizer]()
        self.sources, self.files = dict[str, Path](), dict[str, Path]()
        self.folders = [args.source, *(word for word in args.painted if at_home(word).is_dir())]  # of `files`
        self.left_out: list[str] = []  # of the search for sources; said where one is not found
        self.unread = [path for path, _ in find_photographs(at_home(args.source), True, None, self.left_out)]

    @cached_property
    def unread_files(self) -> list[Path]:
        found: list[Path] = []
        for folder in self.folders:
            walk = Walk(str(at_home(folder)), lambda name: True)
            for path, reason in walk.report.unreadable_files.items():
                say(f"{printable(path)}: {reason}")
            found += [Path(walk.path(name)) for name in walk.names]
        return found[::-1]

    def difference(self, path: Path) -> str:
        """Between a file and what is painted now; nothing where they are the same. Raises `UserError` where it does not
        say how it was painted, or its source or network is not here."""
        sidecar = read_sidecar(path)
        record = sidecar or read_marks(path)
        if sidecar and (other := differing_keys(path, sidecar)):
            return f"its sidecar and its XMP say different things of {', '.join(other)}"
        source, model = self.source_of(record), self.network_of(record)
        with tempfile.TemporaryDirectory() as folder:
            named = Path(folder) / "source" / (Path(record["source"]).name or "photograph")  # seeds depend on its name
            named.parent.mkdir()
            copyfile(source, named)
            page = record["page"] - 1 if "page" in record else None
            job = PaintJob(named, Path(folder) / f"painted{path.suffix}", page=page)
            args = self.settings_of(record, job)
            model.precision = PRECISIONS.get(args.precision, torch.float32)  # in which no record says it
            mapped = map_file(path)
            args.confidence = is_map(mapped) and "sample" not in record  # else it is of all samples
            paint_one(model, job, args.size, args, Guidance(args, [job]))
            difference = compare_files(path, sample_files(job.target, args.samples)[-1])
            if not difference and args.confidence and mapped.read_bytes() != map_file(job.target).read_bytes():
                return f"its map of confidence, {mapped.name}, is another; the picture itself agrees"
        if not difference and record.get("painted_sha256", digest := digest_of(path)) != digest:
            return "every byte agrees, and its sidecar has the SHA-256 of another file"
        return difference

    def source_of(self, record: dict[str, Any]) -> Path:
        """The photograph of this checksum: one of its name first, then all others."""
        wanted = record["source_sha256"]
        self.unread.sort(key=lambda path: path.name == record["source"])
        while wanted not in self.sources and self.unread:
            note_digest(self.unread.pop(), self.sources)
        if wanted not in self.sources:
            while self.left_out:
                say(printable(self.left_out.pop(0)))
            raise UserError(f"its source, {record['source']!r} ({wanted:.12}…), is not in {self.args.source!r}")
        return self.sources[wanted]

    def file_of(self, digest: str, name: str) -> Path:
        """The file of this checksum below the folders, each of whose files is read once. Raises `UserError`."""
        while digest not in self.files and self.unread_files:
            note_digest(self.unread_files.pop(), self.files)
        if digest not in self.files:
            where = " or ".join(map(repr, self.folders))
            raise UserError(f"the file that it was given as --{name} ({digest:.12}…) is not in {where}")
        return self.files[digest]

    def network_of(self, record: dict[str, Any]) -> Colorizer:
        weights = self.args.weights or record.get("weights")
        if weights not in self.networks:
            try:
                self.networks[weights] = load(weights, trusted_packages(self.args.trust))
            except UserError as error:
                raise UserError(f"{error}; --weights names the network that painted it") from error
        model = self.networks[weights]
        if network_digest(model) != record["network_sha256"]:
            name = repr(weights) if weights else "the one that is shipped"
            raise UserError(f"it was painted by another network than {name}: give that as --weights")
        return model.to(choose_device(self.args.device, option="--device"))

    def settings_of(self, record: dict[str, Any], job: PaintJob) -> Namespace:
        """What `paint` was told, checked as its command line is. Raises `UserError`."""
        weights = ["--weights", record["weights"]] if "weights" in record else []
        count = ["--samples", str(record.get("sample", 1))]
        where = [str(job.source), "-o", str(job.target)]
        args = parse_arguments(
            "paint", "as the file says", [*where, *weights, *count, *settings_as_words(record["settings"])]
        )
        if not isinstance(args.size, int):
            raise UserError("it does not say at which size its colour was predicted")
        for name in GUIDES:
            if wanted := getattr(args, name):
                setattr(args, name, self.file_of(str(wanted), name))
        return args


def settings_as_words(settings: Mapping[str, Any]) -> list[str]:
    """Settings of a record as options of a command line, which checks them. Raises `UserError`."""
    if wrong := (NO_SETTINGS | {"help"}) & settings.keys():
        raise UserError(f"what it says of how it was painted is damaged: {min(wrong)} is no setting")
    words: list[str] = []
    for key, value in settings.items():
        words.append(f"--{key.replace('_', '-')}")
        if value is not True:  # a switch
            words.append(value if isinstance(value, str) else json.dumps(value))
    return words


def note_digest(path: Path, known: dict[str, Path]) -> None:
    """Add a file by its checksum; one that cannot be read is passed over, which is said."""
    try:
        known[digest_of(path)] = path
    except OSError as error:
        say(f"{printable(path)} is passed over: {error.strerror}")


def compare_files(one: Path, other: Path) -> str:
    """What differs between two painted files; nothing where their bytes are the same, or the pixels of a signed one."""
    if one.read_bytes() == other.read_bytes():
        return ""
    try:
        pixels, again = pixels_of(one), pixels_of(other)
    except Exception:  # of a decoder
        return "it is damaged: its pixels cannot be decoded"
    if pixels.shape != again.shape or pixels.dtype != again.dtype:
        return "it has other dimensions, or another depth"
    apart = np.abs(pixels.astype(np.int32) - again)
    if not apart.any():  # a signature has its time
        return "" if signer_of(one) else "every pixel agrees, and other bytes do not"
    differing = apart.max(axis=-1) > 0
    count = int(differing.sum())
    said = f"{count} of {differing.size} pixels differ{'s' if count == 1 else ''}"
    return f"{said}, by up to {apart.max()} of {np.iinfo(pixels.dtype).max}"


def pixels_of(path: Path) -> np.ndarray:
    """(H, W, S) as they are stored, at their own depth."""
    kind = FORMATS[path.suffix[1:].lower()]
    if kind == "TIFF":
        return tifffile.imread(path)
    return imagecodecs.png_decode(path.read_bytes()) if kind == "PNG" else np.asarray(Image.open(path, formats=[kind]))
