"""sRGB photographs out, with what their sources said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from colorize.checkpoint import write_whole
from colorize.photograph_files import SRGB, Photograph

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF"}
OPAQUE = ("JPEG",)


def save_photograph(rgb: np.ndarray, like: Photograph, path: Path) -> list[str]:
    """Write `rgb` (H, W, 3) uint8 with the transparency and EXIF of `like`, tagged sRGB, whole or not at all.

    Returns what had to be decided.
    """
    kind, notes = FORMATS[path.suffix[1:].lower()], []
    image = Image.fromarray(rgb)
    if like.alpha is not None:
        image.putalpha(like.alpha)
        if kind in OPAQUE:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
            notes.append("JPEG has no transparency: it lies on white")
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    exif = {"exif": like.exif} if like.exif else {}
    write_whole(path, lambda part: image.save(part, kind, icc_profile=SRGB, **options, **exif))
    return notes
