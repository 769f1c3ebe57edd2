"""ONNX files opened by onnxruntime, and OpenVINO's by OpenVINO: from tensors to tensors.

What is in a file is data: operators of one's own and weights in further files are refused.
"""

from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.utils.errors import UserError, shorten_list

METADATA = "colorize"  # the key of our facts in a file's metadata
DOMAINS = {"", "ai.onnx"}  # of ONNX's own operators


def import_optional(name: str) -> Any:
    """A module that only some exports need. Raises `UserError` where its package is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UserError(f"this needs the package {package}: pip install {package}") from error


class Graph(NamedTuple):
    """A file, opened. run: inputs by name -> outputs, in order."""

    path: Path
    facts: str | None
    digest: bytes
    inputs: list[str]
    run: Any

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Raises `UserError` for a size that the network refuses, MemoryError where memory does not suffice."""
        given = {name: x.detach().cpu().contiguous().numpy() for name, x in zip(self.inputs, inputs, strict=True)}
        try:
            return [torch.from_numpy(np.array(each)) for each in self.run(given)]
        except Exception as error:  # both runtimes raise kinds of their own
            words = str(error)
            if "allocate" in words or "bad_alloc" in words:
                raise MemoryError(words.splitlines()[0]) from error
            shape = "×".join(map(str, inputs[0].shape))
            raise UserError(
                f"the network in {str(self.path)!r} takes no input of {shape} ({words.splitlines()[0]:.200})"
            ) from error


def open_onnx(path: Path) -> Graph:
    onnx, runtime = import_optional("onnx"), import_optional("onnxruntime")
    content = path.read_bytes()
    try:
        proto = onnx.load_model_from_string(content)
    except Exception as error:  # whatever a parser of damaged bytes raises
        raise UserError(f"{str(path)!r} is no ONNX file: fetch it again") from error
    facts = {each.key: each.value for each in proto.metadata_props}.get(METADATA)
    if facts is None:
        raise UserError(
            f"{str(path)!r} was not written by colorize export: its metadata does not say which network it is, nor in "
            "which units it answers"
        )
    graphs = [graph for outer in (proto.graph, *proto.functions) for graph in every_graph(outer)]
    nodes = [node for graph in graphs for node in graph.node]
    domains = {each.domain for each in [*proto.opset_import, *proto.functions, *nodes]}
    if others := domains - DOMAINS:
        raise UserError(
            f"{str(path)!r} has operators of {shorten_list(sorted(others))}: only those of ONNX itself are run"
        )
    weights = [weight for graph in graphs for weight in getattr(graph, "initializer", ())]
    weights += [tensor for node in nodes for each in node.attribute for tensor in (each.t, *each.tensors)]
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in weights):
        raise UserError(f"{str(path)!r} keeps weights in further files, which are not read: export it again")
    del proto, graphs, nodes, weights
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is raised
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # torch's threads need the cores as well
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise UserError(f"{str(path)!r} cannot be run by onnxruntime ({str(error).splitlines()[0]:.200})") from error
    names = [each.name for each in session.get_inputs()]
    return Graph(path, facts, sha256(content).digest(), names, lambda given: session.run(None, given))


def every_graph(graph: Any) -> list[Any]:
    """A graph or function, and those in its nodes."""
    found = [graph]
    for attribute in (each for node in graph.node for each in node.attribute):
        for below in [attribute.g, *attribute.graphs]:
            found += every_graph(below)
    return found


def open_openvino(path: Path) -> Graph:
    openvino = import_optional("openvino")
    core = openvino.Core()
    digest = sha256(b"".join(part.read_bytes() for part in (path, path.with_suffix(".bin")) if part.is_file()))
    try:
        model = core.read_model(path)
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # or it takes bfloat16 where the processor has it
            "INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY",
        }  # fmt: skip
        compiled = core.compile_model(model, "CPU", settings)
    except Exception as error:  # OpenVINO raises RuntimeError and kinds of its own
        raise UserError(f"{str(path)!r} cannot be run by OpenVINO ({str(error).splitlines()[0]:.200})") from error
    facts = model.get_rt_info([METADATA]).astype(str) if model.has_rt_info([METADATA]) else None
    names = [each.any_name for each in model.inputs]
    return Graph(path, facts, digest.digest(), names, lambda given: list(compiled(given).values()))


OPENERS = {".onnx": open_onnx, ".xml": open_openvino}
