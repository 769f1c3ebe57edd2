"""What less chroma changes beside clipping, where trained networks predict colours that sRGB does not have.

    python benchmarks/gamut.py 'outputs/six_models/0*'

The best checkpoint of each run predicts the 24 demo photographs that nobody trains on, at the run's size, and the same
ab becomes pixels by `chroma` and by `clip` (the field `gamut` of a protocol). The last line is one JSON object:
{run: {"outside": percent of pixels outside the gamut, "chroma" and "clip": {"psnr", "colorfulness", "l_shift": mean,
"largest": shift of L*}}}.
"""

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from colorize.evaluation import Protocol
from colorize.evaluation.measure import Measurement
from colorize.evaluation.network import open_network
from colorize.evaluation.predictors import network_predictor
from colorize.evaluation.selection import select_photographs
from colorize.imaging.choices import GAMUTS
from colorize.imaging.color import to_uint8
from colorize.imaging.gamut import into_gamut
from colorize.metrics import PSNR, Colorfulness, LightnessShift
from colorize.metrics.metric import Picture
from colorize.utils.distributed import World


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", help="a pattern of run folders")
    words = parser.parse_args()
    found = {}
    for folder in sorted(Path().glob(words.runs)):
        name, numbers = numbers_of(folder)
        found[name] = numbers
    table = Table("run", "% outside", *(f"{metric} {gamut}" for metric in METRICS for gamut in GAMUTS))
    for name, numbers in found.items():
        cells = [f"{numbers[gamut][metric]:.2f}" for metric in METRICS for gamut in GAMUTS]
        table.add_row(name, f"{numbers['outside']:.2f}", *cells)
    Console(width=140).print(table)
    print(json.dumps(found))


METRICS = ("psnr", "colorfulness", "l_shift", "largest")


@torch.no_grad()
def numbers_of(folder: Path) -> tuple[str, dict]:
    """The run's name and its numbers."""
    network = open_network(str(folder), "best", None)
    protocol = Protocol(name="benchmark", source="demo", size=network.size, extractors=[], reference="none")
    predict = network_predictor(network.model.eval(), "lab_l", None)
    metrics = {"psnr": PSNR(), "colorfulness": Colorfulness(), "l_shift": LightnessShift()}
    chosen = select_photographs(protocol)
    measurement = Measurement(protocol, chosen, metrics, [], torch.device("cpu"), 8, World())
    values: dict[str, dict[str, list]] = {gamut: {metric: [] for metric in METRICS} for gamut in GAMUTS}
    outside = []
    for batch in measurement.batches(range(len(chosen.photos))):
        ab = predict(batch).ab
        assert ab is not None
        for gamut in GAMUTS:
            rgb, beyond = into_gamut(batch.L, ab, gamut)
            pair = batch.pair(Picture(to_uint8(rgb)), ab)
            for metric, measure in metrics.items():
                values[gamut][metric] += measure.named(pair)[""].tolist()
            values[gamut]["largest"] += (pair.painted.lab[:, :1] - batch.L).abs().flatten(1).amax(dim=1).tolist()
        outside += beyond.float().mean(dim=(1, 2)).tolist()
    sums = {"psnr": mean, "colorfulness": mean, "l_shift": mean, "largest": max}
    numbers = {gamut: {m: round(sums[m](of[m]), 4) for m in METRICS} for gamut, of in values.items()}
    return network.name, {"outside": round(100 * mean(outside), 3), **numbers}


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
