"""Results: the JSON record of an evaluation, its rows, and the scores that training ended with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import inf, isinf, isnan, nan
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.evaluation.protocol import INPUTS
from colorize.metrics.full_reference import ErrorsByColour
from colorize.metrics.metric_info import Interval, info_of, is_stored_info, read_infos
from colorize.run_folder import RunFolder
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, short_digest, write_text
from colorize.utils.stored_config import MOVED, SINCE, flatten, is_free, is_place, rename_targets

LABELS = {  # row -> its label, in the order of tables
    "model": "network", **{f"model_{name}": f"network, shown {each.label}" for name, each in INPUTS.items()},
    "grey": "grey", "mean_ab": "mean colour of training", "lab_roundtrip": "ground truth through Lab",
    "jpeg95": "ground truth through JPEG 95", "split_half": "ground truth, half against half", "truth": "ground truth",
}  # fmt: skip
CELL = ("value", "low", "high", "n")
CHOSEN_HERE = "chosen on these very photographs"  # what best.pt is, where validation looked at what is measured
TRAINED_ON = "{} was trained on {} of these {:,} photographs: on others its numbers would be worse"
OF_BEST = "@best"  # ends the name of a result of the best weights, beside that of the last ones
OPTIONAL_FIELDS = ("cost", "measures", "row_labels", "color_errors")  # that results did not have from the beginning
INFINITIES = {"inf": inf, "-inf": -inf}  # JSON has none; NaN, which says that nothing is known, is null


def group_by_reason(absent: Mapping[str, str]) -> list[tuple[str, str]]:
    """(names, reason): metrics that are absent for one reason are named together."""
    reasons: dict[str, list[str]] = {}
    for metric, reason in absent.items():
        reasons.setdefault(reason, []).append(metric)
    return [(", ".join(names), reason) for reason, names in reasons.items()]


def row_label(row: str) -> str:
    """The label of a row; "grey of NAME" where runs do not share theirs."""
    kind, of, name = row.partition(" of ")
    return LABELS.get(kind, kind) + of + name


@dataclass(frozen=True)
class Result:
    """A run under a protocol.

    name       the run's; the numbers of its network are the row `model`
    protocol   every field that says how it was measured, and their `id`: results of different ones are never compared
    rows       row -> metric -> value with its interval. The other rows are baselines and bounds; `truth` has the ground
               truth's own value of a metric such as colourfulness
    absent     metric -> why it is unavailable
    versions   of the libraries
    weights    of the evaluated network, and of the networks of metrics: where each came from, and its hash
    manifest   of the photographs
    group      the same for runs that differ by their seed alone (`group_of`), which can be pooled
    seed       of the training; None for weights without a run folder
    measures   how to read metrics that this package does not know itself: attributes of `Metric`
    cost       of a prediction: parameters, gmacs and their size, seconds, batch_size, device, where these are known;
               precision, where it is not float32
    row_labels  labels of rows that this package does not know itself
    color_errors  of the network by hue and chroma of the ground truth, as `ErrorsByColour` names them
    """

    name: str
    protocol: dict[str, Any]
    rows: dict[str, dict[str, Interval]]
    absent: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)
    manifest: str = ""
    group: str = ""
    seed: int | None = None
    cost: dict[str, Any] = field(default_factory=dict)
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    row_labels: dict[str, str] = field(default_factory=dict)
    color_errors: dict[str, list[float]] = field(default_factory=dict)


def write_result(path: str | Path, result: Result) -> Path:
    """Write `path`, a .json file, whole or not at all."""
    path = Path(path)
    _check(path, asdict(result))
    text = as_json(plain(asdict(result)), indent=2, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def read_result(path: str | Path) -> Result:
    """Read what `write_result` wrote. Raises `UserError` for anything else."""
    path = Path(path)
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no result {str(path)!r}: evaluate the run with that protocol first") from error
    except ValueError as error:  # not JSON, or not text
        raise UserError(f"{str(path)!r} is not whole, or no JSON: evaluate the run again to replace it") from error
    _check(path, held)
    for row, label in held.get("row_labels", {}).items():
        LABELS.setdefault(row, label)
    rows = {row: {metric: _interval(cell) for metric, cell in cells.items()}
            for row, cells in order_rows(held["rows"]).items()}  # fmt: skip
    read_infos(held.get("measures", {}))
    return Result(**{**held, "rows": rows})


def order_rows(rows: Mapping[str, Any]) -> dict[str, Any]:
    """In the order of tables."""
    return {row: rows[row] for row in [*LABELS, *rows] if row in rows}


def judged_by_own(result: Result) -> dict[str, str]:
    """Metric -> its network, of the metrics whose network the run was trained with: their numbers flatter it."""
    networks = {name: origin.split(",")[0] for name, origin in result.weights.get("metrics", {}).items()}
    for extractor in result.weights.get("extractors", {}):
        networks |= {name: extractor for name in result.rows["model"] if name.endswith(f"_{extractor}")}
    own = {name.removeprefix("tf_") for name in result.weights.get("network", {}).get("trained_with", ())}
    networks = {name: network.removeprefix("tf_") for name, network in networks.items()}
    return {name: network for name, network in networks.items() if network in own and name in result.rows["model"]}


def image_table_path(path: str | Path) -> Path:
    """The table of a result's pictures, a .csv beside it."""
    return Path(path).with_suffix(".csv")


