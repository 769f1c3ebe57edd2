"""Why a file yields no picture, in words that a user can act on."""

from __future__ import annotations

import re

from colorize.errors import UserError

# What files begin with that are no pictures, or pictures that other programs have to convert first
BEGINNINGS = (
    (re.compile(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)", re.I), "it is a web page"),
    (re.compile(rb"version https://git-lfs"), "it is a pointer of Git LFS: fetch the file itself with git lfs pull"),
    (re.compile(rb"\s*(\xef\xbb\xbf)?(<\?xml.*)?<svg", re.I | re.S), "it is an SVG drawing: save it as PNG first"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "it is PostScript, which is a program: save it as PNG or TIFF first"),
    (re.compile(rb"%PDF"), "it is a PDF document: save its pictures as PNG, JPEG or TIFF first"),
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), "it is a zip file: unpack it first"),
    (re.compile(rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ"), "it is a compressed file: unpack it first"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", re.S),
     "it is a HEIC photograph: pip install pillow-heif reads it, or save it as JPEG first"),
    (re.compile(rb"....ftypcr(x |3 )", re.S), "it is a camera's raw file: save it as TIFF or JPEG first"),
    (re.compile(rb"....ftyp", re.S), "it is a film"),
    (re.compile(rb"....JXL |\xff\x0a"), "it is a JPEG XL, which is not read here: save it as PNG first"),
    (re.compile(rb"(\x00\x05\x16\x07)"), "it holds a Mac's attributes of another file, and no picture"),
)  # fmt: skip
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"RIFF", b"8BPS")
ADDRESS = re.compile(r"<_io\.[^>]*>|<?[\w.]+ object at 0x[0-9a-fA-F…]+>?")
SOURCE = re.compile(r"\S*/\S+\.(cpp|cc|c|h|py)\b(:\d+)?[,:]?\s*")


class DecodeError(UserError):
    """A file that yields no picture. `kind` is one of empty, unreadable, truncated and enormous."""

    def __init__(self, message: str, kind: str = "unreadable"):
        super().__init__(message)
        self.kind = kind


def reason(error: BaseException) -> str:
    """The first line of what a decoder says, without addresses of objects and places in its source."""
    line = (str(error).strip().splitlines() or [""])[0]
    line = SOURCE.sub("", ADDRESS.sub("the file", line)).strip().rstrip(".")
    return line or type(error).__name__


def unknown(head: bytes) -> DecodeError:
    """Of a file that no decoder knows, by its first bytes."""
    if not head:
        return DecodeError("the file has no bytes", "empty")
    if head.startswith(PICTURES):
        rare = "it is a BMP of a kind that is not read here, or " if head.startswith(b"BM") else ""
        return DecodeError(f"{rare}its header is cut short or damaged", "truncated")
    for beginning, words in BEGINNINGS:
        if beginning.match(head):
            return DecodeError(words)
    return DecodeError("it is a text" if _is_text(head) else "it is no picture that can be read")


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
