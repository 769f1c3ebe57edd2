"""The evaluation of a network under a protocol: its rows, and the result that they make."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from colorize.evaluation import predictors
from colorize.evaluation.baselines import Baselines, measure_protocol_baselines
from colorize.evaluation.evaluation_setup import NO_VALUE, EvaluationSetup, library_versions
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import ERRORS, PICTURES, Measurement, MetricValues, aggregate_row, concatenate
from colorize.evaluation.network import EvaluatedNetwork
from colorize.evaluation.predictors import Meter, Predictor
from colorize.evaluation.result import LABELS, Result, image_table_path, order_rows, write_result
from colorize.evaluation.samples import write_samples
from colorize.metrics.full_reference import errors_of, mean_errors_by_colour
from colorize.metrics.metric_info import stored_infos
from colorize.models.precision import precision_setting, set_precision
from colorize.utils.console import say
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from colorize.utils.files import without_folders_in

WORK = ".work"  # beside a result, while it is measured


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
    precision = set_network_precision(network, cfg.precision, setup, measurement)
    baselines = measure_protocol_baselines(measurement, setup.described, setup.stamp(), setup.reference)
    meter = Meter(network.model, device) if network.model else None
    rows = network_rows(network, meter, setup, cfg.samples)
    work = target.with_name(f"{target.stem}{WORK}")
    stamp = {**setup.stamp(), "weights": network.weights["sha256"], "samples": cfg.samples} | precision
    measurement.measure(rows, work, stamp, network.name)
    found = None
    if baselines is not None:
        result = assemble_result(network, setup, baselines, work, list(rows))
        concatenate(image_table_path(target), [work / PICTURES, baselines.pictures], header=True)
        if setup.protocol.truth != "none":
            errors = mean_errors_by_colour(errors_of(work / ERRORS))._asdict()
            result = replace(result, color_errors={name: values.tolist() for name, values in errors.items()})
        write_samples(target, measurement, rows, read_image_values(work / PICTURES))
        result = replace(
            result, cost=meter.cost() | precision if meter else {}
        )  # after the samples: they may be all that has been predicted
        write_result(target, result)
        shutil.rmtree(work)
        found = result
    world.gather(None)
    return found


def set_network_precision(
    network: EvaluatedNetwork, name: str, setup: EvaluationSetup, measurement: Measurement
) -> dict[str, Any]:
    """Bring the network to its device and let it compute in a precision; what a result says of that."""
    if network.model is None:
        return {}
    protocol, world, batch_size = setup.protocol, measurement.world, measurement.batch_size
    sizes = {"given": protocol.size or network.size, "trained": network.size}
    size = sizes[protocol.predict] if isinstance(protocol.predict, str) else protocol.predict
    passes = len(protocol.rows) * len(setup.chosen.photos) // (batch_size * world.size)
    found = set_precision(
        network.model.to(measurement.device), name, "evaluation", size=size, photographs=batch_size, passes=passes,
        world=world,
    )  # fmt: skip
    for note in found.notes("evaluation"):
        say(note)
    return precision_setting(network.model)


def resolve_batch_size(wanted: int | str, device: torch.device) -> int:
    if wanted == "auto":
        return 4 if device.type == "cpu" else 32
    if not isinstance(wanted, int) or wanted < 1:
        raise UserError(f"batch_size is {wanted!r}; it must be auto, or 1 or more")
    return wanted


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
            absent[name] = f"{NO_VALUE}: {metric.undefined or 'it is not defined on any'}"
    weights = {
        "network": network.weights
        | ({"pictures": setup.painted.taken} if setup.painted else {"trained_at": network.size})
        | ({"chosen_on_these": True} if network.chosen_on(setup.protocol.source) else {})
        | ({"trained_on_these": setup.trained_on} if setup.trained_on else {}),
        "metrics": {name: metric.origin for name, metric in setup.metrics.items() if metric.origin},
        "extractors": {each.name: each.describe() for each in setup.extractors},
        "arguments": setup.arguments,
    } | ({"reference": {"photographs": len(setup.reference.photos)}} if setup.reference else {})  # fmt: skip
    return Result(
        network.name, setup.described, order_rows(values | baselines.rows),
        without_folders_in(absent), library_versions(), weights,
        setup.chosen.manifest, network.group, network.seed, measures=stored_infos(setup.metrics),
        row_labels={row: label for row, label in setup.protocol.row_labels.items() if row not in LABELS},
    )  # fmt: skip
