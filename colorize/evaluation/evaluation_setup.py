"""What an evaluation measures and with what: photographs, metrics and extractors, and what identifies it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from inspect import signature
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.config import metric_class
from colorize.data.duplicates import count_shared
from colorize.evaluation.network import EvaluatedNetwork
from colorize.evaluation.painted import PaintedPictures, match_pictures
from colorize.evaluation.protocol import Protocol, describe_trained_size
from colorize.evaluation.result import Result
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.distribution import KINDS, score_name
from colorize.metrics.extractors import Extractor, create_extractor
from colorize.metrics.metric import Metric
from colorize.metrics.metric_info import build_metrics
from colorize.metrics.perceptual import imagenet_indices
from colorize.utils.console import say
from colorize.utils.environment import at_home, versions
from colorize.utils.errors import UnavailableError, UserError, shorten_list


@dataclass(frozen=True)
class EvaluationSetup:
    """What every network of a command is measured on and with.

    described  the protocol's record with its id
    absent     metric -> why it is unavailable
    missing    those of them whose weights cannot be had here
    arguments  metric -> those of its constructor
    reference  the reference's own photographs, where it has any
    painted    the pictures that are judged in the place of a network's
    trained_on  how many of the photographs the network was trained on, as far as this is known
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
    painted: PaintedPictures | None = None
    trained_on: int = 0

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
    if protocol.source == "run":
        data = network.config().data
        protocol = replace(protocol, size=protocol.size or data.size, input=(data.get("input", "lab_l"),))
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
    painted = match_pictures(network.pictures, chosen, protocol) if network.pictures else None
    note = describe_trained_size(network.name, described, network.size) if network.model else None
    if painted and painted.surplus:
        note = f"left out of {network.name}, since no photograph is called so: {shorten_list(painted.surplus)}"
    if note:
        chosen = replace(chosen, notes=[*chosen.notes, note])
    metrics, missing = build_metrics(cfg.metrics, strict=cfg.strict)
    given = {"L"} | ({"true"} if protocol.truth != "none" else set()) | (set() if painted else {"ab"})
    given |= {"label"} if imagenet_indices().keys() & set(chosen.classes) else set()
    given |= {"samples"} if cfg.samples > 1 and network.model and network.model.stochastic else set()
    absent = missing | _leave_out(metrics, frozenset(given), protocol)
    extractors, without = _available_extractors(protocol, strict=cfg.strict)
    arguments = {name: _arguments(cfg.metrics[name]) for name in metrics}
    return EvaluationSetup(
        protocol, chosen, described, metrics, extractors, absent | without, missing | without, arguments, reference,
        painted, _count_trained_on(network, protocol, chosen),
    )  # fmt: skip


def _count_trained_on(network: EvaluatedNetwork, protocol: Protocol, chosen: Selection) -> int:
    """How many of the photographs the network was trained on; 0 where its own do not lie on this machine."""
    if network.run is None or protocol.source == "run" or protocol.truth == "none":
        return 0
    if network.data is None and not at_home(network.run.data.get("root", ".")).exists():
        return 0
    try:
        return count_shared(chosen.photos, network.photographs().train)
    except UserError as error:
        say(f"whether {network.name} was trained on these photographs is not known: {error}")
        return 0


def _leave_out(metrics: dict[str, Metric], given: frozenset[str], protocol: Protocol) -> dict[str, str]:
    """Take out the metrics that lack what they need, and those of whole sets, which the extractors measure; why some
    are unavailable."""
    absent = {}
    for name, metric in list(metrics.items()):
        if reason := metric.lacks(given):
            absent[name] = reason.removeprefix(f"{metric.label} ")
            del metrics[name]
        elif metric.aggregation == "set":  # measured by the protocol's extractors, with an interval
            del metrics[name]
            if not name.endswith(tuple(protocol.extractors)):
                absent[name] = "distances of whole sets are measured with protocol.extractors"
    return absent


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


def library_versions() -> dict[str, str]:
    """Package -> version, of every package that values depend on."""
    more = ("torch-fidelity", "lpips", "numpy", "scipy", "pillow")
    return {**versions(), **{package: version(package) for package in more}}


NO_VALUE = "no picture has a value"
PLACES = ("_target_", "weights", "download")  # of a metric: where its network lies; the `origin` says which it is
