"""What a file is that should have been weights: in words, with what to do about it."""

from __future__ import annotations

import zipfile
from pathlib import Path

HEAD = 4096  # bytes that are looked at
MAGIC = (  # what a file begins with -> what it is
    (b"version https://git-lfs", "a Git LFS pointer in the place of the file: fetch the file with `git lfs pull`"),
    (b"\xff\xd8\xff", "a photograph (JPEG)"), (b"\x89PNG\r\n", "a picture (PNG)"), (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"), (b"II*\0", "a picture (TIFF)"), (b"MM\0*", "a picture (TIFF)"),
    (b"%PDF", "a PDF"), (b"%!PS", "a PostScript file"), (b"\x89HDF", "an HDF5 file, such as Keras writes"),
    (b"\x1f\x8b", "compressed with gzip: unpack it"), (b"BZh", "compressed with bzip2: unpack it"),
    (b"\xfd7zXZ", "compressed with xz: unpack it"), (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"), (b"Rar!", "a RAR archive: unpack it"),
    (b"GGUF", "a GGUF file, which holds a language model"), (b"\x7fELF", "a program"), (b"MZ", "a program"),
)  # fmt: skip


def what_it_is(path: Path) -> str:
    """`a web page (HTML): …`, to follow "it is"."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "empty: fetch it again, or restore it from a copy"
    for magic, words in MAGIC:
        if head.startswith(magic):
            return words
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a picture (WebP)"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it" if not holds_old_checkpoint(head) else "damaged, or cut short: fetch it again"
    if head[:2] == b"PK":
        return what_zip_it_is(path)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return "a web page (HTML), such as a site shows instead of the file: download the file itself"
    if is_text(head):
        return f"a text that begins with {' '.join(head.decode('utf-8', 'replace').split())[:40]!r}"
    if head[:1] == b"\x80":
        return "damaged, or it holds Python objects that would run code if they were read, and is not read"
    return "damaged, or of no kind that is known here: fetch it again, or restore it from a copy"


def what_zip_it_is(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "cut short, or damaged: fetch it again, or restore it from a copy"
    if any(name.endswith("/data.pkl") for name in names):
        return "damaged, or it holds Python objects that would run code if they were read, and is not read"
    return (
        f"a zip file of other things ({', '.join(names[:3]) or 'it is empty'}): unpack it, and give the weights in it"
    )


def holds_old_checkpoint(head: bytes) -> bool:
    """Torch's oldest checkpoints were tar files of these names."""
    return head.startswith((b"storages", b"tensors", b"pickle", b"sys_info"))


def is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "replace")
    odd = sum(not (letter.isprintable() or letter in "\r\n\t") or letter == "\ufffd" for letter in text)
    return odd <= len(text) // 50
