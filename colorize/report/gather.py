"""What run folders hold for a page: curves, cost, configs and the photographs that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from colorize.checkpoint import step_of
from colorize.results import read_result
from colorize.runs import RunFolder
from colorize.stored import read_config
from colorize.tracking.lines import read_lines

PAINTED, SEEN, TRUE = "painted", "as-it-is", "true-colours"  # how evaluation names its pictures
UNTOLD = ("name", "overwrite", "published.", "resume", "trust", "tracker.")  # of a config, what makes no other network
OLD = "historical"  # the protocol of old photographs, and the folder of those that training painted
Files = dict[str, dict[str, Path]]  # "000-name" -> what -> file


@dataclass
class Told:
    """Of one line of the comparison, by its first training.

    curves    name -> (step, value) …
    cost      of painting, as a `Result` has it; of a run that was not evaluated, its parameters alone
    pictures  the photographs that it was compared on, as evaluation kept them
    old       likewise old photographs, of which there is no truth; `manifest` says which
    grids     samples, historical -> the last step and its sheet, as training left it
    """

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    pictures: Files = field(default_factory=dict)
    old: Files = field(default_factory=dict)
    manifest: str = ""
    grids: dict[str, tuple[int, Path]] = field(default_factory=dict)


def gather(folder: Path, result: Path | None = None) -> Told:
    """What lies in a run folder, and around its `result`; a network that was not trained here has no more than that.

    Raises `UserError` for a file that is half written.
    """
    summary = RunFolder(folder).read_summary()
    told = Told(folder, summary)
    if "parameters" in summary:
        told.cost["parameters"] = summary["parameters"]
    if result is not None:
        told.cost |= read_result(result).cost
        told.pictures = files_of(result.with_suffix(".pictures"))
    old = folder / "results" / f"{OLD}.json"
    if old != result and old.is_file():
        told.old, told.manifest = files_of(old.with_suffix(".pictures")), read_result(old).manifest
    if (path := folder / ".hydra" / "config.yaml").is_file():
        told.config = config_of(path)
    told.curves = curves_of(folder / "metrics.jsonl")
    for name in ("samples", OLD):
        sheets = {step: path for path in (folder / name).glob("step-*.png") if (step := step_of(path)) is not None}
        if sheets:
            told.grids[name] = max(sheets.items())
    return told


def config_of(path: Path) -> dict[str, Any]:
    return flat(OmegaConf.to_container(read_config(path)))


def curves_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What was measured while training: none by a run that failed before."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in read_lines(path):
        for name, value in line.items():
            if name.startswith("val/") and isinstance(value, int | float):
                curves.setdefault(name, []).append((line["step"], value))
    return curves


def files_of(folder: Path) -> Files:
    found: Files = {}
    for path in sorted(folder.glob("*.jpg")):
        for what in (PAINTED, SEEN, TRUE):
            if path.stem.endswith(f"-{what}"):
                found.setdefault(path.stem.removesuffix(f"-{what}"), {})[what] = path
    return found


def differences(told: Mapping[str, Told]) -> dict[str, dict[str, Any]]:
    """Key of the config -> label -> value, where the runs do not all say the same."""
    keys = dict.fromkeys(key for each in told.values() for key in each.config)
    found = {}
    for key in keys:
        values = {label: each.config.get(key, "–") for label, each in told.items() if each.config}
        if len({str(value) for value in values.values()}) > 1 and not key.startswith(UNTOLD):
            found[key] = values
    return found


def flat(node: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {path: node} if path else {}
    return {key: value for name, each in node.items()
            for key, value in flat(each, f"{path}.{name}" if path else str(name)).items()}  # fmt: skip
