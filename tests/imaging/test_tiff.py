"""Rare kinds of TIFF: 24 bits, YCbCr, reversed bits, alpha beside L*a*b*, and what is compressed in another way."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.imaging.image_io import open_photograph
from colorize.imaging.raster import DecodeError
from colorize.utils.errors import UserError
from tests.helpers.tiffs import GREY, RGB, H, W, by_hand, off, packed, tif
from tests.imaging.test_color_management import part_size  # noqa: F401 (a fixture)


@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bits_have_the_order_of_the_file(order):
    levels = np.rint(GREY / 255 * (2**24 - 1)).astype(f"{order}u4")
    three = slice(0, 3) if order == "<" else slice(1, 4)
    data = np.ascontiguousarray(levels.view(np.uint8).reshape(-1, 4)[:, three]).tobytes()
    assert off(by_hand(data, {258: (3, 24), 262: (3, 1), 277: (3, 1)}, order), GREY) <= 1


@pytest.mark.parametrize("compression", [1, 8])
def test_reversed_bits_are_those_of_the_packed_data(compression):
    data = packed(np.rint(GREY / 255 * 4095).astype(np.uint32), 12)
    data = np.frombuffer(zlib.compress(data) if compression == 8 else data, np.uint8)
    data = np.packbits(np.unpackbits(data[:, None], axis=1)[:, ::-1], axis=1).tobytes()
    tags = {258: (3, 12), 259: (3, compression), 262: (3, 1), 266: (3, 2), 277: (3, 1)}
    assert off(by_hand(data, tags), GREY) <= 1


def units(rgb: np.ndarray, across: int, down: int) -> bytes:
    """YCbCr of ITU-R BT.601 in TIFF's units, of a picture whose chroma is smooth."""
    rows, columns = -(-H // down), -(-W // across)
    full = np.pad(rgb / 255, ((0, rows * down - H), (0, columns * across - W), (0, 0)), mode="edge")
    luma = full @ (0.299, 0.587, 0.114)
    parts = luma, (full[..., 2] - luma) / 1.772 + 0.5, (full[..., 0] - luma) / 1.402 + 0.5
    cells = [part.reshape(rows, down, columns, across).swapaxes(1, 2).reshape(rows, columns, -1) for part in parts]
    cells[1:] = [cell.mean(axis=2, keepdims=True) for cell in cells[1:]]
    return np.rint(np.concatenate(cells, axis=2) * 255).clip(0, 255).astype(np.uint8).tobytes()


@pytest.mark.parametrize("sampling", [*itertools.product([1, 2, 4], [1, 2, 4])])
def test_ycbcr_that_is_not_compressed(sampling):
    tinted = np.clip(GREY[..., None].astype(int) * (0.7, 0.6, 0.5) + (60, 10, 30), 0, 255).astype(np.uint8)
    tags = {258: (3, [8] * 3), 262: (3, 6), 277: (3, 3), 530: (3, list(sampling))}
    picture = decode_picture(by_hand(units(tinted, *sampling), tags))
    assert np.abs(np.asarray(picture.image).astype(int) - tinted).mean() < 2


def test_transparency_beside_lab():
    alpha = np.where(np.arange(W) < 12, 70, 255).astype(np.uint8)[None].repeat(H, 0)
    stored = np.stack([np.full((H, W), 153, np.uint8), *np.zeros((2, H, W), np.uint8), alpha], axis=-1)
    tags = {258: (3, [8] * 4), 262: (3, 8), 277: (3, 4), 338: (3, 2)}
    picture = decode_picture(by_hand(stored.tobytes(), tags))
    assert picture.alpha is not None
    assert np.array_equal(np.asarray(picture.alpha), alpha)


@pytest.mark.parametrize("compression", ["lzw", "zstd"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u4", "f4"])
def test_32_bits_in_either_order(kind, order, compression):
    levels = GREY / 255 * (2**32 - 1 if kind == "u4" else 1)
    data = tif(levels.astype(kind), compression=compression, byteorder=order, photometric="minisblack")
    assert off(data, GREY) <= 1


@pytest.mark.parametrize("compression", ["jpeg", "webp"])
@pytest.mark.parametrize("below", [False, True], ids=["a page", "below a thumbnail"])
def test_codecs_that_make_rgb_of_ycbcr(compression, below, tmp_path):
    import tifffile

    with tifffile.TiffWriter(path := tmp_path / "a.tif") as file:
        if below:
            file.write(np.zeros((4, 4), np.uint8), subifds=1, metadata=None)
        file.write(RGB, compression=compression, photometric="rgb", metadata=None)
    found = np.asarray(decode_picture(path).image).astype(int)
    assert np.abs(found - RGB).mean() < 6


@pytest.mark.parametrize("rows", [8, H])
@pytest.mark.parametrize("header", [0, 200])
def test_old_jpegs_whose_strips_are_parts_of_one(header, rows):
    Image.fromarray(RGB).save(file := io.BytesIO(), "JPEG", quality=95, subsampling=0)
    data, begins = file.getvalue(), 8 + header
    tags = {258: (3, [8] * 3), 259: (3, 6), 262: (3, 6), 273: (4, begins), 277: (3, 3), 278: (3, rows),
            279: (4, len(data) - header), 513: (4, 8), 514: (4, header or len(data)), 530: (3, [1, 1])}  # fmt: skip
    found = np.asarray(decode_picture(by_hand(data, tags)).image).astype(int)
    assert np.abs(found - RGB).mean() < 3


@pytest.mark.parametrize("data", [bytes(2**27), GREY.tobytes() + b"more"], ids=["fills memory", "a little"])
def test_deflated_strips_that_are_longer_than_their_rows(data):
    file = by_hand(zlib.compress(data), {258: (3, 8), 259: (3, 8), 262: (3, 1), 277: (3, 1)})
    if len(data) < 2**20:
        assert off(file, GREY) == 0
    else:
        with pytest.raises(DecodeError, match="longer than its picture"):
            decode_picture(file)


def test_a_strip_that_is_a_giant_picture():
    Image.fromarray(RGB).save(file := io.BytesIO(), "JPEG")
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, 60_000, 60_000)
    with pytest.raises(DecodeError, match="larger than its picture"):
        decode_picture(by_hand(bytes(data), {258: (3, [8] * 3), 259: (3, 7), 262: (3, 6), 277: (3, 3)}))


def test_grey_and_alpha_in_planes():
    both = np.stack([GREY, np.full((H, W), 90, np.uint8)])
    picture = decode_picture(
        tif(both, compression="lzw", planarconfig="separate", photometric="minisblack", extrasamples=["unassalpha"])
    )
    assert np.array_equal(np.asarray(picture.image), GREY)
    assert picture.alpha is not None
    assert set(np.unique(np.asarray(picture.alpha))) == {90}


def test_samples_of_different_depths():
    with pytest.raises(DecodeError, match="different numbers of bits"):
        decode_picture(by_hand(RGB.tobytes(), {258: (3, [5, 6, 5]), 262: (3, 2), 277: (3, 3)}))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("damage", ["no such place", "no directory"])
def test_a_page_that_cannot_be_read_is_said(order, big, damage, tmp_path):
    import tifffile

    with tifffile.TiffWriter(path := tmp_path / "a.tif", byteorder=order, bigtiff=big) as file:
        for pixels in (GREY, GREY[::-1], GREY):
            file.write(pixels, photometric="minisblack", metadata=None)
    assert [open_photograph(path, page=page).notes for page in range(3)] == [[], [], []]
    with tifffile.TiffFile(path) as file:
        (second, third), layout = (file.pages[number].offset for number in (1, 2)), file.tiff
        place = second + layout.tagnosize + len(file.pages[1].tags) * layout.tagsize
    data = bytearray(path.read_bytes())
    if damage == "no directory":
        data[third : third + layout.tagnosize] = b"\xff" * layout.tagnosize
    else:
        struct.pack_into(layout.offsetformat, data, place, 2**31)
    path.write_bytes(data)
    said = ["its page 3 cannot be read, nor any behind it"]
    assert [open_photograph(path, page=page).notes for page in range(2)] == [[], said]
    assert decode_picture(path).notes[-1:] == said
    with pytest.raises(UserError, match=r"^page 2: its pixels are said to lie beyond its end"):
        open_photograph(cut_behind(path, second, layout), page=1)


def cut_behind(path, directory, layout):
    """With the pixels of a page, which its directory says where they are, beyond the end."""
    import tifffile

    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[1].tags[273]
    struct.pack_into(layout.offsetformat[0] + {4: "I", 16: "Q", 3: "H"}[tag.dtype], data, tag.valueoffset, len(data))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("tags", [{257: (3, [H, H])}, {277: (3, [1, 1])}])
def test_headers_of_no_sense_are_told_in_words(tags):
    data = by_hand(GREY.tobytes(), {258: (3, 8), 262: (3, 1), 277: (3, 1), **tags})
    with pytest.raises(DecodeError, match=r"header"):
        decode_picture(data)
