"""Every depth, white, order and layout of samples comes out as light as the array that was written, and no reader of
ours has a say in what is right."""

from __future__ import annotations

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.color import rgb2lab

from colorize.imaging import tiff_parts
from colorize.imaging.decode import decode_picture
from colorize.imaging.raster import DecodeError
from tests.helpers.tiffs import GREY, RGB, H, W, by_hand, off, packed, tif

CLEAR = np.where(np.arange(W) < 12, 70, 255).astype(np.uint8)[None].repeat(H, 0)


@pytest.fixture(autouse=True, params=[tiff_parts.PART, 100], ids=["whole", "in parts"])
def part_size(request, monkeypatch):
    """Bytes of samples in a part: large TIFFs are read in parts, and these small ones once as if they were large."""
    monkeypatch.setattr(tiff_parts, "PART", request.param)


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32])
def test_grey_of_every_depth(bits, white_is_zero):
    top = 2**bits - 1
    levels = np.rint(GREY / 255 * top).astype(np.uint32)
    stored = top - levels if white_is_zero else levels
    data = by_hand(packed(stored, bits), {258: (3, bits), 262: (3, int(not white_is_zero)), 277: (3, 1)}, ">")
    assert off(data, np.rint(levels / top * 255)) <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "packbits"])
@pytest.mark.parametrize("layout", ["strips", "tiles", "rows"])
def test_sixteen_bits_in_every_layout(layout, compression, order):
    cut = {"strips": {"rowsperstrip": 5}, "tiles": {"tile": (16, 16)}, "rows": {"rowsperstrip": 1}}[layout]
    for pixels, truth in ((GREY, GREY), (RGB, RGB)):
        deep = pixels.astype(f"{order}u2") * 257
        kind = "rgb" if pixels.ndim == 3 else "minisblack"
        data = tif(deep, photometric=kind, compression=compression, byteorder=order, **cut)
        assert off(data, truth) == 0
        if kind == "rgb":
            planes = np.moveaxis(deep, -1, 0)
            assert off(tif(planes, photometric=kind, planarconfig="separate", byteorder=order, **cut), truth) == 0


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
def test_predictors_and_bigtiff(pixels, predictor, big):
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    for deep in (pixels, pixels.astype(np.uint16) * 257):
        assert off(tif(deep, photometric=kind, compression="zlib", predictor=predictor, bigtiff=big), pixels) == 0


@pytest.mark.parametrize("depth", [1, 257], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
def test_extra_samples(pixels, depth):
    """Transparency goes beside the picture, multiplied in or not; infrared and what nobody knows is left out."""
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    clear = CLEAR.astype(np.uint16 if depth > 1 else np.uint8) * depth
    full = np.atleast_3d(pixels).astype(clear.dtype) * depth
    times = (full * (CLEAR[..., None] / 255)).round().astype(clear.dtype)
    for said, stored, tolerance in (("unassalpha", full, 0), ("assocalpha", times, 2), ("unspecified", full, 0)):
        data = tif(np.dstack([stored, clear]), photometric=kind, extrasamples=[said], planarconfig="contig")
        picture = decode_picture(data)
        assert np.abs(np.asarray(picture.image).astype(int) - pixels).max() <= tolerance
        if said == "unspecified":
            assert picture.alpha is None
            assert "left out" in " ".join(picture.notes)
        else:
            assert picture.alpha is not None
            assert np.array_equal(np.asarray(picture.alpha), CLEAR)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pixels", [GREY, RGB], ids=["grey", "rgb"])
@pytest.mark.parametrize("depth", [1, 257], ids=["8 bits", "16 bits"])
def test_turned_tiffs_opened_by_name(pixels, depth, orientation, tmp_path):
    stored = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: np.swapaxes(pixels, 0, 1),
        6: np.rot90(pixels), 7: np.swapaxes(pixels[::-1, ::-1], 0, 1), 8: np.rot90(pixels, -1),
    }[orientation]  # fmt: skip
    deep = np.ascontiguousarray(stored).astype(np.uint16 if depth > 1 else np.uint8) * depth
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    path = tmp_path / "turned.tif"
    path.write_bytes(tif(deep, photometric=kind, extratags=[(274, 3, 1, orientation, True)]))
    assert np.array_equal(np.asarray(decode_picture(path).image), pixels)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("told", [False, True])
def test_few_bits_in_sixteen(bits, told):
    """Scanners' 10 or 12 bits: MaxSampleValue tells, or that no number is larger, which is said."""
    top = 2**bits - 1
    levels = np.rint(GREY / GREY.max() * top).astype("<u2")
    tags = {258: (3, 16), 262: (3, 1), 277: (3, 1), **({281: (3, top)} if told else {})}
    picture = decode_picture(by_hand(levels.tobytes(), tags))
    assert np.abs(np.asarray(picture.image).astype(int) - np.rint(levels / top * 255)).max() <= 1
    assert any(f"{bits} bits" in note for note in picture.notes) == (not told)


