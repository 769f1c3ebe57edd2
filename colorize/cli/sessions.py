"""Sessions of the page that `colorize app` serves: the networks that stay loaded, and what each visitor has painted."""

import shutil
import tempfile
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image

from colorize.cli.guidance import Guidance
from colorize.cli.paint import paint_one
from colorize.cli.painting_record import PaintRecord
from colorize.cli.parser import trusted_packages
from colorize.cli.paths import assign_files, describe_failure
from colorize.imaging.decode import decode_picture
from colorize.models.base import Colorizer
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.models.named_weights import DEFAULT, describe_weights
from colorize.reports.painted_page import PaintedRow, write_painted_report
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

VIEW = 1600  # pixels of the longer side of what the page shows; files to download have the photograph's own size
BEFORE = "photograph"


@dataclass(frozen=True)
class LoadedNetwork:
    """size: pixels of the shorter side at which it predicts colour, unless told otherwise"""

    source: str | None
    model: Colorizer
    size: int
    description: str


def load_networks(sources: Sequence[str], trust: Sequence[str] | None, device: str) -> dict[str, LoadedNetwork]:
    """Each network by the last part of its path, or by the whole where two have the same; without sources, the one that
    the package ships. Raises `UserError` for one that cannot be loaded."""
    chosen, packages = choose_device(device, option="--device"), trusted_packages(trust)
    keep_freed_memory()
    if not sources:
        return {DEFAULT: load_network(None, packages, chosen)}
    short = [at_home(source).name for source in sources]
    names = {name if short.count(name) == 1 else source: source for source, name in zip(sources, short, strict=True)}
    return {name: load_network(source, packages, chosen) for name, source in names.items()}


def load_network(source: str | None, trust: Sequence[str], device: torch.device) -> LoadedNetwork:
    model = load(source, trust).to(device)
    size = trained_size(source) or model.fixed_size or model.usual_size
    about = describe_weights(source) or f"{type(model).__name__}{describe_checkpoint(source)}"
    return LoadedNetwork(source, model, size, f"{about}; colour predicted at {size} pixels of the shorter side")


class Painting(NamedTuple):
    """A photograph as one network painted it: the file and what the page shows of it. Of the photograph itself there is
    no record."""

    file: Path
    view: Path
    record: PaintRecord | None = None
    page: int | None = None  # of the photograph itself, from 0, in a TIFF of several


class Step(NamedTuple):
    """Where a round of painting is: what is painted next, after which photograph, if it could be painted"""

    done: int
    of: int
    coming: str
    painted: str | None = None
    failure: str = ""


