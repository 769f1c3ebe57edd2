"""From the bytes of a photograph to 8-bit sRGB, upright, on white: what a screen would show.

H W picture.
"""

from __future__ import annotations

import io
import warnings
from functools import lru_cache
from math import ceil

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch import Tensor

from colorize.errors import UserError
from colorize.photograph_files import eight_bit, to_srgb

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # torchvision has announced to part with it; Pillow decodes to the same pixels, half as fast again
    decode_jpeg = None

# What is raised for files that are cut short, empty, of another kind, broken inside, absurdly large, or of pixels whose
# range nobody knows
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, UserError)

# Pillow warns of large ones, which are welcome; twice as many pixels are an error.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

VISIBLE = 4  # 8-bit levels by which a profile must differ from sRGB somewhere to be called another

TREATMENT = {
    "rotated": "turned as its EXIF says",
    "profile": "converted from its colour profile to sRGB",
    "alpha": "laid on white where it is transparent",
    "16-bit": "scaled from 16 bits to 8",
    "cmyk": "converted from CMYK",
    "animated": "reduced to its first frame",
}


def decode(data: bytes, shorter: int | None = None) -> tuple[Tensor, list[str]]:
    """(3, H, W) uint8, and which of `TREATMENT` it got. Raises one of `UNREADABLE`.

    With `shorter`, a JPEG whose shorter side is at least twice that is decoded at a half, a quarter or an eighth of
    its size, and no smaller than that.
    """
    with Image.open(io.BytesIO(data)) as image:
        scale = min(image.size) / shorter if shorter else 1
        if scale >= 2:
            image.draft("RGB", (ceil(image.width / scale), ceil(image.height / scale)))
        elif (
            decode_jpeg is not None
            and image.format == "JPEG"
            and image.mode in ("RGB", "L")
            and not peculiarities(image)
        ):
            return _decode_jpeg(data), []
        rgb, treated = to_rgb(image)
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous(), treated


def open_rgb(data: bytes) -> Image.Image:
    """The whole photograph. Raises one of `UNREADABLE`."""
    with Image.open(io.BytesIO(data)) as image:
        return to_rgb(image)[0]


def to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """An opened photograph as RGB, and which of `TREATMENT` it got."""
    treated, profile = peculiarities(image), image.info.get("icc_profile")
    image.load()
    image = ImageOps.exif_transpose(image) if "rotated" in treated else image
    image = eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
            treated.append("alpha")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    converts = "profile" in treated or image.mode == "CMYK"
    return to_srgb(image, profile if converts else None, []), treated


def _decode_jpeg(data: bytes) -> Tensor:
    try:
        return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode=ImageReadMode.RGB)
    except RuntimeError as error:
        raise OSError(str(error).rsplit(": ", 1)[-1].splitlines()[0]) from error


def peculiarities(image: Image.Image) -> list[str]:
    """What the header of an opened photograph says that must not be passed over: keys of `TREATMENT`."""
    found = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # of those, phones make ordinary photographs
        found.append("animated")
    if image.mode == "CMYK":
        found.append("cmyk")
    if sixteen_bits(image):
        found.append("16-bit")
    if orientation(image) > 1:
        found.append("rotated")
    if (profile := image.info.get("icc_profile")) and image.mode != "CMYK" and not is_srgb(profile, image.mode):
        found.append("profile")
    return found


def sixteen_bits(image: Image.Image) -> bool:
    """Pillow reads RGB of 16 bits as 8: only the decoder's arguments tell."""
    if image.mode.startswith("I"):
        return True
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else ()
    raw = arguments if isinstance(arguments, str) else next(iter(arguments or ()), "")
    return ";16" in str(raw)


def orientation(image: Image.Image) -> int:
    """1 to 8; 1 where EXIF is missing or broken, as Pillow's own transposition takes it."""
    if image.format == "JPEG" and "exif" not in image.info and "xmp" not in image.info:
        return 1
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF can be damaged in every way; the picture is not
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


@lru_cache(maxsize=64)
def is_srgb(profile: bytes, mode: str) -> bool:
    """Whether colours look the same with the profile as without: names of profiles tell little."""
    levels = np.array([0, 64, 128, 192, 255], dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(5, 25, 3)
    test = Image.fromarray(cube).convert("L" if mode == "L" else "RGB")
    problems: list[str] = []
    try:
        converted = to_srgb(test, profile, problems)
    except (OSError, ImageCms.PyCMSError):
        return False
    difference = np.asarray(converted).astype(int) - np.asarray(test.convert("RGB"))
    return not problems and int(abs(difference).max()) < VISIBLE
