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
from colorize.evaluation.bootstrap import Interval, function_interval, mean_intervals, proportion_interval
from colorize.evaluation.image_table import ImageTable, ImageValues
from colorize.evaluation.metric_info import measure
from colorize.evaluation.permutation import POOLED, pooled_interval
from colorize.evaluation.predictors import Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.selection import Selection
from colorize.metrics.distribution import DistributionMetric, Scores
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import FeatureFile, Features
from colorize.metrics.full_reference import WIDTH, errors_by_colour
from colorize.metrics.metric import Metric, column_name, measure_all
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
            stores = [DistributionMetric(each, part / FEATURES, seed=0) for each in self.extractors]
            errors = FeatureFile(part / ERRORS, WIDTH)
            errors.keep(done)
            for store in stores:
                for row in predictors:
                    store.keep(row, done)
            with ProgressBar(verb, span.stop - span.start, "photographs") as bar:
                for batch in self.batches(range(span.start + done, span.stop)):
                    table.add_all(self.rows(batch, predictors, stores, errors), batch.names, batch.labels)
                    bar.update(batch.places[-1] + 1 - span.start)
        self.world.gather(None)
        self.world.on_main_then_broadcast(lambda: join_parts(folder, self.world.size, stamp))

    def columns(self) -> list[str]:
        return [column_name(name, column) for name, metric in self.metrics.items() for column in metric.columns]

    @torch.no_grad()
    def rows(
        self,
        batch: EvalBatch,
        predictors: Mapping[str, Predictor],
        stores: Sequence[DistributionMetric],
        errors: FeatureFile,
    ) -> dict[str, dict[str, list[float]]]:
        """row -> column -> a value for each photograph; features and errors by color go to their files first."""
        found = {}
        for row, predictor in predictors.items():
            prediction = predictor(batch)
            picture, pair = prediction.picture, batch.pair(*prediction)
            if row == "model" and batch.true is not None:
                errors.add(errors_by_colour(picture, batch.true))
            for store in stores:
                store.add(picture.pixels, row)
            given = pair.given - {"true"} if row == "truth" else pair.given
            available = {name: metric for name, metric in self.metrics.items() if metric.lacks(given) is None}
            found[row] = {name: values.tolist() for name, values in measure_all(available, pair).items()}
        return found

    def batches(self, places: range) -> Iterator[EvalBatch]:
        """Batches of photographs of one size, in order; the next ones are read meanwhile."""
        ahead: deque[tuple[range, list[Future[EvalImage]]]] = deque()
        with ThreadPoolExecutor(READERS) as pool:
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
    tables = [part / PICTURES for part in parts]
    header = tables[0].open("rb").readline()
    with (folder / PICTURES).open("wb") as whole:
        whole.write(header)
        for table in tables:
            with table.open("rb") as file:
                file.readline()
                shutil.copyfileobj(file, whole)
    for name in sorted({path.relative_to(part) for part in parts for path in part.rglob("*.f32")}):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as whole:
            for part in parts:
                with (part / name).open("rb") as file:
                    shutil.copyfileobj(file, whole)
    write_stamp(folder, stamp, whole=True)
    for stale in folder.glob("part-*"):
        shutil.rmtree(stale)


Cells = dict[str, Interval]


def of_pictures(pictures: ImageValues, metrics: Mapping[str, Metric]) -> Cells:
    """metric -> its value over the pictures; those of which no picture has a number are left out."""
    cells: dict[str, Interval | None] = {}
    means: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        columns = {column: pictures.values[column_name(name, column)] for column in metric.columns}
        if all(np.isnan(values).all() for values in columns.values()):
            continue
        cells[name] = None  # keeps its place in the table
        if name in POOLED and POOLED[name].of_truth:  # an amount without sign has an interval that ends at 0
            cells[name] = pooled_interval(name, columns["painted"], columns["truth"])
        elif metric.pooled:
            cells[name] = pooled(metric, columns)
        elif metric.share:
            known = columns[""][~np.isnan(columns[""])]
            cells[name] = proportion_interval(int(known.sum()), len(known))
        else:
            means[name] = columns[""]
    if means:
        cells |= dict(zip(means, mean_intervals(np.stack(list(means.values()), axis=1)), strict=True))
    known = {name: cell for name, cell in cells.items() if cell is not None and not np.isnan(cell.value)}
    return {name: measure(name).within(cell) for name, cell in known.items()}


def pooled(metric: Metric, columns: Mapping[str, np.ndarray]) -> Interval:
    """A value that is made of means."""

    def finish(means: np.ndarray) -> np.ndarray:
        rows = means.reshape(-1, len(columns))
        values = [metric.finish(dict(zip(columns, row.tolist(), strict=True))) for row in rows]
        return np.array(values).reshape(means.shape[:-1])

    return function_interval(np.stack(list(columns.values()), axis=1), finish)


def of_distributions(
    extractors: Sequence[Extractor], truth: Mapping[str, Features], painted: Mapping[str, Features], *, paired: bool
) -> tuple[Cells, dict[str, str]]:
    """Distances in the features of each extractor, by its name; and why others are not there."""
    cells: Cells = {}
    absent: dict[str, str] = {}
    for extractor in extractors:
        scores = DistributionMetric(extractor).measure(truth[extractor.name], painted[extractor.name], paired=paired)
        cells |= of_scores(scores)
        absent |= scores.absent
    return cells, absent


def of_scores(scores: Scores) -> Cells:
    return {
        name: measure(name).within(Interval(held["value"], held["low"], held["high"], int(held["n"])))
        for name, held in scores.values.items()
    }
