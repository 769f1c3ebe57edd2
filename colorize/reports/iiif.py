"""IIIF Presentation API 3.0: a manifest with which a viewer offers each photograph as it was and as it is painted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from PIL import Image

from colorize.imaging.raster import unbounded
from colorize.utils.console import printable
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, write_text

MANIFEST, CONTEXT = "manifest.json", "http://iiif.io/api/presentation/3/context.json"
STATEMENT = "Colours were predicted by a neural network and are a guess; lightness is the photograph's own."
WEB = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}  # what viewers show


class IiifChoice(NamedTuple):
    """A photograph: its name, and its files, of one size, below the folder that is served."""

    name: str
    painted: Path
    original: Path


def check_manifest(folder: Path, url: str, kinds: set[str]) -> None:
    """Raises `UserError` for what is no address, for formats that viewers do not show, and where another file has the
    manifest's name."""
    if not url.startswith(("http://", "https://")):
        raise UserError(
            f"--iiif is {url!r}; it must be where the folder will be served, as https://example.org/archive"
        )
    if wrong := kinds - WEB.keys():
        raise UserError(f"viewers of IIIF do not show {min(wrong)}: --iiif goes with --format png, jpg or webp")
    if (folder / MANIFEST).exists() and CONTEXT not in (folder / MANIFEST).read_text("utf-8", "replace"):
        raise UserError(f"{str(folder / MANIFEST)!r} is another file: move it, or paint to another folder")


def write_iiif_manifest(folder: Path, url: str, choices: Sequence[IiifChoice]) -> None:
    """Write the manifest of a folder that will be served at `url`."""
    base = url.rstrip("/")
    manifest = {
        "@context": CONTEXT,
        "id": f"{base}/{MANIFEST}",
        "type": "Manifest",
        "label": {"none": [folder.resolve().name]},
        "requiredStatement": {"label": {"en": ["Colours"]}, "value": {"en": [STATEMENT]}},
        "items": [canvas(folder, base, number, choice) for number, choice in enumerate(choices, 1)],
    }
    write_text(folder / MANIFEST, as_json(manifest, indent=1) + "\n")


def canvas(folder: Path, base: str, number: int, choice: IiifChoice) -> dict[str, Any]:
    place = f"{base}/canvas/{number}"
    painted, original = (image_body(folder, base, path) for path in (choice.painted, choice.original))
    body = {
        "type": "Choice",
        "items": [original | {"label": {"en": ["original"]}}, painted | {"label": {"en": ["coloured"]}}],
    }
    annotation = {"id": f"{place}/image", "type": "Annotation", "motivation": "painting", "body": body, "target": place}
    return {
        "id": place, "type": "Canvas", "label": {"none": [printable(choice.name)]},
        "width": painted["width"], "height": painted["height"],
        "items": [{"id": f"{place}/page", "type": "AnnotationPage", "items": [annotation]}],
    }  # fmt: skip


def image_body(folder: Path, base: str, path: Path) -> dict[str, Any]:
    with unbounded(), Image.open(path, formats=list(WEB)) as image:  # its header alone
        width, height, kind = *image.size, WEB[image.format or ""]
    place = quote(path.relative_to(folder).as_posix(), errors="surrogateescape")
    return {"id": f"{base}/{place}", "type": "Image", "format": kind, "width": width, "height": height}
