"""The names by which Hydra's configs ask for the sweeper and the launcher of this package."""

from __future__ import annotations

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin

from colorize.sweeps.sweeper import OptunaSweeper
from colorize.sweeps.torchrun import TorchrunLauncher

NAMES: dict[str, type[Plugin]] = {"OptunaSweeper": OptunaSweeper, "TorchrunLauncher": TorchrunLauncher}


def register() -> None:
    """Hydra takes plugins from below `hydra_plugins` alone, and looks for them there in folders that an editable
    install does not have: so they are handed over."""
    plugins = Plugins.instance()
    for name, kind in NAMES.items():
        plugins.register(kind)
        plugins.class_name_to_class[f"hydra_plugins.colorize.{name}"] = kind
