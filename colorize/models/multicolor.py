"""MultiColor: colour said in several colour spaces at once, and a small network that makes one picture of it
(Du et al. 2024).

Encoder and pixel decoder are DDColor's; each space has a decoder of colour queries and a mapper to its two channels of
chroma; the complementary network (CSCNet) reads the grey picture and all chroma, and says sRGB.
The paper gives neither weights nor code: where it is silent, docs/models.md says what was chosen.
B batch, C channels, H W picture, Q queries, S spaces.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Annotated, Any, Literal

import torch
from annotated_types import Len
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.imaging.color import CHROMA_SCALE, rgb_to_lab
from colorize.models.base import Colorizer
from colorize.models.dual_decoder import ColourDecoder, PixelDecoder, check_decoder_sizes
from colorize.models.encoders import Encoder
from colorize.models.unet import group_norm
from colorize.utils.errors import UserError
from colorize.utils.validation import Channels, Few, Layers, Name, Pretrained, Widths


class MultiColor(Colorizer):
    """ab is that of the RGB picture that the complementary network says; lightness stays the input's.

    spaces         of lab, hsv (S cos H, S sin H), hs (H, S: hue jumps at red) and yuv, each with its own decoder
    complement     widths of the complementary network's blocks, of a 1×1 and a 3×3 convolution each
    complement_norm  group: group norm and GELU, and a sigmoid at the end, as the thesis's text has it; batch: batch
                   norm and ReLU, also at the end, as its code has it
    The rest is as in `Transformer`.
    """

    answers = frozenset({"ab", "rgb", *CHROMA_SCALE})
    multiple = 32

    def __init__(
        self, *, spaces: Annotated[Sequence[Literal["lab", "hsv", "hs", "yuv"]], Len(1)] = ("lab", "hsv", "yuv"),
        encoder: Name = "convnext_tiny.fb_in22k",
        pretrained: Pretrained = "auto", freeze: bool = False, widths: Widths = (512, 512, 256),
        queries: Channels = 100, dim: Channels = 256, heads: Few = 8, feedforward: Channels = 2048, rounds: Layers = 3,
        complement: Widths = (32, 64, 128, 64, 32), complement_norm: Literal["group", "batch"] = "group",
        encoder_options: Mapping[str, Any] | None = None,
    ):  # fmt: skip
        super().__init__()
        check_decoder_sizes(widths, dim, heads)
        if len(set(spaces)) < len(spaces):
            raise UserError(f"model.spaces is {list(spaces)}; each space may be there once")
        self.answers = frozenset({"ab", "rgb", *spaces})
        self.spaces = tuple(spaces)
        self.encoder = Encoder(encoder, pretrained, freeze=freeze, options=encoder_options)
        self.pretrained = self.encoder.pretrained
        self.pixels = PixelDecoder(self.encoder.channels, widths, thesis=True, spectral=False)
        self.colours = nn.ModuleDict(
            {space: ColourDecoder(widths, dim, queries, heads, feedforward, rounds) for space in spaces}
        )
        self.mappers = nn.ModuleDict({space: nn.Conv2d(queries, 2, 1) for space in spaces})
        self.complement = complement_network(2 * len(spaces) + 1, complement, complement_norm)

    def forward(self, batch: Batch) -> Prediction:
        chroma, rgb = self.see(batch.input)
        return Prediction(ab=self.ab_of(rgb), rgb=rgb, **chroma)

    def predict_ab(self, L: Tensor) -> Tensor:
        return self.ab_of(self.see(L)[1])

    def predict_rgb(self, L: Tensor) -> Tensor:
        """L (B, 1, H, W) 0…100 -> the sRGB picture that the complementary network says (B, 3, H, W), not clamped."""
        return self.see(L)[1]

    def see(self, L: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """L (B, 1, H, W) -> chroma (B, 2, H, W) by space, in the units of `color.chroma`, and sRGB (B, 3, H, W)"""
        maps, grey = self.encoder.see_lightness(L)
        scales, sub_pixels = self.pixels(maps)
        said = {}
        for space, (weight, bias) in zip(self.spaces, map(nn.Module.parameters, self.mappers.values()), strict=True):
            said[space] = self.pixels.fuse(self.colours[space](scales), sub_pixels, weight) + bias.view(-1, 1, 1)
        rgb = self.complement(torch.cat([*said.values(), grey[:, :1]], dim=1))
        return {space: CHROMA_SCALE[space] * chroma for space, chroma in said.items()}, rgb

    @staticmethod
    def ab_of(rgb: Tensor) -> Tensor:
        kind = rgb.device.type
        known = torch.amp.is_autocast_available(kind)  # the meta device has none
        with torch.autocast(kind, enabled=False) if known else nullcontext():  # bfloat16 is whole steps off here
            return rgb_to_lab(rgb.float().clamp(0, 1))[:, 1:]


def complement_network(inputs: int, widths: Sequence[int], kind: str) -> nn.Sequential:
    """Convolutions, each with norm and activation. The last one says RGB; of kind group, through a sigmoid alone."""
    norm, activation = COMPLEMENTS[kind]
    layers: list[nn.Module] = []
    for width, outputs in zip(widths, [*widths[:-1], 3], strict=True):
        layers += [nn.Conv2d(inputs, width, 1), norm(width), activation()]
        layers += [nn.Conv2d(width, outputs, 3, padding=1), norm(outputs), activation()]
        inputs = outputs
    return nn.Sequential(*layers[:-2], nn.Sigmoid()) if kind == "group" else nn.Sequential(*layers)


COMPLEMENTS: dict[str, tuple[Callable[[int], nn.Module], type[nn.Module]]] = {
    "group": (group_norm, nn.GELU), "batch": (nn.BatchNorm2d, nn.ReLU)
}  # fmt: skip
