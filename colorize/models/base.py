"""What every network that colours photographs has in common. B batch, C channels, H W picture.

Chance belongs to a photograph, not to a batch: however a batch is divided among passes, processes and restarts, each
photograph meets the same noise and the same dropout.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from inspect import signature
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import ParametrizationList

from colorize.batch import Batch, Prediction
from colorize.imaging.transforms import resize
from colorize.utils.errors import UserError
from colorize.utils.seeds import seed_of
from colorize.utils.validation import check_arguments

AB_LIMIT = 128.0  # no colour that a screen can show lies outside ±128 in a or b
SHADES_OF_BLACK = 32  # a black 8-bit picture has fewer below L* = 1; a picture in 0…1 has more
Generators = torch.Generator | Sequence[torch.Generator] | None  # one for the batch, or one for each picture


class Colorizer(nn.Module):
    """A network from lightness to colour. Units at its doors are CIE units; what it needs inside is its own affair.

    The arguments of each network's constructor are checked against their annotations: `UserError` for what cannot be.
    """

    answers: frozenset[str]  #            the Prediction fields that forward() can fill
    multiple: int = 1  #                  predict_ab() takes heights and widths that this divides
    fixed_size: int | None = None  #      or only squares of this side
    usual_size: int = 256  #              shorter side to predict at, where the weights do not say their training's
    stochastic: ClassVar[bool] = False  # whether predict_ab() draws, and takes generators to draw from
    trainable: ClassVar[bool] = True  #  whether its weights are tensors of torch
    settings: dict[str, Any]  #           what the network was built with, as an export keeps it
    precision: torch.dtype = torch.float32  # of colorize(): bfloat16 is `autocast_predictions`

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        build = cls.__init__

        @wraps(build)
        def checked(self, *values: Any, **settings: Any) -> None:
            given = dict(zip(list(signature(build).parameters)[1:], values, strict=False)) | settings
            if type(self) is cls:
                check_arguments(dict(given), cls, "model")
            build(self, *values, **settings)
            if type(self) is cls:
                self.settings = given

        cls.__init__ = checked  # type: ignore[method-assign]

    def forward(self, batch: Batch) -> Prediction:
        """One training pass; as it stands, of a network that answers `ab` alone."""
        return Prediction(ab=self.predict_ab(batch.input))

    def predict_ab(self, L: Tensor) -> Tensor:
        """(B, 1, H, W) L* 0…100 -> (B, 2, H, W) ab in CIE units, as the network says it: not clamped.

        A stochastic network takes `generator` as well.
        """
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What messages call it."""
        return type(self).__name__

    def count_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())

    @torch.no_grad()
    def colorize(self, L: Tensor, generator: Generators = None, *, check: bool = True) -> Tensor:
        """(B, 1, H, W) L* 0…100 of any floating-point type and size, on any device -> (B, 2, H, W) float32 ab in CIE
        units, clamped to ±128, on the same device.

        Networks that draw do so from `generator`: one for the batch, or one for each picture, so that a picture comes
        out the same alone and in a batch; without, from torch's own. Call it in eval mode.
        Raises `UserError`, a `ValueError`, for a wrong shape and for a lightness that is not L*: L/100 looks like a
        photograph that is nearly black. `check=False` is for callers who know that it is L*.
        """
        if check:
            check_lightness(L)
        home = next(self.parameters(), torch.empty(0))
        if self.fixed_size and L.shape[2:] != (self.fixed_size, self.fixed_size):
            square = resize(L.to(home.dtype), (self.fixed_size, self.fixed_size))
            return resize(self.colorize(square, generator, check=False), L.shape[2:])
        height, width = L.shape[2:]
        down, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(L.to(home), (0, right, 0, down), mode="replicate")
        with nullcontext() if self.precision == torch.float32 else autocast_predictions(self, home.device.type):
            ab = self.predict_ab(padded, generator) if self.stochastic else self.predict_ab(padded)  # type: ignore[call-arg]
        return ab[..., :height, :width].float().clamp(-AB_LIMIT, AB_LIMIT).to(L.device)


