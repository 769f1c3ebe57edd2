"""A network as ONNX files, which run without PyTorch: L in, ab out, pictures of any number and size.

`model.onnx` answers what `Colorizer.colorize` does, padding and clamping included. Of a diffusion model it is the
encoder, `step.onnx` is one step of the denoiser, and the sampler is a table of numbers among the facts.
B batch, H W picture, h w the map that is denoised.
"""

import io
import json
import logging
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim

from colorize.models.base import AB_LIMIT, Colorizer
from colorize.models.diffusion import Diffusion
from colorize.models.diffusion_process import sampler_table
from colorize.models.export import network_name
from colorize.models.onnx_graphs import METADATA, import_optional
from colorize.models.onnx_modules import DenoisingStep, FreeSize, GreyMaps, simplified
from colorize.models.onnx_runtime import FORMAT
from colorize.models.weights import weights_digest
from colorize.utils.errors import UserError

OPSET = 20
EXAMPLE = (2, 4, 6)  # pictures, and multiples of what the network takes in height and width: none is another's
MODEL, STEP = "model.onnx", "step.onnx"
PROGRAM = Path(__file__).with_name("onnx_paint.py")  # stands beside them as paint.py


# The sizes of pictures are made fit by operators of our own around the network: in torch's exporter each size within
# the network would be an expression of the picture's with remainders, which takes it minutes
PAD = """
pad (float[batch, 1, height, width] L) => (float[batch, 1, h, w] padded)
{{
    size = Shape <start = 2> (L)
    multiple = Constant <value_ints = [{multiple}]> ()
    negative = Neg (size)
    more = Mod (negative, multiple)
    none = Constant <value_ints = [0, 0, 0, 0, 0, 0]> ()
    pads = Concat <axis = 0> (none, more)
    padded = Pad <mode = "edge"> (L, pads)
}}
"""
CROP = """
crop (float[batch, 2, h, w] whole, int64[2] size) => (float[batch, 2, height, width] ab)
{{
    first = Constant <value_ints = [0, 0]> ()
    axes = Constant <value_ints = [2, 3]> ()
    cut = Slice (whole, first, size, axes)
    low = Constant <value_float = -{limit:.1f}> ()
    high = Constant <value_float = {limit:.1f}> ()
    ab = Clip (cut, low, high)
}}
"""


class ExportedModule(NamedTuple):
    """What torch exports. dynamic: as `torch.export` takes it."""

    module: nn.Module
    inputs: tuple[Any, ...]
    dynamic: tuple[Any, ...]
    input_names: list[str]
    output_names: list[str]


