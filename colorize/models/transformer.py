"""DDColor: a pixel decoder and a decoder of colour queries, side by side, on one encoder (Kang et al. 2023).

B batch, C channels, H W picture, Q queries.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.models.base import Colorizer, convolution
from colorize.models.bin_head import BinHead
from colorize.models.dual_decoder import ColourDecoder, PixelDecoder, check_decoder_sizes
from colorize.models.encoders import Encoder
from colorize.utils.validation import Channels, Few, Layers, Name, Pretrained, Share, Widths


class Transformer(Colorizer):
    """The defaults are DDColor-T as published.

    encoder        a timm name with feature maps at 1/4, 1/8, 1/16, 1/32; `pretrained` and `freeze` as in `Encoder`
    widths         channels of the pixel decoder at 1/16, 1/8 and 1/4
    queries        colour queries, of `dim` numbers each; `heads` and `feedforward` are those of their layers
    rounds         how often the queries read the three scales, coarse to fine (the paper's M)
    pixel_decoder  ddcolor; or thesis: 3×3 convolutions before the shuffles, no blur, the encoder's maps not
                   normalised, its input (L/50 − 1) three times, and ab = 128 · y
    spectral       spectral normalisation of the convolutions of pixel_decoder=ddcolor
    bins           its answer is a distribution over bins of the ab plane at 1/4 of the size, for loss=rebalanced, and
                   ab the annealed mean of it at this `temperature` (Zhang et al. 2016); without, ab itself at full size
    encoder_options  further arguments of `timm.create_model`, such as depths and dims
    """

    answers = frozenset({"ab", "bins"})
    multiple = 32

    def __init__(
        self,
        *,
        encoder: Name = "convnext_tiny.fb_in22k",
        pretrained: Pretrained = "auto",
        freeze: bool = False,
        widths: Widths = (512, 512, 256),
        queries: Channels = 100,
        dim: Channels = 256,
        heads: Few = 8,
        feedforward: Channels = 2048,
        rounds: Layers = 3,
        pixel_decoder: Literal["ddcolor", "thesis"] = "ddcolor",
        spectral: bool = True,
        bins: bool = False,
        temperature: Share = 0.38,
        encoder_options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.answers = frozenset({"ab", "bins"} if bins else {"ab"})
        check_decoder_sizes(widths, dim, heads)
        self.encoder = Encoder(encoder, pretrained, freeze=freeze, options=encoder_options)
        self.pretrained = self.encoder.pretrained
        self.thesis = pixel_decoder == "thesis"
        self.usual_size = 256 if self.thesis else 512  # DDColor is trained at 256 and used at 512
        if not self.thesis:
            self.norms = nn.ModuleList(LayerNorm2d(c, eps=1e-6) for c in self.encoder.channels)
        spectral = spectral and not self.thesis
        channels = self.encoder.channels
        self.pixels = PixelDecoder(channels, widths, thesis=self.thesis, spectral=spectral, sub_pixels=not bins)
        if bins:
            self.bins = BinHead(queries + widths[-1], temperature)
        else:
            self.refine = (
                nn.Conv2d(queries + 3, 2, 1) if self.thesis else convolution(queries + 3, 2, spectral=spectral)
            )
        self.colours = ColourDecoder(widths, dim, queries, heads, feedforward, rounds)

    def forward(self, batch: Batch) -> Prediction:
        if "bins" not in self.answers:
            return super().forward(batch)
        logits = self.predict_bins(batch.input)
        return Prediction(ab=self.bins.predict_ab(logits, 4), bins=logits)

    def predict_ab(self, L: Tensor) -> Tensor:
        if "bins" in self.answers:
            return self.bins.predict_ab(self.predict_bins(L), 4)
        maps, grey = self.see(L)  #                        1/4, 1/8, 1/16, 1/32; (B, 3, H, W)
        scales, sub_pixels = self.pixels(maps)  #          1/16, 1/8, 1/4; (B, 16 C, H/4, W/4)
        ab = self.fuse(self.colours(scales), sub_pixels, grey)
        return 128 * ab if self.thesis else ab

    def predict_bins(self, L: Tensor) -> Tensor:
        """(B, 1, H, W) L* 0…100 -> logits (B, Q, H/4, W/4) of the bins"""
        scales = self.pixels.climb(self.see(L)[0])
        of_queries = torch.einsum("bqc,bchw->bqhw", self.colours(scales), scales[-1])
        return self.bins(torch.cat([of_queries, scales[-1]], dim=1))

    def see(self, L: Tensor) -> tuple[list[Tensor], Tensor]:
        """The encoder's maps of the grey picture, and that picture as the encoder was shown it."""
        if self.thesis:
            return self.encoder.see_lightness(L)
        maps, grey = self.encoder.see_grey(L)
        return [norm(x) for norm, x in zip(self.norms, maps, strict=True)], grey

    def fuse(self, queries: Tensor, sub_pixels: Tensor, grey: Tensor) -> Tensor:
        """ab = W · [E · F, grey] + b: the queries' maps and the picture, mixed by a 1×1 convolution (B, 2, H, W)"""
        weight, bias = self.refine.weight, self.refine.bias
        of_maps, of_grey = weight[:, : queries.shape[1]], weight[:, queries.shape[1] :]
        return self.pixels.fuse(queries, sub_pixels, of_maps) + F.conv2d(grey, of_grey, bias)
