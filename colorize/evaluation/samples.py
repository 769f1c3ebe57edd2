"""Sample predictions beside a result: which photographs, and the files of their input, prediction and ground truth."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from colorize.evaluation.batches import EvalBatch, make_eval_batch, read_eval_image
from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.measure import Measurement
from colorize.evaluation.predictors import Predictor, grey_pixels
from colorize.evaluation.protocol import INPUTS
from colorize.evaluation.result import LABELS
from colorize.imaging.image_io import encode_jpeg
from colorize.metrics.metric_info import in_view, info_of

EACH = 3  #       worst, middling and best pictures of each
COMPARED = 24  #  photographs that are kept for the comparison of runs
MOST_FULL = 60  # of a set of which each photograph is of interest
QUALITY = 92

# What a file is of; its name ends with these words and dashes between them
AS_IT_IS, PAINTED, TRUTH = "as it is", "painted", "true colours"
SampleFiles = dict[str, dict[str, Path]]  # "000-name" -> what it is of -> file


def input_word(mode: str) -> str:
    """What a picture of an input is called; `mode`: its name in `INPUTS`."""
    return {"lab_l": AS_IT_IS, "ortho": "orthochromatic"}.get(mode, INPUTS[mode].label)


def prediction_words() -> dict[str, str]:
    """Row of the network -> what a picture of its prediction is called."""
    return {row: PAINTED + label.removeprefix("network") for row, label in LABELS.items() if row.startswith("model")}


def samples_folder(result: Path) -> Path:
    """Where the sample predictions of a result's file lie."""
    return result.with_suffix(".pictures")


def find_samples(result: Path) -> SampleFiles:
    """The sample predictions that lie beside the file `result`, in the order of their photographs."""
    endings = {ending(word): word for word in (*map(input_word, INPUTS), *prediction_words().values(), TRUTH)}
    found: SampleFiles = {}
    for path in sorted(samples_folder(result).glob("*.jpg")):
        for end in sorted(endings, key=len, reverse=True):
            if path.stem.endswith(end):
                found.setdefault(path.stem.removesuffix(end), {})[endings[end]] = path
                break
    return found


def write_samples(
    result: Path, measuring: Measurement, rows: Mapping[str, Predictor], images: ImageValues
) -> SampleFiles:
    """Write the pictures that the page of a result shows: photograph -> what it is of -> file.

    Of photographs without ground truth, or of their period, all are of interest; of others the first ones, and the
    best and the worst.

    rows    row -> what predicts it
    images  the network's own values of each photograph
    """
    count = len(measuring.chosen.photos)
    places = [*range(min(count, MOST_FULL))]
    if measuring.protocol.reader == "photographs":
        ranked = [place for groups in rank_images(images).values() for group in groups.values() for place in group]
        places = sorted({*range(min(count, COMPARED)), *ranked})
    folder = samples_folder(result)
    folder.mkdir(parents=True, exist_ok=True)
    found: SampleFiles = {}
    for place in places:
        photo = measuring.chosen.photos[place]
        image, label = read_eval_image(photo, measuring.protocol), measuring.chosen.label(photo)
        batch = make_eval_batch([image], [label], place, measuring.protocol, measuring.device)
        stem = Path(re.sub(r"[^\w.-]", "_", batch.names[0])).stem
        files = found.setdefault(batch.names[0], {})
        for word, pixels in predictions(measuring, batch, rows).items():
            files[word] = folder / f"{place:03d}-{stem}{ending(word)}.jpg"
            files[word].write_bytes(encode_jpeg(pixels, QUALITY))
    return found


def rank_images(images: ImageValues) -> dict[str, dict[str, list[int]]]:
    """Metric -> "worst" and such -> places of photographs, for the view "samples" of metrics that a photograph has."""
    known = {metric: images.values[metric] for metric in in_view("samples", images.values)}
    return {metric: best_and_worst(info_of(metric).oriented(values)) for metric, values in known.items()
            if not np.isnan(values).all()}  # fmt: skip


def best_and_worst(oriented: np.ndarray) -> dict[str, list[int]]:
    """Places of the worst, the middling and the best, without those that have no value."""
    order = np.argsort(oriented, kind="stable")[: np.count_nonzero(~np.isnan(oriented))]
    if len(order) <= 3 * EACH:
        return {"from the worst to the best": order.tolist()}
    middle = (len(order) - EACH) // 2
    return {
        "worst": order[:EACH].tolist(), "in the middle": order[middle : middle + EACH].tolist(),
        "best": order[: -EACH - 1 : -1].tolist(),
    }  # fmt: skip


def predictions(measuring: Measurement, batch: EvalBatch, rows: Mapping[str, Predictor]) -> dict[str, Tensor]:
    """What a picture is of -> (3, H, W) uint8, from the input to the ground truth."""
    protocol = measuring.protocol
    words = prediction_words()
    pictures = {input_word(protocol.input[-1]): grey_pixels(batch.inputs[protocol.input[-1]])[0]}
    pictures |= {words[row]: rows[row](batch).painted.pixels[0] for row in rows if row in words}
    return pictures if batch.true is None else {**pictures, TRUTH: batch.true.pixels[0]}


def ending(word: str) -> str:
    return "-" + re.sub(r"[^a-z]+", "-", word)
