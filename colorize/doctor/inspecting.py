"""The verb `inspect`: what is wrong with a set of photographs, before one trains on it."""

from __future__ import annotations

import io
from argparse import Namespace
from pathlib import Path

from rich.table import Table

from colorize.arguments import Arguments
from colorize.checkpoint import write_text, write_whole
from colorize.data.collection import Photo
from colorize.data.decode import UNREADABLE
from colorize.data.recognise import WORDS
from colorize.data.storage import check_parent
from colorize.doctor.findings import FINDINGS, Limits
from colorize.doctor.manifest import write_manifest
from colorize.doctor.opening import picture_of
from colorize.doctor.page import counted, page, share, wanted
from colorize.doctor.source import open_sources
from colorize.doctor.survey import Rows, Survey, find_twins, survey_all
from colorize.doctor.workers import choose_workers, spread
from colorize.errors import INTERRUPTED, UserError
from colorize.home import at_home
from colorize.terminal import Count, console, say

QUALITY = 82  # of the thumbnails, as JPEG


def inspect(argv: list[str]) -> int:
    """The exit status: 0 with a report, whatever is in it."""
    words = read_words(argv)
    output = at_home(words.output)
    if output.exists() and not words.overwrite:
        raise UserError(f"{str(output)!r} is there already: name another folder, or write over it with --overwrite")
    if output.exists() and not output.is_dir():
        raise UserError(f"{str(output)!r} is a file: name a folder for the report")
    check_parent(output)
    train, val = open_sources(words.source, words.val)
    for note in dict.fromkeys([*train.notes, *(val.notes if val else ())]):
        say(note)
    limits = Limits(words.tiny, words.chroma, words.tint)
    survey = Survey(train, val)
    workers = choose_workers(len(survey)) if words.workers is None else words.workers
    try:
        with Count("examined", len(survey), "photographs") as count:
            survey_all(survey, limits, workers, count.update)
        find_twins(survey, workers)
        report(survey, limits, output, workers)
    except KeyboardInterrupt:
        say("interrupted before the report was written: the same command begins again")
        return INTERRUPTED
    say_summary(survey, output)
    return 0


def read_words(argv: list[str]) -> Namespace:
    parser = Arguments("inspect", "Find what is wrong with photographs before training on them.")
    limits = Limits()
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


def report(survey: Survey, limits: Limits, output: Path, workers: int) -> None:
    """Writes the manifest, then the page."""
    output.mkdir(parents=True, exist_ok=True)
    manifest = output / "manifest.tsv"
    write_whole(manifest, lambda part: write_manifest(part, survey.lines()))
    rows = wanted(survey)
    pictures = spread(thumbnail, Rows(survey, rows), workers if len(rows) > 100 else 0, crashed=_nothing)
    text = page(survey, limits, dict(zip(rows, pictures, strict=True)), str(manifest))
    write_text(output / "inspect.html", text)


def thumbnail(photo: Photo) -> bytes:
    """A small JPEG; nothing where there is nothing to see."""
    try:
        image = picture_of(photo.read())
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
            cells = [finding.title, str(count), share(count, len(survey.train)), *([str(in_val)] if survey.val else [])]
            table.add_row(*cells, "left out" if finding.leave_out else finding.action.rstrip("."))
    if table.row_count:
        console.print(table)
    out = int(survey.left_out().sum())
    say(f"{out} of {counted(len(survey.train))} should be left out of training" if out else "nothing to leave out")
    say(f"{output / 'inspect.html'} shows everything")
    if out:
        say(f"data.exclude={output / 'manifest.tsv'} leaves them out")
