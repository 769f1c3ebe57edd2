"""Sessions of the page that `colorize app` serves: the networks that stay loaded, and what each visitor has painted."""

import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from colorize.cli.guidance import Guidance, check_maps, map_file, read_reference
from colorize.cli.painting import paint_one
from colorize.cli.painting_record import PaintRecord, page_number
from colorize.cli.parser import trusted_packages
from colorize.cli.paths import PaintJob
from colorize.cli.session_files import (
    BEFORE,
    CONFIDENCE,
    Labelled,
    Painting,
    Plan,
    describe_settings,
    make_overlay,
    make_view,
    name_of,
    name_photographs,
    plan_files,
    reason_of,
    result_key,
    write_archive,
    write_hints,
)
from colorize.models.base import Colorizer
from colorize.models.load import describe_checkpoint, load, trained_size
from colorize.models.named_weights import DEFAULT, describe_weights
from colorize.models.reference import Reference
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError


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
    named = describe_weights(source).removeprefix(f"weights {source or DEFAULT}").lstrip(":, ")
    return LoadedNetwork(source, model, size, named or f"{model.title}{describe_checkpoint(source)}")


class Step(NamedTuple):
    """Where a round of painting is: what is painted next, after which photograph, if it could be painted"""

    done: int
    of: int
    coming: str
    painted: str | None = None
    failure: str = ""


