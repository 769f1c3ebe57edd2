"""The names by which Hydra's configs ask for the sweeper and the launcher of this package."""

from __future__ import annotations

from functools import reduce
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin
from omegaconf import DictConfig, OmegaConf

from colorize.errors import UserError
from colorize.sweeps.after import AfterSweep
from colorize.sweeps.sweeper import OptunaSweeper
from colorize.sweeps.torchrun import TorchrunLauncher
from colorize.values import check_value, hints_of, shown

NAMES: dict[str, type[Plugin]] = {"OptunaSweeper": OptunaSweeper, "TorchrunLauncher": TorchrunLauncher}
NODES = ("hydra.sweeper", "hydra.launcher", "hydra.callbacks.after_sweep")


def check_plugins(cfg: DictConfig) -> None:
    """Raises `UserError` for an argument of ours in Hydra's own config that is not what its constructor says. Hydra
    hands over the very words, so that true is not said in others there."""
    targets: dict[str, type] = {f"hydra_plugins.colorize.{name}": kind for name, kind in NAMES.items()}
    targets["colorize.sweeps.after.AfterSweep"] = AfterSweep
    whole: Any = OmegaConf.to_container(cfg, resolve=False)
    for path in NODES:
        node = reduce(lambda above, key: above.get(key, {}) if isinstance(above, dict) else {}, path.split("."), whole)
        if not isinstance(node, dict):
            raise UserError(f"{path} is {shown(node)}; it must be a part with a _target_")
        hints = hints_of(targets[node["_target_"]]) if node.get("_target_") in targets else {}
        for name, hint in hints.items():
            if name not in node or (isinstance(node[name], dict) and "_target_" in node[name]):
                continue
            found = check_value(hint, node[name], f"{path}.{name}")
            if shown(found) != shown(node[name]):
                raise UserError(f"{path}.{name} is {shown(node[name])}; say {shown(found)}")


def register() -> None:
    """Hydra takes plugins from below `hydra_plugins` alone, and looks for them there in folders that an editable
    install does not have: so they are handed over."""
    plugins = Plugins.instance()
    for name, kind in NAMES.items():
        plugins.register(kind)
        plugins.class_name_to_class[f"hydra_plugins.colorize.{name}"] = kind
