"""What one painting costs, found out while a network is evaluated: multiplications, and seconds."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from colorize.models import Colorizer
from colorize.models.base import Generators


def attention(query, key, value, *_, **__) -> int:
    """Floating-point operations of attention, by its shapes."""
    return sdpa_flop_count(query, key, value)


ATTENTION = {  # where torch's counter knows no count of its own
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention,
    torch.ops.aten._scaled_dot_product_attention_math_for_mps: attention,
}


@dataclass
class Meter:
    """Stands between a painter and its network, which no longer learns. The first call is counted, and warms up; the
    others are timed.

    counted  "gmacs" of a photograph, in 10⁹ multiplications with their additions, and the "size" (height, width)
    timed    photographs in a call -> [seconds, photographs] in all such calls
    """

    model: Colorizer
    device: torch.device
    counted: dict[str, Any] = field(default_factory=dict)
    timed: dict[int, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0]))

    def __post_init__(self) -> None:
        self.model.requires_grad_(
            False
        )  # the counter trips over parameters that are handed to a layer where no gradient is taken

    @property
    def stochastic(self) -> bool:
        return self.model.stochastic

    def colorize(self, L: Tensor, generator: Generators = None, *, check: bool = True) -> Tensor:
        """As `Colorizer.colorize`."""
        if not self.counted:
            with FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
                ab = self.model.colorize(L, generator, check=check)
            self.counted = {"gmacs": counter.get_total_flops() / 2 / len(L) / 1e9, "size": list(L.shape[2:])}
            return ab
        began = self._now()
        ab = self.model.colorize(L, generator, check=check)
        spent = self.timed[len(L)]
        spent[0], spent[1] = spent[0] + self._now() - began, spent[1] + len(L)
        return ab

    def cost(self) -> dict[str, Any]:
        """parameters, gmacs and size as counted; seconds for a photograph in the fullest calls, batch_size, device."""
        found = {"parameters": sum(p.numel() for p in self.model.parameters()), **self.counted}
        if self.timed:
            batch_size = max(self.timed)
            seconds, photographs = self.timed[batch_size]
            found |= {"seconds": seconds / photographs, "batch_size": batch_size, "device": told(self.device)}
        return found

    def _now(self) -> float:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
        return time.perf_counter()


def told(device: torch.device) -> str:
    """What the device is, so that seconds mean something elsewhere."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    return device.type
