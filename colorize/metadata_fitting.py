"""A photograph's metadata in the form that each format takes; what does not fit is shortened or left out, and said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags
from PIL.PngImagePlugin import PngInfo, iTXt

from colorize.metadata import IPTC, IPTC_RESOURCE, NAMED, PHOTOSHOP, USER_COMMENT, XMP, Metadata, resource_block
from colorize.metadata import with_resolution as resolved
from colorize.tiff_tags import BYTE, TEXT, UNDEFINED, Directory, Tags, Value, exif_block, text

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


def fit(metadata: Metadata, kind: str) -> tuple[Fitted, list[str]]:
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
    return Fitted({"pnginfo": info, **_exif(resolved(metadata))})


def _jpeg(metadata: Metadata, notes: list[str]) -> Fitted:
    tags, lines = _with_texts(resolved(metadata), metadata.texts)
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
        more[IPTC] = _bytes(iptc)
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
    tags, lines = _with_texts(resolved(metadata), metadata.texts)
    comment = b"\n".join([metadata.comment, *lines] if metadata.comment else lines)
    if not comment:
        return tags
    if USER_COMMENT in tags.exif:
        notes.append("its comment is left out: EXIF holds another")
        return tags
    return Tags(tags.main, {**tags.exif, USER_COMMENT: _bytes(CODES[comment.isascii()] + comment)}, tags.gps)


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


def _bytes(data: bytes) -> Value:
    return Value(UNDEFINED, len(data), data)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
