"""What each network costs at its published size, and how near a training step comes to what the machine can multiply.

    python benchmarks/models.py [--rounds 3] [--models cnn gan …]

A training step is forward, the network's reconstruction or noise term, backward and AdamW. Its fraction of the limit is
the multiplications of that step (forward and backward, of what is trained) a second, over those of a large matrix
product in the same process. Each network has a process of its own, for its peak memory.
DDColor-T is also timed as it is published: its convolutions under spectral norm, linear layers in the encoder, the
pixel decoder's 256 channels shuffled and blurred at full size before the queries meet them, torch's default layout.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import timm
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from colorize.batch import Batch
from colorize.imaging.color import lightness_to_rgb
from colorize.models import CNN, Colorizer, Diffusion, MultiColor, ResNetUNet, Transformer, UNet
from colorize.models.dual_decoder import blur, sine_places
from colorize.training.optimizers import Optimizers
from colorize.training.train_state import TrainState
from colorize.utils.devices import choose_device, keep_freed_memory

THESIS = {"encoder": "convnext_tiny", "pretrained": False, "freeze": True}
NETWORKS: dict[str, tuple[Callable[[], Colorizer], int, int]] = {  # as the thesis has them: size, batch
    "cnn": (lambda: CNN(classes=1000), 224, 8),
    "gan": (lambda: ResNetUNet(pretrained=False), 256, 4),
    "transformer": (lambda: Transformer(**THESIS, pixel_decoder="thesis"), 256, 2),
    "diffusion": (Diffusion, 128, 1),
    "gan_unet": (UNet, 256, 2),
    "multicolor": (lambda: MultiColor(**THESIS), 256, 1),
}


def matrix_rate(device: torch.device, size: int = 2048) -> float:
    """Floating-point operations a second of a large matrix product, the best of a few."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    return 2 * size**3 / min(timed(lambda: a @ b, device) for _ in range(6))


