"""The evaluation of a network under a protocol: set-up, rows, and the result they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorize.evaluation import predictors
from colorize.evaluation.baselines import Baselines, row_features
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import PICTURES, Cells, Measurement, of_distributions, of_pictures
from colorize.evaluation.metric_info import make_metrics, told_measures
from colorize.evaluation.network import EvaluatedNetwork, SampleFiles
from colorize.evaluation.predictors import Meter, Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.result import Result, image_table_path
from colorize.evaluation.samples import Album, full_album, ranked_album
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.distribution import KINDS, score_name
from colorize.metrics.extractors import Extractor, create_extractor
from colorize.metrics.metric import Metric
from colorize.utils.environment import versions
from colorize.utils.errors import AbsentError, UserError

WORK = ".work"  # beside a result, while it is measured
COMPARED = 24  # photographs that are kept as painted, for compare.py's page


@dataclass(frozen=True)
class EvaluationSetup:
    """What all networks of a command are measured with."""

    protocol: Protocol
    chosen: Selection
    described: dict[str, Any]
    metrics: Mapping[str, Metric]
    extractors: Sequence[Extractor]
    absent: dict[str, str]

    def stamp(self) -> dict[str, Any]:
        """What makes numbers comparable to the last digit."""
        return {
            "protocol": self.described, "metrics": {name: metric.origin for name, metric in self.metrics.items()},
            "extractors": {each.name: each.weights for each in self.extractors}, "versions": library_versions(),
        }  # fmt: skip


def set_up(cfg: DictConfig, protocol: Protocol, subject: EvaluatedNetwork) -> EvaluationSetup:
    """Find out before anything is measured what can be, and on what."""
    if protocol.source == "run" and subject.run is not None:
        size = protocol.size or subject.run.data.size
        protocol = replace(protocol, size=size, input=(subject.run.data.get("input", "lab_l"),))
    if protocol.size is None:
        raise UserError("protocol.size has no value: say at how many pixels a side pictures are measured")
    chosen = select_photographs(protocol, subject.photographs)
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
    return EvaluationSetup(protocol, chosen, described, metrics, extractors, absent)


def network_rows(
    subject: EvaluatedNetwork, meter: Meter, protocol: Protocol, samples: int
) -> tuple[dict[str, Predictor], dict[str, str]]:
    """The rows that are the network's own, and why others are not there."""
    words = {"given": None, "trained": subject.size}
    at = words[protocol.predict] if isinstance(protocol.predict, str) else protocol.predict
    rows = {
        row: predictors.network_predictor(meter, mode, at, samples, protocol.upsampling)
        for row, mode in protocol.rows.items()
    }
    if protocol.truth == "none":
        return rows, {}
    if subject.mean_ab is None:
        why = "the mean colour of the photographs that it was trained on is not known"
        return rows, {"mean_ab": f"row mean_ab: {why}"}
    return {**rows, "mean_ab": predictors.predictor_of(predictors.constant_ab(subject.mean_ab))}, {}


def assemble_result(
    subject: EvaluatedNetwork,
    setting: EvaluationSetup,
    reference: Baselines,
    work: Path,
    rows: Sequence[str],
    absent: dict[str, str],
) -> Result:
    cells: dict[str, Cells] = {}
    absent = {**setting.absent, **absent}
    for row in rows:
        cells[row] = of_pictures(read_image_values(work / PICTURES, row), setting.metrics)
        if reference.truth:
            painted = {each.name: row_features(work, row, each) for each in setting.extractors}
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
        subject.name, setting.described, cells | reference.rows, absent, library_versions(), weights,
        setting.chosen.manifest, subject.group, subject.seed, measures=told_measures(setting.metrics),
    )  # fmt: skip


def album_of(target: Path, measuring: Measurement, rows: Mapping[str, Predictor]) -> tuple[Album, SampleFiles]:
    """What the page shows, and the files of the pictures that are kept beside it.

    Of a set without truth, or of period photographs, all are of interest; of others the best and the worst.
    """
    painters_of = {row: painter for row, painter in rows.items() if row.startswith("model")}
    folder = target.with_suffix(".pictures")
    if measuring.protocol.reader == "photographs":
        kept = full_album(measuring, painters_of, folder, most=COMPARED)
        return ranked_album(measuring, painters_of["model"], read_image_values(image_table_path(target))), kept.files(
            COMPARED
        )
    album = full_album(measuring, painters_of, folder)
    return album, album.files(COMPARED)


def write_image_values(target: Path, own: Path, of_reference: Path) -> None:
    """The network's rows, then those that it is read next to."""
    with target.open("wb") as file:
        file.write(own.read_bytes())
        file.write(of_reference.read_bytes().split(b"\n", 1)[1])


def library_versions() -> dict[str, str]:
    more = ("torch-fidelity", "lpips", "numpy", "scipy", "pillow")
    return {**versions(), **{package: version(package) for package in more}}
