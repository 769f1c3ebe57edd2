"""DDColor's files (Kang et al. 2023): their names and sizes read, and a network of ours written as such a file."""

import inspect
import re
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from colorize.models.base import Colorizer
from colorize.models.export import weights_in
from colorize.models.transformer import Transformer
from colorize.models.weights import State, count_blocks, fold_spectral_norm, rename
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, write_text, write_whole

# Names in DDColor's files and ours, {} a number: read from above, written from below. One that begins with a point
# stands anywhere; one that ends with a point begins a name; others are whole
NAMES = [
    ("mean", "encoder.mean"),
    ("std", "encoder.std"),
    ("encoder.arch.downsample_layers.0.{}.", "encoder.net.stem_{}."),
    ("encoder.arch.downsample_layers.{}.{}.", "encoder.net.stages_{}.downsample.{}."),
    ("encoder.arch.stages.{}.{}.", "encoder.net.stages_{}.blocks.{}."),
    ("encoder.arch.norm{}.", "norms.{}."),
    (".dwconv.", ".conv_dw."),
    (".pwconv{}.", ".mlp.fc{}."),
    ("decoder.layers.{}.shuf.conv.0.", "pixels.steps.{}.up."),
    ("decoder.layers.{}.shuf.conv.1.", "pixels.steps.{}.up_norm."),
    ("decoder.layers.{}.bn.", "pixels.steps.{}.skip_norm."),
    ("decoder.layers.{}.conv.0.", "pixels.steps.{}.mix."),
    ("decoder.layers.{}.conv.2.", "pixels.steps.{}.mix_norm."),
    ("decoder.last_shuf.conv.0.", "pixels.last."),
    ("decoder.color_decoder.", "colours."),
    ("colours.query_feat.", "colours.query."),
    ("colours.query_embed.", "colours.query_place."),
    ("colours.level_embed.", "colours.level."),
    ("colours.input_proj.", "colours.project."),
    ("colours.transformer_cross_attention_layers.{}.multihead_attn.", "colours.layers.{}.read."),
    ("colours.transformer_cross_attention_layers.{}.norm.", "colours.layers.{}.read_norm."),
    ("colours.transformer_self_attention_layers.{}.self_attn.", "colours.layers.{}.talk."),
    ("colours.transformer_self_attention_layers.{}.norm.", "colours.layers.{}.talk_norm."),
    ("colours.transformer_ffn_layers.{}.linear1.", "colours.layers.{}.think.0."),
    ("colours.transformer_ffn_layers.{}.linear2.", "colours.layers.{}.think.2."),
    ("colours.transformer_ffn_layers.{}.norm.", "colours.layers.{}.think_norm."),
    ("colours.decoder_norm.", "colours.norm."),
    ("colours.color_embed.layers.0.", "colours.embed.0."),
    ("colours.color_embed.layers.1.", "colours.embed.2."),
    ("colours.color_embed.layers.2.", "colours.embed.4."),
    ("refine_net.0.0.", "refine."),
]
HOOKS = [  # of spectral norm: parametrizations in ours, hooks of the older kind in theirs
    (r"\.parametrizations\.weight\.original$", ".weight_orig"),
    (r"\.parametrizations\.weight\.0\._([uv])$", r".weight_\1"),
]
NORMED = r"(shuf\.conv|layers\.\d\.conv|refine_net\.0)\.0\.weight$"  # what has it in theirs
UNUSED = r"^encoder\.arch\.(norm|head_cls)\."  # the pooled output's norm; a classifier of old files
CONVNEXTS = {  # depths and widths -> the timm network
    ((3, 3, 9, 3), (96, 192, 384, 768)): "convnext_tiny.fb_in22k",
    ((3, 3, 27, 3), (96, 192, 384, 768)): "convnext_small.fb_in22k",
    ((3, 3, 27, 3), (128, 256, 512, 1024)): "convnext_base.fb_in22k",
    ((3, 3, 27, 3), (192, 384, 768, 1536)): "convnext_large.fb_in22k",
    ((3, 3, 27, 3), (256, 512, 1024, 2048)): "convnext_xlarge.fb_in22k",
}


def rule(found: str, wanted: str) -> tuple[str, str]:
    """The pattern and the replacement, as `rename` takes them, of a pair of `NAMES`."""
    pattern = re.escape(found).replace(r"\{\}", r"(\d+)")
    pattern = ("" if found.startswith(".") else "^") + pattern + ("" if found.endswith(".") else "$")
    numbers = count(1)
    return pattern, re.sub(r"\{\}", lambda _: rf"\{next(numbers)}", wanted)


