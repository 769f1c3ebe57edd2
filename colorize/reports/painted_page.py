"""The report on painted photographs: a table of every file, and a page that shows each before and after."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.reports.page import SIDE, Gallery, GalleryPhotograph, PageImage, image_uri, write_page
from colorize.reports.tables import TableCell, TableRow, TextTable
from colorize.utils.console import counted, printable
from colorize.utils.errors import UserError
from colorize.utils.files import write_text

TABLE, PAGE = "painted.csv", "painted.html"
ANY = 2**62  # pixels
OPEN = 30  # photographs that are seen at once; the others unfold
NOWHERE: Mapping[str, Path] = {}
Thumbnails = Mapping[Path, tuple[str, str]]  # painted file -> JPEGs of its photograph and of itself, as `image_uri`
UNSEEN: Thumbnails = {}


@dataclass(frozen=True)
class PaintedRow:
    """A line of the table: a file, or a photograph that could not be painted (`painted` is empty, `warnings` says why).

    photograph    from the folder of the table, so that both can be moved together
    painted       below that folder
    page          from 1, of a TIFF of several photographs
    size          pixels of the shorter side at which colour was predicted
    out_of_gamut  share of the predicted colours that sRGB does not have
    """

    photograph: str
    painted: str
    page: str = ""
    width: str = ""
    height: str = ""
    network: str = ""
    size: str = ""
    seconds: str = ""
    out_of_gamut: str = ""
    notes: str = ""
    warnings: str = ""


COLUMNS = [field.name for field in fields(PaintedRow)]


def read_rows(folder: Path) -> list[PaintedRow]:
    """Of an earlier table; none where there is none. Raises `UserError` for another table of that name."""
    if not (folder / TABLE).exists():
        return []
    with (folder / TABLE).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        table = csv.DictReader(file)
        if table.fieldnames != COLUMNS:
            raise UserError(f"{str(folder / TABLE)!r} is another table: move it, or paint to another folder")
        return [PaintedRow(**{name: row[name] or "" for name in COLUMNS}) for row in table]


def place_beside(path: Path, folder: Path) -> str:
    """A path from a folder; on another drive of Windows, where there is none, its name."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.name


def write_painted_report(
    folder: Path, rows: Sequence[PaintedRow], sources: Mapping[str, Path] = NOWHERE, thumbnails: Thumbnails = UNSEEN
) -> None:
    """Write the table and the page. Files of an earlier table that are not painted anew keep their lines.

    sources     photographs -> their files, where their names are not their places from the folder
    thumbnails  of files that need not be decoded again
    """
    new = {(row.photograph, row.page, row.painted) for row in rows} | {(row.photograph, row.page, "") for row in rows}
    kept = [row for row in read_rows(folder) if (row.photograph, row.page, row.painted) not in new]
    rows = [*kept, *rows]
    folder.mkdir(parents=True, exist_ok=True)
    table = csv.DictWriter(text := io.StringIO(), COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    write_text(folder / TABLE, text.getvalue())
    shown = [row for row in rows if row.painted and (folder / row.painted).exists()]
    photographs = [before_and_after(row, folder, sources, thumbnails) for row in shown]
    labels = ["photograph", "painted"]
    gallery = Gallery(labels, (0, 1), 2, photographs[:OPEN], photographs[OPEN:], len(photographs))
    painted, failed = {(row.photograph, row.page) for row in shown}, [row for row in rows if not row.painted]
    every = painted | {(row.photograph, row.page) for row in failed}
    title = f"{len(painted):,} of {counted(len(every))} painted" if failed else f"{counted(len(painted))} painted"
    write_page(
        folder / PAGE, "painted", title, gallery=gallery if shown else None, files=painted_table(rows),
        failed=failed, networks=sorted({row.network for row in shown}),
    )  # fmt: skip


def before_and_after(
    row: PaintedRow, folder: Path, sources: Mapping[str, Path], thumbnails: Thumbnails
) -> GalleryPhotograph:
    if (folder / row.painted) in thumbnails:
        before, after = thumbnails[folder / row.painted]
        both = [PageImage("photograph", before), PageImage("painted", after, row.painted)]
        return GalleryPhotograph(printable(row.painted), both, row.notes)
    images = [PageImage("painted", thumbnail(folder / row.painted), row.painted)]
    if (source := sources.get(row.photograph, folder / row.photograph)).is_file():
        images.insert(0, PageImage("photograph", thumbnail(source, int(row.page) - 1 if row.page else None)))
    else:
        images.insert(0, images[0])
    return GalleryPhotograph(printable(row.painted), images, row.notes)


def thumbnail(path: Path, page: int | None = None) -> str:
    picture = decode_picture(path, shorter=SIDE, page=page, max_pixels=ANY)  # it has been painted
    image = picture.opaque()
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image_uri(image)


def thumbnail_of(pixels: np.ndarray) -> str:
    """Of sRGB (H, W) or (H, W, 3), uint8 or uint16, as it is in memory."""
    step = max(1, max(pixels.shape[:2]) // (8 * SIDE))  # of hundreds of megapixels no copy is made
    small = pixels[::step, ::step]
    image = Image.fromarray(small if small.dtype == np.uint8 else (small >> 8).astype(np.uint8)).convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image_uri(image)


def painted_table(rows: Sequence[PaintedRow]) -> TextTable:
    heads = ["photograph", "painted", "width × height", "predicted at", "seconds", "outside sRGB", "notes"]
    texts = (0, 1, 6)
    lines = []
    for row in rows:
        share = f"{100 * float(row.out_of_gamut):.1f} %" if row.out_of_gamut else ""
        pixels = f"{row.width}×{row.height}" if row.width else ""
        page = f", page {row.page}" if row.page else ""
        cells = [printable(row.painted), pixels, row.size, row.seconds, share, row.warnings or row.notes]
        lines.append(TableRow(printable(row.photograph) + page, [TableCell(cell) for cell in cells]))
    return TextTable(heads, lines, "files", texts)
