"""The parts of a run: model, loss, photographs and judges, as its config describes them."""

from dataclasses import dataclass, field
from typing import Any

from colorize.data.datamodule import DataModule
from colorize.evaluation.validation import Validator
from colorize.losses.loss import Loss
from colorize.models.base import Colorizer


@dataclass
class Parts:
    """What a config describes, built."""

    model: Colorizer
    loss: Loss
    photographs: DataModule
    judges: dict[str, Validator]  #  by name; `validation` is what best.pt is chosen by
    absent: dict[str, str] = field(default_factory=dict)  #   metric -> why it cannot be had here
    resolved: dict[str, Any] = field(default_factory=dict)  # config path -> what was left open (auto, classes) came to
    notes: list[str] = field(default_factory=list)  #         what the user should know, each said once

    @property
    def validator(self) -> Validator:
        return self.judges["validation"]
