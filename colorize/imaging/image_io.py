"""Photographs in and out of files, with what their files say beside the pixels; sample grids; JPEGs."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps
from torch import Tensor

from colorize.imaging.choices import FORMATS
from colorize.imaging.color_management import SRGB, image_strips
from colorize.imaging.decode import decode_picture
from colorize.imaging.deep_color import deep_problem, write_deep
from colorize.imaging.exif import Tags, add_tags
from colorize.imaging.metadata import Metadata, Options, fit_metadata, read_metadata, with_color_space
from colorize.imaging.raster import unbounded
from colorize.utils.errors import UserError
from colorize.utils.files import write_whole


@dataclass
class LoadedPhotograph:
    image: Image.Image  #              L, RGB or I;16, sRGB
    alpha: Image.Image | None = None
    metadata: Metadata = field(default_factory=Metadata)  # of the file, without what describes its pixels
    notes: list[str] = field(default_factory=list)  # what had to be decided about it
    profile: bytes | None = None  # of the colours in its file

    def rows(self, first: int, count: int) -> np.ndarray:
        """(count, W, 3) uint8, or uint16 of a picture of 16 bits; of a grey one one plane, seen three times."""
        pixels = np.asarray(self.image.crop((0, first, self.image.width, first + count)))
        return np.broadcast_to(pixels[..., None], (*pixels.shape, 3)) if pixels.ndim == 2 else pixels

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8 or uint16: a copy"""
        return self.rows(0, self.image.height)


def open_photograph(
    path: Path, max_pixels: int | None = None, *, depth: int = 8, page: int | None = None
) -> LoadedPhotograph:
    """With `depth` 16, a TIFF or PNG of more than 8 bits keeps them, as grey of its lightness; `page`, from 0, is one
    of the photographs in a TIFF.

    Raises `UserError` for what is no picture, is truncated, or has pixels whose range nobody knows.
    """
    try:
        picture = decode_picture(path, max_pixels=max_pixels, depth=depth, page=page)
    except UserError as error:
        raise error if page is None else UserError(f"page {page + 1}: {error}") from error
    with path.open("rb") as file:
        metadata = read_metadata(file, picture.info, picture.texts, page or 0)
    return LoadedPhotograph(picture.image, picture.alpha, metadata, picture.notes, picture.profile)


LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}  # pixels: what libjpeg and libwebp write
LARGE = 2**25  # pixels
CLOSE = 8.0  # 8-bit levels between what a lossy format was given and what it holds
PIXELS = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}


def format_of(path: Path) -> str:
    """Pillow's name of the format that a file's ending stands for."""
    return FORMATS[path.suffix[1:].lower()]


def check_size(width: int, height: int, path: Path) -> None:
    """Raises `UserError` for a photograph whose sides the format cannot hold."""
    kind = format_of(path)
    most = LONGEST_SIDE.get(kind, 2**31 - 1)
    if max(width, height) > most:
        raise UserError(
            f"it has {width}×{height} pixels and {kind} holds at most {most:,} a side: give --format png or tif"
        )


def save_photograph(
    image: Image.Image | np.ndarray, like: LoadedPhotograph, path: Path, profile: bytes = SRGB,
    finish: Callable[[Path], None] | None = None,
) -> list[str]:  # fmt: skip
    """Write `image` (RGB; or (H, W, 3) uint16, to PNG and TIFF) with the transparency and metadata of `like`, tagged
    with the colour profile that its colours have, whole or not at all. `finish` gets the file before it has its name.

    `image` itself, of 8 bits, gets the transparency, or the white where the format has none: a copy would take as much
    memory. Returns what had to be decided. Raises `UserError` for what the format cannot hold, and for a file that does
    not read back as it was written.
    """
    kind, notes = format_of(path), []
    check_size(*like.image.size, path)
    if isinstance(image, np.ndarray):
        image = image if like.alpha is None else np.dstack([image, np.asarray(like.alpha, np.uint16) * 257])
    elif like.alpha is not None and kind == "JPEG":
        image.paste("white", mask=ImageChops.invert(like.alpha))
        notes.append("JPEG has no transparency: it lies on white")
    elif like.alpha is not None:
        image.putalpha(like.alpha)
    options, tags, left_out = fit_metadata(with_color_space(like.metadata, profile == SRGB), kind)
    notes += left_out

    def write(part: Path) -> None:
        _write(image, kind, part, profile, options, tags)
        if problem := readback_problem(part, image, kind):
            notes.append("its metadata is left out: the file could not be read with it")
            _write(image, kind, part, profile, {}, Tags())
            problem = readback_problem(part, image, kind)
        if problem:
            raise UserError(f"what was written as {kind} {problem}: give another --format")
        if finish:
            finish(part)

    write_whole(path, write)
    return notes


