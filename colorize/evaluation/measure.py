"""Predict and measure every photograph of a set; aggregate the values with intervals."""

import json
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colorize.evaluation.batches import EvalBatch, EvalImage, make_eval_batch, read_eval_image
from colorize.evaluation.bootstrap import absolute_interval, function_interval, mean_intervals
from colorize.evaluation.image_table import ImageTable, ImageValues, fill_columns, read_image_values
from colorize.evaluation.predictors import Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.selection import Selection
from colorize.metrics.distribution import OF_PAIRS, measure_sets, score_name
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import FeatureFile, Features, FeatureStore
from colorize.metrics.full_reference import WIDTH, errors_by_colour
from colorize.metrics.metric import Metric, column_name, measure_all
from colorize.metrics.metric_info import Interval, function_of_means, info_of, proportion_interval
from colorize.utils.console import ProgressBar
from colorize.utils.distributed import World
from colorize.utils.files import write_text

READERS = 4  # threads that decode photographs ahead of the network
PICTURES, FEATURES, ERRORS, STAMP = "pictures.csv", "features", "errors.f32", "stamp.json"


@dataclass(frozen=True)
class Measurement:
    """What is measured, on which photographs, and in which processes."""

    protocol: Protocol
    chosen: Selection
    metrics: Mapping[str, Metric]
    extractors: Sequence[Extractor]
    device: torch.device
    batch_size: int
    world: World

    def measure(self, predictors: Mapping[str, Predictor], folder: Path, stamp: Mapping[str, Any], verb: str) -> None:
        """Write the values and features of every row into `folder`; an interrupted measurement is resumed there.

        stamp   identifies the measurement: what another one left in the folder is removed
        verb    names it on the terminal
        """
        if self.world.on_main_then_broadcast(lambda: start_work(folder, stamp)):
            return
        part = folder / f"part-{self.world.rank}-of-{self.world.size}"
        span = self.world.shard(len(self.chosen.photos))
        with ImageTable(part / PICTURES, self.columns(), list(predictors)) as table:
            done = min(table.done.get(row, 0) for row in predictors)
            stores = [FeatureStore(each, part / FEATURES) for each in self.extractors]
            errors = FeatureFile(part / ERRORS, WIDTH)
            errors.keep(done)
            for store in stores:
                for row in predictors:
                    store.file(row).keep(done)
            with ProgressBar(verb, span.stop - span.start, "photographs") as bar:
                for batch in self.batches(range(span.start + done, span.stop)):
                    table.add(self.rows(batch, predictors, stores, errors), batch.names, batch.labels)
                    bar.update(batch.places[-1] + 1 - span.start)
        self.world.gather(None)
        self.world.on_main_then_broadcast(lambda: join_parts(folder, self.world.size, stamp))

    def columns(self) -> list[str]:
        """Of each picture's values; those of distances are filled in once all pictures are there."""
        own = [column_name(name, column) for name, metric in self.metrics.items() for column in metric.columns]
        kinds = OF_PAIRS if self.protocol.reference == "paired" else ()
        return own + [score_name(kind, each.name) for each in self.extractors for kind in kinds]

    @torch.no_grad()
    def rows(
        self,
        batch: EvalBatch,
        predictors: Mapping[str, Predictor],
        stores: Sequence[FeatureStore],
        errors: FeatureFile,
    ) -> dict[str, dict[str, list[float]]]:
        """row -> column -> a value for each photograph; features and errors by color go to their files first."""
        found = {}
        for row, predictor in predictors.items():
            pair = predictor(batch)
            if row == "model" and batch.true is not None:
                errors.add(errors_by_colour(pair.painted, batch.true))
            for store in stores:
                store.add(pair.painted.pixels, row)
            given = pair.given - {"true"} if row == "truth" else pair.given
            available = {name: metric for name, metric in self.metrics.items() if metric.lacks(given) is None}
            found[row] = {name: values.tolist() for name, values in measure_all(available, pair).items()}
        return found

    def batches(self, places: range) -> Iterator[EvalBatch]:
        """Batches of photographs of one size, in order; the next ones are read meanwhile."""
        ahead: deque[tuple[range, list[Future[EvalImage]]]] = deque()
        with ThreadPoolExecutor(READERS, "reader", torch.set_num_threads, (1,)) as pool:
            for start in range(0, len(places) + self.batch_size, self.batch_size):
                group = places[start : start + self.batch_size]
                if group:
                    photos = [self.chosen.photos[place] for place in group]
                    ahead.append((group, [pool.submit(read_eval_image, photo, self.protocol) for photo in photos]))
                if ahead and (len(ahead) > 1 or not group):
                    yield from self._of_one_size(*ahead.popleft())

    def _of_one_size(self, group: range, futures: Sequence[Future[EvalImage]]) -> Iterator[EvalBatch]:
        """A batch for each sequence of photographs of one size."""
        first = group.start
        for _, images in groupby((future.result() for future in futures), key=_size_of):
            found = list(images)
            photos = [self.chosen.photos[place] for place in range(first, first + len(found))]
            labels = [self.chosen.label(photo) for photo in photos]
            yield make_eval_batch(found, labels, first, self.protocol, self.device)
            first += len(found)


