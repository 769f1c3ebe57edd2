"""The verbs `inspect` and `look`: faults of a data set, and what the film look makes of it."""

import io
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table

from colorize.cli.paths import new_folder
from colorize.data.collection import Photo
from colorize.data.findings import FINDINGS, Thresholds, preview, write_manifest
from colorize.data.resolve import open_both_sets, open_source
from colorize.data.survey import Survey, find_duplicates, survey_all
from colorize.imaging.color import grey_of
from colorize.imaging.decode import UNREADABLE, open_rgb
from colorize.imaging.image_io import labelled_grid
from colorize.imaging.transforms import centre_square
from colorize.reports.data_pages import FILM_QUALITY, drawn, film_page, inspection_page, wanted
from colorize.utils.console import ProgressBar, console, counted, percentage, say
from colorize.utils.errors import INTERRUPTED, UserError, first_line
from colorize.utils.files import write_text, write_whole
from colorize.utils.processes import choose_workers, map_in_processes

QUALITY = 82  # of the thumbnails, as JPEG


def inspect(args: Namespace) -> int:
    """The exit status: 0 with a report, whatever is in it."""
    output = new_folder(args.output, args.overwrite)
    source = open_both_sets(args.source, args.val)
    for note in source.notes():
        say(note)
    given = {"side": args.tiny, "chroma": args.chroma, "tint": args.tint}
    limits = Thresholds(**{name: value for name, value in given.items() if value is not None})
    survey = Survey(source)
    workers = choose_workers(len(survey)) if args.workers is None else args.workers
    try:
        with ProgressBar("examined", len(survey), "photographs") as count:
            survey_all(survey, limits, workers, count.update)
        find_duplicates(survey, workers)
        write_report(survey, limits, output, workers)
    except KeyboardInterrupt:
        say("interrupted before the report was written: the same command starts again")
        return INTERRUPTED
    print_findings(survey, output)
    return 0


def write_report(survey: Survey, limits: Thresholds, output: Path, workers: int) -> None:
    """Writes the manifest, then the page."""
    output.mkdir(parents=True, exist_ok=True)
    manifest = output / "manifest.tsv"
    write_whole(manifest, lambda part: write_manifest(part, survey.lines()))
    rows = wanted(survey)
    workers = workers if len(rows) > 100 else 0
    pictures = map_in_processes(jpeg_thumbnail, map(survey.photo, rows), workers, crashed=lambda _: b"")
    text = inspection_page(survey, limits, dict(zip(rows, pictures, strict=True)), str(manifest))
    write_text(output / "inspect.html", text)


def jpeg_thumbnail(photo: Photo) -> bytes:
    """A small JPEG; nothing where there is nothing to see."""
    image = preview(photo)
    if image is None:
        return b""
    image.save(file := io.BytesIO(), "JPEG", quality=QUALITY)
    return file.getvalue()


def print_findings(survey: Survey, output: Path) -> None:
    """The findings that there are, as a table; then where the report lies."""
    table = Table(title=f"{counted(len(survey.train))} in {survey.source.title}", title_justify="left")
    table.add_column("")
    for heading in ["photographs", "share", *(["in validation"] if survey.val else [])]:
        table.add_column(heading, justify="right")
    table.add_column("training")
    for finding in FINDINGS:
        count, in_val = (len(survey.with_finding(finding.key, training=which)) for which in (True, False))
        if count or in_val:
            numbers = [str(count), percentage(count, len(survey.train)), *([str(in_val)] if survey.val else [])]
            table.add_row(finding.title, *numbers, "left out" if finding.leave_out else finding.action.rstrip("."))
    if table.row_count:
        console.print(table)
    out = int(survey.left_out().sum())
    say(f"{out} of {counted(len(survey.train))} should be left out of training" if out else "nothing to leave out")
    say(f"{output / 'inspect.html'} shows everything")
    if out:
        say(f"data.exclude={output / 'manifest.tsv'} leaves them out")


COLUMNS = 8  # of the contact sheet


def look(args: Namespace) -> int:
    """The exit status."""
    output = new_folder(args.output, args.overwrite)
    squares = list(evenly_spaced(args.source, args.photographs, args.size))
    beside = list(evenly_spaced(args.beside, args.photographs, args.size)) if args.beside else []
    output.mkdir(parents=True, exist_ok=True)
    text = film_page(squares, args)
    write_text(output / "index.html", text)
    sheet, key = contact_sheet(squares, beside, args.seed)
    write_whole(output / "contact-sheet.jpg", lambda part: sheet.save(part, "JPEG", quality=FILM_QUALITY))
    if beside:
        write_text(output / "which-is-real.txt", key)
    say(f"{counted(len(squares))} in {str(output / 'index.html')!r}, and in contact-sheet.jpg beside it")
    return 0


def evenly_spaced(word: str, count: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
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
    rows, lines = dict[str, list[Image.Image]](), list[str]()
    for place, index in enumerate(order):
        row, column = (number + 1 for number in divmod(place, COLUMNS))
        name, pixels = every[index]
        rows.setdefault(f"row {row}", []).append(Image.fromarray(pixels))
        lines.append(f"row {row}, column {column}: {name}\n")
    names = [f"column {column + 1}" for column in range(min(COLUMNS, len(every)))]
    return labelled_grid(rows, names, squares[0][1].shape[0]), "".join(lines)
