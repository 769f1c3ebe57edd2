"""Metadata of a photograph: EXIF, XMP, IPTC, texts, resolution; read from any, fit for any.

What describes the pixels of the old file (size, depth, compression, thumbnails, colour space, orientation) is left
behind, and what is damaged is left out: nothing here is ever a reason not to read the photograph.
"""

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from PIL import ExifTags
from PIL.PngImagePlugin import PngInfo, iTXt

from colorize.imaging.exif import (
    BYTE,
    IPTC,
    IPTC_RESOURCE,
    NAMED,
    OLD_XMP,
    PADDING,
    PHOTOSHOP,
    STRUCTURE,
    TEXT,
    UNDEFINED,
    UNIT,
    USER_COMMENT,
    WORD_RESOURCES,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    Directory,
    Tags,
    Value,
    drop_old_pixels,
    exif_block,
    fraction,
    raw_profile,
    read_resources,
    read_tags,
    resolution_of,
    resource_block,
    short_value,
    sound_resolution,
    text,
)


@dataclass
class Metadata:
    """What is to go with the pixels into another file."""

    tags: Tags = field(default_factory=Tags)
    xmp: bytes = b""
    resources: dict[int, bytes] = field(default_factory=dict)  # Photoshop's, by number
    texts: dict[str, str] = field(default_factory=dict)  # of a PNG, by keyword
    comment: bytes = b""
    dpi: tuple[float, float] | None = None


def read_metadata(file: BinaryIO, info: dict[Any, Any], texts: dict[str, str] | None = None) -> Metadata:
    """Of a file, and of what Pillow found in it (`Image.info` and, of a PNG, `Image.text`)."""
    file.seek(0)
    if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        found = _of_tiff(read_tags(file, STRUCTURE))
    else:
        exif = _bytes(info.get("exif")) or raw_profile(texts, "exif")
        tags = read_tags(io.BytesIO(exif.removeprefix(b"Exif\0\0")), STRUCTURE)
        held = info.get("photoshop")
        resources = held if isinstance(held, dict) else {}
        found = Metadata(tags, _bytes(info.get("xmp")), {n: d for n, d in resources.items() if n in WORD_RESOURCES})
        found.resources = found.resources or read_resources(raw_profile(texts, "iptc"))
        for tag in (XMP, IPTC, PHOTOSHOP):  # of a TIFF that became a JPEG
            tags.main.pop(tag, None)
        found.dpi = sound_resolution(info.get("dpi"))
    found.comment = _bytes(info.get("comment"))
    found.texts = {k: v for k, v in (texts or {}).items() if not k.startswith(("Raw profile type ", "XML:com.adobe"))}
    found.xmp = PADDING.sub(b"\n", OLD_XMP.sub(b"", found.xmp.rstrip(b"\0 ")))
    drop_old_pixels(found.tags)
    found.dpi = found.dpi or resolution_of(found.tags)
    return found


def _of_tiff(tags: Tags) -> Metadata:
    xmp, iptc, photoshop = (value.data if (value := tags.main.pop(t, None)) else b"" for t in (XMP, IPTC, PHOTOSHOP))
    resources = read_resources(photoshop)
    if iptc:
        resources.setdefault(IPTC_RESOURCE, iptc)
    return Metadata(tags, xmp, resources)


def with_resolution(metadata: Metadata) -> Tags:
    """The tags, with a resolution that stood elsewhere in the file."""
    tags = metadata.tags
    if metadata.dpi and X_RESOLUTION not in tags.main:
        x, y = metadata.dpi
        main = {**tags.main, X_RESOLUTION: fraction(x), Y_RESOLUTION: fraction(y), UNIT: short_value(2)}
        return Tags(main, tags.exif, tags.gps)
    return tags


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace") if isinstance(value, str) else b""


MARKER = 65533  # bytes of a JPEG's segment
COMMENT = 60000  # and of its comment, which has to lie in one buffer of Pillow's (64 kB) with the headers before it
LONG_VALUE = 4096  # bytes of a tag's value that is no text, from which on it goes before any text is cut
EXIF_HEAD, XMP_HEAD, PHOTOSHOP_HEAD = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
CODES = {True: b"ASCII\0\0\0", False: bytes(8)}  # of a comment in EXIF: ASCII, or of an unknown encoding


@dataclass
class Fitted:
    """What goes into the file: options of Pillow's `save`, and the tags of a TIFF, which are added afterwards."""

    options: dict[str, Any] = field(default_factory=dict)
    tags: Tags = field(default_factory=Tags)


