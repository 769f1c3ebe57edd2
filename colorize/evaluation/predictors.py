"""What predicts a row of a table, networks and baselines, and what a prediction costs."""

import io
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize.evaluation.batches import EvalBatch
from colorize.imaging.color import lab_to_rgb, to_uint8
from colorize.imaging.transforms import Upsampling, resize
from colorize.metrics.metric import Pair, Picture
from colorize.models.base import Colorizer, Generators
from colorize.utils.flops import flop_counter
from colorize.utils.seeds import generator_of


@dataclass
class Meter:
    """Measures what predictions of a network cost, which no longer trains. In the first call operations are counted;
    the others are timed.

    counted  "gmacs" of a photograph, in 10⁹ multiply-accumulate operations, and the "size" (height, width)
    timed    batch size -> [seconds, photographs] of all calls with it
    """

    model: Colorizer
    device: torch.device
    counted: dict[str, Any] = field(default_factory=dict)
    timed: dict[int, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0]))

    def __post_init__(self) -> None:
        # the counter fails on parameters that are given to a layer while gradients are off
        self.model.requires_grad_(False)

    @property
    def stochastic(self) -> bool:
        return self.model.stochastic

    def colorize(self, L: Tensor, generator: Generators = None, *, check: bool = True) -> Tensor:
        """As `Colorizer.colorize`."""
        if not self.counted:
            with flop_counter() as counter:
                ab = self.model.colorize(L, generator, check=check)
            self.counted = {"size": list(L.shape[2:])}
            if total := counter.get_total_flops():  # of a network on another runtime torch sees none
                self.counted["gmacs"] = total / 2 / len(L) / 1e9
            return ab
        began = self._now()
        ab = self.model.colorize(L, generator, check=check)
        spent = self.timed[len(L)]
        spent[0], spent[1] = spent[0] + self._now() - began, spent[1] + len(L)
        return ab

    def cost(self) -> dict[str, Any]:
        """parameters, gmacs and size as counted; seconds a photograph in the largest batches, batch_size, device."""
        found = {"parameters": self.model.count_parameters(), **self.counted}
        if self.timed:
            batch_size = max(self.timed)
            seconds, photographs = self.timed[batch_size]
            found |= {
                "seconds": seconds / photographs,
                "batch_size": batch_size,
                "device": describe_device(self.device),
            }
        return found

    def _now(self) -> float:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
        return time.perf_counter()


def describe_device(device: torch.device) -> str:
    """The device's name, or the processor and its number of threads, which seconds depend on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"
    return device.type


# What a row of a table predicts for a batch, beside its ground truth
Predictor = Callable[[EvalBatch], Pair]
# Lightness (B, 1, H, W) and a generator for each picture -> ab (B, 2, H, W), CIE units, as `Colorizer.colorize`
PredictAb = Callable[[Tensor, Sequence[torch.Generator]], Tensor]
JPEG_QUALITY = 95


def predictor_of(predict_ab: PredictAb, mode: str = "lab_l", *, key: str = "evaluate", samples: int = 1) -> Predictor:
    """What `predict_ab` makes of an input (see `INPUTS`), as 8-bit pixels.

    key      of each picture's random numbers, which are the same every time and for any batch size
    samples  predictions of each picture, with other random numbers each; the first one is the row's
    """

    def ab_of(batch: EvalBatch, *sample: int) -> Tensor:
        return predict_ab(batch.inputs[mode], [generator_of(key, place, *sample) for place in batch.places])

    def predict(batch: EvalBatch) -> Pair:
        ab = ab_of(batch)
        first = batch.pixels_of(ab)
        if samples == 1:
            return batch.pair(first, ab)
        others = [batch.pixels_of(ab_of(batch, sample)).pixels for sample in range(1, samples)]
        return batch.pair(first, ab, torch.stack([first.pixels, *others]))

    return predict


def network_predictor(
    model: Colorizer | Meter, mode: str, predicted_at: int | None, samples: int = 1, upsampling: str = "guided"
) -> Predictor:
    """What `model` makes of an input; ab is predicted with `predicted_at` pixels on the shorter side, None: at the
    pictures' size. A stochastic model makes `samples` predictions."""

    def predict_ab(L: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        if predicted_at is None:
            return model.colorize(L, generators, check=False)
        height, width = (max(1, round(side * predicted_at / min(L.shape[2:]))) for side in L.shape[2:])
        small = resize(L, (height, width)).clamp(0, 100)
        return _upsample_ab(small, model.colorize(small, generators, check=False), L, upsampling)

    return predictor_of(predict_ab, mode, samples=samples if model.stochastic else 1)


def _upsample_ab(small: Tensor, ab: Tensor, L: Tensor, method: str) -> Tensor:
    """ab that belongs to the lightness `small` (B, 1, h, w), at the size of L (B, 1, H, W)."""
    pieces = []
    for i in range(len(L)):
        one = slice(i, i + 1)
        pieces.append(Upsampling(small[one], ab[one], tuple(L.shape[2:]), method).rows(L[one], 0))  # type: ignore[arg-type]
    return torch.cat(pieces)


def constant_ab(ab: Sequence[float]) -> PredictAb:
    """The same color everywhere: (0, 0) is grey."""
    return lambda L, _: L.new_tensor(ab).view(1, 2, 1, 1).expand(len(L), 2, *L.shape[2:])


def truth(batch: EvalBatch) -> Pair:
    """The ground truth itself, with what metrics without a reference make of it."""
    assert batch.true is not None
    return batch.pair(batch.true)


def lab_roundtrip(batch: EvalBatch) -> Pair:
    """The best that any network can do: the ground truth, through Lab and back."""
    assert batch.ab is not None
    return batch.pair(batch.pixels_of(batch.ab), batch.ab)


def jpeg95(batch: EvalBatch) -> Pair:
    """The ground truth through JPEG of quality 95, colour at half resolution as usual: damage that nobody sees."""
    assert batch.true is not None
    opened = []
    for pixels in batch.true.pixels.permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
        opened.append(torch.from_numpy(np.array(Image.open(file, formats=("JPEG",)))))
    return batch.pair(Picture(torch.stack(opened).permute(0, 3, 1, 2).contiguous().to(batch.L.device)))


def grey_pixels(L: Tensor) -> Tensor:
    """The grey picture (B, 3, H, W) uint8 of a lightness (B, 1, H, W)"""
    return to_uint8(lab_to_rgb(L, L.new_zeros(len(L), 2, *L.shape[2:])))
