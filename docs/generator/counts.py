"""How many parameters the networks have, beside what was published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from generator.networks import THESIS
from generator.text import table
from torch import nn

from colorize.models import CNN, Diffusion, MultiColor, PatchCritic, ResNetUNet, Transformer, UNet, UNetCritic


@dataclass(frozen=True)
class Published:
    name: str
    build: Callable[[], nn.Module]
    count: int  #  of the published network
    why: str = ""  # where they differ


COUNTS = [
    Published("`CNN(classes=1000)`", lambda: CNN(classes=1000), 42_567_050),
    Published("`UNet()`", UNet, 42_023_811, "the published head says L as well, one channel more"),
    Published("`ResNetUNet()`", lambda: ResNetUNet(pretrained=False), 31_099_672),
    Published("`Diffusion().denoiser`", lambda: Diffusion().denoiser, 89_736_066),
    Published("`Diffusion().encoder`", lambda: Diffusion().encoder, 22_049_920,
              "the published grey encoder ends in a convolution whose output goes nowhere"),
    Published("`Transformer()`, DDColor-T", lambda: Transformer(pretrained=False), 55_006_640,
              "a norm of the encoder's pooled output, which nothing reads"),
    Published("`Transformer(encoder=\"convnext_large.fb_in22k\")`, DDColor-L",
              lambda: Transformer(encoder="convnext_large.fb_in22k", pretrained=False), 227_869_328, "the same norm"),
    Published("`Transformer(pixel_decoder=\"thesis\", encoder=\"convnext_tiny\")`",
              lambda: Transformer(**THESIS, pixel_decoder="thesis"), 88_563_056),
    Published("`MultiColor(complement_norm=\"batch\")`",
              lambda: MultiColor(**THESIS, complement_norm="batch"), 118_391_399),
    Published("`MultiColor()`", lambda: MultiColor(**THESIS), 118_391_399,
              "no norm on the RGB that comes out, 3 gains and 3 offsets"),
    Published("`PatchCritic()`", PatchCritic, 2_766_529),
    Published("`UNetCritic()`", UNetCritic, 5_919_617),
]  # fmt: skip


def counts() -> str:
    """The table as Markdown. Fails where a difference has no reason, or a reason no difference."""
    rows = []
    for row in COUNTS:
        with torch.device("meta"):
            ours = sum(p.numel() for p in row.build().parameters())
        if (ours == row.count) == bool(row.why):
            raise AssertionError(f"{row.name} has {ours} parameters, the published network {row.count}: {row.why!r}")
        difference = f"{row.count - ours:,} fewer: {row.why}" if row.why else "none"
        rows.append([row.name, f"{ours:,}", f"{row.count:,}", difference])
    return table(["network", "here", "published", "difference"], rows, "lrrl")
