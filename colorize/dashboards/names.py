"""Under which names runs log, read from `conf/`: no panel asks for what nothing logs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

STEP = "step"  # the axis of every chart: optimizer steps
MODEL = "names.model"  # the key of a run's config that says which network it trains
GROUP = "group"  # the one that runs have in common which differ by their seed alone
HISTORICAL = ("historical/colorfulness", "historical/chroma_mean")
PICTURES = ("samples", "historical")
MEMORY = ("memory", "memory_gpu")
OF_SETS = "efficientnet_lite0"  # the extractor of distances that every machine has


@dataclass(frozen=True)
class Names:
    """models: the options of `model`; metrics: those of every evaluation during training; monitor: what best.pt is best
    at; terms: the terms of all losses; critics: those terms that train one; searched: keys of the config that searches
    choose values of, and whether on a logarithmic scale."""

    models: list[str]
    metrics: list[str]
    monitor: str
    terms: list[str]
    critics: list[str]
    searched: dict[str, bool]

    @property
    def validation(self) -> list[str]:
        return [f"val/{metric}" for metric in self.metrics]

    def scores(self, protocol: str) -> list[str]:
        """What `evaluate.py` leaves in the summary, each with `/low` and `/high` beside it."""
        return [f"{protocol}/{name}" for name in (*self.metrics, f"kd_{OF_SETS}", f"fd_{OF_SETS}")]


def read_names(conf: Path) -> Names:
    terms: dict[str, Any] = {}
    for path in sorted((conf / "loss").glob("*.yaml")):
        terms = load(path).get("loss", {}).get("terms", {}) | terms
    searched: dict[str, bool] = {}
    for path in sorted((conf / "hparams_search").glob("*.yaml")):
        searched |= {
            key: values.startswith("tag(log") for key, values in load(path)["hydra"]["sweeper"]["params"].items()
        }
    return Names(
        models=sorted(path.stem for path in (conf / "model").glob("*.yaml")),
        metrics=list(load(conf / "metrics" / "default.yaml")),
        monitor=load(conf / "train.yaml")["checkpoint"]["monitor"],
        terms=list(terms),
        critics=[name for name, term in terms.items() if "critic" in term],
        searched=searched,
    )


def load(path: Path) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[return-value]