def export_graphs(model: Colorizer) -> dict[str, Any]:
    """File -> its `onnx.ModelProto`, without metadata; the network is in eval mode on the CPU.

    Raises `UserError` where ONNX cannot express the network.
    """
    model = simplified(model)
    multiple = 1 if model.fixed_size else model.multiple
    count, *example = (EXAMPLE[0], *(side * max(1, 16 // multiple) for side in EXAMPLE[1:]))
    batch, tall, wide = Dim("batch"), Dim("tall", min=2), Dim("wide", min=2)
    L = 100 * torch.rand(count, 1, *(side * multiple for side in example))

    def free(x: Tensor) -> dict[int, Any]:
        """The number of pictures, and height and width as multiples of what the network takes of each."""
        sides = zip((2, 3), x.shape[2:], example, (tall, wide), strict=True)
        return {0: batch, **{axis: (side // of) * dim if side > of else dim for axis, side, of, dim in sides}}

    if not model.stochastic:
        network = convert(model, ExportedModule(FreeSize(model), (L,), (free(L),), ["padded"], ["whole"]))
        return {MODEL: fit_sizes(network, multiple, crop=True)}
    if not isinstance(model, Diffusion):
        raise UserError(f"a {type(model).__name__} draws; of networks that draw, Diffusion alone is exported to ONNX")
    with torch.no_grad():
        lightness, *grey = GreyMaps(model)(L)
    names = ["lightness", *(f"grey_{i}" for i in range(len(grey)))]
    noisy, t = lightness.expand(-1, 2, -1, -1) / 100, torch.zeros(count, dtype=torch.long)
    look = ExportedModule(GreyMaps(model), (L,), (free(L),), ["padded"], names)
    step = ExportedModule(
        DenoisingStep(model), (noisy, t, lightness, grey),
        (free(noisy), {0: batch}, free(lightness), [*map(free, grey)]), ["x", "t", *names], ["x_0"],
    )  # fmt: skip
    return {MODEL: fit_sizes(convert(model, look), multiple, crop=False), STEP: convert(model, step)}


def fit_sizes(proto: Any, multiple: int, *, crop: bool) -> Any:
    """A network of pictures in multiples with operators around it that pad and crop: of any height and width."""
    parse = import_optional("onnx.parser").parse_graph
    pad, graph = parse(PAD.format(multiple=multiple)), proto.graph
    cut = parse(CROP.format(limit=AB_LIMIT)) if crop else graph
    nodes, outputs = [*pad.node, *graph.node, *(cut.node if crop else [])], [*cut.output]
    for field, held in (("node", nodes), ("input", pad.input), ("output", outputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(held)
    return proto


def convert(model: Colorizer, graph: ExportedModule) -> Any:
    """The `onnx.ModelProto` of a graph, by torch's exporter."""
    import_optional("onnxscript")
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph.module.eval(), graph.inputs, dynamo=True, opset_version=OPSET, dynamic_shapes=graph.dynamic,
                input_names=graph.input_names, output_names=graph.output_names, verbose=False,
            )  # fmt: skip
    except Exception as error:  # the exporter raises dozens of kinds, among them torch's own
        root: BaseException = error
        while root.__cause__:
            root = root.__cause__
        reason = next((line.strip() for line in str(root).splitlines() if line.strip()), "")
        raise UserError(
            f"ONNX cannot express this {network_name(type(model))} with pictures of any number and size "
            f"({type(root).__name__}: {reason:.200}): export it as safetensors"
        ) from error
    assert program is not None
    proto = program.model_proto
    batch, _, *sides = proto.graph.input[0].type.tensor_type.shape.dim
    if fixed := [side.dim_value for side in (batch, *sides) if not side.dim_param]:
        raise UserError(
            f"the code of this {network_name(type(model))} depends on its input's sizes, and could be exported for "
            f"{fixed[0]} alone: export it as safetensors"
        )
    forget_sources(proto)
    return proto


@contextmanager
def quiet():
    """Without what the exporter prints and logs of its steps."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def forget_sources(proto: Any) -> None:
    """Remove the exporter's notes on every node: source lines with paths of this machine, larger than a small net."""
    del proto.graph.metadata_props[:], proto.graph.value_info[:]
    proto.graph.doc_string = proto.doc_string = ""
    for node in [*proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.initializer]:
        del node.metadata_props[:]
        node.doc_string = ""


def describe_graphs(model: Colorizer, known: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the metadata of each file, so that it can be used without the others: plain values.

    known  what else is known of the network, such as its name and the `trained_size`
    """
    facts: dict[str, Any] = {
        "format": FORMAT, "library_name": "colorize", "network": network_name(type(model)), "opset": OPSET,
        "units": {"L": "CIE L* 0…100", "ab": "CIE"}, "weights": weights_digest(model.state_dict()),
        "parameters": model.count_parameters(), "fixed_size": model.fixed_size,
        "usual_size": known.get("trained_size") or model.usual_size, **known,
    }  # fmt: skip
    if isinstance(model, Diffusion):
        kept = [*(model.noise.kept[level] for level in model.sampling_steps), 1.0]
        facts["sampler"] = {
            "name": model.sampler, "levels": model.sampling_steps, "ab_scale": model.ab_scale, "shrink": model.shrink,
            "table": sampler_table(model.sampler, kept),
        }  # fmt: skip
    return facts


def convert_to_openvino(path: Path, facts: Mapping[str, Any]) -> list[Path]:
    """The .xml and .bin that are written beside an ONNX file."""
    openvino = import_optional("openvino")
    network, target = openvino.Core().read_model(path), path.with_suffix(".xml")
    network.set_rt_info(json.dumps(facts), [METADATA])
    openvino.save_model(network, target, compress_to_fp16=False)
    return [target.with_suffix(".bin"), target]


def write_metadata(proto: Any, facts: Mapping[str, Any]) -> bytes:
    """The bytes of the file."""
    onnx = import_optional("onnx")
    onnx.helper.set_model_props(proto, {METADATA: json.dumps(facts, ensure_ascii=False)})
    return proto.SerializeToString()
