"""Exported networks on other runtimes: ONNX files on onnxruntime, OpenVINO's on OpenVINO. B batch, H W picture.

What is in a file is data: its metadata is checked, and a file that is not as it was exported is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor

from colorize.models.base import Colorizer, Generators
from colorize.models.diffusion import gaussian
from colorize.models.onnx_graphs import OPENERS, Graph
from colorize.utils.errors import UserError
from colorize.utils.files import as_names, digest_of, read_json
from colorize.utils.validation import Few, Number, Positive, Side

FORMAT = 1
FORMATS = {"onnx": ".onnx", "openvino": ".xml"}
OF_EXPORTS = tuple(f"{part}{kind}" for part in ("model", "step") for kind in (".onnx", ".xml", ".bin"))  # their files
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

    @property
    def title(self) -> str:
        return f"{self.facts.network}, exported,"

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
    check_unchanged(path.with_name("config.json"))
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


def check_unchanged(config: Path) -> None:
    """Raises `UserError` where the config.json of an export has other digests than the files beside it."""
    digests = as_names(read_json(config, "fetch the whole folder again").get("files", {}))
    for name in OF_EXPORTS:
        path = config.with_name(name)
        if name in digests and path.is_file() and digest_of(path) != digests[name]:
            raise UserError(f"{str(path)!r} has been changed since it was exported: fetch or export it again")


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
