"""The evaluation of a network under a protocol: set-up, rows, and the result they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from colorize.evaluation import predictors
from colorize.evaluation.baselines import Baselines
from colorize.evaluation.measure import MetricValues, aggregate_row
from colorize.evaluation.network import EvaluatedNetwork
from colorize.evaluation.painted import PaintedPictures, match_pictures
from colorize.evaluation.predictors import Meter, Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.result import LABELS, Result
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.distribution import KINDS, score_name
from colorize.metrics.extractors import Extractor, create_extractor
from colorize.metrics.metric import Metric
from colorize.metrics.metric_info import build_metrics, stored_infos
from colorize.utils.environment import versions
from colorize.utils.errors import UnavailableError, UserError, shorten_list

WORK = ".work"  # beside a result, while it is measured


@dataclass(frozen=True)
class EvaluationSetup:
    """What every network of a command is measured on and with.

    described  the protocol's record with its id
    absent     metric -> why it is unavailable
    painted    the pictures that are judged in the place of a network's
    """

    protocol: Protocol
    chosen: Selection
    described: dict[str, Any]
    metrics: Mapping[str, Metric]
    extractors: Sequence[Extractor]
    absent: dict[str, str]
    painted: PaintedPictures | None = None

    def stamp(self) -> dict[str, Any]:
        """What numbers depend on besides the network: a result with the same stamp is not measured again."""
        return {
            "protocol": self.described, "metrics": {name: metric.origin for name, metric in self.metrics.items()},
            "extractors": {each.name: each.weights for each in self.extractors}, "versions": library_versions(),
        }  # fmt: skip


def set_up(cfg: DictConfig, protocol: Protocol, network: EvaluatedNetwork) -> EvaluationSetup:
    """Select the photographs, and find out which metrics and extractors are available for them.

    Raises `UserError` where there are no photographs, and with `cfg.strict` where a metric's weights are not available.
    """
    if protocol.source == "run":
        data = network.config().data
        protocol = replace(protocol, size=protocol.size or data.size, input=(data.get("input", "lab_l"),))
    if protocol.size is None:
        raise UserError("protocol.size has no value: set it to the pixels of a side at which pictures are measured")
    chosen = select_photographs(protocol, network.photographs)
    described = protocol.record(len(chosen.photos), chosen.whole, chosen.manifest)
    painted = match_pictures(network.pictures, chosen, protocol) if network.pictures else None
    if painted and painted.surplus:
        note = f"left out of {network.name}, since no photograph is called so: {shorten_list(painted.surplus)}"
        chosen = replace(chosen, notes=[*chosen.notes, note])
    metrics, absent = build_metrics(cfg.metrics, strict=cfg.strict)
    given = {"L"} | ({"true"} if protocol.truth != "none" else set()) | (set() if painted else {"ab"})
    given |= {"samples"} if cfg.samples > 1 and network.model and network.model.stochastic else set()
    for name, metric in list(metrics.items()):
        if reason := metric.lacks(frozenset(given)):
            absent[name] = reason.removeprefix(f"{metric.label} ")
            del metrics[name]
        elif metric.aggregation == "set":  # measured by the protocol's extractors, with an interval
            del metrics[name]
            if not name.endswith(tuple(protocol.extractors)):
                absent[name] = "distances of whole sets are measured with protocol.extractors"
    extractors, without = _available_extractors(protocol, strict=cfg.strict)
    return EvaluationSetup(protocol, chosen, described, metrics, extractors, absent | without, painted)


def _available_extractors(protocol: Protocol, *, strict: bool) -> tuple[list[Extractor], dict[str, str]]:
    """The protocol's extractors, and distance -> why it is unavailable."""
    extractors: list[Extractor] = []
    absent: dict[str, str] = {}
    for name in protocol.extractors if protocol.reference != "none" else ():
        try:
            extractors.append(create_extractor(name))
        except UnavailableError as error:
            if strict:
                raise
            absent |= {score_name(kind, name): str(error) for kind in KINDS}
    return extractors, absent


def network_rows(
    network: EvaluatedNetwork, meter: Meter | None, setup: EvaluationSetup, samples: int
) -> dict[str, Predictor]:
    """Row -> predictor of the rows that depend on the network."""
    protocol = setup.protocol
    if setup.painted:
        return {"model": setup.painted.predictor(protocol)}
    assert meter is not None
    sizes = {"given": None, "trained": network.size}
    at = sizes[protocol.predict] if isinstance(protocol.predict, str) else protocol.predict
    rows = {
        row: predictors.network_predictor(meter, mode, at, samples, protocol.upsampling)
        for row, mode in protocol.rows.items()
    }
    if network.mean_ab is not None and protocol.truth != "none":
        rows["mean_ab"] = predictors.predictor_of(predictors.constant_ab(network.mean_ab))
    return rows


def assemble_result(
    network: EvaluatedNetwork,
    setup: EvaluationSetup,
    baselines: Baselines,
    work: Path,
    rows: Sequence[str],
) -> Result:
    """The result of a network, from the values and features of its rows in the folder `work`."""
    values: dict[str, MetricValues] = {}
    absent = dict(setup.absent)
    if network.mean_ab is None and setup.protocol.truth != "none":
        absent["mean_ab"] = "row mean_ab: the mean colour of its training photographs is unknown"
    for row in rows:
        values[row], without = aggregate_row(work, row, setup.metrics, baselines.truth, paired=baselines.paired)
        absent |= without if row == "model" else {}
    for name, metric in setup.metrics.items():
        if name not in values["model"]:
            absent[name] = f"no picture has a value: {metric.undefined or 'it is not defined on any'}"
    weights = {
        "network": network.weights | ({"pictures": setup.painted.taken} if setup.painted else {}),
        "metrics": {name: metric.origin for name, metric in setup.metrics.items() if metric.origin},
        "extractors": {each.name: each.describe() for each in setup.extractors},
    }  # fmt: skip
    return Result(
        network.name, setup.described, values | baselines.rows, absent, library_versions(), weights,
        setup.chosen.manifest, network.group, network.seed, measures=stored_infos(setup.metrics),
        row_labels={row: label for row, label in setup.protocol.row_labels.items() if row not in LABELS},
    )  # fmt: skip


def library_versions() -> dict[str, str]:
    """Package -> version, of every package that values depend on."""
    more = ("torch-fidelity", "lpips", "numpy", "scipy", "pillow")
    return {**versions(), **{package: version(package) for package in more}}
