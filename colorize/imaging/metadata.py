"""Metadata of a photograph (EXIF, XMP, IPTC, texts, resolution): read from a file of any format, written to any.

Tags that describe the pixels of the source file (size, depth, compression, thumbnails, colour space, orientation) are
dropped, and so is damaged metadata: metadata never stops a photograph from being read.
"""

import io
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from PIL import ExifTags
from PIL.PngImagePlugin import PngInfo, iTXt

from colorize.imaging import exif
from colorize.imaging.tiff import page_offsets


@dataclass
class Metadata:
    """What is written beside the pixels into another file."""

    tags: exif.Tags = field(default_factory=exif.Tags)
    xmp: bytes = b""
    resources: dict[int, bytes] = field(default_factory=dict)  # Photoshop's, by number
    texts: dict[str, str] = field(default_factory=dict)  # of a PNG, by keyword
    comment: bytes = b""
    dpi: tuple[float, float] | None = None


def read_metadata(file: BinaryIO, info: dict[Any, Any], texts: dict[str, str] | None = None, page: int = 0) -> Metadata:
    """The metadata of a file, or of a photograph in a TIFF of several; `info` is Pillow's `Image.info`, and `texts` the
    `Image.text` of a PNG."""
    file.seek(0)
    if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        found = _of_tiff(exif.read_tags(file, exif.STRUCTURE, page_offsets(file)[page] if page else 0))
    else:
        block = _bytes(info.get("exif")) or exif.raw_profile(texts, "exif")
        tags = exif.read_tags(io.BytesIO(block.removeprefix(b"Exif\0\0")), exif.STRUCTURE)
        held = info.get("photoshop")
        resources = held if isinstance(held, dict) else {}
        found = Metadata(tags, _bytes(info.get("xmp")))
        found.resources = {n: data for n, data in resources.items() if n in exif.WORD_RESOURCES}
        found.resources = found.resources or exif.read_resources(exif.raw_profile(texts, "iptc"))
        for tag in (exif.XMP, exif.IPTC, exif.PHOTOSHOP):  # of a TIFF that became a JPEG
            tags.main.pop(tag, None)
        found.dpi = exif.sound_resolution(info.get("dpi"))
    found.comment = _bytes(info.get("comment"))
    found.texts = {k: v for k, v in (texts or {}).items() if not k.startswith(("Raw profile type ", "XML:com.adobe"))}
    found.xmp = exif.PADDING.sub(b"\n", exif.OLD_XMP.sub(b"", found.xmp.rstrip(b"\0 ")))
    exif.drop_old_pixels(found.tags)
    found.dpi = found.dpi or exif.resolution_of(found.tags)
    return found


def _of_tiff(tags: exif.Tags) -> Metadata:
    held = [tags.main.pop(tag, None) for tag in (exif.XMP, exif.IPTC, exif.PHOTOSHOP)]
    xmp, iptc, photoshop = (b"" if value is None else value.data for value in held)
    resources = exif.read_resources(photoshop)
    if iptc:
        resources.setdefault(exif.IPTC_RESOURCE, iptc)
    return Metadata(tags, xmp, resources)


def with_color_space(metadata: Metadata, is_srgb: bool) -> Metadata:
    """The same for colours that are sRGB's, or those of a profile: in EXIF, uncalibrated."""
    if is_srgb or exif.COLOR_SPACE not in metadata.tags.exif:
        return metadata
    tags = replace(metadata.tags, exif={**metadata.tags.exif, exif.COLOR_SPACE: exif.short_value(65535)})
    return replace(metadata, tags=tags)


def with_resolution(metadata: Metadata) -> exif.Tags:
    """The tags; without a resolution among them, that of the JFIF header or the pHYs chunk is added."""
    tags = metadata.tags
    if metadata.dpi is None or exif.X_RESOLUTION in tags.main:
        return tags
    x, y = map(exif.rational_value, metadata.dpi)
    main = {**tags.main, exif.X_RESOLUTION: x, exif.Y_RESOLUTION: y, exif.UNIT: exif.short_value(2)}
    return exif.Tags(main, tags.exif, tags.gps)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace") if isinstance(value, str) else b""


MARKER = 65533  # bytes of a JPEG's segment
COMMENT = 60000  # bytes of its comment: Pillow writes it and the headers before it from one buffer of 64 kB
LONG_VALUE = 4096  # bytes of a tag's value that is no text, from which on it is left out before any text is cut
EXIF_HEAD, XMP_HEAD, PHOTOSHOP_HEAD = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
CODES = {True: b"ASCII\0\0\0", False: bytes(8)}  # of a comment in EXIF: ASCII, or of an unknown encoding


Options = dict[str, Any]  # of Pillow's `save`


def fit_metadata(metadata: Metadata, kind: str) -> tuple[Options, exif.Tags, list[str]]:
    """For a file of Pillow's format `kind`: options of `save`; tags that are added to a TIFF after it has been saved;
    and a note on each thing that the format cannot hold as it was."""
    notes: list[str] = []
    if kind == "TIFF":
        return {}, _tiff(metadata, notes), notes
    options = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp}[kind](metadata, notes)
    if metadata.dpi and kind != "WEBP":
        options["dpi"] = metadata.dpi
    return options, exif.Tags(), notes


