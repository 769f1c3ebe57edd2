"""Pages from templates, each one file that needs no other; their pictures, and photographs side by side."""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice, takewhile
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.protocol import INPUTS
from colorize.evaluation.result import LABELS
from colorize.evaluation.samples import AS_IT_IS, PAINTED, TRUTH, SampleFiles, input_word, prediction_words, rank_images
from colorize.evaluation.significance import format_number
from colorize.imaging.decode import decode_picture
from colorize.metrics.metric_info import info_of
from colorize.reports.run_data import OLD, RunData
from colorize.utils.errors import UserError
from colorize.utils.files import write_whole

OPEN = 6  #                photographs that are seen at once; the others unfold
IN_A_ROW = 8  #           small pictures of one photograph, at most
SIDE, QUALITY = 384, 85  # of the longer side in pixels, and JPEG's
THUMBNAIL = 256  #         of the best and the worst
OLD_SHOWN = 12  #          old photographs
HEAVY = 40_000  #          bytes: a larger file is encoded again


@cache
def templates() -> Environment:
    """The templates of all pages. A name that a page does not give is an error."""
    loader = PackageLoader("colorize.reports")
    found = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    found.globals["shorten"] = shorten_labels
    return found


def shorten_labels(labels: Iterable[str]) -> dict[str, str]:
    """Label -> the same without the words that all have at the beginning and at the end."""
    words = {label: re.findall(r"[^-_ /]+[-_ /]*|[-_ /]+", label) for label in labels}
    room = min(map(len, words.values()), default=1) - 1  # a word stays of each
    first = sum(1 for _ in takewhile(_is_one, islice(zip(*words.values(), strict=False), room)))
    rest = [reversed(each[first:]) for each in words.values()]
    last = sum(1 for _ in takewhile(_is_one, islice(zip(*rest, strict=False), room - first)))
    if len(words) < 2:
        return {label: label for label in words}
    return {label: "".join(each[first : len(each) - last]).rstrip("-_ /") for label, each in words.items()}


def _is_one(words: Iterable[str]) -> bool:
    return len(set(words)) == 1


def render_page(template: str, title: str, **values: Any) -> str:
    """The page of `templates/<template>.html.j2`; `title` and `values` are what it shows, as text."""
    now = datetime.now()
    date = f"{now.day} {now:%B %Y}"
    text = templates().get_template(f"{template}.html.j2").render(title=title, date=date, **values) + "\n"
    return text.encode("utf-8", errors="replace").decode("utf-8")  # names of files may be no text


def write_page(target: Path, template: str, title: str, **values: Any) -> None:
    """Write a page, whole or not at all; arguments as those of `render_page`."""
    content = render_page(template, title, **values).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: part.write_bytes(content))


def data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def image_uri(image: Image.Image, quality: int = QUALITY) -> str:
    image.save(file := io.BytesIO(), "JPEG", quality=quality)
    return data_uri(file.getvalue())


def file_uri(path: Path, longest: int | None = SIDE) -> str:
    """A picture's file as a JPEG in the page, no side longer than `longest`. Raises `UserError` for one that is not
    whole."""
    content = path.read_bytes()
    try:
        picture = decode_picture(content)
    except UserError as error:
        raise UserError(f"{str(path)!r} is not whole, or no picture: make it again with overwrite=true") from error
    image = picture.opaque()
    large = longest and max(image.size) > longest
    if picture.format == "JPEG" and len(content) <= HEAVY and not large:
        return data_uri(content)
    if longest:
        image.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return image_uri(image)


class PageImage(NamedTuple):
    """link  to the file beside the page, which is larger; caption: the label, shortened beside others like it"""

    label: str
    uri: str
    link: str = ""
    caption: str = ""


class GalleryPhotograph(NamedTuple):
    """One photograph as each column has it; small: print below its name"""

    name: str
    images: Sequence[PageImage]
    small: str = ""


class Gallery(NamedTuple):
    """Photographs that are looked at side by side.

    labels    of the columns
    chosen    the columns on the left and on the right of the line, at first
    columns   small pictures in a row
    open, folded  the photographs
    of        how many there are in all
    """

    labels: Sequence[str]
    chosen: tuple[int, int]
    columns: int
    open: Sequence[GalleryPhotograph]
    folded: Sequence[GalleryPhotograph]
    of: int


