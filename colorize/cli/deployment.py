"""Exports that need no PyTorch: written, compared with PyTorch, measured, and described for the model card."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from colorize.data.collection import Collection
from colorize.data.sources import demo_photographs
from colorize.evaluation.color_quality import measure_color_quality
from colorize.imaging.image_io import open_photograph
from colorize.models.base import Colorizer
from colorize.models.export import frozen_settings
from colorize.models.onnx_export import (
    MODEL,
    PROGRAM,
    convert_to_openvino,
    describe_graphs,
    export_graphs,
    write_metadata,
)
from colorize.models.onnx_graphs import import_optional
from colorize.models.onnx_runtime import FORMATS, OF_EXPORTS, RUNTIMES, DeployedColorizer, read_deployed
from colorize.models.prediction import network_input
from colorize.models.quantization import quantize
from colorize.utils.console import markdown_table, say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, digest_of, write_text, write_whole
from colorize.utils.seeds import generator_of

LARGEST_DIFFERENCE = 0.5  # CIE units between an export and PyTorch: less than a step of 8 bits
CALIBRATION = 64  # demo training photographs that int8's ranges are taken from


def write_deployed(
    model: Colorizer, output: str, runtime: str, facts: Mapping[str, Any], *, int8: bool = False
) -> tuple[Path, str]:
    """Write the network's graphs for a `runtime` of `FORMATS`, with config.json; the folder, and what the model card
    says of them.

    int8  quantized: 8-bit weights and activations; what that costs in colour is measured

    Raises `UserError` where ONNX cannot express the network, and for an export that does not say what PyTorch says.
    """
    if int8 and model.stochastic:
        raise UserError("--int8 is for networks that answer in one pass: the errors of a sampler's steps add up")
    for package in ("onnxscript", RUNTIMES[runtime]):  # before the seconds that an export takes
        import_optional(package)
    size = facts.get("trained_size") or model.fixed_size or model.usual_size
    graphs = export_graphs(model)
    if int8:
        graphs[MODEL] = quantize(graphs[MODEL], demo_lightness(demo_photographs()[0], size, CALIBRATION))
    described = describe_graphs(model, facts)
    with TemporaryDirectory() as tried:
        write_graphs(graphs, Path(tried), runtime, described)
        deployed = read_deployed(Path(tried, f"model{FORMATS[runtime]}"))
        described |= compare(model, deployed, size, int8=int8)
        del deployed  # which may hold its files
    folder = at_home(output)
    folder.mkdir(parents=True, exist_ok=True)
    write_graphs(graphs, folder, runtime, described)
    files = {name: digest_of(folder / name) for name in OF_EXPORTS if (folder / name).is_file()}
    config = {**described, "runtime": runtime, "settings": frozen_settings(model), "files": files}
    if runtime == "onnx":
        shutil.copyfile(PROGRAM, folder / "paint.py")
    write_text(folder / "config.json", as_json(config, indent=2) + "\n")
    return folder, describe_deployed(runtime, described)


def write_graphs(graphs: Mapping[str, Any], folder: Path, runtime: str, facts: Mapping[str, Any]) -> None:
    """Each file whole or not at all."""
    for name, proto in graphs.items():
        content = write_metadata(proto, facts)
        if runtime == "onnx":
            write_whole(folder / name, lambda part, content=content: part.write_bytes(content))
            continue
        with TemporaryDirectory(dir=folder) as work:
            Path(work, name).write_bytes(content)
            for path in convert_to_openvino(Path(work, name), facts):
                path.replace(folder / path.name)


def demo_lightness(photographs: Collection, size: int, count: int | None = None) -> Iterator[Tensor]:
    """L (1, 1, h, w) of demo photographs, as `colorize paint` shows them to a network; the first `count`."""
    for photo in list(photographs)[:count]:
        yield network_input(open_photograph(photo.path), size)


@torch.no_grad()
def compare(model: Colorizer, deployed: DeployedColorizer, size: int, *, int8: bool) -> dict[str, Any]:
    """The facts about an export that were measured. Raises `UserError` where one of single precision is another
    network than PyTorch's."""
    largest = 0.0
    for i, L in enumerate(demo_lightness(demo_photographs()[1], size)):
        one, other = (each.colorize(L, [generator_of("export", i)]) for each in (model, deployed))
        largest = max(largest, (one - other).abs().max().item())
    found: dict[str, Any] = {"compared": {"photographs": i + 1, "size": size, "largest_difference_ab": largest}}
    if int8:
        before, after = (measure_color_quality(each, size) for each in (model, deployed))
        found["int8"] = {"protocol": f"protocol=demo protocol.size={size}", "before": before, "after": after}
    elif not largest <= LARGEST_DIFFERENCE:  # so that nan fails too
        raise UserError(
            f"the exported network differs from PyTorch's by {largest:.3g} CIE units in ab: nothing is "
            "written; export it as safetensors"
        )
    say(f"largest difference from PyTorch on {i + 1} photographs: {largest:.2g} CIE units in ab")
    return found


def describe_deployed(runtime: str, facts: Mapping[str, Any]) -> str:
    """Markdown for the model card."""
    compared, files = facts["compared"], {"onnx": "ONNX, operator set {opset}", "openvino": "OpenVINO"}
    lines = [
        f"The files are {files[runtime].format(**facts)}: pictures of any number, height and width, with no PyTorch. "
        f"On {compared['photographs']} photographs at {compared['size']} pixels of the shorter side, their ab differs "
        f"from PyTorch's by {compared['largest_difference_ab']:.2g} CIE units at most."
    ]
    if runtime == "onnx":
        lines.append(
            "`python paint.py PHOTOGRAPH … -o FOLDER` paints photographs and needs only onnxruntime, numpy and Pillow."
        )
    if "int8" in facts:
        before, after = facts["int8"]["before"], facts["int8"]["after"]
        rows = [
            ["PSNR, dB", *(f"{each['psnr']:.2f}" for each in (before, after))],
            ["CIEDE2000", *(f"{each['ciede2000']:.2f}" for each in (before, after))],
        ]
        lines.append(
            f"Weights and activations are quantized to 8 bits (int8). Under `{facts['int8']['protocol']}`, on the "
            "validation photographs of the demo data:"
        )
        lines.append(markdown_table(["", "before", "int8"], rows))
    return "\n\n".join(lines)