def _png(metadata: Metadata, notes: list[str]) -> Options:
    info = PngInfo()
    for keyword, words in metadata.texts.items():
        if isinstance(words, iTXt):
            info.add_itxt(keyword, words, words.lang or "", words.tkey or "")
        else:
            info.add_text(keyword, words)
    if metadata.comment and "Comment" not in metadata.texts:
        info.add_text("Comment", _decoded(metadata.comment))
    if metadata.xmp:
        info.add_itxt("XML:com.adobe.xmp", _decoded(metadata.xmp))
    if metadata.resources:
        block = exif.resource_block(metadata.resources)
        info.add_text("Raw profile type iptc", f"\niptc\n{len(block):8}\n{block.hex()}\n")
    return {"pnginfo": info, **_exif(with_resolution(metadata))}


def _jpeg(metadata: Metadata, notes: list[str]) -> Options:
    tags, lines = _with_texts(with_resolution(metadata), metadata.texts)
    tags = _shortened(tags, MARKER - len(EXIF_HEAD), notes)
    comment = b"\n".join([metadata.comment, *lines] if metadata.comment else lines)
    if len(comment) > COMMENT:
        notes.append(f"its comment is shortened to {COMMENT // 1000} kB")
    extra = _segment(0xE1, XMP_HEAD, metadata.xmp, "XMP", notes)
    extra += _segment(0xED, PHOTOSHOP_HEAD, exif.resource_block(metadata.resources), "IPTC", notes)
    options = {"extra": extra, "comment": comment[:COMMENT], **_exif(tags)}
    return {name: value for name, value in options.items() if value}


def _webp(metadata: Metadata, notes: list[str]) -> Options:
    if metadata.resources:
        notes.append("its IPTC is left out: WebP has no place for it")
    tags = _with_comment(metadata, notes)
    return {**_exif(tags), **({"xmp": metadata.xmp} if metadata.xmp else {})}


def _tiff(metadata: Metadata, notes: list[str]) -> exif.Tags:
    tags = _with_comment(metadata, notes)
    more: exif.Directory = {}
    if metadata.xmp:
        more[exif.XMP] = exif.Value(exif.BYTE, len(metadata.xmp), metadata.xmp)
    others = dict(metadata.resources)
    if iptc := others.pop(exif.IPTC_RESOURCE, b""):  # TIFF has a tag for it
        more[exif.IPTC] = exif.Value(exif.UNDEFINED, len(iptc), iptc)
    if block := exif.resource_block(others):
        more[exif.PHOTOSHOP] = exif.Value(exif.BYTE, len(block), block)
    return exif.Tags({**tags.main, **more}, tags.exif, tags.gps)


def _exif(tags: exif.Tags) -> dict[str, bytes]:
    block = exif.exif_block(tags)
    return {"exif": EXIF_HEAD + block} if block else {}


def _with_texts(tags: exif.Tags, texts: dict[str, str]) -> tuple[exif.Tags, list[bytes]]:
    """The tags with the texts of a PNG that have a tag of their own, and the other texts as lines."""
    main, lines = dict(tags.main), []
    for keyword, words in texts.items():
        value, tag = exif.text_value(words.encode("utf-8", "replace")), exif.NAMED.get(keyword)
        if tag and main.setdefault(tag, value).data == value.data:
            continue
        lines.append(f"{keyword}: {words}".removeprefix("Comment: ").encode("utf-8", "replace"))
    return exif.Tags(main, tags.exif, tags.gps), lines


def _with_comment(metadata: Metadata, notes: list[str]) -> exif.Tags:
    """The tags with texts and comments, for formats that have no other place for them."""
    tags, lines = _with_texts(with_resolution(metadata), metadata.texts)
    comment = b"\n".join([metadata.comment, *lines] if metadata.comment else lines)
    if not comment:
        return tags
    if exif.USER_COMMENT in tags.exif:
        notes.append("its comment is left out: EXIF holds another")
        return tags
    comment = CODES[comment.isascii()] + comment
    value = exif.Value(exif.UNDEFINED, len(comment), comment)
    return exif.Tags(tags.main, {**tags.exif, exif.USER_COMMENT: value}, tags.gps)


def _shortened(tags: exif.Tags, most: int, notes: list[str]) -> exif.Tags:
    """Tags whose block has at most `most` bytes: long values are left out, then long texts are cut."""
    tags = exif.Tags(dict(tags.main), dict(tags.exif), dict(tags.gps))

    def weight(place: tuple[exif.Directory, int]) -> tuple[bool, int]:
        kind, _, data = place[0][place[1]]
        return kind != exif.TEXT and len(data) > LONG_VALUE, len(data)

    while (excess := len(exif.exif_block(tags)) - most) > 0:
        directory, tag = max(((d, tag) for d in (tags.main, tags.exif, tags.gps) for tag in d), key=weight)
        value, name = directory[tag], ExifTags.TAGS.get(tag, f"tag {tag}")
        keep = len(value.data) - excess - 2
        if value.kind == exif.TEXT and keep > 0:
            directory[tag] = exif.text_value(value.data[:keep])
        else:
            del directory[tag]
        notes.append(f"EXIF's {name} is {'shortened' if tag in directory else 'left out'}: a JPEG holds 64 kB of EXIF")
    return tags


def _segment(marker: int, head: bytes, body: bytes, name: str, notes: list[str]) -> bytes:
    if not body:
        return b""
    if len(head + body) > MARKER:
        notes.append(f"its {name} is left out: a JPEG holds 64 kB of it")
        return b""
    return bytes([0xFF, marker]) + (2 + len(head + body)).to_bytes(2, "big") + head + body


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
