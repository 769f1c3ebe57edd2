"""Provenance: what a painted file says in its XMP of how its colours were made (ISO 16684-1; IPTC, Photo Metadata).

A record is a mapping of `KEYS`. Nothing in it depends on the time or the place: the same painting gives the same file.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import Image

from colorize.imaging.raster import unbounded
from colorize.utils.errors import UserError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
NAMESPACE = "urn:colorize-lab:provenance:1.0:"
# As an attribute of XMP each is a text; what is not is JSON in it
KEYS: dict[str, type] = {
    "software": str, "network": str, "network_sha256": str, "weights": str, "source": str, "source_sha256": str,
    "page": int, "sample": int, "settings": dict,
}  # fmt: skip
CHECKSUM = "record_sha256"  # an attribute beside them: of the texts of all others
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}">\n</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
OLD_MARKS = re.compile(
    rf'<rdf:Description [^<>]*xmlns:colorize="{re.escape(NAMESPACE)}"[^<>]*/>\s*'
    r"|\sIptc4xmpExt:DigitalSourceType\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    r"|<(Iptc4xmpExt:DigitalSourceType)\b[^>]*(?:/>|>.*?</\1\s*>)",
    re.DOTALL,
)
ABOUT = re.compile(r"rdf:about\s*=\s*(\"[^\"]*\"|'[^']*')")


def mark_xmp(xmp: bytes, record: Mapping[str, Any]) -> tuple[bytes, str]:
    """The XMP of a photograph, or none, with the record and IPTC's Digital Source Type in the place of earlier ones;
    and a note where what was there is damaged, and left out."""
    text, note = OLD_MARKS.sub("", _decoded(xmp)), ""
    if not is_sound(text):
        text, note = EMPTY, "its XMP cannot be read, and is left out" if xmp else ""
    place = text.rindex("</rdf:RDF>")
    about = ABOUT.search(text)
    marked = f"{text[:place]}{_description(record, about[1] if about else chr(34) * 2)}\n{text[place:]}"
    return marked.encode(), note


def _description(record: Mapping[str, Any], about: str) -> str:
    values = {key: _printable(value if isinstance(value, str) else json.dumps(value)) for key, value in record.items()}
    told = " ".join(
        f"colorize:{key}={quoteattr(value)}" for key, value in {**values, CHECKSUM: _checksum(values)}.items()
    )
    return (
        f'<rdf:Description rdf:about={about} xmlns:Iptc4xmpExt="{IPTC}" xmlns:colorize="{NAMESPACE}" '
        f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}" {told}/>'
    )


def _checksum(values: Mapping[str, str]) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _printable(text: str) -> str:
    """What XML can hold: neither control characters nor bytes of names that are no text."""
    return "".join(letter if letter.isprintable() and not "\ud800" <= letter <= "\udfff" else "?" for letter in text)


def is_sound(text: str) -> bool:
    """Whether XMP can be read and added to. What defines entities, which XMP may not, is not read."""
    if re.search("<!(doctype|entity)", text, re.IGNORECASE) or "</rdf:RDF>" not in text:
        return False
    try:
        ElementTree.fromstring(_packet(text))
    except ElementTree.ParseError:
        return False
    return True


def _packet(text: str) -> str:
    """Without the instructions around it, which name no encoding that is still true."""
    return re.sub(r"<\?.*?\?>", "", text, flags=re.DOTALL).strip("\ufeff\0 \r\n\t")


def _decoded(xmp: bytes) -> str:
    wide = xmp[:2] in (b"\xfe\xff", b"\xff\xfe")
    return xmp.decode("utf-16" if wide else "utf-8", errors="replace")


def read_marks(path: Path) -> dict[str, Any]:
    """The record in a painted file. Raises `UserError` where there is none, and OSError for no such file."""
    try:
        with unbounded(), Image.open(path, formats=["PNG", "JPEG", "TIFF", "WEBP"]) as image:
            xmp = image.info.get("xmp", b"")
    except FileNotFoundError:
        raise
    except Exception as error:  # a header can be damaged in every way
        raise UserError("it is no picture, or damaged") from error
    text = _decoded(xmp) if isinstance(xmp, bytes) else xmp
    found: dict[str, Any] = {}
    for element in ElementTree.fromstring(_packet(text)).iter() if is_sound(text) else ():
        of_ours = {name.removeprefix(f"{{{NAMESPACE}}}"): value for name, value in element.items() if NAMESPACE in name}
        found |= of_ours
    if (checksum := found.pop(CHECKSUM, None)) and checksum != _checksum(found):
        raise UserError("what it says of how it was painted was changed: its checksum is another")
    return checked_record({key: value if KEYS.get(key) is str else _value(value) for key, value in found.items()})


def differing_keys(path: Path, record: Mapping[str, Any]) -> list[str]:
    """What a painted file's XMP says otherwise than a record; nothing where a program has dropped it."""
    try:
        marks = read_marks(path)
    except UserError:
        return []
    told = {key: _printable(value) if isinstance(value, str) else value for key, value in record.items()}
    return [key for key in KEYS if marks.get(key) != told.get(key)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def checked_record(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `KEYS` that a record from a file has. Raises `UserError` where they do not say how it was painted."""
    record = {key: given[key] for key in KEYS if key in given}
    needed = {"network_sha256", "source", "source_sha256", "settings"}
    if not needed <= record.keys():
        raise UserError("it does not say how it was painted: its XMP has no marks of colorize")
    if wrong := [key for key, value in record.items() if type(value) is not KEYS[key]]:
        raise UserError(f"what it says of how it was painted is damaged: {', '.join(wrong)}")
    return record
