"""A job of a sweep as a recipe: a file that `experiment=` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from colorize.checkpoint import write_text
from colorize.overrides import group_options
from colorize.sweeps.folders import Job

OF_THE_SWEEP = ("hparams_search", "hydra", "name", "tracker", "overwrite", "resume", "trust")  # not of the network


def write_experiment(target: Path, job: Job, name: str, comments: Sequence[str]) -> None:
    """Write what the job was told, so that `python train.py --config-dir=… experiment=…` trains the same again.

    name  of the runs that it will begin
    """
    defaults: list[Any] = []
    values = OmegaConf.create({"name": f"${{seeded:{name},${{seed}}}}"})
    untold = []
    for word in job.overrides:
        override = OverridesParser.create().parse_override(word)
        key = override.key_or_group
        if key.split("/")[0].split(".")[0] in OF_THE_SWEEP:
            continue
        if override.is_delete():
            untold.append(f"the job was also told {word}, which a file cannot say")
        elif key == "experiment":
            defaults.insert(0, override.value())
        elif group_options(key):
            defaults.append({f"override /{key}": override.value()})
        else:
            OmegaConf.update(values, key, override.value(), force_add=True)
    head = "".join(f"# {line}\n" for line in [*comments, *untold])
    chosen = OmegaConf.to_yaml(OmegaConf.create({"defaults": defaults})) + "\n" if defaults else ""
    text = f"# @package _global_\n{head}{chosen}{OmegaConf.to_yaml(values)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
