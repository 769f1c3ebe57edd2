"""Baselines and bounds of a protocol, measured once and kept in the cache."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from colorize.evaluation import predictors
from colorize.evaluation.measure import FEATURES, PICTURES, Measurement, MetricValues, aggregate_row
from colorize.evaluation.predictors import Predictor
from colorize.evaluation.selection import Selection
from colorize.metrics.distribution import TRUTH, split_half
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import Features, FeatureStore
from colorize.metrics.metric_info import Interval
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

    rows: dict[str, MetricValues]
    pictures: Path
    truth: dict[Extractor, Features]
    paired: bool


def measure_protocol_baselines(
    measurement: Measurement, described: Mapping[str, Any], stamp: Mapping[str, Any], reference: Selection | None
) -> Baselines | None:
    """Measure the baselines, unless the cache has them. Only the first process gets them; of several commands at a time
    one measures, and the others wait.

    described, stamp, reference  as in `EvaluationSetup`
    """
    folder = cache_folder(described, stamp)
    protocol, world = measurement.protocol, measurement.world
    folder.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(folder.with_suffix(".lock")) if world.is_main else nullcontext():
        rows = baseline_predictors(protocol.truth != "none")
        paired = protocol.reference == "paired"
        measurement.measure(rows, folder, stamp, "baselines and bounds")
        truth_at = folder
        if reference is not None:
            truth_at = measure_reference_set(measurement, reference, stamp)
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


def measure_reference_set(measurement: Measurement, reference: Selection, stamp: Mapping[str, Any]) -> Path:
    """Measure the features of the protocol's reference, other colour photographs, at the same size; their folder."""
    other = measurement.protocol.reference_protocol()
    assert other is not None
    folder = cache_folder({"id": f"{other.name}-reference"}, stamp)
    replace(measurement, protocol=other, chosen=reference, metrics={}).measure(
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
    truth = {each: FeatureStore(each, truth_at / FEATURES).file(TRUTH).features() for each in measurement.extractors}
    kept = folder / "rows.json"
    if not kept.is_file():
        values = {
            row: aggregate_row(
                folder, row, measurement.metrics, {} if row == TRUTH and paired else truth, paired=paired
            )[0]
            for row in rows
        }  # fmt: skip
        if truth:
            halves = [split_half(each, features).values for each, features in truth.items()]
            values[SPLIT] = {name: interval for found in halves for name, interval in found.items()}
        text = json.dumps(
            {row: {name: list(vars(each).values()) for name, each in of.items()} for row, of in values.items()}
        )
        kept.write_text(text, encoding="utf-8")
    held = json.loads(kept.read_text(encoding="utf-8"))
    found = {row: {name: Interval(*values) for name, values in of.items()} for row, of in held.items()}
    return Baselines(found, folder / PICTURES, truth, paired)
