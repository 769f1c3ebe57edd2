"""Camera raw files, developed by LibRaw, which rawpy carries (an optional dependency)."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from colorize.imaging.deep_color import grey_of_rgb
from colorize.imaging.raster import NOTHING, DecodeError, Raster

rawpy: Any = None
with suppress(ImportError):
    rawpy = import_module("rawpy")

# Their files begin as TIFFs do, or in ways of their own: only the name tells
ENDINGS = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
SRGB_CURVE = (2.4, 12.92)


def is_raw(file: BinaryIO) -> bool:
    return Path(str(getattr(file, "name", ""))).suffix.lower() in ENDINGS


def read_raw(file: BinaryIO, check: Callable[[int, int, float], None], depth: int) -> Raster:
    """Upright, in sRGB, with the camera's white balance and as bright as it was exposed; of `depth` 16, grey of its
    lightness.

    Before it is developed, `check` is told its width, its height and the memory that it takes. Raises `DecodeError`
    where rawpy is not installed, and what LibRaw raises.
    """
    if rawpy is None:
        raise DecodeError("it is a camera's raw file: pip install rawpy reads it, or save it as TIFF or JPEG first")
    file.seek(0)
    with rawpy.imread(file) as raw:
        width, height = raw.sizes.width, raw.sizes.height
        check(width, height, 24.0 * width * height)
        rgb = raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=depth, gamma=SRGB_CURVE)
    raster = Raster(NOTHING, mode="raw", depth=depth, is_scaled=True)
    raster.image = Image.fromarray(rgb if depth == 8 else grey_of_rgb(raster, np.ascontiguousarray(rgb), None))
    return raster
