"""Files of weights (torch's, safetensors), read without running anything in them, and what a file is instead."""

import errno
import hashlib
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from colorize.utils.errors import UserError
from colorize.utils.files import is_text

HEAD = 4096  # bytes that are looked at
MAGIC = (  # what a file begins with -> what it is
    (b"version https://git-lfs", "a Git LFS pointer in the place of the file: fetch the file with `git lfs pull`"),
    (b"\xff\xd8\xff", "a photograph (JPEG)"), (b"\x89PNG\r\n", "a picture (PNG)"), (b"GIF8", "a picture (GIF)"),
    (b"BM", "a picture (BMP)"), (b"II*\0", "a picture (TIFF)"), (b"MM\0*", "a picture (TIFF)"),
    (b"RIFF", "a picture, a sound or a film (RIFF)"),
    (b"%PDF", "a PDF"), (b"%!PS", "a PostScript file"), (b"\x89HDF", "an HDF5 file, such as Keras writes"),
    (b"\x1f\x8b", "compressed with gzip: unpack it"), (b"BZh", "compressed with bzip2: unpack it"),
    (b"\xfd7zXZ", "compressed with xz: unpack it"), (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it"), (b"Rar!", "a RAR archive: unpack it"),
    (b"GGUF", "a GGUF file, which holds a language model"), (b"\x7fELF", "a program"), (b"MZ", "a program"),
)  # fmt: skip


def describe_content(path: Path) -> str:
    """`a web page (HTML): …`, to follow "it is"."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "empty: fetch it again, or restore it from a copy"
    for magic, words in MAGIC:
        if head.startswith(magic):
            return words
    if head[257:262] == b"ustar":
        old = head.startswith((b"storages", b"tensors", b"pickle", b"sys_info"))  # names in torch's oldest checkpoints
        return "damaged, or cut short: fetch it again" if old else "a tar archive: unpack it"
    if head[:2] == b"PK":
        return describe_zip(path)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        return "a web page (HTML), such as a site shows instead of the file: download the file itself"
    if is_text(head):
        return f"a text that begins with {' '.join(head.decode('utf-8', 'replace').split())[:40]!r}"
    if head[:1] == b"\x80":
        return "damaged, or it holds Python objects that would run code if they were read, and is not read"
    return "damaged, or of no kind that is known here: fetch it again, or restore it from a copy"


def describe_zip(path: Path) -> str:
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


LOOSE = 2**26  # bytes that a tensor may take beyond those it was saved with
SEAL = b"colorize sha256 "  # then 32 bytes: the digest of all before it. A zip file, which torch's is, may have a tail


def read(path: str | Path) -> dict[str, Any]:
    """Reads tensors and plain values only: a file that wants to run code is refused. A checksum is compared, if any.

    Raises `UserError` that says what a file is which cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if is_intact(file) is False:
                raise UserError(f"{str(path)!r} is damaged, its checksum is wrong: restore it from a copy")
            check_storage(file, path)
            return check_tensors(load_plain(file, path), path)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {str(path)!r}") from error


def load_plain(source: BinaryIO | Path, path: Path, *, mmap: bool = False) -> Any:
    """What a file of torch's holds: tensors and plain values. Raises `UserError` that says what it is otherwise."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles by other programs: errors are raised
            return torch.load(source, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # the unpickler does what the file says, and fails at it in every way
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # of a file cut short, it seeks before the start
            raise
        raise UserError(f"{str(path)!r} is not a whole, plain checkpoint: it is {describe_content(path)}") from error


def check_storage(file: BinaryIO, path: Path) -> None:
    """Raises `UserError` for a zip file that says it holds more than it has bytes, which torch never writes."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            held = sum(each.file_size for each in archive.infolist())
        if held > file.seek(0, os.SEEK_END):
            raise UserError(f"{str(path)!r} would become {held:,} bytes, more than it has: no program saves weights so")
    file.seek(0)


def check_tensors(content: Any, path: Path) -> Any:
    """Raises `UserError` for a tensor with more numbers than the file holds, repeated by a trick of its strides."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            if value.numel() * value.element_size() > max(LOOSE, value.untyped_storage().nbytes()):
                raise UserError(f"{str(path)!r} holds a tensor of {list(value.shape)}, for which it has too few bytes")
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return content


def is_intact(file) -> bool | None:
    """Whether the file is what its checksum says, from the start; None where it has none. Leaves it at its start."""
    length = len(SEAL) + hashlib.sha256().digest_size
    end = file.seek(0, os.SEEK_END)
    body = end - length
    file.seek(max(body, 0))
    seal = file.read()
    file.seek(0)
    if not seal.startswith(SEAL) or len(seal) < length:
        return None
    digest = hashlib.sha256()
    while body:
        digest.update(piece := file.read(min(2**20, body)))
        body -= len(piece)
    file.seek(0)
    return seal == SEAL + digest.digest()


HEADER = 2**27  # bytes of a safetensors file that may describe its tensors


def read_file(path: Path) -> dict[str, Any]:
    """What a safetensors file, or one that torch saved, holds: tensors and plain values only.

    Raises `UserError` for a file that is truncated, is no checkpoint, or wants to run code.
    """
    if not is_safetensors(path):
        content = read(path)
        if not isinstance(content, dict):
            raise UserError(f"{str(path)!r} holds a {type(content).__name__}, not a state dict")
        return content
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"there are no weights {str(path)!r}") from error
    except (SafetensorError, OSError, ValueError) as error:
        reason = f"it is {describe_content(path)}" if not begins_as_safetensors(path) else error
        raise UserError(f"{str(path)!r} is not a whole safetensors file ({reason})") from error


def is_safetensors(path: Path) -> bool:
    """By its name, or by how it begins."""
    return path.suffix == ".safetensors" or (path.is_file() and begins_as_safetensors(path))


def begins_as_safetensors(path: Path) -> bool:
    """The length of a JSON header, and its brace."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < HEADER
