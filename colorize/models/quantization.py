"""Quantization to 8-bit integers, static: ranges are taken from photographs beforehand (Jacob et al. 2018)."""

from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import Tensor

from colorize.models.onnx_export import quiet
from colorize.models.onnx_graphs import import_optional

QUANTIZED = "Conv"  # linear layers and attention, whose errors colour whole pictures, are little of the work


def quantize(proto: Any, pictures: Iterable[Tensor]) -> Any:
    """An `onnx.ModelProto` L -> ab whose convolutions have 8-bit weights, per channel, and activations, in ONNX's own
    operators (QDQ).

    pictures  L (1, 1, H, W) each, from which the ranges of activations are taken

    Linear layers, attention and `sensitive_nodes` stay in single precision.
    """
    onnx = import_optional("onnx")
    quantization = import_optional("onnxruntime.quantization")
    with TemporaryDirectory() as folder, quiet():
        plain, source, target = (Path(folder, f"{name}.onnx") for name in ("plain", "folded", "int8"))
        onnx.save(proto, plain)
        quantization.quant_pre_process(plain, source, skip_symbolic_shape=True)  # batch norms join their convolutions
        quantization.quantize_static(
            source, target, reader(pictures), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            op_types_to_quantize=[QUANTIZED], nodes_to_exclude=sensitive_nodes(onnx.load(source).graph),
        )  # fmt: skip
        found = onnx.load(target)
    used = [each for each in found.opset_import if each.domain == ""]  # onnxruntime lists all domains that it knows
    del found.opset_import[:]
    found.opset_import.extend(used)
    return found


def sensitive_nodes(graph: Any) -> list[str]:
    """Of an `onnx.GraphProto`, the convolutions that stay in single precision: the first quarter, whose errors all
    others pass on, and those whose output reaches the graph's without another one behind them."""
    convolutions = [node.name for node in graph.node if node.op_type == QUANTIZED]
    found = convolutions[: ceil(len(convolutions) / 4)]
    made_by = {output: node for node in graph.node for output in node.output}
    waiting, seen = [graph.output[0].name], set[str]()
    while waiting:
        node = made_by.get(waiting.pop())
        if node is None or node.name in seen or node.op_type == "Shape":
            continue
        seen.add(node.name)
        if node.op_type == QUANTIZED:
            found.append(node.name)
        else:
            waiting += node.input
    return found


def reader(pictures: Iterable[Tensor]) -> Any:
    """A `CalibrationDataReader` of them."""
    held: Iterator[dict[str, np.ndarray]] = ({"L": L.numpy()} for L in pictures)

    class Reader(import_optional("onnxruntime.quantization").CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(held, None)

    return Reader()
