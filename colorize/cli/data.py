"""The verbs `inspect` and `look`: faults of a data set, and what the film look makes of it."""

from __future__ import annotations

import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

from colorize.cli.parser import Arguments
from colorize.data.collection import Photo
from colorize.data.findings import FINDINGS, Thresholds, preview, write_manifest
from colorize.data.resolve import WORDS, open_source, open_sources
from colorize.data.survey import Rows, Survey, find_duplicates, survey_all
from colorize.imaging.color import grey_of
from colorize.imaging.decode import UNREADABLE, open_rgb
from colorize.imaging.transforms import centre_square
from colorize.reports.data_pages import FILM_QUALITY, drawn, film_page, inspection_page, wanted
from colorize.utils.console import ProgressBar, console, counted, percentage, say
from colorize.utils.environment import at_home
from colorize.utils.errors import INTERRUPTED, UserError, first_line
from colorize.utils.files import check_parent, write_text, write_whole
from colorize.utils.processes import choose_workers, map_in_processes

QUALITY = 82  # of the thumbnails, as JPEG


def inspect(argv: list[str]) -> int:
    """The exit status: 0 with a report, whatever is in it."""
    words = parse_inspect(argv)
    output = at_home(words.output)
    if output.exists() and not words.overwrite:
        raise UserError(f"{str(output)!r} is there already: name another folder, or write over it with --overwrite")
    if output.exists() and not output.is_dir():
        raise UserError(f"{str(output)!r} is a file: name a folder for the report")
    check_parent(output)
    train, val = open_sources(words.source, words.val)
    for note in dict.fromkeys([*train.notes, *(val.notes if val else ())]):
        say(note)
    limits = Thresholds(words.tiny, words.chroma, words.tint)
    survey = Survey(train, val)
    workers = choose_workers(len(survey)) if words.workers is None else words.workers
    try:
        with ProgressBar("examined", len(survey), "photographs") as count:
            survey_all(survey, limits, workers, count.update)
        find_duplicates(survey, workers)
        report(survey, limits, output, workers)
    except KeyboardInterrupt:
        say("interrupted before the report was written: the same command begins again")
        return INTERRUPTED
    say_summary(survey, output)
    return 0


def parse_inspect(argv: list[str]) -> Namespace:
    parser = Arguments("inspect", "Find what is wrong with photographs before training on them.")
    limits = Thresholds()
    parser.add_argument("source", help=WORDS)
    parser.add_argument("-o", "--output", required=True, help="the folder for inspect.html and manifest.tsv")
    parser.add_argument("--val", help="the validation photographs: pictures that are in both sets are leaks")
    parser.add_argument("--workers", type=int, help="processes; 0: none but this one (one for each core)")
    parser.add_argument("--tiny", type=int, default=limits.side, help="shorter sides below this are tiny (64 pixels)")
    parser.add_argument(
        "--chroma", type=float, default=limits.chroma, help="Lab chroma below which a pixel is grey (5)"
    )
    parser.add_argument(
        "--tint", type=float, default=limits.tint, help="how far a toned one strays from its tint (2.5)"
    )
    parser.add_argument("--overwrite", action="store_true", help="write over a report that is there already")
    words = parser.parse_args(argv)
    for name in ("workers", "tiny", "chroma", "tint"):
        if (value := getattr(words, name)) is not None and not value >= 0:
            parser.error(f"--{name} is {value}; it must be 0 or more")
    return words


def report(survey: Survey, limits: Thresholds, output: Path, workers: int) -> None:
    """Writes the manifest, then the page."""
    output.mkdir(parents=True, exist_ok=True)
    manifest = output / "manifest.tsv"
    write_whole(manifest, lambda part: write_manifest(part, survey.lines()))
    rows = wanted(survey)
    pictures = map_in_processes(thumbnail, Rows(survey, rows), workers if len(rows) > 100 else 0, crashed=_nothing)
    text = inspection_page(survey, limits, dict(zip(rows, pictures, strict=True)), str(manifest))
    write_text(output / "inspect.html", text)


def thumbnail(photo: Photo) -> bytes:
    """A small JPEG; nothing where there is nothing to see."""
    try:
        image = preview(photo.read())
    except UNREADABLE:
        return b""
    if image is None:
        return b""
    image.save(file := io.BytesIO(), "JPEG", quality=QUALITY)
    return file.getvalue()


def _nothing(photo: Photo) -> bytes:
    return b""


