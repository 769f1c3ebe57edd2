"""DDColor's own checkpoints (Kang et al. 2023): `ddcolor_paper`, `ddcolor_modelscope`, `ddcolor_artistic` and so on."""

from __future__ import annotations

import re

import torch

from colorize.importers.files import State
from colorize.importers.filling import count, fill, first, rename
from colorize.models import Transformer

WHAT = "a DDColor checkpoint"
UNUSED = r"^encoder\.arch\.(norm|head_cls)\."  # the pooled output's norm; a classifier that old files still hold
RULES = [
    (r"^(mean|std)$", r"encoder.\1"),
    (r"^encoder\.arch\.downsample_layers\.0\.(\d)\.", r"encoder.net.stem_\1."),
    (r"^encoder\.arch\.downsample_layers\.(\d)\.(\d)\.", r"encoder.net.stages_\1.downsample.\2."),
    (r"^encoder\.arch\.stages\.(\d)\.(\d+)\.", r"encoder.net.stages_\1.blocks.\2."),
    (r"^encoder\.arch\.norm(\d)\.", r"norms.\1."),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.pwconv(\d)\.", r".mlp.fc\1."),
    (r"^decoder\.layers\.(\d)\.shuf\.conv\.0\.", r"pixels.steps.\1.up."),
    (r"^decoder\.layers\.(\d)\.shuf\.conv\.1\.", r"pixels.steps.\1.up_norm."),
    (r"^decoder\.layers\.(\d)\.bn\.", r"pixels.steps.\1.skip_norm."),
    (r"^decoder\.layers\.(\d)\.conv\.0\.", r"pixels.steps.\1.mix."),
    (r"^decoder\.layers\.(\d)\.conv\.2\.", r"pixels.steps.\1.mix_norm."),
    (r"^decoder\.last_shuf\.conv\.0\.", "pixels.last."),
    (r"^decoder\.color_decoder\.", "colours."),
    (r"^colours\.query_feat\.", "colours.query."),
    (r"^colours\.query_embed\.", "colours.query_place."),
    (r"^colours\.level_embed\.", "colours.level."),
    (r"^colours\.input_proj\.", "colours.project."),
    (r"^colours\.transformer_cross_attention_layers\.(\d+)\.multihead_attn\.", r"colours.layers.\1.read."),
    (r"^colours\.transformer_cross_attention_layers\.(\d+)\.norm\.", r"colours.layers.\1.read_norm."),
    (r"^colours\.transformer_self_attention_layers\.(\d+)\.self_attn\.", r"colours.layers.\1.talk."),
    (r"^colours\.transformer_self_attention_layers\.(\d+)\.norm\.", r"colours.layers.\1.talk_norm."),
    (r"^colours\.transformer_ffn_layers\.(\d+)\.linear1\.", r"colours.layers.\1.think.0."),
    (r"^colours\.transformer_ffn_layers\.(\d+)\.linear2\.", r"colours.layers.\1.think.2."),
    (r"^colours\.transformer_ffn_layers\.(\d+)\.norm\.", r"colours.layers.\1.think_norm."),
    (r"^colours\.decoder_norm\.", "colours.norm."),
    (r"^colours\.color_embed\.layers\.0\.", "colours.embed.0."),
    (r"^colours\.color_embed\.layers\.1\.", "colours.embed.2."),
    (r"^colours\.color_embed\.layers\.2\.", "colours.embed.4."),
    (r"^refine_net\.0\.0\.", "refine."),
]
CONVNEXTS = {  # depths and widths -> the timm network
    ((3, 3, 9, 3), (96, 192, 384, 768)): "convnext_tiny.fb_in22k",
    ((3, 3, 27, 3), (96, 192, 384, 768)): "convnext_small.fb_in22k",
    ((3, 3, 27, 3), (128, 256, 512, 1024)): "convnext_base.fb_in22k",
    ((3, 3, 27, 3), (192, 384, 768, 1536)): "convnext_large.fb_in22k",
    ((3, 3, 27, 3), (256, 512, 1024, 2048)): "convnext_xlarge.fb_in22k",
}


def import_ddcolor(state: State) -> Transformer:
    """Of any depth and width. Spectral norm is folded into the weights: in eval mode the same, to the bit."""
    state = fold_spectral_norm(state, WHAT)
    depths = tuple(count(state, rf"encoder\.arch\.stages\.{stage}\.(\d+)\.") for stage in range(4))
    dims = tuple(len(first(state, f"encoder.arch.norm{stage}.weight", WHAT)) for stage in range(4))
    named = CONVNEXTS.get((depths, dims))  # type: ignore[arg-type]
    decoder = "decoder.color_decoder"
    layers = count(state, rf"{re.escape(decoder)}\.transformer_ffn_layers\.(\d+)\.")
    scales = len(first(state, f"{decoder}.level_embed.weight", WHAT))
    queries, dim = first(state, f"{decoder}.query_feat.weight", WHAT).shape
    model = Transformer(
        encoder=named or "convnext_tiny.fb_in22k", pretrained=False, spectral=False, queries=queries, dim=dim,
        encoder_options=None if named else {"depths": list(depths), "dims": list(dims)}, rounds=layers // scales,
        widths=[len(first(state, f"decoder.layers.{i}.conv.0.weight", WHAT)) for i in range(3)],
        feedforward=len(first(state, f"{decoder}.transformer_ffn_layers.0.linear1.weight", WHAT)),
    )  # fmt: skip
    return fill(model, rename(state, RULES, drop=UNUSED), WHAT)  # type: ignore[return-value]


def fold_spectral_norm(state: State, what: str = "a checkpoint with spectral norms") -> State:
    """weight = weight_orig / uᵀ W v, as torch.nn.utils.spectral_norm computes it in eval mode."""
    folded = {}
    for name, value in state.items():
        if name.endswith(".weight_orig"):
            stem = name.removesuffix("_orig")
            u, v = (first(state, f"{stem}_{vector}", what) for vector in "uv")
            folded[stem] = value / torch.dot(u, torch.mv(value.flatten(1), v))
        elif not name.endswith((".weight_u", ".weight_v")):
            folded[name] = value
    return folded
