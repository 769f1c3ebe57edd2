"""Texts, XMP, IPTC and resolutions stay where a format can hold them, and what does not fit is said."""

import struct

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin

from colorize.imaging import image_io as photograph_saving
from colorize.imaging.exif import read_resources
from colorize.imaging.metadata import read_metadata
from colorize.utils.errors import UserError
from tests.helpers.metadata import CAPTION, KINDS, XMP, of, opened, saved, tags_block

RESOURCES = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(CAPTION)) + CAPTION + b"8BIM\x04\x0c\0\0\0\0\0\x04old!"


@pytest.mark.parametrize("kind", KINDS)
def test_resolutions_outside_exif_stay(kind, rgb, tmp_path):
    path, _ = saved(rgb, of(dpi=(599.9988, 300)), kind, tmp_path)
    main, _ = opened(path)
    assert (main[0x11A], main[0x11B], main[0x128]) == (600, 300, 2)
    if kind != "webp":
        with Image.open(path) as image:
            assert image.info["dpi"] == pytest.approx((600, 300), rel=1e-4)
    for none in ((0, 0), (float("nan"), 1), (1e9, 1e9), "72", None, (72,)):
        assert of(dpi=none).dpi is None


@pytest.mark.parametrize("kind", KINDS)
def test_xmp_iptc_and_comments_stay_where_they_can(kind, rgb, tmp_path):
    metadata = of(xmp=XMP, comment="Straße".encode("latin-1"), photoshop=read_resources(RESOURCES))
    path, notes = saved(rgb, metadata, kind, tmp_path)
    with Image.open(path) as image:
        xmp, info = image.info["xmp"], dict(image.info)
        if kind in ("jpg", "tif"):
            assert IptcImagePlugin.getiptcinfo(image) == {(2, 120): b"Nave."}
    assert b'dc:title="Nave"' in xmp
    assert b"a maker" in xmp
    assert b"Orientation" not in xmp  # it has been applied
    assert b"9876" not in xmp
    assert b"old!" not in path.read_bytes()  # the thumbnail of the grey picture
    assert bool(notes) == (kind == "webp")
    if kind == "png":
        assert info["Comment"] == "Straße"
        assert CAPTION.hex() in info["Raw profile type iptc"]
    else:
        assert "Straße".encode("latin-1") in path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_a_png_stay(kind, rgb, tmp_path):
    told = PngImagePlugin.PngInfo()
    told.add_text("Author", "A. Name")
    told.add_itxt("Title", "聖堂")
    told.add_text("Source", "a scanner")
    Image.fromarray(rgb).save(tmp_path / "in.png", pnginfo=told, dpi=(600, 600))
    with (tmp_path / "in.png").open("rb") as file, Image.open(file) as image:
        path, notes = saved(rgb, read_metadata(file, image.info, image.text), kind, tmp_path)
    assert not notes
    if kind == "png":
        with Image.open(path) as image:
            assert {"Author": "A. Name", "Title": "聖堂", "Source": "a scanner"}.items() <= image.text.items()
    else:
        main, _ = opened(path)
        assert main[0x13B] == "A. Name"
        assert "聖堂".encode() in path.read_bytes()
        assert b"Source: a scanner" in path.read_bytes()


def test_what_does_not_fit_into_a_jpeg_is_shortened_and_said(rgb, tmp_path):
    main = [(0x10E, 2, 90000, b"d" * 89999 + b"\0"), (0x10F, 2, 8, b"a maker\0"), (0x9C9C, 1, 70000, b"x" * 70000)]
    path, notes = saved(rgb, of(tags_block(main), xmp=b"<x/>" + b"y" * 70000, comment=b"c" * 70000), "jpg", tmp_path)
    assert ["EXIF's ImageDescription is shortened" in note for note in notes].count(True) == 1
    assert len(notes) == 4, notes
    held, _ = opened(path)
    assert held[0x10F] == "a maker"
    assert set(held[0x10E]) == {"d"}
    assert len(held[0x10E]) > 50000
    for kind in ("png", "tif", "webp"):
        path, notes = saved(rgb, of(tags_block(main)), kind, tmp_path)
        assert not notes
        assert len(opened(path)[0][0x10E]) == 89999


def test_padding_of_xmp_is_no_reason_to_leave_it_out(rgb, tmp_path):
    xmp = b"<?xpacket begin=''?>" + XMP + b" " * 70000 + b"<?xpacket end='w'?>"
    path, notes = saved(rgb, of(xmp=xmp), "jpg", tmp_path)
    assert not notes
    with Image.open(path) as image:
        assert b"Nave" in image.info["xmp"]


@pytest.mark.parametrize("size", [(1, 16384), (16384, 1)])
def test_sides_that_a_format_cannot_hold_are_said(size, tmp_path):
    rgb = np.full((*size, 3), 100, np.uint8)
    with pytest.raises(UserError, match=r"WEBP holds at most 16,383 a side: give --format png or tif"):
        saved(rgb, of(), "webp", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert saved(rgb, of(), "jpg", tmp_path)[1] == []
    with pytest.raises(UserError, match="JPEG holds at most 65,500"):
        photograph_saving.check_size(1, 65501, tmp_path / "x.jpeg")
