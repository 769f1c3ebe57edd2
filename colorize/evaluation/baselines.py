"""Baselines and bounds of a protocol, measured once and kept in the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
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
from colorize.utils.download import cache
from colorize.utils.files import waiting

SPLIT = "split_half"


@dataclass(frozen=True)
class Baselines:
    """rows      row -> metric -> value
    pictures  the table of the rows' pictures
    truth     extractor -> features of the true colours that networks are compared with; none without a reference
    paired    whether these are of the very pictures that are painted
    """

    rows: dict[str, Cells]
    pictures: Path
    truth: dict[str, Features]
    paired: bool


def measure_baselines(
    measuring: Measurement, described: Mapping[str, Any], stamp: Mapping[str, Any]
) -> Baselines | None:
    """Measure it, unless the cache has it; the first process has the answer. Of several commands one does the work, and
    the others wait."""
    place = cache_folder(described, stamp)
    protocol, world = measuring.protocol, measuring.world
    place.parent.mkdir(parents=True, exist_ok=True)
    with waiting(place.with_suffix(".lock")) if world.first else nullcontext():
        rows = baseline_predictors(protocol.truth != "none")
        paired = protocol.reference == "paired"
        measuring.measure(rows, place, stamp, "what to read it next to")
        truth_at = place
        if protocol.reference not in ("paired", "none"):
            truth_at = measure_reference_set(measuring, stamp)
        found: list[Baselines] = []
        world.by_first(lambda: found.append(collect_baselines(measuring, place, truth_at, list(rows), paired)))
        return found[0] if found else None


def baseline_predictors(known: bool) -> dict[str, Predictor]:
    grey = {"grey": predictors.predictor_of(predictors.constant_ab((0, 0)))}
    if not known:
        return grey
    return {**grey, "lab_roundtrip": predictors.lab_roundtrip, "jpeg95": predictors.jpeg95, TRUTH: predictors.truth}


def measure_reference_set(measuring: Measurement, stamp: Mapping[str, Any]) -> Path:
    """Features of the protocol's reference, other colour photographs, at the same size."""
    protocol = measuring.protocol
    other = replace(
        protocol, source=protocol.reference, reader="photographs", names=None, photographs=None, manifest=None,
        truth="pixels", input=("lab_l",), reference="none",
        geometry="centre" if protocol.geometry == "long" else protocol.geometry,
    )  # fmt: skip
    chosen = select_photographs(other)
    stamp = {**stamp, "reference": chosen.manifest}
    place = cache_folder({"id": f"{protocol.name}-reference"}, stamp)
    replace(measuring, protocol=other, chosen=chosen, metrics={}).measure(
        {TRUTH: predictors.truth}, place, stamp, "reference"
    )
    return place


def cache_folder(described: Mapping[str, Any], stamp: Mapping[str, Any]) -> Path:
    digest = sha256(json.dumps(stamp, sort_keys=True).encode()).hexdigest()[:12]
    return cache("evaluations", f"{described['id']}-{digest}")


def collect_baselines(measuring: Measurement, place: Path, truth_at: Path, rows: list[str], paired: bool) -> Baselines:
    truth = {each.name: row_features(truth_at, TRUTH, each) for each in measuring.extractors}
    if measuring.protocol.reference == "none":
        truth = {}
    kept = place / "rows.json"
    if not kept.is_file():
        cells = {row: of_pictures(read_image_values(place / PICTURES, row), measuring.metrics) for row in rows}
        if truth:
            for row in rows:
                if row != TRUTH or not paired:
                    painted = {each.name: row_features(place, row, each) for each in measuring.extractors}
                    cells[row] |= of_distributions(measuring.extractors, truth, painted, paired=paired)[0]
            cells[SPLIT] = split_half(measuring.extractors, truth)
        text = json.dumps({row: {name: list(vars(c).values()) for name, c in of.items()} for row, of in cells.items()})
        kept.write_text(text, encoding="utf-8")
    held = json.loads(kept.read_text(encoding="utf-8"))
    found = {row: {name: Interval(*values) for name, values in of.items()} for row, of in held.items()}
    return Baselines(found, place / PICTURES, truth, paired)


def split_half(extractors: Sequence[Extractor], truth: Mapping[str, Features]) -> Cells:
    """The truth against itself, one random half against the other."""
    cells: Cells = {}
    for extractor in extractors:
        scores = DistributionMetric(extractor).split_half(truth[extractor.name])
        cells |= of_scores(scores)
    return cells


def row_features(folder: Path, row: str, extractor: Extractor) -> Features:
    file = FeatureFile(DistributionMetric(extractor, folder / FEATURES).path(row), extractor.dimension)
    return together([file.path], [file.sums])
