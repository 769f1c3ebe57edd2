"""A loss is a weighted sum of named terms. The names are the same in the config, here, and in the logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from annotated_types import Len
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.errors import UserError
from colorize.ranges import NonNegative


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
                raise UserError(
                    f"loss term {name!r} needs {sorted(missing)}; the model answers {sorted(answers)}: "
                    "choose another loss or another model"
                )

    def without_labels(self) -> tuple[Loss, list[str]]:
        """The loss less the terms that read labels, and the names of those."""
        dropped = [name for name, term in self.terms.items() if term.needs_labels]
        kept: dict[str, Term] = {name: term for name, term in self.terms.items() if name not in dropped}  # type: ignore[misc]
        return Loss(kept, {name: self.weights[name] for name in kept}), dropped
