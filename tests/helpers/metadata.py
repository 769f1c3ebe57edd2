"""Blocks of metadata and files that hold them."""

import io
import struct

from PIL import Image

from colorize.imaging.image_io import LoadedPhotograph, save_photograph
from colorize.imaging.metadata import read_metadata

KINDS = ["png", "jpg", "tif", "webp"]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'tiff:Orientation="6" tiff:Make="a maker" dc:title="Nave"><tiff:ImageWidth>9876</tiff:ImageWidth>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
CAPTION = b"\x1c\x02\x78\x00\x05Nave."


def tags_block(main, exif=(), order="<"):
    """An EXIF block of (tag, type, count, bytes), with a directory of EXIF's."""

    def directory(entries, at):
        values, rows = b"", b""
        behind = at + 2 + 12 * len(entries) + 4
        for tag, kind, count, data in entries:
            held = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", behind + len(values))
            values += data if len(data) > 4 else b""
            rows += struct.pack(f"{order}HHI", tag, kind, count) + held
        return struct.pack(f"{order}H", len(entries)) + rows + bytes(4) + values

    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    pointer = (0x8769, 4, 1, bytes(4))
    place = 8 + len(directory([*main, pointer], 8))
    pointer = (0x8769, 4, 1, struct.pack(f"{order}I", place))
    return head + directory([*main, pointer], 8) + directory(list(exif), place)


def of(exif=b"", **info):
    """The metadata of a JPEG with this EXIF and so on."""
    return read_metadata(io.BytesIO(b"\xff\xd8\xff\xe0"), {"exif": b"Exif\0\0" + exif, **info} if exif else info)


def saved(rgb, metadata, kind, folder, alpha=None):
    path = folder / f"out.{kind}"
    return path, save_photograph(Image.fromarray(rgb), LoadedPhotograph(Image.fromarray(rgb), alpha, metadata), path)


def opened(path):
    """EXIF (main, EXIF's own), as Pillow reads them."""
    with Image.open(path) as image:
        exif = image.getexif()
        return dict(exif), dict(exif.get_ifd(0x8769))
