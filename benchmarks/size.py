"""At which size to predict colour: `colorize paint --size auto` against fixed sizes.

    python benchmarks/size.py FOLDER --weights W [--sizes 128 192 256 384 512] [--photographs N]

Each photograph of the folder is painted as `colorize paint` does, at the network's trained size, at each fixed size and
at the one that `auto` chooses, and compared with its own colours at its full size. Seconds are those of the prediction
alone: lightness from the photograph's pixels, and the network's passes. Baseline is the trained size; the differences
to it have 95 % intervals over photographs. The last line is one JSON object: {"photographs": n, "trained": …, "auto":
{size: times chosen}, "sizes": {"trained", "auto" or a number: {"psnr" and "ciede2000": [mean, low, high of the
difference to trained], "seconds": mean}}}.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from colorize import load
from colorize.evaluation.bootstrap import mean_interval
from colorize.imaging.choices import AUTO
from colorize.imaging.color import rgb_to_lab, to_uint8
from colorize.imaging.gamut import lab_to_rgb_reduced
from colorize.imaging.image_io import LoadedPhotograph, open_photograph
from colorize.imaging.transforms import Upsampling
from colorize.metrics.full_reference import ciede2000
from colorize.models.base import Colorizer
from colorize.models.load import trained_size
from colorize.models.prediction import lightness_of, predict_at_best_size, sizes_to_compare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of colour photographs")
    parser.add_argument("--weights", required=True, help="as `colorize paint` takes")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 192, 256, 384, 512])
    parser.add_argument("--photographs", type=int, default=1000, help="at most, spread over the folder")
    words = parser.parse_args()
    files = sorted(path for path in words.folder.iterdir() if path.suffix.lower() in (".jpg", ".png", ".tif"))
    files = files[:: max(1, len(files) // words.photographs)][: words.photographs]
    model = load(words.weights)
    trained = trained_size(words.weights) or model.fixed_size or model.usual_size
    tried = {"trained": [trained], AUTO: sizes_to_compare(model, trained)} | {str(size): [size] for size in words.sizes}
    rows = [values_of(model, open_photograph(file), tried) for file in files]
    chosen = Counter(row[AUTO]["size"] for row in rows)
    found = {name: summary_of(rows, name) for name in tried}
    print_table(found, trained, chosen)
    print(
        json.dumps({"photographs": len(rows), "trained": trained, "auto": dict(sorted(chosen.items())), "sizes": found})
    )


def values_of(
    model: Colorizer, photograph: LoadedPhotograph, tried: dict[str, list[int]]
) -> dict[str, dict[str, float]]:
    """What each of `tried` is worth: psnr, ciede2000, seconds, and the size at which colour was predicted."""
    true = torch.from_numpy(photograph.rgb.copy()).permute(2, 0, 1)[None]
    full, values = lightness_of(photograph.rgb), {}
    for name, sizes in tried.items():
        began = time.perf_counter()
        L, ab, size = predict_at_best_size(model, photograph, sizes, seed=0)
        seconds = time.perf_counter() - began
        colors = Upsampling(L, ab, (full.shape[2], full.shape[3]), "guided").rows(full, 0)
        painted = to_uint8(lab_to_rgb_reduced(full, colors))
        values[name] = {"size": size, "seconds": seconds, **distances(painted, true)}
    return values


@torch.no_grad()
def distances(painted: Tensor, true: Tensor) -> dict[str, float]:
    """Of two sRGB pictures (1, 3, H, W) uint8: PSNR in dB and mean CIEDE2000."""
    error = (painted.float() - true.float()).square().mean() / 255**2
    apart = ciede2000(rgb_to_lab(true), rgb_to_lab(painted)).mean()
    return {"psnr": float(-10 * error.clamp(min=1e-10).log10()), "ciede2000": float(apart)}


def summary_of(rows: list[dict[str, dict[str, float]]], name: str) -> dict:
    """Means over the photographs, and the ends of the interval of the difference to the trained size."""

    def difference(metric: str) -> list[float]:
        apart = mean_interval(np.array([row[name][metric] - row["trained"][metric] for row in rows]))
        return [float(np.mean([row[name][metric] for row in rows])), apart.low, apart.high]

    return {"psnr": difference("psnr"), "ciede2000": difference("ciede2000"),
            "seconds": float(np.mean([row[name]["seconds"] for row in rows]))}  # fmt: skip


def print_table(found: dict[str, dict], trained: int, chosen: Counter) -> None:
    table = Table("size", "PSNR, dB", "less trained", "CIEDE2000", "less trained", "seconds", "times trained")
    for name, of in found.items():
        cells = []
        for mean, low, high in (of["psnr"], of["ciede2000"]):
            cells += [f"{mean:.2f}", f"{low:+.2f} … {high:+.2f}"]
        cells += [f"{of['seconds']:.3f}", f"{of['seconds'] / found['trained']['seconds']:.1f}"]
        table.add_row(f"trained, {trained}" if name == "trained" else name, *cells)
    Console(width=120).print(table)
    Console(width=120).print(f"auto: {', '.join(f'{size} for {count}' for size, count in sorted(chosen.items()))}")


if __name__ == "__main__":
    main()
