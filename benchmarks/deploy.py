"""DDColor-T by several runtimes, against the order of computation that its authors published.

    python benchmarks/deploy.py [--rounds 9] [--size 256] [--batch 2] [--weights RUN]

The published order, this package's PyTorch code, and what it exports for onnxruntime, OpenVINO and as int8 predict the
same pictures in turn; the ratios are of medians. That the outputs are equal to 1e-3 of the largest ab is asserted; what
int8 costs in colour is measured on the demo photographs. Without --weights, which names DDColor-T's (such as ddcolor-t
of `colorize models`), the weights are random and that cost says little.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from published import Published, fold

import colorize
from colorize.batch import Batch
from colorize.cli.deployment import CALIBRATION, demo_lightness, write_graphs
from colorize.data.sources import demo_photographs
from colorize.evaluation.color_quality import measure_color_quality
from colorize.models import Transformer
from colorize.models.onnx_export import MODEL, describe_graphs, export_graphs
from colorize.models.onnx_runtime import DeployedColorizer, read_deployed
from colorize.models.quantization import quantize
from colorize.utils.devices import keep_freed_memory


def build(weights: str | None) -> Transformer:
    if weights:
        model = colorize.load(weights)
        assert isinstance(model, Transformer), f"{weights} holds no Transformer"
        return model
    torch.manual_seed(0)
    model = Transformer(pretrained=False)
    L = 100 * torch.rand(2, 1, 256, 256)
    for _ in range(2):
        model.train()(Batch(L, L.expand(-1, 2, -1, -1)))  # the norms' statistics
    return model.eval()


def deploy(model: Transformer, folder: Path, size: int) -> dict[str, DeployedColorizer]:
    """The network as it is exported for each runtime, and quantized."""
    facts, graphs = describe_graphs(model, {}), export_graphs(model)
    for runtime in ("onnx", "openvino"):
        (folder / runtime).mkdir()
        write_graphs(graphs, folder / runtime, runtime, facts)
    small = quantize(graphs[MODEL], demo_lightness(demo_photographs()[0], size, CALIBRATION))
    (folder / "int8").mkdir()
    write_graphs({MODEL: small}, folder / "int8", "onnx", facts)
    files = {"onnxruntime": "onnx/model.onnx", "openvino": "openvino/model.xml", "int8": "int8/model.onnx"}
    return {name: read_deployed(folder / file) for name, file in files.items()}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--weights", help="of DDColor-T (default: random)")
    arguments = parser.parse_args()
    keep_freed_memory()
    model = build(arguments.weights)
    published = Published(model)
    plain = (fold(model) if arguments.weights is None else model).to(memory_format=torch.channels_last)
    L = 100 * torch.rand(arguments.batch, 1, arguments.size, arguments.size)
    folder = TemporaryDirectory()  # until the end: OpenVINO maps its file of weights
    deployed = deploy(plain, Path(folder.name), arguments.size)
    jobs: dict[str, Callable[[], torch.Tensor]] = {
        "published": lambda: published(L).clamp(-128, 128), "torch": lambda: plain.colorize(L, check=False),
        **{name: lambda each=each: each.colorize(L, check=False) for name, each in deployed.items()},
    }  # fmt: skip
    outputs = {name: job() for name, job in jobs.items()}
    largest = outputs["published"].abs().max()
    for name in ("torch", "onnxruntime", "openvino"):
        difference = ((outputs[name] - outputs["published"]).abs().max() / largest).item()
        assert difference < 1e-3, f"{name} differs by {difference:.1e} of the largest ab"
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(arguments.rounds):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - began)
    took = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        low, _, high = statistics.quantiles(values, n=4)
        print(f"{name:12} {took[name]:7.3f} s ({low:.3f} to {high:.3f}), {took['published'] / took[name]:.2f} times")
    before, after = (measure_color_quality(each, arguments.size) for each in (plain, deployed["int8"]))
    ratios = {name: round(took["published"] / value, 3) for name, value in took.items() if name != "published"}
    loss, error = before["psnr"] - after["psnr"], after["ciede2000"] - before["ciede2000"]
    print(json.dumps({
        "ddcolor_vs_published_order": ratios, "int8_psnr_loss": round(loss, 4), "int8_ciede2000": round(error, 4),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