def fit_metadata(metadata: Metadata, kind: str) -> tuple[Fitted, list[str]]:
    """For Pillow's format `kind`, and what had to be changed."""
    notes: list[str] = []
    fitted = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "TIFF": _tiff}[kind](metadata, notes)
    if metadata.dpi and kind in ("PNG", "JPEG"):
        fitted.options["dpi"] = metadata.dpi
    return fitted, notes


def _png(metadata: Metadata, notes: list[str]) -> Fitted:
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
        block = resource_block(metadata.resources)
        info.add_text("Raw profile type iptc", f"\niptc\n{len(block):8}\n{block.hex()}\n")
    return Fitted({"pnginfo": info, **_exif(with_resolution(metadata))})


def _jpeg(metadata: Metadata, notes: list[str]) -> Fitted:
    tags, lines = _with_texts(with_resolution(metadata), metadata.texts)
    tags = _shortened(tags, MARKER - len(EXIF_HEAD), notes)
    comment = b"\n".join([metadata.comment, *lines] if metadata.comment else lines)
    if len(comment) > COMMENT:
        notes.append(f"its comment is shortened to {COMMENT // 1000} kB")
    extra = _segment(0xE1, XMP_HEAD, metadata.xmp, "XMP", notes)
    extra += _segment(0xED, PHOTOSHOP_HEAD, resource_block(metadata.resources), "IPTC", notes)
    options = {"extra": extra, "comment": comment[:COMMENT], **_exif(tags)}
    return Fitted({name: value for name, value in options.items() if value})


def _webp(metadata: Metadata, notes: list[str]) -> Fitted:
    if metadata.resources:
        notes.append("its IPTC is left out: WebP has no place for it")
    tags = _with_comment(metadata, notes)
    return Fitted({**_exif(tags), **({"xmp": metadata.xmp} if metadata.xmp else {})})


def _tiff(metadata: Metadata, notes: list[str]) -> Fitted:
    tags = _with_comment(metadata, notes)
    more: Directory = {}
    if metadata.xmp:
        more[XMP] = Value(BYTE, len(metadata.xmp), metadata.xmp)
    others = dict(metadata.resources)
    if iptc := others.pop(IPTC_RESOURCE, b""):  # TIFF has a tag for it
        more[IPTC] = _undefined(iptc)
    if block := resource_block(others):
        more[PHOTOSHOP] = Value(BYTE, len(block), block)
    return Fitted(tags=Tags({**tags.main, **more}, tags.exif, tags.gps))


def _exif(tags: Tags) -> dict[str, bytes]:
    block = exif_block(tags)
    return {"exif": EXIF_HEAD + block} if block else {}


def _with_texts(tags: Tags, texts: dict[str, str]) -> tuple[Tags, list[bytes]]:
    """Texts of a PNG as tags, and as lines where they have none."""
    main, lines = dict(tags.main), []
    for keyword, words in texts.items():
        value, tag = text(words.encode("utf-8", "replace")), NAMED.get(keyword)
        if tag and main.setdefault(tag, value).data == value.data:
            continue
        lines.append(f"{keyword}: {words}".removeprefix("Comment: ").encode("utf-8", "replace"))
    return Tags(main, tags.exif, tags.gps), lines


def _with_comment(metadata: Metadata, notes: list[str]) -> Tags:
    """Texts and comments as tags, for formats that hold nothing else."""
    tags, lines = _with_texts(with_resolution(metadata), metadata.texts)
    comment = b"\n".join([metadata.comment, *lines] if metadata.comment else lines)
    if not comment:
        return tags
    if USER_COMMENT in tags.exif:
        notes.append("its comment is left out: EXIF holds another")
        return tags
    return Tags(tags.main, {**tags.exif, USER_COMMENT: _undefined(CODES[comment.isascii()] + comment)}, tags.gps)


def _shortened(tags: Tags, most: int, notes: list[str]) -> Tags:
    """Tags whose block has at most so many bytes: long values are left out, then long texts are cut."""
    tags = Tags(dict(tags.main), dict(tags.exif), dict(tags.gps))

    def weight(place: tuple[Directory, int]) -> tuple[bool, int]:
        kind, _, data = place[0][place[1]]
        return kind != TEXT and len(data) > LONG_VALUE, len(data)

    while (excess := len(exif_block(tags)) - most) > 0:
        directory, tag = max(((d, tag) for d in (tags.main, tags.exif, tags.gps) for tag in d), key=weight)
        value, name = directory[tag], ExifTags.TAGS.get(tag, f"tag {tag}")
        keep = len(value.data) - excess - 2
        if value.kind == TEXT and keep > 0:
            directory[tag] = text(value.data[:keep])
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


def _undefined(data: bytes) -> Value:
    return Value(UNDEFINED, len(data), data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