@contextmanager
def autocast_predictions(model: nn.Module, device: str) -> Iterator[None]:
    """torch.autocast to bfloat16, but for the model's first convolution: lightness rounded to bfloat16 costs more PSNR
    than the rounding of all layers after it (benchmarks/precision.py)."""
    first: Any = next((part for part in model.modules() if isinstance(part, nn.Conv2d)), None)

    def in_float32(x: Tensor) -> Tensor:
        with torch.autocast(device, enabled=False):
            return type(first).forward(first, x.float())

    if first is not None:
        first.forward = in_float32
    try:
        with torch.autocast(device, torch.bfloat16):
            yield
    finally:
        if first is not None:
            del first.forward


def check_lightness(L: Tensor) -> None:
    """Raises `UserError` for what cannot be CIE L*."""
    if L.ndim != 4 or L.shape[1] != 1:
        raise UserError(f"L must be (B, 1, H, W); its shape is {tuple(L.shape)}")
    if not L.is_floating_point():
        raise UserError(f"L must be floating point, CIE L* in 0…100; it is {L.dtype}")
    L = L.float()
    low, high = (value.item() for value in L.aminmax())
    if not (low >= -1 and high <= 101):  # written so that nan fails too
        raise UserError(f"L must be CIE L* in 0…100; it runs from {low:.4g} to {high:.4g}")
    if high <= 1 and len(L.unique()) >= SHADES_OF_BLACK:
        raise UserError(f"L must be CIE L* in 0…100; it runs from {low:.4g} to {high:.4g}, as L/100 does")


def convolution(
    inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, padding: int | None = None, bias: bool = True,
    spectral: bool = False, shuffle: int = 1,
) -> nn.Conv2d:  # fmt: skip
    """Convolution with Kaiming-normal weights and biases of zero at first; padding None: the size stays.

    Where a pixel shuffle by `shuffle` follows, its sub-pixels start equal (ICNR: no checkerboard).
    """
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding, bias=bias)
    first = nn.init.kaiming_normal_(torch.empty(outputs // shuffle**2, inputs, kernel, kernel))
    with torch.no_grad():
        conv.weight.copy_(first.repeat_interleave(shuffle**2, dim=0))
        if bias:
            conv.bias.zero_()  # type: ignore[union-attr]
    return spectral_norm(conv) if spectral else conv  # type: ignore[return-value]


class Dropout(nn.Module):
    """Zeroes values with probability `p` and makes up for them; per photograph once `seeds` are set.

    Without seeds it is torch's own. The mask is drawn anew from the seeds on every call, so a pass that is computed
    again for its gradient drops the same values. It is drawn where it is used: a GPU's generator counts (Philox, Salmon
    et al. 2011), so that all its cores draw at once, and no mask is copied to it.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p, self.seeds = p, None  # type: tuple[float, Sequence[int] | None]

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or self.seeds is None:
            return nn.functional.dropout(x, self.p, self.training)
        generator, kept = torch.Generator(x.device), torch.empty(x.shape, device=x.device)
        for mask, seed in zip(kept, self.seeds, strict=True):
            mask.bernoulli_(1 - self.p, generator=generator.manual_seed(seed_of(seed)))
        return x * kept.to(x.dtype) / (1 - self.p)


def seed_dropout(module: nn.Module, seeds: Sequence[int] | None) -> None:
    """Give every `Dropout` below `module` its photographs' seeds for the pass that follows."""
    for name, layer in module.named_modules():
        if isinstance(layer, Dropout):
            layer.seeds = None if seeds is None else [seed_of(seed, "dropout", name) for seed in seeds]


CONVERGED = 50  # power iterations after which a spectral norm's vectors move no more


@torch.no_grad()
def converge_spectral_norms(module: nn.Module) -> None:
    """Singular vectors that belong to the weights as they are: averaged weights come with those of the newest ones."""
    for part in module.modules():
        if isinstance(part, ParametrizationList) and any(hasattr(norm, "_u") for norm in part):
            training = part.training
            part.train()
            for _ in range(CONVERGED):
                part()  # computing the weight in training mode is one power iteration
            part.train(training)
