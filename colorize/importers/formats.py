"""Which published layout a state dict has, by the keys that only that layout has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colorize.errors import UserError
from colorize.importers import ddcolor, thesis
from colorize.importers.files import LAYOUTS, State, shortened
from colorize.models import Colorizer

READERS: dict[str, Callable[[State], Colorizer]] = {  # of each of `LAYOUTS`
    "encoder.arch.": ddcolor.import_ddcolor,
    "low_net.": thesis.import_cnn,
    "layers.0.": thesis.import_gan,
    "down.0.": thesis.import_unet,
    "color_module.": thesis.import_transformer,
    "color_modules.": thesis.import_multicolor,
    "model.init_conv.": thesis.import_diffusion,
}


def recognise(state: State, path: Path) -> Colorizer:
    """The network whose weights these are. Raises `UserError` for a layout that is not known, and for one that is
    incomplete."""
    for beginning, build in READERS.items():
        if any(name.startswith(beginning) for name in state):
            try:
                return build(state)
            except UserError as error:
                raise UserError(f"{str(path)!r}: {error}") from error
    raise UserError(
        f"{str(path)!r} is no checkpoint that is known here; its keys are {shortened(state)}, and known are {', '.join(LAYOUTS.values())}, "
        "and this package's own runs and exports"
    )
