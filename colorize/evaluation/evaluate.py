"""The evaluation of a network under a protocol: set-up, rows, and the result they make."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from colorize.config import metric_class
from colorize.evaluation import predictors
from colorize.evaluation.baselines import Baselines, measure_protocol_baselines
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import ERRORS, PICTURES, Measurement, MetricValues, aggregate_row, concatenate
from colorize.evaluation.network import EvaluatedNetwork
from colorize.evaluation.predictors import Meter, Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.result import LABELS, Result, image_table_path, write_result
from colorize.evaluation.samples import write_samples
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.distribution import KINDS, score_name
from colorize.metrics.extractors import Extractor, create_extractor
from colorize.metrics.full_reference import errors_of, mean_errors_by_colour
from colorize.metrics.metric import Metric
from colorize.metrics.metric_info import build_metrics, stored_infos
from colorize.metrics.perceptual import imagenet_indices
from colorize.utils.distributed import World
from colorize.utils.environment import versions
from colorize.utils.errors import UnavailableError, UserError

WORK = ".work"  # beside a result, while it is measured
NO_VALUE = "no picture has a value"
PLACES = ("_target_", "weights", "download")  # of a metric: where its network lies; the `origin` says which it is


@dataclass(frozen=True)
class EvaluationSetup:
    """What every network of a command is measured on and with.

    described  the protocol's record with its id
    absent     metric -> why it is unavailable
    missing    those of them whose weights cannot be had here
    arguments  metric -> those of its constructor
    reference  the reference's own photographs, where it has any
    """

    protocol: Protocol
    chosen: Selection
    described: dict[str, Any]
    metrics: Mapping[str, Metric]
    extractors: Sequence[Extractor]
    absent: dict[str, str]
    missing: dict[str, str]
    arguments: dict[str, dict[str, Any]]
    reference: Selection | None = None

    def stamp(self) -> dict[str, Any]:
        """What numbers depend on besides the network: a result with the same stamp is not measured again."""
        return {
            "protocol": self.described, "metrics": {name: metric.origin for name, metric in self.metrics.items()},
            "arguments": self.arguments,
            "extractors": {each.name: each.weights for each in self.extractors}, "versions": library_versions(),
        }  # fmt: skip


def set_up(
    cfg: DictConfig, protocol: Protocol, network: EvaluatedNetwork, *, own_photographs: bool = False
) -> EvaluationSetup:
    """Select the photographs, and find out which metrics and extractors are available for them.

    own_photographs  where the protocol names no source, take the run's own validation photographs

    Raises `UserError` where there are no photographs, and with `cfg.strict` where a metric's weights are not available.
    """
    if protocol.source == "run" and network.run is not None:
        size = protocol.size or network.run.data.size
        protocol = replace(protocol, size=size, input=(network.run.data.get("input", "lab_l"),))
    elif own_photographs and protocol.source is None and protocol.reader == "photographs":
        protocol = replace(protocol, source="run")
    if protocol.size is None:
        raise UserError("protocol.size has no value: set it to the pixels of a side at which pictures are measured")
    chosen = select_photographs(protocol, network.photographs, network.most_photographs())
    other = protocol.reference_protocol()
    reference = select_photographs(other) if other else None
    described = protocol.record(
        len(chosen.photos), chosen.whole, chosen.manifest, reference.manifest if reference else ""
    )
    metrics, missing = build_metrics(cfg.metrics, strict=cfg.strict)
    absent = dict(missing)
    given = {"L", "ab"} | ({"true"} if protocol.truth != "none" else set())
    given |= {"label"} if imagenet_indices().keys() & set(chosen.classes) else set()
    given |= {"samples"} if cfg.samples > 1 and network.model.stochastic else set()
    for name, metric in list(metrics.items()):
        if reason := metric.lacks(frozenset(given)):
            absent[name] = reason.removeprefix(f"{metric.label} ")
            del metrics[name]
        elif metric.aggregation == "set":  # measured by the protocol's extractors, with an interval
            del metrics[name]
            if not name.endswith(tuple(protocol.extractors)):
                absent[name] = "distances of whole sets are measured with protocol.extractors"
    extractors, without = _available_extractors(protocol, strict=cfg.strict)
    arguments = {name: _arguments(cfg.metrics[name]) for name in metrics}
    return EvaluationSetup(
        protocol, chosen, described, metrics, extractors, absent | without, missing | without, arguments, reference
    )


def _arguments(node: DictConfig) -> dict[str, Any]:
    """Those of a metric's constructor, with what they are by default."""
    known = signature(metric_class(node)).parameters.values()
    held: Any = {each.name: each.default for each in known if isinstance(each.default, bool | int | float | str)}
    held |= OmegaConf.to_container(node, resolve=True)
    return {name: value for name, value in held.items() if name not in PLACES}


