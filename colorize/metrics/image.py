"""Metrics of single pictures, averaged over a set. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from colorize.color import colorfulness, rgb_to_lab


class Metric:
    """The mean over pictures of one number for each. The sums are kept in double precision, whatever the batch size."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total, self.count = 0.0, 0.0

    def update(self, rgb_hat: Tensor, rgb: Tensor) -> None:
        """Painted and true pictures, both (B, 3, H, W) sRGB in 0…1."""
        self.total += self.measure(rgb_hat, rgb).cpu().double().sum().item()  # Apple's GPUs have no doubles
        self.count += len(rgb)

    def compute(self) -> float:
        return self.total / self.count

    def parts(self) -> tuple[float, float]:
        """What `compute` divides: sums that add up over processes."""
        return self.total, self.count

    def merge(self, parts: Sequence[tuple[float, float]]) -> None:
        """Take the sums of every process, in their order, for one's own."""
        self.total, self.count = (sum(column) for column in zip(*parts, strict=True))

    def measure(self, rgb_hat: Tensor, rgb: Tensor) -> Tensor:
        """(B,)"""
        raise NotImplementedError


class PSNR(Metric):
    """Peak signal-to-noise ratio in dB over the three sRGB channels: the mean of each picture's own dB.

    A picture without any error counts as 100 dB, since its own value would be infinite.
    """

    def measure(self, rgb_hat: Tensor, rgb: Tensor) -> Tensor:
        return (-10 * (rgb_hat - rgb).square().mean(dim=(1, 2, 3)).log10()).clamp(max=100)


class SSIM(Metric):
    """Structural similarity of the three sRGB channels, Gaussian window of 11 pixels, σ 1.5 (Wang et al. 2004).

    The mean is taken where the window fits inside the picture, as Wang's own code and scikit-image do; torchmetrics
    alone would also average over borders that it mirrors.
    """

    def measure(self, rgb_hat: Tensor, rgb: Tensor) -> Tensor:
        from torchmetrics.functional.image import structural_similarity_index_measure  # takes a second to import

        _, full = structural_similarity_index_measure(rgb_hat, rgb, data_range=1.0, return_full_image=True)
        return full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3))


class Colorfulness(Metric):
    """Hasler and Süsstrunk's colourfulness of the painted picture, on the scale of 8-bit values."""

    def measure(self, rgb_hat: Tensor, rgb: Tensor) -> Tensor:
        return colorfulness(rgb_hat)


class Chroma(Metric):
    """Mean chroma √(a² + b²) of the painted pictures over that of the true ones: 1 is as colourful, 0 is grey."""

    def update(self, rgb_hat: Tensor, rgb: Tensor) -> None:
        painted, true = (chroma_of(picture).cpu().double().sum().item() for picture in (rgb_hat, rgb))
        self.total += painted
        self.count += true

    def compute(self) -> float:
        return self.total / self.count if self.count else float("nan")


def chroma_of(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) sRGB in 0…1 -> (B,) mean chroma in CIE units"""
    return rgb_to_lab(rgb)[:, 1:].square().sum(dim=1).sqrt().mean(dim=(1, 2))