def make_gallery(samples: Mapping[str, SampleFiles], most: int, beside: Path | None = None) -> Gallery | None:
    """The first `most` photographs that all runs have, from their input to the ground truth. None where they have none
    in common, or there are no runs.

    samples  label -> its pictures
    beside   the folder of the page, if pictures below it are linked
    """
    if not samples:
        return None
    first = next(iter(samples.values()))
    shared = [name for name in first if all(PAINTED in files.get(name, {}) for files in samples.values())]
    if not shared:
        return None
    columns = [(LABELS["grey"] if word == AS_IT_IS else word, first, word) for word in map(input_word, INPUTS)]
    for label, files in samples.items():
        words = prediction_words().values() if len(samples) == 1 else [PAINTED]
        columns += [(label + word.removeprefix(PAINTED), files, word) for word in words]
    columns.append((LABELS["truth"], first, TRUTH))
    columns = [(label, files, word) for label, files, word in columns if all(word in files[name] for name in shared)]
    found, short = [], shorten_labels(samples)
    for name in shared[:most]:
        images = [
            page_image(label, files[name][word], beside)._replace(caption=short.get(label, label))
            for label, files, word in columns
        ]
        found.append(GalleryPhotograph(name.partition("-")[2], images))
    labels = [label for label, _, _ in columns]
    in_a_row = ceil(len(labels) / ceil(len(labels) / IN_A_ROW))  # rows of nearly one length
    chosen = chosen_sides(len(labels), true=columns[-1][2] == TRUTH)
    return Gallery(labels, chosen, in_a_row, found[:OPEN], found[OPEN:], len(shared))


def page_image(label: str, path: Path, beside: Path | None) -> PageImage:
    link = path.relative_to(beside).as_posix() if beside and path.is_relative_to(beside) else ""
    return PageImage(label, file_uri(path), link)


def chosen_sides(count: int, *, true: bool) -> tuple[int, int]:
    """What is on either side: beside the truth, the first run; else the first two runs, or grey beside the only one."""
    right = count - 1 if true else min(2, count - 1)
    return max(0, min(1, right - 1)), right


class OldPhotographs(NamedTuple):
    """As they were evaluated, or else as training painted them; `without`: the runs that have neither."""

    gallery: Gallery | None
    sheets: Sequence[GalleryPhotograph]
    without: Sequence[str]


def old_photographs(runs: Mapping[str, RunData]) -> OldPhotographs | None:
    """None where no run has any, or where these are the photographs that were evaluated."""
    if any(run.result and run.result.protocol.get("truth") == "none" for run in runs.values()):
        return None
    manifest = next((run.manifest for run in runs.values() if run.old), "")
    kept = {label: run.old for label, run in runs.items() if run.old and run.manifest == manifest}
    rest = {label: run for label, run in runs.items() if label not in kept}
    found = sheets(rest, OLD)
    if not kept and not found:
        return None
    without = [label for label, run in rest.items() if OLD not in run.sheets]
    return OldPhotographs(make_gallery(kept, OLD_SHOWN), found, without)


def sheets(runs: Mapping[str, RunData], name: str) -> list[GalleryPhotograph]:
    """What each run painted while it trained: its own sheets, one below the other."""
    found = {label: sheet for label, run in runs.items() if (sheet := run.sheet(name))}
    return [
        GalleryPhotograph(label, [PageImage(label, file_uri(path, None))], when)
        for label, (when, path) in found.items()
    ]


def ranked_photographs(images: ImageValues, samples: SampleFiles) -> dict[str, dict[str, list[GalleryPhotograph]]]:
    """Heading -> "worst" and such -> the best and the worst of a result's photographs by a metric, as far as their
    pictures were kept."""
    by_place = {int(name.partition("-")[0]): files for name, files in samples.items()}
    found: dict[str, dict[str, list[GalleryPhotograph]]] = {}
    for metric, groups in rank_images(images).items():
        known, values = info_of(metric), images.values[metric]
        for word, places in groups.items():
            shown = []
            for place in [place for place in places if {PAINTED, TRUTH} <= by_place.get(place, {}).keys()]:
                told = f"{known.label} {format_number(float(values[place]), known.digits)} {known.unit}".strip()
                pictures = [PageImage(what, file_uri(path, THUMBNAIL)) for what, path in by_place[place].items()]
                shown.append(GalleryPhotograph(images.names[place], pictures, told))
            if shown:
                found.setdefault(known.label, {})[word] = shown
    return found
