"""Which published layout a state dict has, by the keys that only that layout has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colorize.errors import UserError
from colorize.importers import ddcolor, thesis
from colorize.importers.files import State, shortened
from colorize.models import Colorizer

FORMATS: dict[str, tuple[str, Callable[[State], Colorizer]]] = {  # a key's beginning -> what reads it
    "encoder.arch.": (ddcolor.WHAT, ddcolor.import_ddcolor),
    "low_net.": ("the thesis's CNN", thesis.import_cnn),
    "layers.0.": ("the thesis's GAN generator", thesis.import_gan),
    "down.0.": ("the thesis's plain U-Net", thesis.import_unet),
    "color_module.": ("the thesis's transformer", thesis.import_transformer),
    "color_modules.": ("the thesis's MultiColor", thesis.import_multicolor),
    "model.init_conv.": ("the thesis's diffusion model", thesis.import_diffusion),
}


def recognise(state: State, path: Path) -> Colorizer:
    """The network whose weights these are. Raises `UserError` for a layout that is not known, and for one that is
    incomplete."""
    for beginning, (_, build) in FORMATS.items():
        if any(name.startswith(beginning) for name in state):
            try:
                return build(state)
            except UserError as error:
                raise UserError(f"{str(path)!r}: {error}") from error
    known = ", ".join(what for what, _ in FORMATS.values())
    raise UserError(
        f"{str(path)!r} is no checkpoint that is known here; its keys are {shortened(state)}, and known are {known}, "
        "and this package's own runs and exports"
    )
