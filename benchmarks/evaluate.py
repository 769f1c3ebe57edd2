"""What evaluation costs beside the networks that it runs: the painter, and those that judge.

    python benchmarks/evaluate.py [--photographs 48] [--size 256] [--device auto]

Baseline is the time inside the networks of the same run: DDColor-T at its published size, which paints, and
EfficientNet-Lite0 as extractor, feature distance and classifier, for every row. The rest is reading, colour spaces,
the other metrics, JPEG and files. A second, longer run with a network of one colour shows that memory does not grow
with the number of pictures. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from colorize.config import conf_folder
from colorize.data.sources import DEMO
from colorize.evaluation import Protocol
from colorize.evaluation import predictors as painters
from colorize.evaluation.baselines import baseline_predictors
from colorize.evaluation.evaluate import resolve_batch_size
from colorize.evaluation.measure import Measurement
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.extractors import create_extractor
from colorize.metrics.metric_info import build_metrics
from colorize.models import Transformer
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World


class Clock:
    """Seconds inside the calls that it has been laid around."""

    def __init__(self, device: torch.device):
        self.device, self.seconds = device, 0.0

    def around(self, call: Callable) -> Callable:
        def timed(*words, **options):
            began = self.now()
            result = call(*words, **options)
            self.seconds += self.now() - began
            return result

        return timed

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=48)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="auto")
    words = parser.parse_args()
    keep_freed_memory()
    device = choose_device(words.device)
    clock = Clock(device)
    measuring = measuring_of(words.photographs, words.size, device, clock)
    model = Transformer(pretrained=False).to(device, memory_format=torch.channels_last).eval()
    model.colorize = clock.around(model.colorize)  # type: ignore[method-assign]
    model.colorize(torch.rand(1, 1, words.size, words.size, device=device) * 100)
    rows = {
        "model": painters.network_predictor(model, "lab_l", None),
        "mean_ab": painters.predictor_of(painters.constant_ab((2, 5))),
        **baseline_predictors(True),
    }
    clock.seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        began = clock.now()
        measuring.measure(rows, Path(folder) / "work", {}, "measured")
        whole = clock.now() - began
    networks = clock.seconds
    grown = memory_growth(words.size, device)
    table = Table("", "ms a photograph", "of the networks", title=f"{words.size}² on {device}, {len(rows)} rows")
    for name, seconds in (("networks", networks), ("the rest", whole - networks), ("all", whole)):
        table.add_row(name, f"{1000 * seconds / words.photographs:.1f}", f"{seconds / networks:.3f}")
    Console(width=100).print(table)
    print(json.dumps({
        "beside_networks": round(whole / networks - 1, 4), "network_ms": round(1000 * networks / words.photographs, 2),
        "rest_ms": round(1000 * (whole - networks) / words.photographs, 2), "megabytes_per_1000": round(grown, 2),
        "photographs": words.photographs, "size": words.size, "device": str(device),
    }))  # fmt: skip


def measuring_of(count: int, size: int, device: torch.device, clock: Clock) -> Measurement:
    """The demo photographs, over and over under new names; every metric whose weights are here."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        words = ["run=x", "metrics.lpips_alex.download=false", "metrics.lpips_vgg.download=false"]
        metrics, _ = build_metrics(compose("evaluate", overrides=words).metrics)
    extractor = create_extractor("efficientnet_lite0")
    extractor.forward = clock.around(extractor.forward)  # type: ignore[method-assign]
    for metric in metrics.values():
        for name in ("_features", "_first"):  # what the judges are shown, and what they say
            if hasattr(metric, name):
                setattr(metric, name, clock.around(getattr(metric, name)))
    protocol = Protocol(name="benchmark", source=str(DEMO), size=size)
    return Measurement(
        protocol,
        repeated(select_photographs(protocol), count),
        metrics,
        [extractor],
        device,
        resolve_batch_size("auto", device),
        World(),
    )


def repeated(chosen: Selection, count: int) -> Selection:

    rows = np.arange(count, dtype=np.int32) % len(chosen.photos)
    return Selection(chosen.title, chosen.photos.select(rows), [], count, chosen.manifest)


def memory_growth(size: int, device: torch.device) -> float:
    """Megabytes by which the highest memory rises for a thousand more pictures, beyond the first two hundred."""
    protocol = Protocol(name="benchmark", source=str(DEMO), size=64, extractors=[], reference="none")
    found = []
    for count in (200, 1200):
        measuring = Measurement(protocol, repeated(select_photographs(protocol), count), {}, [], device, 16, World())
        with tempfile.TemporaryDirectory() as folder:
            measuring.measure(
                {"model": painters.predictor_of(painters.constant_ab((2, 5)))}, Path(folder) / "work", {}, "memory"
            )
        found.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found[1] - found[0]


if __name__ == "__main__":
    main()
