"""Marks in XMP: read back as written, beside what was there; damaged XMP and records are said."""

import io
import json
import subprocess
import sys
from shutil import which
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorize.imaging.color_management import SRGB
from colorize.imaging.provenance import SOURCE_TYPE, mark_xmp, read_marks
from colorize.utils.errors import UserError
from tests.helpers.metadata import KINDS, XMP, of, saved

RECORD = {
    "software": "colorize 1.0", "network": "CNN", "network_sha256": "a" * 64, "weights": "outputs/a <b> & \"c\"",
    "source": "Köln's 聖堂.tif", "source_sha256": "b" * 64, "page": 2, "sample": 1,
    "settings": {"size": 64, "seed": -3, "gamut": "chroma"},
}  # fmt: skip
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
ITEM = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [b"", XMP, XMP.decode().encode("utf-16")], ids=["none", "some", "utf-16"])
def test_what_is_marked_is_read(before, kind, rgb, tmp_path):
    marked, note = mark_xmp(before, RECORD)
    assert not note
    path, notes = saved(rgb, of(xmp=marked), kind, tmp_path)
    assert not notes
    assert read_marks(path) == RECORD
    assert (b'dc:title="Nave"' in marked) == bool(before)


@pytest.mark.skipif(which("exiftool") is None, reason="exiftool is not installed")
def test_a_catalogue_reads_the_digital_source_type(rgb, tmp_path):
    path, _ = saved(rgb, of(xmp=mark_xmp(XMP, RECORD)[0]), "tif", tmp_path)
    told = json.loads(subprocess.run(["exiftool", "-j", "-n", "-G1", path], capture_output=True, check=True).stdout)[0]
    assert told["XMP-iptcExt:DigitalSourceType"] == SOURCE_TYPE
    assert told["XMP-dc:Title"] == "Nave"
    assert told["XMP-colorize:Network_sha256"] == "a" * 64
    assert not [name for name in told if name.endswith((":Warning", ":Error"))]


def test_earlier_marks_are_replaced():
    """Of this program, and the Digital Source Type of a scanner, in each of its forms."""
    scan = "http://cv.iptc.org/newscodes/digitalsourcetype/negativeFilm"
    space = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    attribute, tag = f'Iptc4xmpExt:DigitalSourceType="{scan}"', "Iptc4xmpExt:DigitalSourceType"
    forms = [
        XMP.replace(b"dc:title", f'xmlns:Iptc4xmpExt="{space}" {attribute} dc:title'.encode()),
        XMP.replace(b"<tiff:", f'<{tag} xmlns:Iptc4xmpExt="{space}">{scan}</{tag}><tiff:'.encode(), 1),
        mark_xmp(XMP, {**RECORD, "network": "GAN"})[0],
    ]
    for form in forms:
        marked, _ = mark_xmp(form, RECORD)
        root = ElementTree.fromstring(marked)
        types = [value for element in root.iter() for name, value in element.items() if name == ITEM]
        types += [element.text for element in root.iter(ITEM)]
        assert types == [SOURCE_TYPE]
        assert b"GAN" not in marked


def test_marks_are_about_the_same_resource():
    """XMP's descriptions of one packet have one rdf:about (ISO 16684-1, 7.4)."""
    about = XMP.replace(b"<rdf:Description ", b'<rdf:Description rdf:about="uuid:1" ')
    root = ElementTree.fromstring(mark_xmp(about, RECORD)[0])
    assert {element.get(f"{RDF}about") for element in root.iter(f"{RDF}Description")} == {"uuid:1"}


@pytest.mark.parametrize(
    "damaged", [b"no xmp", XMP[:200], XMP.replace(b"<x:", b"<!DOCTYPE a [<!ENTITY b 'c'>]><x:", 1), b"\xff\xfe\0"]
)
def test_damaged_xmp_gives_way_and_is_said(damaged, rgb, tmp_path):
    marked, note = mark_xmp(damaged, RECORD)
    assert note == "its XMP cannot be read, and is left out"
    path, _ = saved(rgb, of(xmp=marked), "png", tmp_path)
    assert read_marks(path) == RECORD


def test_files_without_marks_and_with_damaged_ones_are_refused(rgb, tmp_path):
    plain, _ = saved(rgb, of(), "png", tmp_path)
    with pytest.raises(UserError, match="does not say how it was painted"):
        read_marks(plain)
    for wrong in ({"settings": "a"}, {"page": "two"}, {"source": 1}):
        path, _ = saved(rgb, of(xmp=mark_xmp(b"", {**RECORD, **wrong})[0]), "png", tmp_path)
        if "source" not in wrong:  # of which a number is the text that it is
            with pytest.raises(UserError, match=f"damaged: {next(iter(wrong))}"):
                read_marks(path)
    for name, data in {"text.png": b"no picture", "cut.png": plain.read_bytes()[:20]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match="no picture, or damaged"):
            read_marks(tmp_path / name)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.gif")
    with pytest.raises(UserError, match="no picture"):
        read_marks(tmp_path / "a.gif")


def test_the_profile_of_painted_files_is_the_same_in_every_process():
    """A process is started: littleCMS writes the second in which it makes a profile into it."""
    code = "from colorize.imaging.color_management import SRGB; print(SRGB.hex())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert bytes.fromhex(other) == SRGB
    assert ImageCms.ImageCmsProfile(io.BytesIO(SRGB)).profile.creation_date.year == 1999
