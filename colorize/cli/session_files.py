"""What a session of the page that `colorize app` serves shows and hands out: pictures, the report, the archive."""

import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageOps

from colorize.cli.painting_record import PaintRecord
from colorize.imaging.decode import decode_picture
from colorize.reports.painted_page import PaintedRow, write_painted_report
from colorize.utils.errors import UserError
from colorize.utils.files import write_whole

SIDE = 1600  # pixels of the longer side of what the page shows; files to download have the photograph's own size
TINT = "#7a28a0"  # violet: no photograph has much of it
BEFORE, CONFIDENCE = "photograph", "confidence"  # labels


class Painting(NamedTuple):
    """A photograph as one network painted it: the file and what the page shows of it. Of the photograph itself, and of
    a map of confidence, there is no record."""

    file: Path
    view: Path
    network: str = ""
    record: PaintRecord | None = None
    page: int | None = None  # of the photograph itself, from 0, in a TIFF of several


Labelled = tuple[str, str, Painting]  # photograph, label, painting


def make_view(path: Path, view: Path, page: int | None = None) -> Path:
    """A JPEG that a browser shows of a photograph of any format: upright, sRGB, no side longer than `SIDE`."""
    image = decode_picture(path, page=page).opaque().convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return save_shown(image, view)


def make_overlay(painted: Path, confidence: Path, view: Path) -> Path:
    """The view of a painted photograph, under `TINT` the less its map of confidence is white."""
    with Image.open(painted, formats=["JPEG"]) as image, Image.open(confidence, formats=["PNG"]) as map_:
        unsure = ImageOps.invert(map_.convert("L").resize(image.size, Image.Resampling.BICUBIC))
        image.paste(TINT, mask=unsure)
        return save_shown(image, view)


def save_shown(image: Image.Image, view: Path) -> Path:
    view.parent.mkdir(parents=True, exist_ok=True)
    write_whole(view, lambda part: image.save(part, "JPEG", quality=92, subsampling=0))
    return view


def write_hints(layers: Iterable[Image.Image], size: tuple[int, int], path: Path) -> None:
    """A PNG of this size of what is drawn. A brush's edges are half transparent: what is nearly opaque counts. Raises
    `UserError` where nothing is."""
    drawn = Image.new("RGBA", size)
    for layer in layers:
        drawn.alpha_composite(layer.convert("RGBA").resize(size, Image.Resampling.NEAREST))
    opaque = drawn.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
    least, most = opaque.getextrema()
    if least == most:  # of all, too: that is a picture, and no hint
        raise UserError("there are no hints: brush a colour onto a part of the photograph first")
    drawn.putalpha(opaque)
    drawn.save(path)


def report_rows(paintings: Iterable[Labelled]) -> list[list[str]]:
    return [[name, label, each.record.summary] for name, label, each in paintings if each.record]


def report_table(paintings: Iterable[Labelled]) -> str:
    """HTML"""
    heads = "".join(f"<th>{head}</th>" for head in ("photograph", "network", "size, time and notes"))
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in report_rows(paintings))
    return f"<table><tr>{'</tr><tr>'.join([heads, *rows])}</tr></table>"


def write_archive(
    path: Path, paintings: Iterable[Labelled], results: Mapping[str, Mapping[str, Painting]],
    failures: Mapping[str, str],
) -> Path:  # fmt: skip
    """A ZIP with a folder for each network, and with the report of `colorize paint --report`; `path` is in a folder of
    the session's, as those of all its files are."""
    rows = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for name, label, painting in paintings:
            place = Path(folder, *painting.file.relative_to(path.parents[1]).parts[2:])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(painting.file, place)
            if painting.record:
                row = painting.record._replace(targets=[place]).rows(Path(folder), label)[0]
                rows.append(replace(row, photograph=name))
        rows += [PaintedRow(name, "", warnings=reason) for name, reason in failures.items()]
        write_painted_report(Path(folder), rows, {name: found[BEFORE].file for name, found in results.items()})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
            for each in sorted(filter(Path.is_file, Path(folder).rglob("*"))):
                archive.write(each, each.relative_to(folder))
    return path


def name_photographs(photographs: Iterable[Path]) -> dict[str, Path]:
    """Each by its file's name; another one of the same name is `2/name`."""
    met: Counter[str] = Counter()
    named = {}
    for path in dict.fromkeys(photographs):
        met[path.name] += 1
        named[path.name if met[path.name] == 1 else f"{met[path.name]}/{path.name}"] = path
    return named


def name_of(key: str, before: Painting) -> str:
    """Of the file, of a result that may be one of its pages."""
    return key if before.page is None else key.removesuffix(f", page {before.page + 1}")


def place_of(error: Exception) -> Path | None:
    """The file of an error, which is nobody's business but the server's: visitors are not told where it lies."""
    return Path(error.filename) if isinstance(error, OSError) and error.filename else None


def folder_name(network: str) -> str:
    return network.replace("/", "-").replace("\\", "-")