def _write(
    image: Image.Image | np.ndarray, kind: str, part: Path, profile: bytes, options: Options, tags: Tags
) -> None:
    if isinstance(image, np.ndarray):
        write_deep(part, image, kind, profile, options, tags)
        return
    image.save(part, kind, icc_profile=profile, **PIXELS.get(kind, {}), **options)
    add_tags(part, tags)


def readback_problem(path: Path, image: Image.Image | np.ndarray, kind: str) -> str:
    """What is wrong with a file that should hold `image`; nothing where it reads back.

    PNG and TIFF hold every pixel as it is; of the lossy formats, the tones of 64×64 areas are compared. Of pictures of
    more than `LARGE` pixels no second one is held in memory: of a PNG the checksums are compared. A JPEG of an eighth
    of that is decoded at an eighth of its size, in half of the time.
    """
    if isinstance(image, np.ndarray):
        return deep_problem(path, image, kind)
    pixels = image.width * image.height
    try:
        if kind == "TIFF":
            held = tifffile.memmap(path, mode="r")
            same = held.shape[:2] == image.size[::-1] and _same_rows(held, image)
            return "" if same else "has other colours"
        with unbounded(), Image.open(path, formats=[kind]) as back:
            if back.size != image.size or getattr(back, "n_frames", 1) != 1:
                return f"has {back.width}×{back.height} pixels in place of {image.width}×{image.height}"
            if kind == "PNG" and pixels > LARGE:
                back.verify()
                return ""
            if kind == "JPEG" and pixels > LARGE // 8:  # all of its data is read all the same
                back.draft("RGB", (back.width // 8, back.height // 8))
            back.load()
            if kind == "PNG":
                same = back.mode == image.mode and _same_rows(back, image)
            else:
                same = _mean_difference(back.convert(image.mode), image) < CLOSE
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder raises: the file is not readable
        return f"cannot be read again ({type(error).__name__})"
    return "" if same else "has other colours"


def _same_rows(pixels: np.ndarray | Image.Image, image: Image.Image) -> bool:
    """Whether (H, W, S), or a picture of this size, is the image; strip by strip."""
    for top, strip in image_strips(image):
        below = top + len(strip)
        held = pixels.crop((0, top, image.width, below)) if isinstance(pixels, Image.Image) else pixels[top:below]
        if not np.array_equal(np.asarray(held), strip):
            return False
    return True


def _mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Of 8-bit levels, between areas of the size of a 64th of the pictures."""
    size = (min(64, one.width), min(64, one.height))
    small = (np.asarray(image.resize(size, Image.Resampling.BOX)).astype(int) for image in (one, other))
    return float(abs(next(small) - next(small)).mean())


MARGIN, CAPTION, TILE = 6, 18, 160


def sample_grid(rows: Mapping[str, Tensor], names: Sequence[str]) -> Image.Image:
    """One labelled row for each of `rows` (N, 3, H, W) uint8, one column a photograph, `names` below them.

    `info["caption"]` of the picture says the same in words.
    """
    pictures = {
        caption: [Image.fromarray(tile.permute(1, 2, 0).cpu().numpy()) for tile in tiles]
        for caption, tiles in rows.items()
    }
    canvas = labelled_grid(pictures, [Path(name).stem for name in names])
    canvas.info["caption"] = f"{', '.join(rows)} of {', '.join(names)}"
    return canvas


def labelled_grid(rows: Mapping[str, Sequence[Image.Image]], names: Sequence[str], side: int = TILE) -> Image.Image:
    """Each row's caption at the left, each column's name below; a picture's longer side has `side` pixels."""
    font = ImageFont.load_default(size=12)
    captions = [ellipsize(caption, font, 2 * TILE) for caption in rows]
    left = max(round(font.getlength(caption)) for caption in captions) + 2 * MARGIN
    step = side + MARGIN
    canvas = Image.new("RGB", (left + len(names) * step, len(rows) * step + CAPTION + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (caption, pictures) in enumerate(zip(captions, rows.values(), strict=True)):
        top = MARGIN + row * step
        draw.text((MARGIN, top + side // 2), caption, fill="black", font=font, anchor="lm")
        for column, picture in enumerate(pictures):
            tile = ImageOps.contain(picture, (side, side), Image.Resampling.BICUBIC)
            canvas.paste(tile, (left + column * step + (side - tile.width) // 2, top + (side - tile.height) // 2))
    for column, name in enumerate(names):
        place = (left + column * step + side // 2, len(rows) * step + MARGIN)
        draw.text(place, ellipsize(name, font, side), fill="black", font=font, anchor="ma")
    return canvas


def ellipsize(text: str, font, width: int) -> str:
    """The end of `text` that fits: photographs of one set usually begin alike."""
    if font.getlength(text) <= width:
        return text
    while font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text


def encode_jpeg(pixels: Tensor, quality: int) -> bytes:
    """(3, H, W) uint8 -> a JPEG"""
    image = Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
