"""Large photographs take little memory beside the picture of 8 bits: TIFFs are read a few strips or tiles at a time."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize.imaging import raster as bounds
from colorize.imaging.decode import decode_picture
from colorize.imaging.raster import DecodeError
from colorize.imaging.tiff_parts import PART, Grid, page_memory
from tests.helpers.tiffs import by_hand

ROOT = Path(__file__).parents[2]
MEASURE = """
import sys
from pathlib import Path
from colorize.imaging.decode import decode_picture
from colorize.utils.devices import CLEAR

def memory(kind):
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{kind}:")[1].split()[0])

for path in sys.argv[1:]:
    CLEAR.write_text("5")
    before = memory("VmRSS")
    image = decode_picture(Path(path)).image
    held = image.width * image.height * (1 if image.mode == "L" else 4)
    del image
    print(memory("VmHWM") - before - held)
"""
LAYOUTS = {
    "plain": {},
    "deflate": {"compression": "zlib", "rowsperstrip": 16, "compressionargs": {"level": 1}},
    "deflate in one strip": {"compression": "zlib", "rowsperstrip": 2**31, "compressionargs": {"level": 1}},
    "LZW": {"compression": "lzw", "rowsperstrip": 16, "predictor": True},
    "tiles": {"tile": (256, 256)},
}
measured = pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")


def write(path: Path, megapixels: int, colours: int, depth: str, layout: str) -> Path:
    """Noise, 5,000 pixels wide; `layout` is one of `LAYOUTS`, or a format of Pillow's."""
    noise = np.random.default_rng(0).integers(0, 256, (100, 5000, *([3] if colours > 1 else [])), dtype=np.uint8)
    block = noise if depth == "8 bits" else noise.astype(np.uint16) * 257
    pixels = np.concatenate([block] * (megapixels * 2))
    if layout in LAYOUTS:
        options = {"photometric": "rgb" if colours > 1 else "minisblack", "metadata": None, **LAYOUTS[layout]}
        if "rowsperstrip" in options:
            options["rowsperstrip"] = min(options["rowsperstrip"], len(pixels))
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, layout, quality=50, compress_level=1)
    return path


def beyond(*paths: Path) -> list[int]:
    """Bytes of memory beside the picture, as Pillow holds it, at the peak of each decoding."""
    words = [sys.executable, "-c", MEASURE, *paths]
    trimmed = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1000000"}  # what is freed is given back, and counted again
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT, env=trimmed)
    return [int(line) for line in done.stdout.split()]


@measured
def test_samples_are_not_held_beside_the_picture(tmp_path):
    """20 megapixels: 60 MB of RGB and 40 MB of grey of 16 bits, which were held whole and twice."""
    kinds = [(3, "8 bits", "deflate"), (3, "8 bits", "deflate in one strip"), (1, "16 bits", "plain"),
             (3, "16 bits", "tiles")]  # fmt: skip
    paths = [write(tmp_path / f"{place}.tif", 20, *kind) for place, kind in enumerate(kinds)]
    small = write(tmp_path / "small.tif", 1, *kinds[0])  # what is imported and kept at the first one
    assert max(beyond(small, *paths)[1:]) < 50e6


@pytest.mark.slow
@measured
@pytest.mark.parametrize("layout", ["JPEG", "PNG", *LAYOUTS])
@pytest.mark.parametrize("depth", ["8 bits", "16 bits"])
@pytest.mark.parametrize("colours", [1, 3], ids=["grey", "RGB"])
def test_memory_beyond_the_picture(layout, depth, colours, tmp_path):
    """200 megapixels, which Pillow refuses; less than 300 MB beside the picture, and the 16 bits of a PNG."""
    if depth == "16 bits" and (layout == "JPEG" or (layout == "PNG" and colours == 3)):
        pytest.skip("not written by Pillow")
    samples = 400e6 if (layout, depth) == ("PNG", "16 bits") else 0  # which Pillow reads as a whole
    assert beyond(write(tmp_path / "large", 200, colours, depth, layout))[0] < 300e6 + samples


def page(compression: int) -> tifffile.TiffPage:
    """One strip of 200 megapixels of grey of 16 bits."""
    data = by_hand(
        bytes(8), {258: (3, 16), 259: (3, compression), 262: (3, 1), 277: (3, 1)}, width=20_000, height=10_000
    )
    return tifffile.TiffFile(io.BytesIO(data)).pages.first


@pytest.mark.parametrize(("compression", "whole"), [(1, False), (8, False), (5, True), (32773, True)])
def test_what_cannot_be_read_in_parts_is_counted(compression, whole):
    one = page(compression)
    assert Grid(one, 16).is_cut != whole
    assert page_memory(one, 1, 16) == 200e6 + 2 * (400e6 if whole else PART)


def test_memory_that_a_tiff_takes_has_to_be_free(monkeypatch):
    monkeypatch.setattr(bounds, "available_memory", lambda: 500_000_000)
    for compression, word in ((5, "1.0 GB of memory"), (1, "beyond its end")):
        data = by_hand(
            bytes(200_000), {258: (3, 16), 259: (3, compression), 262: (3, 1), 277: (3, 1), 279: (4, 2**28)},
            width=20_000, height=10_000,
        )  # fmt: skip
        with pytest.raises(DecodeError, match=word):
            decode_picture(data)
