"""What hints are worth: PSNR over the number of simulated hints of a photograph.

    python benchmarks/hints.py --weights W [--source demo] [--size 256] [--photographs N] [--reach R]

The field's protocol (Zhang et al. 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors"): a hint is
the mean colour of a patch of 7×7 pixels at a random place, of a photograph's centre square; the first hints are among
the more. Baseline is copying: the prediction with the hints' colours in their patches, and nothing spread. `alone` has
no network: the hints spread over the grey photograph. The last line is one JSON object: {"photographs": n, "size": …,
"seconds": of 20 hints, the median, "psnr": {number of hints: {"spread", "copied", "alone": [mean, low, high]}}}, with
95 % intervals over photographs.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from colorize import guide, load
from colorize.batch import Batch
from colorize.data.collection import Collection
from colorize.data.resolve import open_source
from colorize.data.sources import demo_photographs
from colorize.evaluation.bootstrap import mean_interval
from colorize.imaging.color import to_uint8
from colorize.imaging.decode import open_rgb
from colorize.imaging.gamut import lab_to_rgb_reduced
from colorize.imaging.guidance import REACH
from colorize.imaging.hints import Hints
from colorize.imaging.transforms import centre_square
from colorize.models.base import Colorizer
from colorize.utils.seeds import generator_of, seed_of

COUNTS = (0, 1, 2, 5, 10, 20)
PATCH = 7  # pixels
KINDS = ("spread", "copied", "alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="as `colorize paint` takes")
    parser.add_argument("--source", default="demo", help="demo: those that validate; or a folder")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--photographs", type=int, default=1000, help="at most")
    parser.add_argument("--reach", type=float, default=REACH, help="of the hints, in shares of the shorter side")
    words = parser.parse_args()
    model, seconds = load(words.weights), []
    rows = [
        psnr_of_hints(model, batch, i, words.reach, seconds)
        for i, batch in enumerate(batches(words.source, words.size, words.photographs))
    ]
    psnr = {count: {kind: interval([row[count][kind] for row in rows]) for kind in KINDS} for count in COUNTS}
    table = Table("hints", *KINDS, "spread − copied")
    for count, of in psnr.items():
        cells = [f"{value:.2f} ({low:.2f}…{high:.2f})" for value, low, high in of.values()]
        table.add_row(str(count), *cells, f"{of['spread'][0] - of['copied'][0]:+.2f}")
    Console(width=120).print(table)
    print(json.dumps({
        "photographs": len(rows), "size": words.size, "seconds": statistics.median(seconds), "psnr": psnr,
    }))  # fmt: skip


def interval(values: Sequence[float]) -> list[float]:
    """The mean of values of photographs, and the ends of its interval."""
    found = mean_interval(np.array(values))
    return [found.value, found.low, found.high]


def batches(source: str, size: int, most: int) -> Iterator[Batch]:
    """The centre square of each photograph, size²."""
    found: Collection
    if source == "demo":
        found = demo_photographs()[1]
    else:
        opened = open_source(source)
        found = opened.val if opened.val is not None else opened.train
    for photo in islice(found, most):
        pixels = np.array(centre_square(open_rgb(photo.read()), size))
        yield Batch.from_rgb(torch.from_numpy(pixels).permute(2, 0, 1)[None])


@torch.no_grad()
def psnr_of_hints(
    model: Colorizer, batch: Batch, place: int, reach: float, seconds: list[float]
) -> dict[int, dict[str, float]]:
    """Number of hints -> PSNR in dB of each of `KINDS`; the seconds that the most hints take are added to `seconds`."""
    L, truth = batch.L, batch.ab
    ab = model.colorize(L, [generator_of("hints", place)], check=False)
    corners = random_corners(L.shape[2], L.shape[3], place)
    found = {}
    for count in COUNTS:
        if not count:
            found[count] = {kind: psnr(L, torch.zeros_like(ab) if kind == "alone" else ab, truth) for kind in KINDS}
            continue
        hints = hints_at(corners[:count], truth)
        began = time.perf_counter()
        spread = guide(ab, L, hints, reach=reach)
        if count == max(COUNTS):
            seconds.append(time.perf_counter() - began)
        pictures = (spread, hints.put(ab.clone()), guide(torch.zeros_like(ab), L, hints, reach=10.0))
        found[count] = {kind: psnr(L, each, truth) for kind, each in zip(KINDS, pictures, strict=True)}
    return found


def random_corners(height: int, width: int, place: int) -> np.ndarray:
    """(hints, 2) the top left pixel of each patch, which lies in the picture."""
    random = np.random.default_rng(seed_of("hints", place))
    return random.integers(0, (height - PATCH + 1, width - PATCH + 1), (max(COUNTS), 2))


def hints_at(corners: np.ndarray, truth: Tensor) -> Hints:
    """The mean colours of the patches of the true ab (1, 2, H, W); where two lie on each other, the later's."""
    height, width = truth.shape[2:]
    colors = torch.full((2, height, width), torch.nan)
    for top, left in corners:
        patch = np.s_[..., top : top + PATCH, left : left + PATCH]
        colors[patch] = truth[0][patch].mean(dim=(1, 2), keepdim=True)
    places = np.flatnonzero(~colors[0].isnan().numpy())
    return Hints((height, width), places, colors.flatten(1)[:, torch.from_numpy(places)].T)


def psnr(L: Tensor, ab: Tensor, truth: Tensor) -> float:
    """In dB, of 8-bit sRGB."""
    painted, true = (to_uint8(lab_to_rgb_reduced(L, each)).float() / 255 for each in (ab, truth))
    return float(-10 * (painted - true).square().mean().log10())


if __name__ == "__main__":
    main()