def is_whole(result: Result, setup: EvaluationSetup, weights: str) -> bool:
    """Whether the result is of these weights, measured in the same way, and misses nothing that can be measured now."""
    undefined = {name for name, reason in result.absent.items() if reason.startswith(NO_VALUE)}
    of, held = result.weights, result.weights.get("arguments", {})
    return (
        result.protocol["id"] == setup.described["id"]
        and of.get("network", {}).get("sha256") == weights
        and result.versions == library_versions()
        and setup.metrics.keys() <= result.rows["model"].keys() | undefined
        and all(held.get(name) == arguments for name, arguments in setup.arguments.items())
        and {each.name for each in setup.extractors} <= of.get("extractors", {}).keys()
    )


def evaluate_network(
    cfg: DictConfig, network: EvaluatedNetwork, setup: EvaluationSetup, target: Path, device: torch.device, world: World
) -> Result | None:
    """Measure a network, and write its result to the file `target`, with a table of its pictures and samples beside it.
    An interrupted evaluation is resumed. Only the first process gets the result.
    """
    measurement = Measurement(
        setup.protocol, setup.chosen, setup.metrics, setup.extractors, device,
        resolve_batch_size(cfg.batch_size, device), world,
    )  # fmt: skip
    baselines = measure_protocol_baselines(measurement, setup.described, setup.stamp(), setup.reference)
    meter = Meter(network.model.to(device), device)
    rows = network_rows(network, meter, setup.protocol, cfg.samples)
    work = target.with_name(f"{target.stem}{WORK}")
    stamp = {**setup.stamp(), "weights": network.weights["sha256"], "samples": cfg.samples}
    measurement.measure(rows, work, stamp, network.name)
    found = None
    if baselines is not None:
        result = assemble_result(network, setup, baselines, work, list(rows))
        concatenate(image_table_path(target), [work / PICTURES, baselines.pictures], header=True)
        if setup.protocol.truth != "none":
            errors = mean_errors_by_colour(errors_of(work / ERRORS))._asdict()
            result = replace(result, color_errors={name: values.tolist() for name, values in errors.items()})
        write_samples(target, measurement, rows, read_image_values(work / PICTURES))
        result = replace(result, cost=meter.cost())  # after the samples: they may be all that has been predicted
        write_result(target, result)
        shutil.rmtree(work)
        found = result
    world.gather(None)
    return found


def resolve_batch_size(wanted: int | str, device: torch.device) -> int:
    if wanted == "auto":
        return 4 if device.type == "cpu" else 32
    if not isinstance(wanted, int) or wanted < 1:
        raise UserError(f"batch_size is {wanted!r}; it must be auto, or 1 or more")
    return wanted


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


def network_rows(network: EvaluatedNetwork, meter: Meter, protocol: Protocol, samples: int) -> dict[str, Predictor]:
    """Row -> predictor of the rows that depend on the network."""
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
            absent[name] = f"{NO_VALUE}: {metric.undefined or 'it is not defined on any'}"
    weights = {
        "network": network.weights,
        "metrics": {name: metric.origin for name, metric in setup.metrics.items() if metric.origin},
        "extractors": {each.name: each.describe() for each in setup.extractors},
        "arguments": setup.arguments,
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