def group_of(cfg: DictConfig, photographs: Sequence[str]) -> str:
    """The `group` of a run: the same for runs whose configs differ by nothing but the seed, settings that change no
    weight, and where the same photographs lie.

    cfg          as a run folder keeps it: with references to the seed not replaced
    photographs  their digests, as `RunFolder.photographs` returns them
    """
    # under the names that were hashed first, so that results of older versions keep their group
    old_names = {new: old for old, new in MOVED.items()}
    alike = OmegaConf.create(rename_targets(OmegaConf.to_container(cfg, resolve=False), old_names))
    alike.seed = 0
    values = {key: value for key, value in flatten(alike).items() if not is_free(key) and not is_place(key)}
    values = {**SINCE, "trainer._partial_": True, **values, "photographs": [*photographs][:1]}
    return short_digest(json.dumps(values, sort_keys=True, default=str), 12)


def _check(path: Path, held: Any) -> None:
    """Raise `UserError` for anything but a result, naming the first thing that is wrong with it."""

    def refuse(what: str):
        return UserError(f"{str(path)!r} is not the result of an evaluation: {what}")

    if not isinstance(held, dict):
        raise refuse("it is not a JSON object")
    names = [each.name for each in fields(Result)]
    for name in names:
        if name not in held and name not in OPTIONAL_FIELDS:
            raise refuse(f"it has no {name!r}")
    if foreign := sorted(held.keys() - set(names)):
        raise refuse(f"it has an unknown field {foreign[0]!r}")
    for name in ("protocol", "rows", "absent", "versions", "weights", *OPTIONAL_FIELDS):
        if not isinstance(held.get(name, {}), dict):
            raise refuse(f"its {name!r} is not a JSON object")
    for name, each in held.get("measures", {}).items():
        if not is_stored_info(each):
            raise refuse(f"its measure {name!r} is not {{label, better, unit}} and other attributes of `MetricInfo`")
    errors = held.get("color_errors", {})
    if errors and (set(errors) != set(ErrorsByColour._fields) or not all(map(_is_column, errors.values()))):
        raise refuse("its 'color_errors' are not the lists of numbers that ErrorsByColour names")
    if not isinstance(held["protocol"].get("id"), str) or not held["protocol"]["id"]:
        raise refuse("its protocol has no id")
    if "model" not in held["rows"]:
        raise refuse("it has no row 'model'")
    for row, metrics in held["rows"].items():
        if row not in LABELS and not isinstance(held.get("row_labels", {}).get(row), str):
            raise refuse(f"it has a row {row!r} without a label; rows with one are {', '.join(LABELS)}")
        for metric, cell in metrics.items() if isinstance(metrics, Mapping) else [("", None)]:
            if not _is_cell(cell):
                raise refuse(f"{metric!r} of its row {row!r} is not {{{', '.join(CELL)}}}")


def _is_cell(cell: Any) -> bool:
    if not isinstance(cell, Mapping) or set(cell) != set(CELL) or type(cell["n"]) is not int:
        return False
    values = (cell[name] for name in ("value", "low", "high"))
    return all(value is None or value in INFINITIES or _is_number(value) for value in values)


def _is_column(values: Any) -> bool:
    return isinstance(values, list) and all(value is None or _is_number(value) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _interval(cell: Mapping[str, Any]) -> Interval:
    value, low, high = (nan if cell[name] is None else float(cell[name]) for name in ("value", "low", "high"))
    return Interval(value, low, high, cell["n"])


def plain(value: Any) -> Any:
    """The same with NaN as null and infinities as text, which JSON has no numbers for."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and isnan(value):
        return None
    if isinstance(value, float) and isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


Summaries = dict[str, dict[str, Any]]


def read_summaries(folders: Sequence[str]) -> Summaries:
    """Folder -> summary of a run, the best first.

    Raises `UserError` for a run that has not finished, and for runs that validated on different photographs.
    """
    summaries = {folder: RunFolder(folder).read_summary() for folder in folders}
    for folder, summary in summaries.items():
        if summary.get("status") != "finished":
            raise UserError(
                f"the run in {folder!r} has not finished: its summary.json says {summary.get('status', 'nothing')}"
            )
        read_infos(summary.get("measures", {}))
    first, *others = summaries.items()
    for folder, summary in others:
        for key in ("photographs", "size", "manifest"):
            value = first[1]["validation"][key]
            if summary["validation"][key] != value:
                raise UserError(
                    f"{first[0]!r} and {folder!r} cannot be compared: their validation {key} is {value!r} and "
                    f"{summary['validation'][key]!r}"
                )
    return rank_summaries(summaries)


def rank_summaries(summaries: Summaries) -> Summaries:
    """The best first, by the first metric that all have and that has a direction."""
    scores = {folder: summary["val"] for folder, summary in summaries.items()}
    shared = [name for name in next(iter(scores.values())) if all(name in row for row in scores.values())]
    signs = {"higher": -1, "lower": 1}
    for name in shared:
        if sign := signs.get(info_of(name).better or ""):
            return dict(sorted(summaries.items(), key=lambda each: sign * each[1]["val"][name]))
    return summaries