def test_a_dark_picture_of_sixteen_bits_stays_dark():
    dark = (GREY // 20).astype(np.uint16) * 257  # no number above 3084
    assert off(tif(dark, photometric="minisblack"), GREY // 20) == 0


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_floating_point_of_a_known_range(kind):
    assert off(tif((GREY / 255).astype(kind), photometric="minisblack"), GREY) <= 1
    assert off(tif((RGB / 255).astype(kind), photometric="rgb"), RGB) <= 1
    for unknown in (GREY.astype(kind), np.where(GREY > 200, np.nan, 0).astype(kind)):
        with pytest.raises(DecodeError, match="unknown range"):
            decode_picture(tif(unknown, photometric="minisblack"))


def test_numbers_with_a_sign():
    assert off(tif((GREY.astype(np.int32) * 257 - 32768).astype(np.int16), photometric="minisblack"), GREY) <= 1
    assert off(tif((GREY.astype(np.int16) - 128).astype(np.int8), photometric="minisblack"), GREY) <= 1


def test_32_bits_of_an_unknown_range_are_refused():
    with pytest.raises(DecodeError, match="unknown range"):
        decode_picture(tif(GREY.astype(np.uint32) * 5000, photometric="minisblack"))


@pytest.mark.parametrize("scale", [1, 257])
def test_palettes_of_8_and_of_16_bits(scale):
    table = (255 - np.arange(256, dtype=np.uint16)) * scale
    data = tif(255 - GREY, photometric="palette", colormap=np.stack([table] * 3))
    assert off(data, np.stack([GREY] * 3, axis=-1)) == 0


@pytest.mark.parametrize("depth", [1, 257], ids=["8 bits", "16 bits"])
def test_cmyk(depth):
    ink = (np.dstack([255 - RGB, np.zeros_like(GREY)])).astype(np.uint16 if depth > 1 else np.uint8) * depth
    assert off(tif(ink, photometric="separated"), RGB) <= 1


@pytest.mark.parametrize("photometric", [8, 9], ids=["CIE", "ICC"])
@pytest.mark.parametrize("bits", [8, 16])
def test_lab(bits, photometric):
    """Of greys, L* comes back; of colours, a* and b* have their signs."""
    L, a, b = np.full((H, W), 60.0), np.full((H, W), -30.0), np.full((H, W), 40.0)
    unit, zero = 2 ** (bits - 8), (128 if photometric == 9 else 0) * 2 ** (bits - 8)
    top = 255 if bits == 8 else 65280 if photometric == 9 else 65535
    parts = [np.rint(L / 100 * top), np.rint(a * unit) + zero, np.rint(b * unit) + zero]
    stored = np.stack([part.astype(np.int64) % 2**bits for part in parts], axis=-1).astype(f"<u{bits // 8}")
    data = by_hand(stored.tobytes(), {258: (3, [bits] * 3), 262: (3, photometric), 277: (3, 3)})
    rgb = np.asarray(decode_picture(data).image)
    lab = rgb2lab(rgb)[5, 5]
    assert abs(lab[0] - 60) < 2
    assert lab[1] < -20
    assert lab[2] > 30


def png(rows: bytes, bits: int, colour: int, before: bytes = b"") -> bytes:
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, colour, 0, 0, 0)) + before
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))  # fmt: skip


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def lines(pixels: np.ndarray) -> bytes:
    return b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in pixels)


@pytest.mark.parametrize(("colour", "layers"), [(0, 1), (4, 2), (2, 3), (6, 4)])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_kind_of_png(bits, colour, layers):
    colours = RGB if layers > 2 else GREY
    full = np.dstack([colours, CLEAR]) if layers in (2, 4) else np.atleast_3d(colours)
    stored = (full.astype(">u2") * 257) if bits == 16 else full
    picture = decode_picture(png(lines(stored), bits, colour))
    found = np.asarray(picture.image)
    assert np.abs(found.astype(int) - (colours if found.ndim == 3 or layers < 3 else GREY)).max() <= 1
    assert (picture.alpha is not None) == (layers in (2, 4))
    assert ("16-bit" in picture.conversions) == (bits == 16)


@pytest.mark.parametrize("gamma", [1.0, 0.5, 1 / 1.8])
def test_the_gamma_of_a_png(gamma):
    light = (GREY / 255) ** (1 / gamma)
    shown = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    told = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    assert off(png(lines(GREY), 8, 0, told), np.rint(shown)) <= 1
    assert off(png(lines(GREY.astype(">u2") * 257), 16, 0, told), np.rint(shown)) <= 1
    assert off(png(lines(GREY), 8, 0, told + chunk(b"sRGB", b"\0")), GREY) == 0


@pytest.mark.parametrize(("top", "bits"), [(255, 8), (1023, 16), (4095, 16), (65535, 16)])
def test_a_pgm_tells_its_white(top, bits):
    levels = np.rint(GREY / 255 * top).astype(">u2" if bits == 16 else "u1")
    assert off(b"P5 %d %d %d\n" % (W, H, top) + levels.tobytes(), GREY) <= 1


def test_the_largest_page_is_the_photograph():
    small = Image.fromarray(GREY[::2, ::2])
    small.save(file := io.BytesIO(), "TIFF", save_all=True, append_images=[Image.fromarray(GREY)])
    picture = decode_picture(file.getvalue())
    assert np.array_equal(np.asarray(picture.image), GREY)
    assert picture.notes == [
        f"its first page has {small.width}×{small.height} pixels: the largest, {W}×{H}, is painted"
    ]


def test_a_picture_in_a_sub_directory_is_the_photograph():
    with tifffile.TiffWriter(file := io.BytesIO()) as writer:
        writer.write(GREY[::2, ::2], photometric="minisblack", subifds=1, subfiletype=1, metadata=None)
        writer.write(GREY.astype(np.uint16) * 257, photometric="minisblack", metadata=None)
    picture = decode_picture(file.getvalue())
    assert np.array_equal(np.asarray(picture.image), GREY)
    assert "largest" in picture.notes[-1] + picture.notes[0]


@pytest.mark.parametrize(("compression", "depth"), [*itertools.product(["tiff_lzw", "tiff_adobe_deflate"], [1, 257])])
def test_what_pillow_writes(compression, depth):
    image = Image.fromarray(GREY.astype(np.uint16) * 257 if depth > 1 else GREY)
    image.save(file := io.BytesIO(), "TIFF", compression=compression)
    assert off(file.getvalue(), GREY) == 0
