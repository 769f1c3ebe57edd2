"""Sample predictions for a page: the best, the worst, or all, predicted again as measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from colorize.evaluation.batches import EvalBatch, make_eval_batch, read_eval_image
from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.measure import Measurement
from colorize.evaluation.metric_info import measure
from colorize.evaluation.predictors import Predictor, grey_pixels
from colorize.evaluation.result import LABELS
from colorize.evaluation.significance import format_number
from colorize.imaging.image_io import encode_jpeg, jpeg_base64

RANKED = ("psnr", "lpips_alex", "features")  # the metrics by which pictures are ranked, if they are measured
SEEN = {"blue_plate": "blue plate", "ortho": "orthochromatic", "luma": "luma"}
EACH = 3  #       worst, middling and best pictures of each
MOST_FULL = 60  # photographs that are shown whole, where each is of interest

Shown = tuple[str, str, Sequence[str]]  # name, value, pictures


@dataclass
class Album:
    """words   what stands side by side
    ranked  metric -> "worst" and such -> (name, value, pictures)
    full    (name, word -> picture, word -> file beside the page) of photographs that are shown whole
    Pictures are JPEGs in base64.
    """

    words: str
    ranked: dict[str, dict[str, list[Shown]]] = field(default_factory=dict)
    full: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)

    def files(self, most: int) -> dict[str, dict[str, str]]:
        """The first `most` photographs that are shown whole: name -> word -> file beside the page."""
        return {name: files for name, _, files in self.full[:most]}


def ranked_album(measuring: Measurement, painter: Predictor, own: ImageValues) -> Album:
    album = Album("From the left: what the network was shown, what it made of it, the truth.")
    kept: dict[int, list[str]] = {}
    for metric in RANKED:
        values = own.values.get(metric)
        if values is None or np.isnan(values).all():
            continue
        known = measure(metric)
        album.ranked[metric] = {}
        for word, places in choice(known.goodness(values)).items():
            group: list[Shown] = []
            for place in places:
                if place not in kept:
                    kept[place] = triple(scene_at(measuring, place), painter)
                told = f"{known.title} {format_number(float(values[place]), known.digits)} {known.unit}".strip()
                group.append((own.names[place], told, kept[place]))
            album.ranked[metric][word] = group
    return album


def choice(goodness: np.ndarray) -> dict[str, list[int]]:
    """Places of the worst, the middling and the best, without those that have no value."""
    order = np.argsort(goodness, kind="stable")[: np.count_nonzero(~np.isnan(goodness))]
    if len(order) <= 3 * EACH:
        return {"from the worst to the best": order.tolist()}
    middle = (len(order) - EACH) // 2
    return {
        "worst": order[:EACH].tolist(), "in the middle": order[middle : middle + EACH].tolist(),
        "best": order[: -EACH - 1 : -1].tolist(),
    }  # fmt: skip


def full_album(measuring: Measurement, painters: Mapping[str, Predictor], folder: Path, most: int = MOST_FULL) -> Album:
    """Every photograph, or the first `most`, with each of the network's rows; files of them in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*painters]
    truth = measuring.protocol.truth != "none"
    last = measuring.protocol.input[-1]
    words = [
        SEEN.get(last, "as it is"),
        *(f"painted{detail(name)}" for name in names),
        *(["true colours"] if truth else []),
    ]
    album = Album("From the left: " + ", ".join(words) + ".")
    for place in range(min(len(measuring.chosen.photos), most)):
        scene = scene_at(measuring, place)
        pictures = [grey_pixels(scene.inputs[measuring.protocol.rows[names[-1]]])[0]]
        pictures += [painters[name](scene)[0].pixels[0] for name in names]
        if scene.true is not None:
            pictures.append(scene.true.pixels[0])
        stem = re.sub(r"[^\w.-]", "_", scene.names[0])
        files = {}
        for word, pixels in zip(words, pictures, strict=True):
            path = folder / f"{place:03d}-{Path(stem).stem}-{re.sub(r'[^a-z]+', '-', word)}.jpg"
            path.write_bytes(encode_jpeg(pixels, 92))
            files[word] = f"{folder.name}/{path.name}"
        images = {word: jpeg_base64(pixels, 480) for word, pixels in zip(words, pictures, strict=True)}
        album.full.append((scene.names[0], images, files))
    return album


def detail(row: str) -> str:
    return "" if row == "model" else LABELS[row].removeprefix("network")


def scene_at(measuring: Measurement, place: int) -> EvalBatch:
    photo = measuring.chosen.photos[place]
    frame = read_eval_image(photo, measuring.protocol)
    return make_eval_batch([frame], [measuring.chosen.label(photo)], place, measuring.protocol, measuring.device)


@torch.no_grad()
def triple(scene: EvalBatch, painter: Predictor) -> list[str]:
    assert scene.true is not None
    first = next(iter(scene.inputs.values()))
    return [
        jpeg_base64(pixels, 256)
        for pixels in (grey_pixels(first)[0], painter(scene)[0].pixels[0], scene.true.pixels[0])
    ]
