"""What a session of the page that `colorize app` serves shows and hands out: pictures, the report, the archive."""

import shutil
import tempfile
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.cli.guidance import UNIT
from colorize.cli.painting_record import PaintRecord
from colorize.cli.paths import PaintJob, assign_files, describe_failure
from colorize.imaging.decode import decode_picture
from colorize.imaging.raster import LARGER
from colorize.reports.painted_page import PaintedRow, write_painted_report
from colorize.utils.files import digest_of, write_whole

SIDE = 1600  # pixels of the longer side of what the page shows; files to download have the photograph's own size
TINT = "#7a28a0"  # violet: no photograph has much of it
DENSEST = 0.7  # opacity of the tint, under which the photograph is still seen
SPAN, DOUBTFUL = 10.0, 15.0  # CIE units: smaller differences of expected errors, and smaller errors, tell little
BEFORE, CONFIDENCE = "photograph", "confidence"  # labels


class Painting(NamedTuple):
    """A photograph as one network painted it: the file and what the page shows of it. Of the photograph itself, and of
    a map of confidence, there is no record."""

    file: Path
    view: Path
    network: str = ""
    record: PaintRecord | None = None
    page: int | None = None  # of the photograph itself, from 0, in a TIFF of several
    scale: tuple[float, float] | None = None  # of a map, as `make_overlay` gives it
    guides: Mapping[str, Path] = {}  # folder of the archive -> hints, a reference: what `colorize verify` needs


Labelled = tuple[str, str, Painting]  # photograph, label, painting
Plan = dict[tuple[str, str], list[PaintJob]]  # photograph, network -> one picture, or the pages of a TIFF


def make_view(path: Path, view: Path, page: int | None = None) -> Path:
    """A JPEG that a browser shows of a photograph of any format: upright, sRGB, no side longer than `SIDE`."""
    image = decode_picture(path, page=page).opaque().convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return save_shown(image, view)


def make_overlay(painted: Path, confidence: Path, view: Path) -> tuple[float, float]:
    """The view of a painted photograph under `TINT`, the more so the less its map of confidence is white.

    Returns the errors in CIE units at which there is no tint and the most. They are those of nearly all of this
    photograph, so that its differences are seen, but at least `SPAN` apart, with the upper one at least `DOUBTFUL`:
    where all is about as certain, or certain, it looks so.
    """
    with Image.open(painted, formats=["JPEG"]) as image, Image.open(confidence, formats=["PNG"]) as map_:
        error = (255 - np.asarray(map_.convert("L").resize(image.size, Image.Resampling.BILINEAR), np.float32)) / UNIT
        low, high = np.percentile(error, (2, 98))
        high = max(float(high), DOUBTFUL)
        low = max(min(float(low), high - SPAN), 0.0)
        strength = ((error - low) / (high - low)).clip(0, 1)
        image.paste(TINT, mask=Image.fromarray((255 * DENSEST * strength).round().astype(np.uint8)))
        save_shown(image, view)
    return low, high


def save_shown(image: Image.Image, view: Path) -> Path:
    view.parent.mkdir(parents=True, exist_ok=True)
    write_whole(view, lambda part: image.save(part, "JPEG", quality=92, subsampling=0))
    return view


def write_hints(layers: Iterable[Image.Image], size: tuple[int, int], path: Path) -> bool:
    """A PNG of this size of what is drawn, if anything is. A brush's edges are half transparent: what is nearly opaque
    counts."""
    drawn = Image.new("RGBA", size)
    for layer in layers:
        drawn.alpha_composite(layer.convert("RGBA").resize(size, Image.Resampling.NEAREST))
    opaque = drawn.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
    least, most = opaque.getextrema()
    if least == most:  # of all, too: that is a picture, and no hint
        return False
    drawn.putalpha(opaque)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(path)
    return True


def describe_settings(options: Namespace) -> list[str]:
    """Notes on what was chosen for one painting, and is chosen otherwise for another."""
    said = [] if options.strength == 1 else [f"strength {options.strength:g}"]
    said += [] if options.max_chroma is None else [f"saturation limit {options.max_chroma:g}"]
    said += [f"size set to {options.size}"] if isinstance(options.size, int) else []
    said += [f"reference {Path(options.reference).name}"] if options.reference else []
    return [*said, *([f"hints, reach {options.reach:g}"] if options.hints else [])]


