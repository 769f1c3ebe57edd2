"""Grids of pictures for people to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

MARGIN, CAPTION, TILE = 6, 18, 160


def sample_grid(rows: Mapping[str, Tensor], names: Sequence[str]) -> Image.Image:
    """One labelled row for each of `rows` (N, 3, H, W) uint8, one column a photograph, `names` below them.

    `info["caption"]` of the picture says the same in words.
    """
    font = ImageFont.load_default(size=12)
    left = max(round(font.getlength(caption)) for caption in rows) + 2 * MARGIN
    step = TILE + MARGIN
    canvas = Image.new("RGB", (left + len(names) * step, len(rows) * step + CAPTION + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (caption, tiles) in enumerate(rows.items()):
        top = MARGIN + row * step
        draw.text((MARGIN, top + TILE // 2), caption, fill="black", font=font, anchor="lm")
        for column, tile in enumerate(tiles):
            picture = Image.fromarray(tile.permute(1, 2, 0).cpu().numpy()).resize(
                (TILE, TILE), Image.Resampling.BICUBIC
            )
            canvas.paste(picture, (left + column * step, top))
    for column, name in enumerate(names):
        caption = fit(Path(name).stem, font, TILE)
        place = (left + column * step + TILE // 2, len(rows) * step + MARGIN)
        draw.text(place, caption, fill="black", font=font, anchor="ma")
    canvas.info["caption"] = f"{', '.join(rows)} of {', '.join(names)}"
    return canvas


def fit(text: str, font, width: int) -> str:
    """The end of `text` that fits: photographs of one set usually begin alike."""
    if font.getlength(text) <= width:
        return text
    while font.getlength("…" + text) > width:
        text = text[1:]
    return "…" + text
