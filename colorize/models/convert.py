"""Published checkpoints into networks of ours (DDColor's in `ddcolor_files`); sizes are read from weights' shapes."""

import math
from collections.abc import Callable
from typing import Any

from colorize.models.base import Colorizer
from colorize.models.cnn import CNN
from colorize.models.ddcolor_files import read_ddcolor, shared_sizes
from colorize.models.diffusion import Diffusion
from colorize.models.multicolor import MultiColor
from colorize.models.transformer import Transformer
from colorize.models.unet import ResNetUNet, UNet
from colorize.models.weights import State, count_blocks, rename

Converted = tuple[type[Colorizer], dict[str, Any], State]  # a network, the arguments that build it, its weights


def read_cnn(state: State) -> Converted:
    """One branch at 224², a sigmoid's output doubled by nearest neighbour."""
    rules = [
        (r"^(low|mid)_net\.layers\.", r"\1."),
        (r"^global_net\.conv_layers\.", "globe."),
        (r"^global_net\.fc1\.0\.", "globe.5."),
        (r"^global_net\.fc2\.0\.", "globe.7."),
        (r"^global_net\.fc3\.", "to_fusion."),
        (r"^global_net\.fc_classification\.", "classify."),
        (r"^fusion_block\.layers\.", "fusion."),
        (r"^colorization_net\.layers\.", "colour."),
    ]
    state = rename(state, rules)
    settings = {
        "classes": len(state["classify.2.weight"]), "branches": 1, "upsample": "nearest",
        "width": len(state["low.0.0.weight"]) / 64,
        "global_size": 32 * math.isqrt(state["globe.5.weight"].shape[1] // len(state["globe.3.0.weight"])),
    }  # fmt: skip
    return CNN, settings, state


def read_gan(state: State) -> Converted:
    """fastai's DynamicUnet on a ResNet-18."""
    rules = [
        (r"^layers\.0\.0\.", "encoder.net.conv1."),
        (r"^layers\.0\.1\.", "encoder.net.bn1."),
        *((rf"^layers\.0\.{i + 3}\.", f"encoder.net.layer{i}.") for i in range(1, 5)),
        (r"^layers\.1\.", "middle.0."),
        (r"^layers\.3\.0\.", "middle.2."),
        (r"^layers\.3\.1\.", "middle.3."),
        *((rf"^layers\.{i + 4}\.", f"climbs.{i}.") for i in range(4)),
        (r"^(climbs\.\d)\.shuf\.0\.0\.", r"\1.up."),
        (r"^(climbs\.\d)\.bn\.", r"\1.norm."),
        (r"^(climbs\.\d)\.conv1\.", r"\1.mix.0."),
        (r"^(climbs\.\d)\.conv2\.", r"\1.mix.1."),
        (r"^layers\.8\.0\.0\.", "last."),
        (r"^layers\.11\.convpath\.0\.", "residual.0."),
        (r"^layers\.11\.convpath\.1\.0\.", "residual.1."),
        (r"^layers\.12\.0\.", "head."),
    ]
    return ResNetUNet, {"pretrained": False}, rename(state, rules)


def read_unet(state: State) -> Converted:
    """Its head says L, a and b; the lightness is dropped."""
    state = rename(state, [(r"^down\.0\.1\.", "down.0.2."), (r"^down\.0\.0\.", "down.0.1."), (r"^final\.", "head.")])
    for name in ("head.0.weight", "head.0.bias"):
        if len(state[name]) == 3:
            state[name] = state[name][1:]
    of_down = ["down.0.1.weight", *(f"down.{i}.0.weight" for i in range(1, count_blocks(state, r"down\.(\d+)\.")))]
    return UNet, {"widths": [len(state[name]) for name in of_down], "norm": "batch"}, state


SPACES = ("lab", "hs", "yuv")  # hue and saturation as they are, not as a circle
PIXELS = [  # encoder and pixel decoder, which the transformer and MultiColor share
    (r"^encoder\.backbone\.", "encoder.net."),
    (r"^encoder\.blend_blocks\.(\d)\.up\.block\.0\.block\.0\.", r"pixels.steps.\1.up."),
    (r"^encoder\.blend_blocks\.(\d)\.up\.block\.0\.block\.1\.", r"pixels.steps.\1.up_norm."),
    (r"^encoder\.blend_blocks\.(\d)\.norm\.", r"pixels.steps.\1.skip_norm."),
    (r"^encoder\.blend_blocks\.(\d)\.fuse\.block\.0\.", r"pixels.steps.\1.mix."),
    (r"^encoder\.blend_blocks\.(\d)\.fuse\.block\.1\.", r"pixels.steps.\1.mix_norm."),
    (r"^encoder\.out\.block\.0\.block\.0\.", "pixels.last."),
]
QUERIES = [  # within `colours.` or `colours.SPACE.`
    (r"^(colours\..*?)color_query$", r"\1query.weight"),
    (r"^(colours\..*?)query_emb$", r"\1query_place.weight"),
    (r"^(colours\..*?)features_pos_emb\.levels_emb$", r"\1level.weight"),
    (r"^(colours\..*?)features_pos_emb\.projections\.", r"\1project."),
    (r"^(colours\..*?)cross_attention_layers\.(\d+)\.attention\.", r"\1layers.\2.read."),
    (r"^(colours\..*?)cross_attention_layers\.(\d+)\.norm\.", r"\1layers.\2.read_norm."),
    (r"^(colours\..*?)self_attention_layers\.(\d+)\.attention\.", r"\1layers.\2.talk."),
    (r"^(colours\..*?)self_attention_layers\.(\d+)\.norm\.", r"\1layers.\2.talk_norm."),
    (r"^(colours\..*?)mlp_layers\.(\d+)\.layers\.0\.", r"\1layers.\2.think.0."),
    (r"^(colours\..*?)mlp_layers\.(\d+)\.layers\.3\.", r"\1layers.\2.think.2."),
    (r"^(colours\..*?)mlp_layers\.(\d+)\.norm\.", r"\1layers.\2.think_norm."),
    (r"^(colours\..*?)final\.", r"\1embed."),
]


def read_transformer(state: State) -> Converted:
    state = rename(state, [*PIXELS, (r"^color_module\.", "colours."), *QUERIES, (r"^final\.", "refine.")])
    return Transformer, {"pixel_decoder": "thesis", **shared_sizes(state)}, state


def read_multicolor(state: State) -> Converted:
    """Its complementary network has batch norm and ReLU, its HSV decoder says hue and saturation as they are."""
    spaces = SPACES[: count_blocks(state, r"color_modules\.(\d)\.")]
    blocks = range(count_blocks(state, r"csc_net\.layers\.(\d+)\."))
    state = rename(state, [
        *PIXELS,
        *((rf"^color_modules\.{i}\.", f"colours.{space}.") for i, space in enumerate(spaces)),
        *QUERIES,
        *((rf"^final_projections\.{i}\.", f"mappers.{space}.") for i, space in enumerate(spaces)),
        *((rf"^csc_net\.layers\.{i}\.{j}\.block\.{k}\.", f"complement.{6 * i + 3 * j + k}.")
          for i in blocks for j in range(2) for k in range(2)),
    ])  # fmt: skip
    complement = [len(state[f"complement.{6 * i}.weight"]) for i in blocks]
    settings = {"spaces": spaces, "complement_norm": "batch", "complement": complement}
    return MultiColor, settings | shared_sizes(state, "colours.lab"), state


def read_diffusion(state: State) -> Converted:
    """Its last block is not told the noise level, and its linear attention is transposed; weights that nothing ever
    used (that block's time layer, the encoder's last convolution) are dropped."""
    stages = count_blocks(state, r"model\.down\.(\d+)\.")
    rules = [
        (r"^model\.", "denoiser."),
        (r"^denoiser\.time_mlp\.", "denoiser.time."),
        (r"\.time_mlp\.1\.", ".scale_shift.1."),
        (r"\.init_conv\.", ".first."),
        (r"\.block1\.", ".one."),
        (r"\.block2\.", ".two."),
        (r"^denoiser\.bottleneck1\.", "denoiser.before."),
        (r"^denoiser\.bottleneck2\.", "denoiser.attention."),
        (r"^denoiser\.bottleneck3\.", "denoiser.after."),
        (r"^denoiser\.final\.0\.", "denoiser.last."),
        (r"^denoiser\.final\.1\.", "denoiser.head."),
        (r"\.conv_norm1\.0\.weight$", ".one.parametrizations.weight.original"),
        (r"\.conv_norm2\.0\.weight$", ".two.parametrizations.weight.original"),
        (r"\.conv_norm1\.0\.bias$", ".one.bias"),
        (r"\.conv_norm2\.0\.bias$", ".two.bias"),
        (r"\.conv_norm1\.1\.", ".one_norm."),
        (r"\.conv_norm2\.1\.", ".two_norm."),
        (r"\.residual\.", ".skip."),
        (r"\.attention\.module\.final_conv\.", ".attend.attention.out."),
        (r"\.attention\.module\.", ".attend.attention."),
        (r"\.attention\.norm\.", ".attend.norm."),
        (r"\.down_block\.down\.1\.", ".leave.2."),
        (r"\.up_block\.up\.2\.", ".leave.2."),
        (r"\.(down|up)_block\.", ".leave."),
    ]
    unused = rf"^model\.final\.0\.time_mlp\.|^encoder\.down\.{stages - 1}\.down_block\."
    state = rename(state, rules, drop=unused)
    ends = [f"denoiser.down.{i}.leave.{'2.' if i < stages - 1 else ''}weight" for i in range(stages)]
    settings = {
        "widths": [len(state[name]) for name in ("denoiser.first.weight", *ends)],
        "time": state["denoiser.time.1.weight"].shape[1], "attention": "transposed", "late_time": False,
    }  # fmt: skip
    return Diffusion, settings, state


READERS: dict[str, Callable[[State], Converted]] = {  # of each of `LAYOUTS`
    "encoder.arch.": read_ddcolor, "low_net.": read_cnn, "layers.0.": read_gan, "down.0.": read_unet,
    "color_module.": read_transformer, "color_modules.": read_multicolor, "model.init_conv.": read_diffusion,
}  # fmt: skip
