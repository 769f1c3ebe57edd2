"""Exported networks on other runtimes: ONNX files on onnxruntime, OpenVINO's on OpenVINO. B batch, H W picture.

What is in a file is data: its metadata is checked, and operators of one's own and weights in further files are refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor

from colorize.models.base import Colorizer, Generators
from colorize.models.diffusion import gaussian
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.validation import Few, Number, Positive, Side

FORMAT = 1
METADATA = "colorize"  # the key of our facts in a file's metadata
DOMAINS = {"", "ai.onnx"}  # of ONNX's own operators
FORMATS = {"onnx": ".onnx", "openvino": ".xml"}
RUNTIMES = {"onnx": "onnxruntime", "openvino": "openvino"}  # packages
DAMAGED = "it is damaged, or of a newer version"


@dataclass(frozen=True)
class Sampler:
    """How a diffusion model draws. levels: the noise levels that it visits; table, shrink: of `sampler_table` and of
    `Diffusion`."""

    levels: Sequence[Number]
    table: Sequence[tuple[float, float, float, float]]
    ab_scale: Positive
    shrink: Few


@dataclass(frozen=True)
class Facts:
    """What the metadata of an exported file says of the network; the rest of it is for people."""

    format: int
    network: str
    parameters: Number
    usual_size: Side
    fixed_size: Side | None = None
    sampler: Sampler | None = None


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
    domains = {each.domain for each in [*proto.opset_import, *proto.functions, *every_node(proto.graph)]}
    if others := domains - DOMAINS:
        raise UserError(
            f"{str(path)!r} has operators of {shorten_list(sorted(others))}: only those of ONNX itself are run"
        )
    if any(each.data_location == onnx.TensorProto.EXTERNAL for each in proto.graph.initializer):
        raise UserError(f"{str(path)!r} keeps weights in further files, which are not read: export it again")
    del proto
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


def every_node(graph: Any) -> list[Any]:
    """Those of a graph and of the graphs in its nodes."""
    found = []
    for node in graph.node:
        found.append(node)
        for attribute in node.attribute:
            for below in [attribute.g, *attribute.graphs]:
                found += every_node(below)
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


class DeployedColorizer(Colorizer):
    """An exported network: it predicts on the CPU, by its runtime, and cannot be trained.

    Its only tensor is the SHA-256 of its files, so that results and records tell it from others.
    """

    answers = frozenset({"ab"})
    trainable = False
    sha256: Tensor

    def __init__(self, graphs: Sequence[Graph], facts: Facts):
        super().__init__()
        self.graphs, self.facts = tuple(graphs), facts
        self.usual_size, self.fixed_size = facts.usual_size, facts.fixed_size
        self.stochastic = facts.sampler is not None  # type: ignore[misc]  # of this network, not of its class
        digest = sha256(b"".join(graph.digest for graph in graphs)).digest()
        self.register_buffer("sha256", torch.tensor(list(digest), dtype=torch.uint8))

    def count_parameters(self) -> int:
        return self.facts.parameters

    def predict_ab(self, L: Tensor, generator: Generators = None) -> Tensor:
        if self.facts.sampler is None:
            return self.graphs[0](L)[0]
        sampler, (look, step) = self.facts.sampler, self.graphs
        lightness, *grey = look(L)

        def draw() -> Tensor:
            return gaussian((len(L), 2, *lightness.shape[2:]), generator).cpu()

        x, before = draw(), torch.zeros(1)
        for level, (a, b, c, d) in zip(sampler.levels, sampler.table, strict=True):
            (clean,) = step(x, torch.full((len(L),), level), lightness, *grey)
            x, before = a * x + b * clean + c * before + (d * draw() if d else 0), clean
        size = [sampler.shrink * side for side in lightness.shape[2:]]
        return sampler.ab_scale * F.interpolate(x, size, mode="bilinear")[..., : L.shape[2], : L.shape[3]]


def check_trainable(model: Colorizer, source: str) -> None:
    """Raises `UserError` for an exported network where one of PyTorch's is needed."""
    if not model.trainable:
        raise UserError(
            f"{source!r} is an export without PyTorch's weights: name what it was exported from, or its export as "
            "safetensors"
        )


def read_deployed(path: Path) -> DeployedColorizer:
    """The network of an ONNX or OpenVINO file that `colorize export` wrote; of a diffusion model, of its first file.

    Raises `UserError` for a file of another program, one that is damaged, and where the runtime is not installed.
    """
    opened = OPENERS[path.suffix](path)
    facts = read_facts(opened)
    graphs = [opened]
    if facts.sampler is not None:
        step = path.with_name(f"step{path.suffix}")
        if not step.is_file():
            raise UserError(f"{str(path)!r} is one part of a diffusion model, and {step.name!r} is not beside it")
        graphs.append(OPENERS[path.suffix](step))
        if read_facts(graphs[1]) != facts:
            raise UserError(f"{str(path)!r} and {step.name!r} are parts of two different networks")
    return DeployedColorizer(graphs, facts)


def read_facts(graph: Graph) -> Facts:
    """Raises `UserError` for metadata that `colorize export` did not write."""
    if graph.facts is None:
        raise UserError(f"{str(graph.path)!r} was not written by colorize export: it does not say which network it is")
    try:
        facts = TypeAdapter(Facts).validate_python(json.loads(graph.facts))
    except (ValueError, RecursionError) as error:
        raise UserError(f"the metadata of {str(graph.path)!r} do not describe a network: {DAMAGED}") from error
    if facts.format != FORMAT or (facts.sampler and len(facts.sampler.levels) != len(facts.sampler.table)):
        raise UserError(f"{str(graph.path)!r} is of format {facts.format}, and this version reads {FORMAT}: {DAMAGED}")
    return facts


def read_deployed_folder(folder: Path, runtime: Any) -> DeployedColorizer:
    """The network of an exported folder whose config.json names this runtime. Raises `UserError` for another, and
    where its file is missing."""
    if runtime not in list(FORMATS):
        raise UserError(f"{str(folder)!r} is an export for {runtime!r:.60}; this version reads {' and '.join(FORMATS)}")
    path = folder / f"model{FORMATS[runtime]}"
    if not path.is_file():
        raise UserError(f"{path.name!r} is missing beside {str(folder / 'config.json')!r}: fetch the whole folder")
    return read_deployed(path)
