"""How well the map of `colorize paint --confidence` says where colours are wrong.

    python benchmarks/confidence.py --weights W [--source demo] [--size 256] [--photographs N]

Every pixel of the photographs' centre squares has a spread (what the map shows) and an error, the distance of a and b
from the truth. Pixels of all photographs are sorted by spread into ten equal parts; baseline is the mean error of the
part with the least. Spearman's rank correlation is that of the pixels of each photograph, with a 95 % interval over
photographs, and that of the photographs' means. The last line is one JSON object: {"photographs": n, "size": …,
"spread": and "error": mean of each decile, "ratio": worst decile by best, "spearman": [mean, low, high],
"between": of photographs}.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from colorize import load
from colorize.batch import Batch
from colorize.models.base import Colorizer
from colorize.models.confidence import color_spread
from colorize.utils.seeds import generator_of

sys.path.insert(0, str(Path(__file__).parent))
from hints import batches, interval

DECILES = 10
EVERY = 4  # pixels, along both sides: neighbours say the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="as `colorize paint` takes")
    parser.add_argument("--source", default="demo", help="demo: those that validate; or a folder")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--photographs", type=int, default=1000, help="at most")
    words = parser.parse_args()
    model = load(words.weights)
    pairs = [
        spread_and_error(model, batch, i)
        for i, batch in enumerate(batches(words.source, words.size, words.photographs))
    ]
    found = calibration(np.stack(pairs))
    table = Table("decile", "mean spread", "mean error", "of the first")
    for decile, (spread, error) in enumerate(zip(found["spread"], found["error"], strict=True), 1):
        table.add_row(str(decile), f"{spread:.2f}", f"{error:.2f}", f"{error / found['error'][0]:.2f}")
    Console(width=100).print(table)
    print(json.dumps({"photographs": len(pairs), "size": words.size, **found}))


def spread_and_error(model: Colorizer, batch: Batch, place: int) -> np.ndarray:
    """(2, pixels) in CIE units"""
    ab = model.colorize(batch.L, [generator_of("confidence", place, "first")], check=False)
    spread = color_spread(model, batch.L, [ab], key=f"confidence {place}")[0, 0]
    error = (ab - batch.ab).norm(dim=1)[0]
    return torch.stack([spread, error])[:, ::EVERY, ::EVERY].flatten(1).numpy()


def calibration(pairs: np.ndarray) -> dict:
    """(photographs, 2, pixels), spread and error -> what the last line says of them"""
    spread, error = pairs[:, 0].ravel(), pairs[:, 1].ravel()
    parts = np.array_split(np.argsort(spread, kind="stable"), DECILES)
    errors = [float(error[part].mean()) for part in parts]
    within = [float(spearmanr(*pair).statistic) for pair in pairs]
    between = float(spearmanr(*pairs.mean(axis=2).T).statistic) if len(pairs) > 2 else None
    return {
        "spread": [float(spread[part].mean()) for part in parts], "error": errors, "ratio": errors[-1] / errors[0],
        "spearman": interval(within), "between": between,
    }  # fmt: skip


if __name__ == "__main__":
    main()
