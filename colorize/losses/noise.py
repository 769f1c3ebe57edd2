"""What a diffusion network minimises."""

from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.losses.loss import Term


class NoiseError(Term):
    """mean (ε̂ − ε)² over batch, channels and pixels (Ho et al. 2020, eq. 14), or of the velocity where that is said.

    A network that gives noise levels a weight has each photograph's error counted by it.
    """

    needs = frozenset({"noise", "noise_hat"})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        square = (pred.noise_hat - pred.noise).square().mean(dim=(1, 2, 3))  # type: ignore[operator]  # (B,)
        return (square if pred.noise_weight is None else pred.noise_weight * square).mean()
