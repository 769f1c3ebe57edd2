"""Baselines and bounds of a protocol, measured once and kept in the cache."""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from colorize.evaluation import predictors
from colorize.evaluation.bootstrap import Interval
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import FEATURES, PICTURES, Cells, Measurement, of_distributions, of_pictures, of_scores
from colorize.evaluation.predictors import Predictor
from colorize.evaluation.selection import select_photographs
from colorize.metrics.distribution import TRUTH, DistributionMetric
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import FeatureFile, Features, together
from colorize.utils.download import cache_path
from colorize.utils.files import file_lock, short_digest

SPLIT = "split_half"


@dataclass(frozen=True)
class Baselines:
    """Baselines and bounds of a protocol: grey, the ground truth after Lab or JPEG, and the ground truth itself.

    rows      row -> metric -> value with its interval
    pictures  the file with the values of the rows' pictures
    truth     extractor -> features of the reference pictures of distances; empty without a reference
    paired    whether the reference pictures are the ground truth of the predicted ones
    """

    rows: dict[str, Cells]
    pictures: Path
    truth: dict[str, Features]
    paired: bool


def measure_protocol_baselines(
    measurement: Measurement, described: Mapping[str, Any], stamp: Mapping[str, Any]
) -> Baselines | None:
    """Measure the baselines, unless the cache has them. Only the first process gets them; of several commands at a time
    one measures, and the others wait.

    described, stamp  as in `EvaluationSetup`
    """
    folder = cache_folder(described, stamp)
    protocol, world = measurement.protocol, measurement.world
    folder.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(folder.with_suffix(".lock")) if world.is_main else nullcontext():
        rows = baseline_predictors(protocol.truth != "none")
        paired = protocol.reference == "paired"
        measurement.measure(rows, folder, stamp, "baselines and bounds")
        truth_at = folder
        if protocol.reference not in ("paired", "none"):
            truth_at = measure_reference_set(measurement, stamp)
        found: list[Baselines] = []
        world.on_main_then_broadcast(
            lambda: found.append(collect_baselines(measurement, folder, truth_at, list(rows), paired))
        )
        return found[0] if found else None


def baseline_predictors(known: bool) -> dict[str, Predictor]:
    """Row -> predictor; `known`: whether there is a ground truth."""
    grey = {"grey": predictors.predictor_of(predictors.constant_ab((0, 0)))}
    if not known:
        return grey
    return {**grey, "lab_roundtrip": predictors.lab_roundtrip, "jpeg95": predictors.jpeg95, TRUTH: predictors.truth}


def measure_reference_set(measurement: Measurement, stamp: Mapping[str, Any]) -> Path:
    """Measure the features of the protocol's reference, other colour photographs, at the same size; their folder."""
    protocol = measurement.protocol
    other = replace(
        protocol, source=protocol.reference, reader="photographs", names=None, photographs=None, manifest=None,
        truth="pixels", input=("lab_l",), reference="none",
        geometry="centre" if protocol.geometry == "long" else protocol.geometry,
    )  # fmt: skip
    selection = select_photographs(other)
    stamp = {**stamp, "reference": selection.manifest}
    folder = cache_folder({"id": f"{protocol.name}-reference"}, stamp)
    replace(measurement, protocol=other, chosen=selection, metrics={}).measure(
        {TRUTH: predictors.truth}, folder, stamp, "reference"
    )
    return folder


def cache_folder(described: Mapping[str, Any], stamp: Mapping[str, Any]) -> Path:
    """The folder of the cache that keeps what has been measured under this stamp."""
    digest = short_digest(json.dumps(stamp, sort_keys=True), 12)
    return cache_path("evaluations", f"{described['id']}-{digest}")


def collect_baselines(
    measurement: Measurement, folder: Path, truth_at: Path, rows: list[str], paired: bool
) -> Baselines:
    """The rows' values, from `folder`, where they are kept afterwards, with the reference's features in `truth_at`."""
    truth = {each.name: row_features(truth_at, TRUTH, each) for each in measurement.extractors}
    if measurement.protocol.reference == "none":
        truth = {}
    kept = folder / "rows.json"
    if not kept.is_file():
        cells = {row: of_pictures(read_image_values(folder / PICTURES, row), measurement.metrics) for row in rows}
        if truth:
            for row in rows:
                if row != TRUTH or not paired:
                    painted = {each.name: row_features(folder, row, each) for each in measurement.extractors}
                    cells[row] |= of_distributions(measurement.extractors, truth, painted, paired=paired)[0]
            cells[SPLIT] = split_half(measurement.extractors, truth)
        text = json.dumps({row: {name: list(vars(c).values()) for name, c in of.items()} for row, of in cells.items()})
        kept.write_text(text, encoding="utf-8")
    held = json.loads(kept.read_text(encoding="utf-8"))
    found = {row: {name: Interval(*values) for name, values in of.items()} for row, of in held.items()}
    return Baselines(found, folder / PICTURES, truth, paired)


def split_half(extractors: Sequence[Extractor], truth: Mapping[str, Features]) -> Cells:
    """Distances of the ground truth to itself, between two random halves: what chance alone makes of them."""
    cells: Cells = {}
    for extractor in extractors:
        scores = DistributionMetric(extractor).split_half(truth[extractor.name])
        cells |= of_scores(scores)
    return cells


def row_features(folder: Path, row: str, extractor: Extractor) -> Features:
    """The features of a row's pictures that `Measurement.measure` wrote into `folder`."""
    file = FeatureFile(DistributionMetric(extractor, folder / FEATURES).path(row), extractor.dimension)
    return together([file.path], [file.sums])