def report_rows(paintings: Iterable[Labelled]) -> list[list[str]]:
    return [[name, label, each.record.summary] for name, label, each in paintings if each.record]


def report_table(paintings: Iterable[Labelled]) -> str:
    """HTML"""
    heads = "".join(f"<th>{head}</th>" for head in ("photograph", "network", "size, time and notes"))
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in report_rows(paintings))
    return f"<table><tr>{'</tr><tr>'.join([heads, *rows])}</tr></table>"


def write_archive(
    folder: Path, paintings: Sequence[Labelled], results: Mapping[str, Mapping[str, Painting]],
    failures: Mapping[str, str],
) -> Path | None:  # fmt: skip
    """A ZIP in the session's folder, instead of the one before; None where nothing is painted."""
    for earlier in folder.glob("archive-*"):
        shutil.rmtree(earlier, ignore_errors=True)
    if not paintings:
        return None
    # a new address each time: browsers keep what they had
    made = Path(tempfile.mkdtemp(prefix="archive-", dir=folder))
    try:
        return pack(made / "painted.zip", paintings, results, failures)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise


def pack(
    path: Path, paintings: Iterable[Labelled], results: Mapping[str, Mapping[str, Painting]],
    failures: Mapping[str, str],
) -> Path:  # fmt: skip
    """A ZIP with a folder for each network, with hints and references, and with the report of `colorize paint
    --report`; `path` is in a folder of the session's, as those of all its files are."""
    rows = []
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for name, label, painting in paintings:
            place = Path(folder, *painting.file.relative_to(path.parents[1]).parts[2:])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(painting.file, place)
            for kind, guide in painting.guides.items():
                copy_guide(guide, Path(folder, kind))
            if painting.record:
                row = painting.record._replace(targets=[place]).rows(Path(folder), label)[0]
                rows.append(replace(row, photograph=name))
        rows += [PaintedRow(name, "", warnings=reason) for name, reason in failures.items()]
        write_painted_report(Path(folder), rows, {name: found[BEFORE].file for name, found in results.items()})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
            for each in sorted(filter(Path.is_file, Path(folder).rglob("*"))):
                archive.write(each, each.relative_to(folder))
    return path


def copy_guide(file: Path, folder: Path) -> None:
    """With a part of its SHA-256, by which painted files name it: one photograph may have had several."""
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder / f"{file.stem}-{digest_of(file):.12}{file.suffix}")


def name_photographs(photographs: Iterable[Path]) -> dict[str, Path]:
    """Each by its file's name; another one of the same name is `2/name`."""
    met: Counter[str] = Counter()
    named = {}
    for path in dict.fromkeys(photographs):
        met[path.name] += 1
        named[path.name if met[path.name] == 1 else f"{met[path.name]}/{path.name}"] = path
    return named


def plan_files(painted: Path, named: Mapping[str, Path], networks: Iterable[str], kind: str) -> Plan:
    """What is painted into the folder."""
    names = {source: name for name, source in named.items()}
    plan: Plan = {(name, network): [] for name in named for network in networks}
    for network in networks:
        folder = painted / folder_name(network)
        places = {source: folder / Path(name).parent / source.name for name, source in named.items()}
        for job in assign_files(places, kind, []):
            plan[names[job.source], network].append(job)
    return plan


def result_key(name: str, page: str) -> str:
    """Of a result: the name of its file, with its page from 1, of a TIFF of several."""
    return f"{name}, page {page}" if page else name


def name_of(key: str, before: Painting) -> str:
    """Of the file, of a result that may be one of its pages."""
    return key if before.page is None else key.removesuffix(f", page {before.page + 1}")


def reason_of(error: Exception, source: Path) -> str:
    """Why a photograph is not painted, for visitors: who are told neither where the server keeps a file nor what its
    command line would take."""
    place = Path(error.filename) if isinstance(error, OSError) and error.filename else source
    return describe_failure(error, place).removesuffix(f": {LARGER}")


def folder_name(network: str) -> str:
    return network.replace("/", "-").replace("\\", "-")