def shared_sizes(state: State, queries: str = "colours") -> dict[str, Any]:
    """The arguments that Transformer and MultiColor share; `queries` is the module of a decoder of queries."""
    number, dim = state[f"{queries}.query.weight"].shape
    depths = [count_blocks(state, rf"encoder\.net\.stages_{stage}\.blocks\.(\d+)\.") for stage in range(4)]
    dims = [len(state[f"encoder.net.stages_{stage}.blocks.0.gamma"]) for stage in range(4)]
    named = CONVNEXTS.get((tuple(depths), tuple(dims)))  # type: ignore[arg-type]
    layers, scales = count_blocks(state, rf"{re.escape(queries)}\.layers\.(\d+)\."), 3
    return {
        "encoder": named or "convnext_tiny.fb_in22k", "pretrained": False, "queries": number, "dim": dim,
        "encoder_options": None if named else {"depths": depths, "dims": dims}, "rounds": layers // scales,
        "widths": [len(state[f"pixels.steps.{i}.mix.weight"]) for i in range(scales)],
        "feedforward": len(state[f"{queries}.layers.0.think.0.weight"]),
    }  # fmt: skip


def read_ddcolor(state: State) -> tuple[type[Colorizer], dict[str, Any], State]:
    """Of any depth and width. Spectral norm is folded into the weights: in eval mode the same, to the bit."""
    state = fold_spectral_norm(rename(state, [rule(*names) for names in NAMES], drop=UNUSED))
    return Transformer, {"spectral": False, **shared_sizes(state)}, state


def to_ddcolor(state: Mapping[str, Tensor]) -> State:
    """The inverse of `read_ddcolor`: weights of a `Transformer` as DDColor's code has them, with the norm that its
    encoder has and does not use."""
    found = rename(state, [*HOOKS, *(rule(ours, theirs) for theirs, ours in reversed(NAMES))])
    found = {name: value.flatten(1) if ".pwconv" in name and value.ndim > 1 else value for name, value in found.items()}
    for name in filter(re.compile(NORMED).search, list(found)):
        found |= unfold_spectral_norm(name, found.pop(name))
    last = found["encoder.arch.norm3.weight"]
    return found | {"encoder.arch.norm.weight": torch.ones_like(last), "encoder.arch.norm.bias": torch.zeros_like(last)}


def unfold_spectral_norm(name: str, weight: Tensor) -> State:
    """What `fold_spectral_norm` makes `weight` of: itself, and its first singular vectors, of which one is divided by
    the singular value."""
    u, s, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    return {f"{name}_orig": weight, f"{name}_u": u[:, 0] / s[0], f"{name}_v": v[0].contiguous()}


ENCODERS = {"convnext_tiny": "t", "convnext_small": "s", "convnext_base": "b", "convnext_large": "l"}
FIXED = {  # what DDColor's code does not read from a file
    "pixel_decoder": "ddcolor", "bins": False, "widths": [512, 512, 256], "dim": 256, "heads": 8, "feedforward": 2048,
    "encoder_options": None,
}  # fmt: skip


def convnext_of(settings: Mapping[str, Any]) -> str:
    """The timm architecture of the encoder, without the tag of its weights."""
    return settings["encoder"].partition(".")[0]


def problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a `Transformer` of these arguments from being one that DDColor's code builds."""
    if convnext_of(settings) not in ENCODERS:
        yield f"encoder={settings['encoder']} instead of one of {', '.join(ENCODERS)}"
    for name, wanted in FIXED.items():
        held = list(settings[name]) if isinstance(wanted, list) else settings[name]
        if held != wanted and (held or wanted):
            yield f"{name}={held} instead of {wanted}"


def write_ddcolor(model: Colorizer, folder: str | Path, dtype: torch.dtype | None) -> Path:
    """`model.safetensors` and `config.json` in the layout of DDColor's repositories on the hub. The folder.

    Raises `UserError` for a network that is not of DDColor's architecture.
    """
    refused = "--format ddcolor is for networks that DDColor's code builds, and this one"
    if not isinstance(model, Transformer):
        raise UserError(f"{refused} is a {type(model).__name__}, not a Transformer")
    defaults = {name: parameter.default for name, parameter in inspect.signature(Transformer).parameters.items()}
    settings = defaults | model.settings
    if why := next(problems(settings), ""):
        raise UserError(f"{refused} has {why}")
    weights = to_ddcolor(weights_in(model, dtype))
    config = {
        "encoder_name": f"convnext-{ENCODERS[convnext_of(settings)]}",
        "decoder_name": "MultiScaleColorDecoder", "num_input_channels": 3, "input_size": [256, 256], "nf": 512,
        "num_output_channels": 2, "last_norm": "Spectral", "do_normalize": False,
        "num_queries": model.colours.query.num_embeddings, "num_scales": 3, "dec_layers": len(model.colours.layers),
    }  # fmt: skip
    folder = at_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "model.safetensors", lambda part: save_file(weights, part, {"format": "pt"}))
    write_text(folder / "config.json", as_json(config, indent=2) + "\n")
    return folder
