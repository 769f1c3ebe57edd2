"""What a session of the page that `colorize app` serves shows: the map of confidence over a photograph."""

import numpy as np
import pytest
from PIL import Image, ImageColor

from colorize.cli.session_files import DENSEST, TINT, make_overlay


@pytest.mark.parametrize(
    ("errors", "scale", "strengths"),
    [
        ((8, 28), (8, 28), (0, 1)),  #          the photograph's own errors
        ((18, 20), (10, 20), (0.8, 1)),  #      no great difference is made of a small one
        ((1, 2), (1, 15), (0, 1 / 14)),  #      nor doubt of what is certain
    ],
)
def test_the_map_is_violet_where_errors_are_expected(errors, scale, strengths, tmp_path):
    """Grey levels are those of `colorize paint --confidence`: 255 - 5 * error."""
    Image.new("RGB", (60, 40), painted := (90, 120, 60)).save(tmp_path / "painted.jpg")
    confidence = Image.new("L", (120, 80), 255 - 5 * errors[0])
    confidence.paste(255 - 5 * errors[1], (60, 0, 120, 80))
    confidence.save(tmp_path / "map.png")
    view = tmp_path / "view.jpg"
    assert make_overlay(tmp_path / "painted.jpg", tmp_path / "map.png", view) == pytest.approx(scale)
    tint = np.array(ImageColor.getrgb(TINT))
    for x, strength in zip((10, 50), strengths, strict=True):
        seen = np.add(painted, DENSEST * strength * (tint - painted))
        assert Image.open(view).getpixel((x, 20)) == pytest.approx(seen, abs=4)
