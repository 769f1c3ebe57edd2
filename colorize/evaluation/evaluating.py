"""The verb `evaluate`: score networks under a protocol; a JSON, a table of pictures and a page for each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from colorize.build import make, make_metrics
from colorize.devices import choose_device, keep_freed_memory
from colorize.distributed import World, join, leave
from colorize.distribution import Extractor, create_extractor
from colorize.distribution.metric import KINDS, score_name
from colorize.errors import AbsentError, UserError
from colorize.evaluation import painters
from colorize.evaluation.album import Album, full_album, ranked_album
from colorize.evaluation.cells import Cells, of_distributions, of_pictures
from colorize.evaluation.choosing import Chosen, choose
from colorize.evaluation.errors_by_colour import errors_of, summed
from colorize.evaluation.measuring import ERRORS, PICTURES, Measuring
from colorize.evaluation.metering import Meter
from colorize.evaluation.page import write_page
from colorize.evaluation.painters import Painter
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.reference import Reference, features_of, measure_reference
from colorize.evaluation.subjects import Subject, open_subject
from colorize.evaluation.tables import alike, print_result
from colorize.evaluation.telling import Files, tell_tracker
from colorize.evaluation.words import cost_in_words
from colorize.metrics import Metric
from colorize.required import check_values
from colorize.results import Result, pictures_of, read_pictures, read_result, write_result
from colorize.runs import versions
from colorize.statistics import told_measures
from colorize.terminal import say

WORK = ".work"  # beside a result, while it is measured
COMPARED = 24  # photographs that are kept as painted, for compare.py's page


@dataclass(frozen=True)
class Setting:
    """What all networks of a command are measured with."""

    protocol: Protocol
    chosen: Chosen
    described: dict[str, Any]
    metrics: Mapping[str, Metric]
    extractors: Sequence[Extractor]
    absent: dict[str, str]

    def stamp(self) -> dict[str, Any]:
        """What makes numbers comparable to the last digit."""
        return {
            "protocol": self.described, "metrics": {name: metric.origin for name, metric in self.metrics.items()},
            "extractors": {each.name: each.weights for each in self.extractors}, "versions": measured_with(),
        }  # fmt: skip


def evaluate_runs(cfg: DictConfig) -> int:
    """Score everything that `cfg.run` names; the exit status."""
    check_values(cfg)
    if cfg.samples < 1:
        raise UserError(f"samples is {cfg.samples}; it must be 1 or more")
    words = list(cfg.run) if isinstance(cfg.run, ListConfig) else [cfg.run]
    if len(words) > 1 and cfg.out is not None:
        raise UserError(f"out={cfg.out} is one folder for {len(words)} networks: leave it out")
    device = choose_device(cfg.device, said="device")
    world = join(device)
    keep_freed_memory()
    try:
        protocol: Protocol = make(cfg.protocol, "protocol")
        if cfg.source is not None:
            protocol = replace(protocol, source=cfg.source)
        subjects = [open_subject(str(word), str(cfg.checkpoint), cfg.out, cfg.trust) for word in words]
        told: set[tuple[str, str]] = set()
        for subject in subjects:
            if world.size > 1:  # what has to be fetched, the first process fetches
                world.by_first(partial(rehearse, cfg, protocol, subject))
            setting = prepare(cfg, protocol, subject)
            evaluate_one(cfg, subject, setting, device, world, told)
    finally:
        leave()
    return 0


def rehearse(cfg: DictConfig, protocol: Protocol, subject: Subject) -> None:
    prepare(cfg, protocol, subject)


def prepare(cfg: DictConfig, protocol: Protocol, subject: Subject) -> Setting:
    """Find out before anything is measured what can be, and on what."""
    if protocol.source == "run" and subject.run is not None:
        size = protocol.size or subject.run.data.size
        protocol = replace(protocol, size=size, input=(subject.run.data.get("input", "lab_l"),))
    if protocol.size is None:
        raise UserError("protocol.size has no value: say at how many pixels a side pictures are measured")
    chosen = choose(protocol, subject.photographs)
    described = protocol.described(len(chosen.photos), chosen.whole, chosen.manifest)
    metrics, absent = make_metrics(cfg.metrics, strict=cfg.strict)
    given = {"L", "ab"} | ({"true"} if protocol.truth != "none" else set())
    given |= {"samples"} if cfg.samples > 1 and subject.model.stochastic else set()
    for name, metric in list(metrics.items()):
        if reason := metric.lacks(frozenset(given)):
            absent[name] = reason.removeprefix(f"{metric.label} ")
            del metrics[name]
        elif metric.of_sets:  # measured by the protocol's extractors, with an interval
            del metrics[name]
            if not name.endswith(tuple(protocol.extractors)):
                absent[name] = "distances of whole sets are taken with protocol.extractors"
    extractors = []
    for name in protocol.extractors if protocol.reference != "none" else ():
        try:
            extractors.append(create_extractor(name))
        except AbsentError as error:
            if cfg.strict:
                raise
            absent |= {score_name(kind, name): str(error) for kind in KINDS}
    return Setting(protocol, chosen, described, metrics, extractors, absent)


def evaluate_one(
    cfg: DictConfig, subject: Subject, setting: Setting, device: torch.device, world: World, told: set[tuple[str, str]]
) -> None:
    target = subject.folder / "results" / f"{cfg.name}.json"
    if world.by_first(lambda: measured_already(target, subject, setting, overwrite=cfg.overwrite, table=cfg.table)):
        return
    introduce(subject, setting, device, told)
    few = photographs_at_a_time(cfg.batch_size, device)
    what = (setting.protocol, setting.chosen, setting.metrics, setting.extractors)
    measuring = Measuring(*what, device, few, world)
    reference = measure_reference(measuring, setting.described, setting.stamp())
    meter = Meter(subject.model.to(device), device)
    rows, absent = painted_rows(subject, meter, setting.protocol, cfg.samples)
    work = target.with_name(f"{cfg.name}{WORK}")
    measuring.measure(
        rows, work, {**setting.stamp(), "weights": subject.weights["sha256"], "samples": cfg.samples}, f"{subject.name}"
    )
    if reference is not None:
        result = assemble(subject, setting, reference, work, list(rows), absent)
        write_pictures(pictures_of(target), work / PICTURES, reference.pictures)
        own = read_pictures(work / PICTURES)
        errors = summed(errors_of(work / ERRORS)) if setting.protocol.truth != "none" else None
        album, files = album_of(target, measuring, rows)  # before the cost is told: it may be all that is painted
        result = replace(result, cost=meter.cost())
        write_result(target, result)
        page = write_page(target, result, album, errors, own)
        shutil.rmtree(work)
        if cfg.table:
            print_result(result)
            say(cost_in_words(result.cost))
        if cfg.track:
            tell_tracker(subject, result, target, files)
        say(f"kept in {str(target)!r}, each picture's numbers in its .csv, and as a page in {str(page)!r}")
    subject.model.to("cpu")
    world.gather(None)


def photographs_at_a_time(wanted: int | str, device: torch.device) -> int:
    if wanted == "auto":
        return 4 if device.type == "cpu" else 32
    if not isinstance(wanted, int) or wanted < 1:
        raise UserError(f"batch_size is {wanted!r}; it must be auto, or 1 or more")
    return wanted


def measured_already(target: Path, subject: Subject, setting: Setting, *, overwrite: bool, table: bool) -> bool:
    """Whether the very same has been measured; `table` shows it.

    Raises `UserError` where another result is in the way.
    """
    if overwrite or not target.is_file():
        return False
    kept = read_result(target)
    if kept.protocol["id"] != setting.described["id"]:
        raise UserError(
            f"{str(target)!r} holds {kept.protocol['id']}, and this is {setting.described['id']}: say name=… to keep "
            "both, or overwrite=true"
        )
    if kept.weights.get("network", {}).get("sha256") != subject.weights["sha256"]:
        raise UserError(f"{str(target)!r} is of other weights: say name=… to keep both, or overwrite=true")
    if kept.versions != measured_with() or set(setting.metrics) - set(kept.rows["model"]) - set(kept.absent):
        return False
    if table:
        print_result(kept)
    say(f"{str(target)!r} has been measured already; overwrite=true measures it again")
    return True


def painted_rows(
    subject: Subject, meter: Meter, protocol: Protocol, samples: int
) -> tuple[dict[str, Painter], dict[str, str]]:
    """The rows that are the network's own, and why others are not there."""
    words = {"given": None, "trained": subject.size}
    at = words[protocol.predict] if isinstance(protocol.predict, str) else protocol.predict
    rows = {row: painters.network(meter, mode, at, samples) for row, mode in protocol.rows.items()}
    if protocol.truth == "none":
        return rows, {}
    if subject.mean_ab is None:
        why = "the mean colour of the photographs that it was trained on is not known"
        return rows, {"mean_ab": f"row mean_ab: {why}"}
    return {**rows, "mean_ab": painters.constant(subject.mean_ab)}, {}


