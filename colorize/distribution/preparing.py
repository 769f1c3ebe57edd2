"""What feature networks are shown: 8-bit pictures, resized and scaled, each in the manner of a published program.

All take (B, 3, H, W) uint8 RGB and answer (B, 3, size, size) float32.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

Prepare = Callable[[Tensor], Tensor]
INCEPTION = 299  # pixels of a side


def tensorflow(rgb: Tensor) -> Tensor:
    """The first FID's (Heusel et al. 2017), as in torch-fidelity: TensorFlow 1's bilinear resize, (x − 128) / 128."""
    resized = interpolate_bilinear_2d_like_tensorflow1x(rgb.float(), size=(INCEPTION, INCEPTION), align_corners=False)
    return (resized - 128) / 128


def pytorch_fid(rgb: Tensor) -> Tensor:
    """pytorch-fid's: torch's bilinear resize without antialiasing, 2x/255 − 1."""
    return 2 * _bilinear(rgb.float() / 255) - 1


def antialiased(size: int, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Prepare:
    """clean-fid's resize (Parmar et al. 2022): antialiased bicubic on unrounded values, cut to 0…255; then (x − mean) /
    std in units of x/255.

    torch's filter is Pillow's, which clean-fid uses: they agree to 0.005 of 255.
    """

    def prepare(rgb: Tensor) -> Tensor:
        resized = F.interpolate(rgb.float(), (size, size), mode="bicubic", antialias=True, align_corners=False)
        shift, scale = (torch.tensor(values, device=rgb.device).view(1, 3, 1, 1) for values in (mean, std))
        return (resized.clamp(0, 255) / 255 - shift) / scale

    return prepare


def legacy_ddcolor(rgb: Tensor) -> Tensor:
    """What DDColor's released FID shows torchvision's network before its affine: 0…1, resized, then halved and shifted
    as if it were −1…1. Contrast is cut about nine times."""
    return _bilinear(rgb.float() / 255) * 0.5 + 0.5


def legacy_ct2(rgb: Tensor) -> Tensor:
    """CT2's released FID, the same program fed −1…1."""
    return _bilinear(rgb.float() / 127.5 - 1) * 0.5 + 0.5


def _bilinear(x: Tensor) -> Tensor:
    return F.interpolate(x, (INCEPTION, INCEPTION), mode="bilinear", align_corners=False)
