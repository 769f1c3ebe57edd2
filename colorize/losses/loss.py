"""A loss is a weighted sum of named terms; the terms that compare pixels, and the plain others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F
import yaml
from annotated_types import Len
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.config import conf_folder
from colorize.data.datamodule import DataModule
from colorize.imaging.color import CHROMA_SCALE, chroma, colorfulness, lab_to_rgb
from colorize.utils.errors import UserError
from colorize.utils.trust import known_class
from colorize.utils.validation import NonNegative, Positive


class Term(nn.Module):
    """One comparison of a prediction with the truth: a scalar, averaged over the batch, not yet weighted."""

    needs: frozenset[str] = frozenset({"ab"})  # the Prediction fields it reads
    needs_labels: ClassVar[bool] = False  #                whether it reads batch.label too
    critic: nn.Module | None  #                             its rival, if it trains one

    def __init__(self, critic: nn.Module | None = None):
        super().__init__()
        self.register_module("critic", critic)  # a class attribute `critic = None` would hide the submodule

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        raise NotImplementedError

    def prepare(self, photographs: DataModule) -> None:
        """Measure what the term must know of the training photographs, before the first step of every start."""

    def critic_loss(self, critic: nn.Module, pred: Prediction, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the critic minimises, and the share of its judgements that are right; both ().

        Called only where there is one. `critic` is its critic, perhaps wrapped for several processes.
        """
        raise NotImplementedError


