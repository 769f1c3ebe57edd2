"""What three networks or more are built of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def convolution(
    inputs: int, outputs: int, *, kernel: int = 1, bias: bool = True, spectral: bool = False, shuffle: int = 1
) -> nn.Conv2d:
    """Size-keeping convolution with Kaiming-normal weights and no bias at first.

    Where a pixel shuffle by `shuffle` follows, its sub-pixels start equal (ICNR: no checkerboard).
    """
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    first = nn.init.kaiming_normal_(torch.empty(outputs // shuffle**2, inputs, kernel, kernel))
    with torch.no_grad():
        conv.weight.copy_(first.repeat_interleave(shuffle**2, dim=0))
        if bias:
            conv.bias.zero_()  # type: ignore[union-attr]
    return spectral_norm(conv) if spectral else conv  # type: ignore[return-value]
