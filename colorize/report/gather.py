"""What run folders hold for a page: curves, cost, configs and the photographs that evaluation kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

PAINTED, SEEN, TRUE = "painted", "as-it-is", "true-colours"  # how evaluation names its pictures
UNTOLD = ("name", "overwrite", "published.", "resume", "tracker.")  # of a config, what makes no other network


@dataclass
class Told:
    """Of one line of the comparison, by its first training.

    curves    name -> (step, value) …
    pictures  "000-name" -> what -> JPEG in base64
    """

    folder: Path
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    pictures: dict[str, dict[str, str]] = field(default_factory=dict)


def gather(result: Path) -> Told:
    """What lies around the result file of a run; a network that was not trained here has its pictures alone."""
    folder = result.parent.parent
    told = Told(folder, pictures=pictures_of(result.with_suffix(".pictures")))
    if (path := folder / "summary.json").is_file():
        told.summary = json.loads(path.read_text(encoding="utf-8"))
    if (path := folder / ".hydra" / "config.yaml").is_file():
        told.config = flat(OmegaConf.to_container(OmegaConf.load(path)))
    if (path := folder / "metrics.jsonl").is_file():
        told.curves = curves_of(path)
    return told


def curves_of(path: Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        for name, value in line.items():
            if name.startswith("val/") and isinstance(value, int | float):
                curves.setdefault(name, []).append((line["step"], value))
    return curves


def pictures_of(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.jpg")):
        for what in (PAINTED, SEEN, TRUE):
            if path.stem.endswith(f"-{what}"):
                name = path.stem.removesuffix(f"-{what}")
                found.setdefault(name, {})[what] = base64.b64encode(path.read_bytes()).decode()
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
        return {path: node}
    return {key: value for name, each in node.items()
            for key, value in flat(each, f"{path}.{name}" if path else str(name)).items()}  # fmt: skip
