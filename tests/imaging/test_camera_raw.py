"""Cameras' raw files: a DNG of even light comes out as sRGB has it, at either depth; without rawpy one sentence."""

import io

import numpy as np
import pytest
import tifffile

from colorize.imaging import camera_raw
from colorize.imaging.image_io import open_photograph
from colorize.imaging.raster import DecodeError

LIGHT = 0.5
MATRIX = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)  # XYZ to sRGB's primaries


def dng():
    """DNG 1.6: one Bayer mosaic of 16 bits, in which every colour has the same light."""
    matrix = [number for value in MATRIX for number in (round(10000 * value), 10000)]
    tags = [
        (50706, 1, 4, b"\1\4\0\0", True), (50708, 2, 7, "camera", True), (33421, 3, 2, (2, 2), True),
        (33422, 1, 4, b"\0\1\1\2", True), (50721, 10, 9, matrix, True), (50728, 5, 3, (1,) * 6, True),
        (50778, 3, 1, 21, True), (50714, 4, 1, 0, True), (50717, 4, 1, 65535, True), (271, 2, 6, "maker", True),
    ]  # fmt: skip
    mosaic = np.full((64, 96), round(65535 * LIGHT), np.uint16)
    tifffile.imwrite(file := io.BytesIO(), mosaic, photometric=32803, metadata=None, extratags=tags)
    return file.getvalue()


@pytest.mark.parametrize("depth", [8, 16])
def test_even_light_is_the_grey_that_srgb_has_for_it(depth, tmp_path):
    pytest.importorskip("rawpy")
    (tmp_path / "a.DNG").write_bytes(dng())
    found = open_photograph(tmp_path / "a.DNG", depth=depth)
    assert found.image.size == (96, 64)
    top = 2**depth - 1
    expected = top * (1.055 * LIGHT ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    assert abs(np.asarray(found.image).astype(float) - expected).max() <= 1  # it is rounded
    assert found.metadata.tags.main[271].data == b"maker\0"


def test_without_rawpy_one_sentence_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(camera_raw, "rawpy", None)
    (tmp_path / "a.dng").write_bytes(dng())
    with pytest.raises(DecodeError, match="pip install rawpy"):
        open_photograph(tmp_path / "a.dng")


def test_damaged_ones_are_refused(tmp_path):
    pytest.importorskip("rawpy")
    for name, data in {"cut.dng": dng()[:900], "text.nef": b"no picture"}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DecodeError):
            open_photograph(tmp_path / name)