def _size_of(image: EvalImage) -> tuple[int, ...]:
    pixels = image.grey if image.rgb is None else image.rgb
    assert pixels is not None
    return tuple(pixels.shape[1:])


def start_work(folder: Path, stamp: Mapping[str, Any]) -> bool:
    """Whether the folder holds the whole measurement; what another one left there is removed."""
    path = folder / STAMP
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if kept is not None and kept["of"] == dict(stamp):
        return kept["whole"]
    shutil.rmtree(folder, ignore_errors=True)
    write_stamp(folder, stamp, whole=False)
    return False


def write_stamp(folder: Path, stamp: Mapping[str, Any], *, whole: bool) -> None:
    """Mark the folder as that of this measurement, and whether it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"of": dict(stamp), "whole": whole})
    write_text(folder / STAMP, text)


def join_parts(folder: Path, size: int, stamp: Mapping[str, Any]) -> None:
    """Join the tables and the files of all processes, in their order."""
    parts = [folder / f"part-{rank}-of-{size}" for rank in range(size)]
    concatenate(folder / PICTURES, [part / PICTURES for part in parts], header=True)
    for name in sorted({path.relative_to(part) for part in parts for path in part.rglob("*.f32")}):
        (folder / name).parent.mkdir(exist_ok=True)
        concatenate(folder / name, [part / name for part in parts])
    write_stamp(folder, stamp, whole=True)
    for stale in folder.glob("part-*"):
        shutil.rmtree(stale)


def concatenate(target: Path, sources: Sequence[Path], *, header: bool = False) -> None:
    """Write the files one after another into `target`; of a `header`, their first line, only the first one's."""
    with target.open("wb") as whole:
        for place, source in enumerate(sources):
            with source.open("rb") as file:
                if header and place:
                    file.readline()
                shutil.copyfileobj(file, whole)


MetricValues = dict[str, Interval]  # metric -> value over a set


def aggregate(images: ImageValues, metrics: Mapping[str, Metric]) -> MetricValues:
    """The metrics over the pictures; those of which no picture has a number are left out."""
    found: dict[str, Interval | None] = {}
    means: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        columns = {column: images.values[column_name(name, column)] for column in metric.columns}
        if all(np.isnan(values).all() for values in columns.values()):
            continue
        found[name] = None  # keeps its place in the table
        if metric.aggregation == "difference":
            found[name] = absolute_interval(columns["painted"] - columns["truth"])
        elif metric.aggregation == "function":
            found[name] = function_interval(np.stack(list(columns.values()), axis=1), function_of_means(metric))
        elif metric.aggregation == "share":
            known = columns[""][~np.isnan(columns[""])]
            found[name] = proportion_interval(int(known.sum()), len(known))
        else:
            means[name] = columns[""]
    if means:
        found |= dict(zip(means, mean_intervals(np.stack(list(means.values()), axis=1)), strict=True))
    return {
        name: info_of(name).clip(each) for name, each in found.items() if each is not None and not np.isnan(each.value)
    }


def aggregate_row(
    folder: Path, row: str, metrics: Mapping[str, Metric], truth: Mapping[Extractor, Features], *, paired: bool
) -> tuple[MetricValues, dict[str, str]]:
    """The metrics of a row whose measurement lies in `folder`, with the distances to the features of the truth; and why
    other distances are unavailable."""
    absent: dict[str, str] = {}
    each: dict[str, np.ndarray] = {}
    values = aggregate(read_image_values(folder / PICTURES, row), metrics)
    for extractor, features in truth.items():
        painted = FeatureStore(extractor, folder / FEATURES).file(row).features()
        scores = measure_sets(extractor, features, painted, paired=paired)
        values |= scores.values
        absent |= scores.absent
        each |= scores.each
    if each:
        fill_columns(folder / PICTURES, row, each)
    return values, absent