class Session:
    """What one visitor has painted, in a folder of its own.

    results  photograph -> `BEFORE` and the networks -> `Painting`; a stochastic network has one of each sample
    """

    def __init__(self) -> None:
        self.temporary = tempfile.TemporaryDirectory(prefix="colorize-app-")
        self.folder = Path(self.temporary.name)
        self.results: dict[str, dict[str, Painting]] = {}
        self.earlier: list[dict[str, dict[str, Painting]]] = []
        self.failures: dict[str, str] = {}  # of the last round: what could not be painted -> the reason
        self.rounds = 0

    def close(self) -> None:
        self.temporary.cleanup()

    def paint(
        self, photographs: Iterable[str | Path], networks: dict[str, LoadedNetwork], options: Namespace
    ) -> Iterator[Step]:
        """Paint each photograph by each network, with `options` as those of `colorize paint`; one that cannot be
        painted is passed over. What was painted before is kept for `undo`, and of these photographs it stays."""
        named = name_photographs(map(Path, photographs))
        kept = {
            key: found for key, found in self.results.items()
            if named.get(name_of(key, found[BEFORE])) == found[BEFORE].file
        }  # fmt: skip
        return self._paint(named, networks, options, kept)

    def repaint(
        self, photograph: str, layers: Sequence[Image.Image], networks: dict[str, LoadedNetwork], options: Namespace
    ) -> Iterator[Step]:
        """Paint one of the results again, with what is opaque in the layers as hints. Raises `UserError` where nothing
        is."""
        before = self.results[photograph][BEFORE]
        hints = Namespace(**vars(options) | {"hints": self._write_hints(photograph, layers)})
        return self._paint({name_of(photograph, before): before.file}, networks, hints, self.results, before.page)

    def _write_hints(self, photograph: str, layers: Sequence[Image.Image]) -> Path:
        """A PNG of the photograph's size. A brush's edges are half transparent: what is nearly opaque counts."""
        record = next(each.record for each in self.results[photograph].values() if each.record)
        drawn = Image.new("RGBA", (record.width, record.height))
        for layer in layers:
            drawn.alpha_composite(layer.convert("RGBA").resize(drawn.size, Image.Resampling.NEAREST))
        opaque = drawn.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
        if opaque.getbbox() is None:
            raise UserError("there are no hints: brush a colour onto the photograph first")
        drawn.putalpha(opaque)
        drawn.save(path := self.folder / f"hints-{self.rounds + 1}.png")
        return path

    def _paint(
        self, named: dict[str, Path], networks: dict[str, LoadedNetwork], options: Namespace,
        kept: dict[str, dict[str, Painting]], page: int | None = None,
    ) -> Iterator[Step]:  # fmt: skip
        self.rounds += 1
        self.earlier.append(self.results)
        self.failures = {}
        self.results = {name: dict(found) for name, found in kept.items()}
        jobs, refused = [(name, network) for name in named for network in networks], set()
        step = Step(0, len(jobs), ", ".join(jobs[0]))
        for done, (name, network) in enumerate(jobs, start=1):
            yield step
            step = Step(done, len(jobs), ", ".join(jobs[done]) if done < len(jobs) else "")
            if name in refused:
                continue
            try:
                self._paint_one(name, named[name], network, networks[network], options, page)
                step = step._replace(painted=name)
            except UserError as error:  # of the photograph, which no network can paint
                refused.add(name)
                self.failures[name] = str(error)
                step = step._replace(failure=f"{name}: {error}")
            except Exception as error:  # of a decoder, an encoder, the network or the disk: the others are painted
                self.failures[f"{name}, {network}"] = reason = describe_failure(error, named[name])
                step = step._replace(failure=f"{name}, {network}: {reason}")
        yield step

    def _paint_one(
        self, name: str, source: Path, network: str, held: LoadedNetwork, options: Namespace, page: int | None
    ) -> None:
        """Paint what a file holds: one photograph, or the pages of a TIFF, of these `page` alone where it is given."""
        painted, views = self.folder / str(self.rounds) / "painted", self.folder / str(self.rounds) / "views"
        target = painted / folder_name(network) / Path(name).parent / source.name
        samples = options.samples if held.model.stochastic else 1
        jobs = assign_files({source: target}, options.format, [])
        args = Namespace(**vars(options) | {"samples": samples, "weights": held.source, "output": str(painted)})
        for job in jobs:
            if page not in (None, job.page):
                continue
            record = paint_one(held.model, job, held.size, args, Guidance(args, [job]))
            key = f"{name}, page {record.page}" if record.page else name
            if key not in self.results:
                view = make_view(source, views / f"{key}.jpg", job.page)
                self.results[key] = {BEFORE: Painting(source, view, page=job.page)}
            for i, file in enumerate(record.targets):
                label = network if samples == 1 else f"{network}, sample {i + 1}"
                view = make_view(file, views / f"{file.relative_to(painted)}.jpg")
                self.results[key][label] = Painting(file, view, record)

    def undo(self) -> None:
        """What was painted before the last time, if anything was."""
        self.results = self.earlier.pop() if self.earlier else self.results

    def paintings(self) -> list[tuple[str, str, Path, PaintRecord]]:
        """(photograph, network, file, record) of all that is painted"""
        return [
            (name, label, each.file, each.record)
            for name, found in list(self.results.items())
            for label, each in list(found.items())
            if each.record
        ]

    def archive(self) -> Path | None:
        """A ZIP of all that is painted, a folder for each network, with the report of `colorize paint --report`; None
        where nothing is painted."""
        if not self.paintings():
            return None
        rows = []
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for name, label, file, record in self.paintings():
                place = Path(folder, *file.relative_to(self.folder).parts[2:])
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
                row = record._replace(targets=[place]).rows(Path(folder), label)[0]
                rows.append(replace(row, photograph=name))
            rows += [PaintedRow(name, "", warnings=reason) for name, reason in self.failures.items()]
            sources = {name: found[BEFORE].file for name, found in self.results.items()}
            write_painted_report(Path(folder), rows, sources)
            path = self.folder / str(self.rounds) / "painted.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
                for each in sorted(Path(folder).rglob("*")):
                    archive.write(each, each.relative_to(folder))
        return path


def name_photographs(photographs: Iterable[Path]) -> dict[str, Path]:
    """Each by its file's name; a second one of the same name is `2/name`."""
    met: Counter[str] = Counter()
    named = {}
    for path in photographs:
        met[path.name] += 1
        named[path.name if met[path.name] == 1 else f"{met[path.name]}/{path.name}"] = path
    return named


def name_of(key: str, before: Painting) -> str:
    """Of the file, of a result that may be one of its pages."""
    return key if before.page is None else key.removesuffix(f", page {before.page + 1}")


def folder_name(network: str) -> str:
    return network.replace("/", "-").replace("\\", "-")


def make_view(path: Path, view: Path, page: int | None = None) -> Path:
    """A JPEG that a browser shows of a photograph of any format: upright, sRGB, no side longer than `VIEW`."""
    image = decode_picture(path, page=page).opaque().convert("RGB")
    image.thumbnail((VIEW, VIEW), Image.Resampling.BICUBIC)
    view.parent.mkdir(parents=True, exist_ok=True)
    image.save(view, "JPEG", quality=92, subsampling=0)
    return view
