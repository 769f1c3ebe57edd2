"""Painted files: what the source says of itself stays, what describes its pixels not."""

import io
import shutil
import struct
import subprocess

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize.imaging import image_io as photograph_saving
from colorize.imaging.exif import exif_block, read_tags
from colorize.utils.errors import UserError
from tests.helpers.metadata import CAPTION, KINDS, XMP, of, opened, saved, tags_block


def number(value, order="<", kind="H"):
    return struct.pack(f"{order}{kind}", value)


LYING = [  # tags of the pixels of another file, and others
    (0x100, 4, 1, number(4000, kind="I")), (0x101, 4, 1, number(3000, kind="I")), (0x102, 3, 1, number(1)),
    (0x103, 3, 1, number(5)), (0x106, 3, 1, number(0)), (0x10E, 2, 6, b"K\xf6ln.\0"), (0x10F, 2, 8, b"a maker\0"),
    (0x111, 4, 2, bytes(8)), (0x112, 3, 1, number(6)), (0x115, 3, 1, number(1)), (0x116, 3, 1, number(8)),
    (0x117, 4, 2, bytes(8)), (0x11A, 5, 1, struct.pack("<II", 600, 1)), (0x11B, 5, 1, struct.pack("<II", 600, 1)),
    (0x11C, 3, 1, number(2)), (0x128, 3, 1, number(2)), (0x13D, 3, 1, number(2)), (0x142, 3, 1, number(16)),
    (0x152, 3, 1, number(1)), (0x153, 3, 1, number(3)), (0x8298, 2, 5, b"\xc2\xa9 K\0"), (0x935C, 7, 5, b"layer"),
    (0xC4A5, 7, 5, b"print"), (0xC612, 1, 4, b"\1\4\0\0"),
]  # fmt: skip
OF_EXIF = [
    (0x9003, 2, 20, b"1931:05:06 07:08:09\0"),
    (0xA001, 3, 1, number(65535)),
    (0xA002, 4, 1, number(4000, kind="I")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_descriptions_stay_and_structure_goes(kind, rgb, tmp_path):
    path, notes = saved(rgb, of(tags_block(LYING, OF_EXIF)), kind, tmp_path)
    assert not notes
    main, exif = opened(path)
    with Image.open(path) as image:
        assert image.size == (70, 50)
        image.load()
    assert 0x112 not in main
    assert main[0x10F] == "a maker"
    assert main[0x11A] == 600
    assert main[0xC4A5] == b"print"
    assert exif[0x9003] == "1931:05:06 07:08:09"
    assert exif[0xA001] == 1  # sRGB, as the pixels now are
    assert 0xA002 not in exif
    assert not {0x935C, 0xC612, 0x13D, 0x142} & main.keys()
    data = path.read_bytes()
    assert b"K\xf6ln.\0" in data  # text in any encoding, byte by byte
    assert b"\xc2\xa9 K\0" in data


def test_a_tiff_is_a_tiff_to_others(rgb, tmp_path):
    """tifffile shares no code with what wrote it."""
    path, _ = saved(rgb, of(tags_block(LYING, OF_EXIF), xmp=XMP, photoshop={1028: CAPTION}), "tif", tmp_path)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert len(file.pages) == 1
        assert page.shape == (50, 70, 3)
        assert (page.asarray() == rgb).all()
        assert page.tags["XResolution"].value == (600, 1)
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == "1931:05:06 07:08:09"
        assert page.tags["IPTCNAA"].value == CAPTION
        assert b"tiff:Orientation" not in page.tags["XMP"].value
        assert b'dc:title="Nave"' in page.tags["XMP"].value
        assert page.iccprofile


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_byte_orders_are_read(order, kind, rgb, tmp_path):
    main = [(0x11A, 5, 1, struct.pack(f"{order}II", 300, 7)), (0x128, 3, 1, number(3, order))]
    path, _ = saved(
        rgb, of(tags_block(main, [(0x829D, 5, 1, struct.pack(f"{order}II", 28, 10))], order)), kind, tmp_path
    )
    main, exif = opened(path)
    assert main[0x11A] == pytest.approx(300 / 7)
    assert main[0x128] == 3
    assert exif[0x829D] == pytest.approx(2.8)


ODD = {
    "of other types": [
        (0x11A, 10, 1, struct.pack("<ii", -72, 1)),
        (0x10F, 7, 4, b"ab\xff\0"),
        (0x128, 9, 1, b"\xff" * 4),
    ],
    "0/0 and 1/0": [(0x11A, 5, 1, bytes(8)), (0x11B, 5, 1, struct.pack("<II", 1, 0)), (0x128, 3, 1, number(2))],
    "a text where a number belongs": [(0x11A, 2, 3, b"72\0"), (0x112, 8, 3, b"\6\0\6\0\6\0")],
    "of no known type": [(0x10F, 99, 4, b"abcd"), (0x110, 0, 1, b"abcd"), (0x131, 2, 0, b"")],
    "pointing outside": [(0x10E, 2, 90000, b"\xff\xff\xff\x7f"), (0x8769, 4, 1, b"\xff\xff\xff\xff")],
    "pointing to themselves": [(0x8769, 4, 1, number(8, kind="I")), (0x8825, 4, 1, number(8, kind="I"))],
    "endless": [(0x10E, 2, 2**32 - 1, b"\x08\0\0\0")],
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", KINDS)
def test_odd_tags_stop_nothing(odd, kind, rgb, tmp_path):
    path, _ = saved(rgb, of(tags_block(ODD[odd])), kind, tmp_path)
    assert 0x11A not in opened(path)[0]  # no resolution is better than one that is none
    with Image.open(path) as image:
        assert abs(np.asarray(image).astype(int) - rgb).mean() < 3


def test_damaged_blocks_are_read_as_far_as_they_go():
    block = tags_block(LYING, OF_EXIF)
    for end in range(len(block)):
        tags = read_tags(io.BytesIO(block[:end]))
        assert exif_block(tags) == exif_block(read_tags(io.BytesIO(exif_block(tags))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("large", [False, True])
def test_a_file_that_does_not_read_back_is_none(kind, large, rgb, tmp_path, monkeypatch):
    """Whatever an encoder did: cut off its end, or wrote another picture, which of a large PNG nobody looks at."""
    monkeypatch.setattr(photograph_saving, "LARGE", 0 if large else 2**25)
    assert saved(np.resize(rgb, (300, 300, 3)), of(), kind, tmp_path)[1] == []
    (tmp_path / f"out.{kind}").unlink()
    save = Image.Image.save

    def cut(self, path, *words, **options):
        save(self, path, *words, **options)
        path.write_bytes(path.read_bytes()[:-2000])

    def inverted(self, path, *words, **options):
        save(Image.fromarray(255 - np.asarray(self)), path, *words, **options)

    for wrong in (cut, inverted) if not (large and kind == "png") else (cut,):
        monkeypatch.setattr(Image.Image, "save", wrong)
        with pytest.raises(UserError, match=r"what was written as (PNG|JPEG|TIFF|WEBP) .*: give another --format"):
            saved(np.resize(rgb, (300, 300, 3)), of(), kind, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_metadata_that_break_a_file_are_left_out_and_said(rgb, tmp_path, monkeypatch):
    monkeypatch.setattr("colorize.imaging.exif.STRUCTURE", frozenset())  # a tag is forgotten
    path, notes = saved(rgb, of(tags_block([(0x8000, 2, 3, b"ab\0")], OF_EXIF)), "tif", tmp_path)
    assert not notes
    monkeypatch.setattr("colorize.imaging.exif._directories", lambda tags, at: b"\0\0" + bytes(4))
    path, notes = saved(rgb, of(tags_block([(0x8000, 2, 3, b"ab\0")])), "tif", tmp_path)
    assert notes == ["its metadata is left out: the file could not be read with it"]
    assert (tifffile.imread(path) == rgb).all()


@pytest.mark.parametrize("kind", KINDS)
def test_transparency_stays(kind, rgb, tmp_path):
    alpha = Image.fromarray(np.tile(np.linspace(0, 255, 70).astype(np.uint8), (50, 1)))
    path, notes = saved(rgb, of(), kind, tmp_path, alpha)
    with Image.open(path) as image:
        if kind == "jpg":
            assert image.mode == "RGB"
            assert notes == ["JPEG has no transparency: it lies on white"]
            assert np.asarray(image)[:, 0].min() > 245
        else:
            assert (np.asarray(image.getchannel("A")) == np.asarray(alpha)).all()


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not here")
@pytest.mark.parametrize("kind", KINDS)
def test_exiftool_finds_no_fault(kind, rgb, tmp_path):
    path, _ = saved(rgb, of(tags_block(LYING, OF_EXIF), xmp=XMP, photoshop={1028: CAPTION}), kind, tmp_path)
    said = subprocess.run(
        ["exiftool", "-G1", "-s", "-validate", "-error", path], capture_output=True, check=True
    ).stdout
    assert b"Error" not in said
    told = subprocess.run(["exiftool", "-s3", "-Title", "-Make", path], capture_output=True, check=True).stdout
    assert told.split(b"\n")[:2] == [b"Nave", b"a maker"]
