"""How well the map of `colorize paint --confidence` says where colours are wrong.

    python benchmarks/confidence.py --weights W [--source demo] [--size PIXELS] [--photographs N]

Every pixel of the photographs' centre squares has an expected error (what the map shows) and its true one, the
distance of a and b from the truth. Pixels of all photographs are sorted by the expected error into ten equal parts;
baseline is the mean error of the part with the least. Spearman's rank correlation is that of the pixels of each
photograph, with a 95 % interval over photographs, and that of the photographs' means. The last line is one JSON object:
{"photographs": n, "size": …, "expected" and "error": mean of each decile, "ratio": worst decile by best, "spearman":
[mean, low, high], "between": of photographs, "spread": the ratio where pixels are sorted by the spread of the network's
answers alone}.
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
from colorize.models.confidence import color_spread, expected_error, several_answers
from colorize.models.load import trained_size
from colorize.utils.seeds import generator_of

sys.path.insert(0, str(Path(__file__).parent))
from hints import batches, interval

DECILES = 10
EVERY = 2  # pixels, along both sides: neighbours say the same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="as `colorize paint` takes")
    parser.add_argument("--source", default="demo", help="demo: those that validate; or a folder")
    parser.add_argument("--size", type=int, help="of the squares (default: that which the network was trained at)")
    parser.add_argument("--photographs", type=int, default=1000, help="at most")
    words = parser.parse_args()
    model = load(words.weights)
    size = words.size or trained_size(words.weights) or model.fixed_size or model.usual_size
    seen = [errors_of(model, batch, i) for i, batch in enumerate(batches(words.source, size, words.photographs))]
    values = np.stack(seen)  # (photographs, 3, pixels)
    found = calibration(values[:, [0, 2]])
    table = Table("decile", "expected error", "mean error", "of the first")
    for decile, (expected, error) in enumerate(zip(found["expected"], found["error"], strict=True), 1):
        table.add_row(str(decile), f"{expected:.2f}", f"{error:.2f}", f"{error / found['error'][0]:.2f}")
    Console(width=100).print(table)
    alone = calibration(values[:, [1, 2]])["ratio"]
    print(json.dumps({"photographs": len(seen), "size": size, **found, "spread": alone}))


def errors_of(model: Colorizer, batch: Batch, place: int) -> np.ndarray:
    """(3, pixels) in CIE units: expected error, spread, error"""
    ab = model.colorize(batch.L, [generator_of("confidence", place, "first")], check=False)
    answers = several_answers(model, batch.L, [ab], key=f"confidence {place}")
    error = (ab - batch.ab).norm(dim=1, keepdim=True)
    seen = torch.cat([expected_error(batch.L, answers), color_spread(answers), error], dim=1)[0]
    return seen[:, ::EVERY, ::EVERY].flatten(1).numpy()


def calibration(pairs: np.ndarray) -> dict:
    """(photographs, 2, pixels), expected and true error -> what the last line says of them"""
    expected, error = pairs[:, 0].ravel(), pairs[:, 1].ravel()
    parts = np.array_split(np.argsort(expected, kind="stable"), DECILES)
    errors = [float(error[part].mean()) for part in parts]
    within = [float(spearmanr(*pair).statistic) for pair in pairs]
    between = float(spearmanr(*pairs.mean(axis=2).T).statistic) if len(pairs) > 2 else None
    return {
        "expected": [float(expected[part].mean()) for part in parts], "error": errors, "ratio": errors[-1] / errors[0],
        "spearman": interval(within), "between": between,
    }  # fmt: skip


if __name__ == "__main__":
    main()
