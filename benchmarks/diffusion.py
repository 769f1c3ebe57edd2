"""How fast diffusion colours a photograph, and whether the fast way gives what the slow way gives.

    python benchmarks/diffusion.py                          speed
    python benchmarks/diffusion.py --weights outputs/NAME   and, on a trained network, the colours

Speed is that of the thesis-size network at 128²: its own procedure (499 ancestral steps, the grey encoder asked again
and every filter standardised again at each) against `colorize`, at the same weights. The thesis's seconds are those of
ten steps, times 49.9. The small network is that of conf/model/diffusion.yaml at 96².
Colours: the validation photographs of the run are painted by DDPM over all levels twice, with two seeds, and by the
fast sampler. Each distance is the fast sampler's from DDPM, averaged over its two seeds: difference in PSNR and in mean
chroma, and KID (on EfficientNet-Lite0 features). It should lie where one DDPM's distance from the other does, whichever
comes first: within the 95 % bootstrap interval of that over photographs.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from colorize.batch import Batch
from colorize.config import build_part, conf_folder
from colorize.imaging.color import lab_to_rgb
from colorize.models import Diffusion
from colorize.models.encoders import Encoder
from colorize.models.load import load
from colorize.run_folder import RunFolder
from colorize.utils.devices import keep_freed_memory
from colorize.utils.seeds import seed_of

THESIS_STEPS = 499


@torch.no_grad()
def thesis_seconds(model: Diffusion, L: torch.Tensor, steps: int = 10) -> float:
    """Of its whole procedure for one photograph, from `steps` steps of it."""
    beta = torch.linspace(1e-4, 0.02, 500)
    kept = torch.cumprod(1 - beta, 0)
    x = torch.randn(1, 2, *L.shape[2:])
    began = time.perf_counter()
    for i in range(THESIS_STEPS, THESIS_STEPS - steps, -1):
        grey = model.look(L)
        noise = model.denoise(L, x, torch.tensor([i]), grey)
        x = (x - beta[i] / (1 - kept[i]).sqrt() * noise) / (1 - beta[i]).sqrt() + beta[i].sqrt() * torch.randn_like(x)
    return (time.perf_counter() - began) * THESIS_STEPS / steps


def seconds_of(model: Diffusion, L: torch.Tensor) -> float:
    began = time.perf_counter()
    model.colorize(L, torch.Generator().manual_seed(0))
    return time.perf_counter() - began


def small_network() -> Diffusion:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return build_part(compose("train", ["model=diffusion"]).model, "model")


def speed(rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    L, small_L = 100 * torch.rand(1, 1, 128, 128), 100 * torch.rand(1, 1, 96, 96)
    model, small = Diffusion(attention="transposed", late_time=False).eval(), small_network().eval()
    small.to(memory_format=torch.channels_last)
    seconds: dict[str, list[float]] = {"thesis": [], "ours": [], "small": []}
    for _ in range(rounds):
        model.to(memory_format=torch.contiguous_format)
        seconds["thesis"].append(thesis_seconds(model, L))
        model.to(memory_format=torch.channels_last)
        seconds["ours"].append(seconds_of(model, L))
        seconds["small"].append(seconds_of(small, small_L))
    return {name: statistics.median(taken) for name, taken in seconds.items()}


class Painted:
    """What one sampler made of every validation photograph: PSNR (N,), mean chroma (N,), features (N, C)."""

    def __init__(self, model: Diffusion, batches: list[torch.Tensor], encoder: Encoder, seed: int):
        psnr, chroma, features, count = [], [], [], 0
        for true in batches:
            batch = Batch.from_rgb(true)
            chances = [torch.Generator().manual_seed(seed_of(seed, count + i)) for i in range(len(true))]
            ab = model.colorize(batch.L, chances)
            rgb = lab_to_rgb(batch.L, ab)
            count += len(true)
            psnr += (-10 * (rgb - true.float() / 255).square().mean(dim=(1, 2, 3)).log10()).tolist()
            chroma += ab.square().sum(dim=1).sqrt().mean(dim=(1, 2)).tolist()
            with torch.no_grad():
                features.append(encoder(rgb)[0].mean(dim=(2, 3)))
        self.psnr, self.chroma = np.array(psnr), np.array(chroma)
        self.features = torch.cat(features).double().numpy()


def kid(one: np.ndarray, other: np.ndarray) -> float:
    """Unbiased squared MMD with the kernel (x·y / C + 1)³ (Bińkowski et al. 2018), of features (N, C) each."""
    n, m, width = len(one), len(other), one.shape[1]
    inner, outer, cross = ((a @ b.T / width + 1) ** 3 for a, b in ((one, one), (other, other), (one, other)))
    within = (inner.sum() - inner.trace()) / (n * (n - 1)) + (outer.sum() - outer.trace()) / (m * (m - 1))
    return within - 2 * cross.mean()


def distances(of: Painted, to: Painted, chosen: np.ndarray) -> dict[str, float]:
    return {
        "psnr": (of.psnr - to.psnr)[chosen].mean(),
        "chroma": (of.chroma - to.chroma)[chosen].mean(),
        "kid": kid(of.features[chosen], to.features[chosen]),
    }


def colours(weights: str, resamples: int) -> dict[str, dict[str, float | bool]]:
    """For each measure: the fast sampler's distance, and the interval of the other seed's."""
    model = load(weights)
    if not isinstance(model, Diffusion):
        raise SystemExit(f"{weights!r} holds a {type(model).__name__}: --weights takes a diffusion run")
    photographs = build_part(RunFolder(weights).read_config().data, "data")
    batches = torch.stack([photographs.centre(photo) for photo in photographs.val]).split(16)
    encoder = Encoder("tf_efficientnet_lite0", True, (32,)).eval()
    fast = Painted(model, batches, encoder, seed=0)
    model.sample_with("ddpm", None)
    slow, again = (Painted(model, batches, encoder, seed=seed) for seed in (0, 1))
    everyone = np.arange(len(slow.psnr))
    random = np.random.default_rng(0)
    chosen = [random.choice(everyone, len(everyone)) for _ in range(resamples)]
    drawn = [distances(*pair, some) for some in chosen for pair in ((again, slow), (slow, again))]  # either is first
    found: dict[str, dict[str, float | bool]] = {}
    both = [distances(fast, seed, everyone) for seed in (slow, again)]
    for name in both[0]:
        value = statistics.mean(distance[name] for distance in both)
        low, high = np.percentile([draw[name] for draw in drawn], (2.5, 97.5))
        found[name] = {"fast": value, "low": low, "high": high, "inside": bool(low <= value <= high)}
    found["ddpm"] = {"psnr": slow.psnr.mean(), "chroma": slow.chroma.mean(), "photographs": len(everyone)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weights", help="run folder of a trained diffusion network")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap")
    arguments = parser.parse_args()
    keep_freed_memory()
    took = speed(arguments.rounds)
    table = Table(title="one photograph on the CPU, float32")
    for column in ("", "seconds", "times as fast"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("thesis size, its procedure (extrapolated from 10 of 499 steps)", f"{took['thesis']:.1f}", "1")
    table.add_row("thesis size, colorize", f"{took['ours']:.2f}", f"{took['thesis'] / took['ours']:.1f}")
    table.add_row("small size, colorize", f"{took['small']:.3f}", "")
    console = Console(width=120)
    console.print(table)
    result: dict[str, object] = {
        "vs_thesis": round(took["thesis"] / took["ours"], 1), "seconds_per_photo": round(took["ours"], 2),
        "seconds_per_photo_small": round(took["small"], 3),
    }  # fmt: skip
    if arguments.weights:
        result["colours"] = found = colours(arguments.weights, arguments.resamples)
        ddpm = found.pop("ddpm")
        table = Table(
            title=f"{Path(arguments.weights).name}: distance from 499-level DDPM, {ddpm['photographs']} photos"
        )
        for column in ("", "fast sampler", "DDPM, another seed: 95 %", "inside"):
            table.add_column(column, justify="right" if column else "left")
        for name, row in found.items():
            interval = f"{row['low']:.4f} to {row['high']:.4f}"
            table.add_row(name, f"{row['fast']:.4f}", interval, "yes" if row["inside"] else "no")
        console.print(table)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
