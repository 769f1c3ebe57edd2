"""How colourful painted pictures are, by themselves and against the true ones (Hasler and Süsstrunk 2003)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from colorize.metrics.metric import Column, Metric
from colorize.metrics.picture import Pair

GREY = 1.0  # colourfulness below which published code takes a picture for grey


class Colorfulness(Metric):
    """Hasler and Süsstrunk's colourfulness of the painted picture, on the scale of 8-bit values; a grey one counts 0.

    absolute  take |R − G| and |(R + G)/2 − B|, as DDColor, CT2 and most others do: up to a third less than the paper's
    """

    better = "truth"

    def __init__(self, absolute: bool = False):
        self.absolute, self.label = absolute, "colourfulness abs" if absolute else "colourfulness"
        super().__init__()

    def of(self, pair: Pair) -> Tensor:
        return pair.painted.colorfulness(self.absolute)


class ColorfulnessDifference(Metric):
    """Mean over pictures of |colourfulness of the painted − of the true one|: 0 only where each picture is right."""

    better, needs = "lower", frozenset({"true"})

    def __init__(self, absolute: bool = False):
        self.absolute, self.label = absolute, f"ΔCF{' abs' if absolute else ''} of pictures"
        super().__init__()

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return (painted.colorfulness(self.absolute) - true.colorfulness(self.absolute)).abs()


class MeanColorfulnessDifference(Metric):
    """|mean colourfulness of the painted pictures − of the true ones|: what DDColor's table calls ΔCF.

    It is 0 where too dull and too gaudy pictures balance, however wrong each is.
    """

    better, needs = "lower", frozenset({"true"})

    def __init__(self, absolute: bool = False):
        self.absolute, self.label = absolute, f"ΔCF{' abs' if absolute else ''} of means"
        super().__init__()

    @property
    def columns(self) -> dict[str, Column]:
        return {"painted": Column("colourfulness", "truth"), "truth": Column("colourfulness of the truth", None)}

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        sides = {"painted": painted, "truth": true}
        return {name: side.colorfulness(self.absolute) for name, side in sides.items()}

    def finish(self, means: Mapping[str, float]) -> float:
        return abs(means["painted"] - means["truth"])


def grey_note(colorfulness: Iterable[float]) -> str | None:
    """A sentence about grey ones among true pictures of these colourfulnesses; None where there are none."""
    values = torch.tensor(list(colorfulness))
    grey = int((values < GREY).sum())
    if not grey:
        return None
    return (
        f"{grey} of {len(values)} true pictures are grey (colourfulness below {GREY:g}): they count as they are, and "
        "any colour painted into them as an error; some published tables leave them out"
    )
