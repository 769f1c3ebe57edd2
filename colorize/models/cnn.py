"""Let there be Color!: global and local features, with classification on the side (Iizuka et al. 2016).

The layers are those of table 1 of the paper; each convolution is followed by batch norm and ReLU.
Two branches share the low-level network: the picture itself, of any size, and a copy of fixed size from which one
vector for the whole picture comes, which also names its class.
B batch, H W picture, N classes.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import repeat
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.imaging.transforms import resize
from colorize.models.base import Colorizer
from colorize.utils.errors import UserError
from colorize.utils.validation import Factor, Number, Side


class CNN(Colorizer):
    """ab = 255 · sigmoid − 128, so that nothing outside the gamut's box can be said.

    classes      size of the classification head; 0: no head, and no `logits` in the answer
    width        factor on every number of channels; 1 is the paper's
    global_size  side of the square copy that the global branch sees; 224 is the paper's
    branches     2: the paper's. 1: the global branch reads the picture itself, which must then be global_size² (as
                 some published ports have it; `colorize` resizes)
    upsample     bilinear or nearest, of the finished colour from H/2 to H; nearest leaves 2×2 blocks
    """

    answers = frozenset({"ab", "logits"})
    multiple = 8
    usual_size = 224

    def __init__(
        self, *, classes: Number | None = 0, width: Factor = 1.0, global_size: Side = 224, branches: Literal[1, 2] = 2,
        upsample: Literal["bilinear", "nearest"] = "bilinear",
    ):  # fmt: skip
        super().__init__()
        if global_size % 32:
            raise UserError(f"model.global_size is {global_size}; it must be a multiple of 32, such as 96 or 224")
        self.fixed_size = global_size if branches == 1 else None
        self.upsample = upsample
        c64, c128, c256, c512, c1024, c32 = (max(8, round(n * width)) for n in (64, 128, 256, 512, 1024, 32))
        self.global_size = global_size
        self.low = nn.Sequential(
            block(1, c64, stride=2), block(c64, c128),
            block(c128, c128, stride=2), block(c128, c256),
            block(c256, c256, stride=2), block(c256, c512),
        )  # fmt: skip
        self.mid = nn.Sequential(block(c512, c512), block(c512, c256))
        self.globe = nn.Sequential(
            block(c512, c512, stride=2), block(c512, c512),
            block(c512, c512, stride=2), block(c512, c512),
            nn.Flatten(),
            nn.Linear(c512 * (global_size // 32) ** 2, c1024), nn.ReLU(),
            nn.Linear(c1024, c512), nn.ReLU(),
        )  # fmt: skip
        self.to_fusion = nn.Sequential(nn.Linear(c512, c256), nn.ReLU())
        self.classify = nn.Sequential(nn.Linear(c512, c256), nn.ReLU(), nn.Linear(c256, classes)) if classes else None
        self.fusion = nn.Sequential(nn.Conv2d(2 * c256, c256, 1), nn.ReLU())
        self.colour = nn.Sequential(
            block(c256, c128), nn.Upsample(scale_factor=2),
            block(c128, c64), block(c64, c64), nn.Upsample(scale_factor=2),
            block(c64, c32), nn.Conv2d(c32, 2, 3, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, batch: Batch) -> Prediction:
        ab, summary = self.see(batch.input)
        return Prediction(ab=ab, logits=None if self.classify is None else self.classify(summary))

    def predict_ab(self, L: Tensor) -> Tensor:
        return self.see(L)[0]

    def see(self, L: Tensor) -> tuple[Tensor, Tensor]:
        """L (B, 1, H, W) -> ab (B, 2, H, W), and the global vector that the classifier reads (B, 512)"""
        grey = L / 100
        local = self.low(grey)  #                                        (B, 512, H/8, W/8)
        square = (self.global_size, self.global_size)
        same = not torch.onnx.is_in_onnx_export() and grey.shape[2:] == square  # there the size is free
        summary = self.globe(local if same else self.low(resize(grey, square)))  # (B, 512)
        whole = repeat(self.to_fusion(summary), "b c -> b c h w", h=local.shape[2], w=local.shape[3])
        fused = self.fusion(torch.cat([whole, self.mid(local)], dim=1))  # (B, 256, H/8, W/8), eq. 2
        half = self.colour(fused)  #                                     (B, 2, H/2, W/2) in 0…1
        full = F.interpolate(half, scale_factor=2, mode=self.upsample)
        return 255 * full - 128, summary


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())