def timed(job: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    job()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def work(name: str, rounds: int) -> dict[str, float]:
    """The costs of one network, in this process."""
    build, size, count = NETWORKS[name]
    device = choose_device("auto")
    keep_freed_memory()
    torch.manual_seed(0)
    model = build().to(device, memory_format=torch.channels_last)
    batch = Batch.from_rgb(torch.rand(count, 3, size, size, device=device))
    player = TrainState(model)
    player.start_phase(Optimizers("AdamW", lr=1e-5).build(model))

    def step() -> None:
        pred = model.train()(batch)
        loss = F.l1_loss(pred.ab, batch.ab) if pred.ab is not None else F.mse_loss(pred.noise_hat, pred.noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(player.parameters, 1.0)
        player.step(1.0)

    def forward(*, counting: bool = False) -> None:
        with torch.set_grad_enabled(counting):  # the counter follows modules by their gradients
            model.eval()(batch)

    before = peak_bytes(device)
    counts = {}
    for job in (partial(forward, counting=True), step):
        with FlopCounterMode(display=False) as counter:
            job()
        counts[getattr(job, "func", job)] = counter.get_total_flops()
    rates, seconds = [], {forward: [], step: []}
    for _ in range(rounds):
        rates.append(matrix_rate(device))
        for job, taken in seconds.items():
            taken.append(timed(job, device))
    forward_seconds, step_seconds = (statistics.median(seconds[job]) for job in (forward, step))
    return {
        "size": size, "batch": count, "parameters": sum(p.numel() for p in model.parameters()),
        "gmacs": counts[forward] / count / 2e9, "forward_seconds": forward_seconds / count,
        "step_seconds": step_seconds / count, "step_of_limit": counts[step] / step_seconds / max(rates),
        "forward_of_limit": counts[forward] / forward_seconds / max(rates), "limit_gflops": max(rates) / 1e9,
        "peak_mb": (peak_bytes(device) - before) / 2**20,
    }  # fmt: skip


class Published:
    """DDColor's forward pass as its code has it, with a `Transformer`'s weights: linear layers in the encoder, torch's
    attention with its weights, F (B, 256, H, W) blurred at full size, then E · F, then a 1×1 convolution."""

    def __init__(self, model: Transformer):
        self.model = model
        held = model.encoder.net.state_dict()
        net = timm.create_model("convnext_tiny.fb_in22k", features_only=True)
        net.load_state_dict({name: held[name].view_as(value) for name, value in net.state_dict().items()})
        self.net = net.to(held["stem_0.weight"].device).eval()

    def __call__(self, L: torch.Tensor) -> torch.Tensor:
        model = self.model
        grey = model.encoder.normalise(lightness_to_rgb(L))
        maps = [norm(x) for norm, x in zip(model.norms, self.net(grey), strict=True)]
        scales, sub_pixels = model.pixels(maps)
        full = blur(F.pixel_shuffle(sub_pixels, 4))
        product = torch.einsum("bqc,bchw->bqhw", self.colours(scales), full)
        return model.refine(torch.cat([product, grey], dim=1))

    def colours(self, scales: list[torch.Tensor]) -> torch.Tensor:
        decoder = self.model.colours
        tokens, places = [], []
        for project, x, level in zip(decoder.project, scales, decoder.level.weight, strict=True):
            tokens.append(project(x).flatten(2).mT + level)
            places.append(sine_places(x, len(level)).flatten(1).mT)
        query = decoder.query.weight.expand(len(scales[0]), -1, -1)
        own = decoder.query_place.weight
        for i, layer in enumerate(decoder.layers):
            seen, place = tokens[i % 3], places[i % 3]
            query = layer.read_norm(query + layer.read(query + own, seen + place, seen)[0])
            query = layer.talk_norm(query + layer.talk(query + own, query + own, query)[0])
            query = layer.think_norm(query + layer.think(query))
        return decoder.embed(decoder.norm(query))


@torch.no_grad()
def work_ddcolor(rounds: int) -> dict[str, float]:
    """Seconds of DDColor-T at 256², batch 2: as published, and as this package runs it with the same weights."""
    device = choose_device("auto")
    keep_freed_memory()
    torch.manual_seed(0)
    model = Transformer(pretrained=False).to(device)
    L = 100 * torch.rand(2, 1, 256, 256, device=device)
    for _ in range(2):
        model.train()(Batch(L, L.expand(-1, 2, -1, -1)))  # the norms' statistics
    published = Published(model.eval())
    ours = fold(model).to(memory_format=torch.channels_last)
    jobs = {"published": lambda: published(L), "ours": lambda: ours.predict_ab(L)}
    first, second = (job() for job in jobs.values())
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            seconds[name].append(timed(job, device))
    took = {name: statistics.median(values) for name, values in seconds.items()}
    difference = (first - second).abs().max() / first.abs().max()
    return {**took, "ratio": took["published"] / took["ours"], "difference": difference.item()}


def fold(model: Transformer) -> Transformer:
    """A copy whose spectral norms are folded into plain weights, as an imported checkpoint's are."""
    plain = Transformer(pretrained=False, spectral=False)
    plain.load_state_dict({name: attribute(model, name) for name in plain.state_dict()})
    return plain.to(next(model.parameters()).device).eval()


def attribute(model: torch.nn.Module, path: str) -> torch.Tensor:
    for name in path.split("."):
        model = getattr(model, name)
    return model


def run(name: str, rounds: int) -> dict[str, float]:
    """What a worker process found."""
    words = [sys.executable, __file__, "--worker", name, "--rounds", str(rounds)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=[*NETWORKS, "ddcolor"], default=[*NETWORKS, "ddcolor"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        name = arguments.worker
        print(json.dumps(work_ddcolor(arguments.rounds) if name == "ddcolor" else work(name, arguments.rounds)))
        return
    found = {name: run(name, arguments.rounds) for name in arguments.models}
    table = Table(title="published sizes, float32, channels last; seconds are of one picture")
    columns = ("network", "size", "batch", "M params", "GMAC", "forward s", "of limit", "step s", "of limit", "peak MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "network" else "right")
    ddcolor = found.pop("ddcolor", None)
    for name, row in found.items():
        table.add_row(
            name, f"{row['size']}²", f"{row['batch']}", f"{row['parameters'] / 1e6:.1f}", f"{row['gmacs']:.1f}",
            f"{row['forward_seconds']:.3f}", f"{row['forward_of_limit']:.2f}", f"{row['step_seconds']:.3f}",
            f"{row['step_of_limit']:.2f}", f"{row['peak_mb']:.0f}",
        )  # fmt: skip
    if found:
        Console(width=120).print(table)
    result: dict[str, object] = {
        "train_of_limit": {name: round(row["step_of_limit"], 3) for name, row in found.items()},
        "forward_of_limit": {name: round(row["forward_of_limit"], 3) for name, row in found.items()},
    }
    if found:
        limits = [row["limit_gflops"] for row in found.values()]
        print(f"limit: a 2048² matrix product at {min(limits):.0f} to {max(limits):.0f} GFLOP/s")
    if ddcolor:
        print(
            f"DDColor-T, 256², batch 2: published order {ddcolor['published']:.3f} s, ours {ddcolor['ours']:.3f} s: "
            f"{ddcolor['ratio']:.2f} times as fast, largest difference {ddcolor['difference']:.1e} of the largest ab"
        )
        result |= {
            "ddcolor_vs_published_order": round(ddcolor["ratio"], 3),
            "ddcolor_difference": ddcolor["difference"],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