def assemble(
    subject: Subject, setting: Setting, reference: Reference, work: Path, rows: Sequence[str], absent: dict[str, str]
) -> Result:
    cells: dict[str, Cells] = {}
    absent = {**setting.absent, **absent}
    for row in rows:
        cells[row] = of_pictures(read_pictures(work / PICTURES, row), setting.metrics)
        if reference.truth:
            painted = {each.name: features_of(work, row, each) for each in setting.extractors}
            found, without = of_distributions(setting.extractors, reference.truth, painted, paired=reference.paired)
            cells[row] |= found
            absent |= without if row == "model" else {}
    for name, metric in setting.metrics.items():
        if name not in cells["model"]:
            absent[name] = f"no picture has a number: {metric.undefined or 'it is not defined on any'}"
    judges = {name: metric.origin for name, metric in setting.metrics.items() if metric.origin}
    weights = {
        "network": subject.weights, "metrics": judges,
        "extractors": {each.name: each.describe() for each in setting.extractors},
    }  # fmt: skip
    return Result(
        subject.name, setting.described, cells | reference.rows, absent, measured_with(), weights,
        setting.chosen.manifest, subject.group, subject.seed, measures=told_measures(setting.metrics),
    )  # fmt: skip


def album_of(target: Path, measuring: Measuring, rows: Mapping[str, Painter]) -> tuple[Album, Files]:
    """What the page shows, and the files of the pictures that are kept beside it.

    Of a set without truth, or of period photographs, all are of interest; of others the best and the worst.
    """
    painters_of = {row: painter for row, painter in rows.items() if row.startswith("model")}
    folder = target.with_suffix(".pictures")
    if measuring.protocol.reader == "photographs":
        kept = full_album(measuring, painters_of, folder, most=COMPARED)
        return ranked_album(measuring, painters_of["model"], read_pictures(pictures_of(target))), kept.files(COMPARED)
    album = full_album(measuring, painters_of, folder)
    return album, album.files(COMPARED)


def write_pictures(target: Path, own: Path, of_reference: Path) -> None:
    """The network's rows, then those that it is read next to."""
    with target.open("wb") as file:
        file.write(own.read_bytes())
        file.write(of_reference.read_bytes().split(b"\n", 1)[1])


def measured_with() -> dict[str, str]:
    more = ("torch-fidelity", "lpips", "numpy", "scipy", "pillow")
    return {**versions(), **{package: version(package) for package in more}}


def introduce(subject: Subject, setting: Setting, device: torch.device, told: set[tuple[str, str]]) -> None:
    """What is about to be measured. What is absent for every network of a command is `told` once."""
    count, whole = len(setting.chosen.photos), setting.chosen.whole
    part = f"{count} photographs" if count == whole else f"{count} of {whole} photographs, a subset,"
    say(f"{subject.name} on {device}: {part} of {setting.chosen.title}, protocol {setting.described['id']}")
    for note in setting.chosen.notes:
        say(note)
    for names, reason in alike(setting.absent):
        if (names, reason) not in told:
            say(f"{names} will be absent: {reason}")
    told |= set(alike(setting.absent))