def say_summary(survey: Survey, output: Path) -> None:
    """The findings that there are, as a table; then where the report lies."""
    table = Table(title=f"{counted(len(survey.train))} in {survey.train.title}", title_justify="left")
    table.add_column("")
    for heading in ["photographs", "share", *(["in validation"] if survey.val else [])]:
        table.add_column(heading, justify="right")
    table.add_column("training")
    for finding in FINDINGS:
        count, in_val = (len(survey.with_finding(finding.key, training=which)) for which in (True, False))
        if count or in_val:
            cells = [
                finding.title,
                str(count),
                percentage(count, len(survey.train)),
                *([str(in_val)] if survey.val else []),
            ]
            table.add_row(*cells, "left out" if finding.leave_out else finding.action.rstrip("."))
    if table.row_count:
        console.print(table)
    out = int(survey.left_out().sum())
    say(f"{out} of {counted(len(survey.train))} should be left out of training" if out else "nothing to leave out")
    say(f"{output / 'inspect.html'} shows everything")
    if out:
        say(f"data.exclude={output / 'manifest.tsv'} leaves them out")


COLUMNS = 8  # of the contact sheet
GAP = 4


def look(argv: list[str]) -> int:
    """The exit status."""
    words = parse_look(argv)
    output = at_home(words.output)
    if output.exists() and not words.overwrite:
        raise UserError(f"{str(output)!r} is there already: name another folder, or write over it with --overwrite")
    squares = list(evenly(words.source, words.photographs, words.size))
    beside = list(evenly(words.beside, words.photographs, words.size)) if words.beside else []
    output.mkdir(parents=True, exist_ok=True)
    text = film_page(squares, words)
    write_text(output / "index.html", text)
    sheet, key = contact_sheet(squares, beside, words.seed)
    write_whole(output / "contact-sheet.jpg", lambda part: sheet.save(part, "JPEG", quality=FILM_QUALITY))
    if beside:
        write_text(output / "which-is-real.txt", key)
    say(f"{counted(len(squares))} in {str(output / 'index.html')!r}, and in contact-sheet.jpg beside it")
    return 0


def parse_look(argv: list[str]) -> Namespace:
    parser = Arguments("look", "See what data/look=film makes of photographs.")
    parser.add_argument("source", help=WORDS)
    parser.add_argument("-o", "--output", required=True, help="the folder for index.html and contact-sheet.jpg")
    parser.add_argument("--photographs", type=int, default=12, help="how many, evenly chosen (12)")
    parser.add_argument("--size", type=int, default=224, help="pixels of a side (224)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (0)")
    parser.add_argument("--beside", help="real old photographs to mix in: can you tell which is which?")
    parser.add_argument("--overwrite", action="store_true", help="write over what is there already")
    words = parser.parse_args(argv)
    for name, least in (("photographs", 1), ("size", 32)):
        if (value := getattr(words, name)) < least:
            parser.error(f"--{name} is {value}; it must be {least} or more")
    return words


def evenly(word: str, count: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and centre squares (size, size, 3) uint8 of `count` photographs of a source, or of all."""
    photos = open_source(word).train
    for place in np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int).tolist():
        photo: Photo = photos[place]
        try:
            yield photo.name, np.asarray(centre_square(open_rgb(photo.read()), size))
        except UNREADABLE as error:
            raise UserError(f"cannot read {photo.where!r}: {first_line(error)}; `inspect` finds all") from error


def contact_sheet(
    squares: list[tuple[str, np.ndarray]], beside: list[tuple[str, np.ndarray]], seed: int
) -> tuple[Image.Image, str]:
    """Drawn and real ones, shuffled; and in words which is which, line by line."""
    every = [(f"drawn: {name}", drawn(rgb, seed, name, "sheet")) for name, rgb in squares]
    every += [(f"real: {name}", grey_of(rgb)) for name, rgb in beside]
    order = np.random.default_rng(seed).permutation(len(every)) if beside else range(len(every))
    size = squares[0][1].shape[0] + GAP
    columns = min(COLUMNS, len(every))
    sheet = Image.new("L", (columns * size - GAP, -(-len(every) // columns) * size - GAP), 255)
    lines = []
    for place, index in enumerate(order):
        row, column = divmod(place, columns)
        sheet.paste(Image.fromarray(every[index][1]), (column * size, row * size))
        lines.append(f"row {row + 1}, column {column + 1}: {every[index][0]}")
    return sheet, "\n".join(lines) + "\n"