class Loss(nn.Module):
    """total = Σ_k weights[k] · terms[k](pred, batch). A term of weight zero is not computed."""

    def __init__(self, terms: Annotated[Mapping[str, Term], Len(1)], weights: Mapping[str, NonNegative]):
        super().__init__()
        if terms.keys() != weights.keys():
            raise UserError(f"loss terms {sorted(terms)} and loss weights {sorted(weights)} must have the same names")
        self.terms, self.weights = nn.ModuleDict(terms), dict(weights)

    def forward(self, pred: Prediction, batch: Batch, weights: Mapping[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted total, and the unweighted terms by name."""
        values = {name: self.terms[name](pred, batch) for name in weights}
        return sum(weights[name] * value for name, value in values.items()), values

    def active(self, changes: Mapping[str, float]) -> dict[str, float]:
        """The weights that are not zero once a phase has had its say."""
        if unknown := changes.keys() - self.weights.keys():
            raise UserError(f"a phase weighs {sorted(unknown)}; the loss's terms are {sorted(self.weights)}")
        weights = {name: weight for name, weight in {**self.weights, **changes}.items() if weight != 0}
        if not weights:
            raise UserError(f"every loss weight is zero: give one of {sorted(self.weights)} a weight")
        return weights

    def check(self, answers: frozenset[str]) -> None:
        """Refuse a model that cannot answer what a term asks, before any data is read."""
        for name, term in self.terms.items():
            if missing := term.needs - answers:  # type: ignore[operator]
                fitting = " or ".join(losses_for(answers))
                raise UserError(
                    f"loss term {name!r} needs {sorted(missing)}; the model answers {sorted(answers)}: "
                    f"use loss={fitting or '…'}, or another model"
                )

    def without_labels(self) -> tuple[Loss, list[str]]:
        """The loss less the terms that read labels, and the names of those."""
        dropped = [name for name, term in self.terms.items() if term.needs_labels]
        kept: dict[str, Term] = {name: term for name, term in self.terms.items() if name not in dropped}  # type: ignore[misc]
        return Loss(kept, {name: self.weights[name] for name in kept}), dropped


def losses_for(answers: frozenset[str]) -> list[str]:
    """The options in conf/loss whose terms need nothing but these fields of `Prediction`."""
    found = []
    for path in sorted((conf_folder() / "loss").glob("*.yaml")):
        terms = (yaml.safe_load(path.read_text(encoding="utf-8")).get("loss") or {}).get("terms", {})
        classes = [known_class(term["_target_"]) for term in terms.values()]
        if classes and all(each is not None and each.needs <= answers for each in classes):
            found.append(path.stem)
    return found


class L1(Term):
    """mean |âb − ab| / unit over batch, channels and pixels.

    unit      1: CIE units; 128, 110: as other codes scale ab
    enhanced  the truth is that of critics and perceptual terms, whose colour `data.enhance` makes stronger
    """

    def __init__(self, unit: Positive = 1.0, enhanced: bool = False):
        super().__init__()
        self.unit, self.enhanced = unit, enhanced

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        return F.l1_loss(pred.ab, batch.shown_ab if self.enhanced else batch.ab) / self.unit  # type: ignore[arg-type]


class SquaredError(Term):
    """‖(âb − ab) / unit‖² (Iizuka et al. 2016, eq. 3, where unit is 255).

    reduction   image_sum: summed over each picture, averaged over the batch (the paper's). sum: over the batch too.
                mean: over everything.
    """

    def __init__(self, unit: Positive = 255.0, reduction: Literal["image_sum", "sum", "mean"] = "image_sum"):
        super().__init__()
        if reduction not in ("image_sum", "sum", "mean"):
            raise UserError(f"reduction is {reduction!r}; it must be image_sum, sum or mean")
        self.unit, self.reduction = unit, reduction

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        square = ((batch.ab - pred.ab) / self.unit).square()  # type: ignore[operator]  # (B, 2, H, W)
        if self.reduction == "mean":
            return square.mean()
        return square.sum() if self.reduction == "sum" else square.sum() / len(square)


Space = Literal["lab", "hsv", "hs", "yuv"]  # of `CHROMA_SCALE`


class ChromaL1(Term):
    """mean |ĉ − c| / unit in one colour space (Du et al. 2024), each side in that space: lab, hsv, hs or yuv.

    The truth is that of `color.chroma`; `unit` as in `L1`.
    """

    needs = frozenset(CHROMA_SCALE)  # of one that is built, its own space alone

    def __init__(self, space: Space, unit: Positive = 1.0):
        super().__init__()
        if space not in CHROMA_SCALE:
            raise UserError(f"space is {space!r}; it must be one of {sorted(CHROMA_SCALE)}")
        self.space, self.unit, self.needs = space, unit, frozenset({space})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        said = getattr(pred, self.space)
        truth = batch.ab if self.space == "lab" else chroma(self.space, lab_to_rgb(batch.L, batch.ab))
        return F.l1_loss(said, truth) / self.unit


class RGB(Term):
    """mean |R̂GB − RGB| over batch, channels and pixels in 0…1, lightness included."""

    needs = frozenset({"rgb"})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        return F.l1_loss(pred.rgb, lab_to_rgb(batch.L, batch.ab))  # type: ignore[arg-type]


SCALES = {"unit": 255.0, "hundred": 100.0}


class Colorfulness(Term):
    """1 − colourfulness / scale, averaged over the batch, with the opponent channels' absolute values.

    `scale` unit: RGB in 0…1, as DDColor's code has it (255 in 8-bit values); hundred: 8-bit values over 100.
    """

    def __init__(self, scale: Literal["unit", "hundred"] = "unit"):
        super().__init__()
        if scale not in SCALES:
            raise UserError(f"colorfulness scale is {scale!r}; it must be one of {sorted(SCALES)}")
        self.scale = SCALES[scale]

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        rgb = lab_to_rgb(batch.L, pred.ab)  # type: ignore[arg-type]
        return (1 - colorfulness(rgb, absolute=True) / self.scale).mean()


class Classify(Term):
    """Cross-entropy, averaged over the batch; a photograph without a label counts zero, however a batch is divided."""

    needs = frozenset({"logits"})
    needs_labels = True

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        total = F.cross_entropy(pred.logits, batch.label, ignore_index=-1, reduction="sum")  # type: ignore[arg-type]
        return total / len(batch)


class NoiseError(Term):
    """mean (ε̂ − ε)² over batch, channels and pixels (Ho et al. 2020, eq. 14), or of the velocity where that is said.

    A network that gives noise levels a weight has each photograph's error counted by it.
    """

    needs = frozenset({"noise", "noise_hat"})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        square = (pred.noise_hat - pred.noise).square().mean(dim=(1, 2, 3))  # type: ignore[operator]  # (B,)
        return (square if pred.noise_weight is None else pred.noise_weight * square).mean()