class Session:
    """What one visitor has painted, in a folder of its own, inside another one.

    results  photograph -> `BEFORE` and the networks -> `Painting`; a stochastic network has one of each sample, and
             every network one more where a map of confidence is asked for
    hints    photograph -> a PNG of its size with what is brushed onto it; `undo` leaves them as they are
    settings those of the page when the results were painted
    """

    def __init__(self, inside: str | None = None) -> None:
        self.temporary = tempfile.TemporaryDirectory(prefix="colorize-app-", dir=inside)
        self.folder = Path(self.temporary.name)
        self.results: dict[str, dict[str, Painting]] = {}
        self.hints: dict[str, Path] = {}
        self.settings: tuple[Any, ...] = ()
        self.earlier: list[tuple[dict[str, dict[str, Painting]], tuple[Any, ...]]] = []
        self.failures: dict[str, str] = {}  # of the last round: what could not be painted -> the reason
        self.networks: set[str] = set()  # of the last round, unless it is undone
        self.rounds = 0
        self.stopped = False  # the last round, before its end

    def close(self) -> None:
        self.temporary.cleanup()

    def paint(
        self, photographs: Iterable[str | Path], networks: dict[str, LoadedNetwork], options: Namespace
    ) -> Iterator[Step]:
        """Paint each photograph by each network, with `options` as those of `colorize paint` and with its hints; one
        that cannot be painted is passed over. What was painted before is kept for `undo`, and of these photographs it
        stays.

        Raises `UserError` for a reference that cannot be one.
        """
        named = name_photographs(map(Path, photographs))
        kept = {
            key: found for key, found in self.results.items()
            if named.get(name_of(key, found[BEFORE])) == found[BEFORE].file
        }  # fmt: skip
        return self._start(self._plan(named, networks, options), networks, options, kept)

    def repaint(
        self, photograph: str, layers: Sequence[Image.Image], networks: dict[str, LoadedNetwork], options: Namespace
    ) -> Iterator[Step]:
        """Paint one of the results again, with what is opaque in the layers as hints. Raises `UserError` where nothing
        is."""
        self.brush(photograph, layers)
        if photograph not in self.hints:
            raise UserError("no stroke lies on the photograph: brush a colour onto a part of it first")
        before = self.results[photograph][BEFORE]
        named = {name_of(key, found[BEFORE]): found[BEFORE].file for key, found in self.results.items()}
        plan = {
            (one, network): [job for job in jobs if job.page == before.page]
            for (one, network), jobs in self._plan(named, networks, options).items()
            if one == name_of(photograph, before)
        }
        return self._start(plan, networks, options, self.results)

    def brush(self, photograph: str, layers: Sequence[Image.Image]) -> None:
        """What is opaque in the layers becomes the hints of one of the results, from the next time that it is
        painted."""
        record = next(each.record for each in self.results[photograph].values() if each.record)
        hints = self.folder / str(self.rounds + 1) / "hints" / f"{photograph}.png"
        if write_hints(layers, (record.width, record.height), hints):
            self.hints[photograph] = hints
        else:
            self.hints.pop(photograph, None)

    def _plan(self, named: dict[str, Path], networks: Iterable[str], options: Namespace) -> Plan:
        return plan_files(self.folder / str(self.rounds + 1) / "painted", named, networks, options.format)

    def _start(
        self, plan: Plan, networks: dict[str, LoadedNetwork], options: Namespace,
        kept: dict[str, dict[str, Painting]],
    ) -> Iterator[Step]:  # fmt: skip
        reference = options.reference and read_reference(options.reference, options.max_pixels, "the reference")
        if options.confidence:
            check_maps([job for jobs in plan.values() for job in jobs])
        self.rounds += 1
        self.earlier.append((self.results, self.settings))
        self.failures, self.stopped, self.networks = {}, False, {*networks}
        self.results = {name: dict(found) for name, found in kept.items()}
        self.hints = {name: drawn for name, drawn in self.hints.items() if name in kept}
        return self._paint(plan, networks, options, reference)

    def _paint(
        self, plan: Plan, networks: dict[str, LoadedNetwork], options: Namespace,
        reference: Reference | None,
    ) -> Iterator[Step]:  # fmt: skip
        coming = [", ".join(pair) if len(networks) > 1 else pair[0] for pair in plan]
        coming, refused = [*coming, ""], set()
        step = Step(0, len(plan), coming[0])
        for done, ((name, network), jobs) in enumerate(plan.items(), start=1):
            yield step
            if self.stopped:
                return
            step = Step(done, len(plan), coming[done])
            if name in refused:
                continue
            try:
                for job in jobs:
                    self._paint_one(name, job, network, networks[network], options, reference)
                step = step._replace(painted=name)
            except Exception as error:  # of a decoder, an encoder, the network or the disk: the others are painted
                failed = f"{name}, {network}"
                if isinstance(error, UserError):  # of the photograph, which no network can paint
                    refused.add(failed := name)
                self.failures[failed] = reason_of(error, jobs[0].source)
                step = step._replace(failure=f"{failed}: {self.failures[failed]}")
        yield step

    def _paint_one(
        self, name: str, job: PaintJob, network: str, held: LoadedNetwork, options: Namespace,
        reference: Reference | None,
    ) -> None:  # fmt: skip
        samples = options.samples if held.model.stochastic else 1
        output = str(self.folder / str(self.rounds) / "painted")
        args = Namespace(**vars(options) | {"samples": samples, "weights": held.source, "output": output})
        args.hints = self.hints.get(result_key(name, page_number(job)), options.hints)
        record = paint_one(held.model, job, held.size, args, Guidance(args, [job], reference))
        record = record._replace(notes=[*record.notes, *describe_settings(args)])
        maps = [map_file(job.target)] if options.confidence else []
        try:
            self._add_result(name, job, network, record, maps, args)
        except OSError:  # of a full disk, which gets back what was written
            for file in (*record.targets, *maps):
                file.unlink(missing_ok=True)
            raise

    def _add_result(
        self, name: str, job: PaintJob, network: str, record: PaintRecord, maps: Sequence[Path], args: Namespace
    ) -> None:
        """With what the page shows of it."""
        key, views = result_key(name, record.page), Path(args.output).with_name("views")
        guides = {kind: vars(args)[kind] for kind in ("hints", "reference") if vars(args)[kind]}
        found = self.results.get(key)
        if found is None:
            view = make_view(job.source, views / f"{key}.jpg", job.page)
            found = {BEFORE: Painting(job.source, view, page=job.page)}
        new = {}
        for i, file in enumerate(record.targets):
            label = network if len(record.targets) == 1 else f"{network}, sample {i + 1}"
            view = make_view(file, views / f"{file.relative_to(args.output)}.jpg")
            new[label] = Painting(file, view, network, record, guides=guides)
        for each in maps:
            view = views / f"{each.relative_to(args.output)}.jpg"
            scale = make_overlay(next(iter(new.values())).view, each, view)
            new[f"{network}, {CONFIDENCE}"] = Painting(each, view, network, scale=scale)
        kept = {label: each for label, each in found.items() if each.network != network or label in new}
        self.results[key] = kept | new

    def undo(self) -> None:
        """What was painted before the last time, if anything was, and the settings of then."""
        if self.earlier:
            self.results, self.settings = self.earlier.pop()
            self.networks = set()

    def paintings(self) -> list[Labelled]:
        """All that was written, maps of confidence included"""
        return [
            (name, label, each)
            for name, found in list(self.results.items())
            for label, each in list(found.items())
            if label != BEFORE
        ]

    def archive(self) -> Path | None:
        """A ZIP of all that is painted, instead of the one before; None where nothing is."""
        return write_archive(self.folder, self.paintings(), self.results, self.failures)
