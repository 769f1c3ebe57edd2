"""Under which names runs log, read from `conf/`: no panel asks for what nothing logs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

STEP = "step"  # the axis of every chart: optimizer steps
MODEL = "names.model"  # the key of a run's config that says which network it trains
HISTORICAL = ("historical/colorfulness", "historical/chroma_mean")
PICTURES = ("samples", "historical")
SEARCHED = ("optimizer.lr", "optimizer.weight_decay", "trainer.batch_size")  # as conf/hparams_search has them
MEMORY = ("system/proc.memory.rssMB", "system/gpu.0.memoryAllocatedBytes")  # W&B's own, of the machine
OF_SETS = "efficientnet_lite0"  # the extractor of distances that every machine has


@dataclass(frozen=True)
class Names:
    """models: the options of `model`; metrics: those of every evaluation during training; monitor: what best.pt is best
    at; terms: the terms of all losses; critics: those terms that train one."""

    models: list[str]
    metrics: list[str]
    monitor: str
    terms: list[str]
    critics: list[str]

    @property
    def validation(self) -> list[str]:
        return [f"val/{metric}" for metric in self.metrics]

    def scores(self, protocol: str) -> list[str]:
        """What `evaluate.py` leaves in the summary, each with `/low` and `/high` beside it."""
        return [f"{protocol}/{name}" for name in (*self.metrics, f"kd_{OF_SETS}", f"fd_{OF_SETS}")]


def read_names(conf: Path) -> Names:
    terms: dict[str, Any] = {}
    for path in sorted((conf / "loss").glob("*.yaml")):
        terms |= {name: term for name, term in load(path).get("loss", {}).get("terms", {}).items() if name not in terms}
    return Names(
        models=sorted(path.stem for path in (conf / "model").glob("*.yaml")),
        metrics=list(load(conf / "metrics" / "default.yaml")),
        monitor=load(conf / "train.yaml")["checkpoint"]["monitor"],
        terms=list(terms),
        critics=[name for name, term in terms.items() if "critic" in term],
    )


def load(path: Path) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[return-value]
