"""Pages on data: the inspection of a data set, and the preview of the film look."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from colorize.data.duplicates import CORRELATION, DISTANCE
from colorize.data.findings import FINDINGS, Finding, Thresholds
from colorize.data.survey import TWINS, Survey
from colorize.imaging.film import EMULSIONS, encode, expose, to_pixels
from colorize.imaging.film_look import lightness_grey, usual_look
from colorize.reports.charts import mean_chroma_chart, size_chart
from colorize.reports.page import data_uri, image_uri, render_page
from colorize.utils.console import counted, percentage
from colorize.utils.seeds import seed_of

SHOWN = 48  # photographs of a finding that the page shows
MANY_CLASSES, ENDS = 40, 15  # of more classes, so many of the largest and of the smallest are shown


def chosen(survey: Survey, finding: Finding) -> list[int]:
    """The rows that the page shows of a finding: all, or an even choice of them; training before validation."""
    rows = np.concatenate([survey.with_finding(finding.key, training=which) for which in (True, False)])
    if len(rows) <= SHOWN:
        return rows.tolist()
    return rows[np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)].tolist()


def wanted(survey: Survey) -> list[int]:
    """The rows of which the page needs a thumbnail: those it shows, and their twins."""
    rows = set()
    for finding in FINDINGS:
        for row in chosen(survey, finding):
            rows |= {row, survey.twins[finding.key].get(row) if finding.key in TWINS else row}
    return sorted(row for row in rows if row is not None)


class Card(NamedTuple):
    """A photograph with a finding: its picture ("": nothing to see), what becomes of it, its name, and what else is
    known."""

    uri: str
    tag: str
    name: str
    small: str


class Sheet(NamedTuple):
    """The photographs of a finding, of `total`; each is a row of cards: itself, or a pair."""

    finding: Finding
    total: int
    in_val: int
    share: str
    rows: Sequence[Sequence[Card]]


def inspection_page(survey: Survey, limits: Thresholds, thumbnails: Mapping[int, bytes], manifest: str) -> str:
    """The whole page; `thumbnails` are JPEGs, empty where there is nothing to see."""
    source, train, val, out = survey.source, survey.train, survey.val, int(survey.left_out().sum())
    val_title = source.val_title or f"{source.title}, validation"
    looked_for = [finding for finding in FINDINGS if finding.key != "leak" or val]
    sheets = [finding_sheet(survey, finding, thumbnails) for finding in looked_for if chosen(survey, finding)]
    found = {sheet.finding.key for sheet in sheets}
    leaks = len(survey.with_finding("leak")) if val else 0
    return render_page(
        "inspection", f"What is in {'/'.join(Path(source.title).parts[-2:])}", source=source.title, manifest=manifest,
        count=counted(len(train)), out=out, out_share=percentage(out, len(train)),
        val=val and (counted(len(val)), val_title),
        leaks=counted(leaks) if leaks else "", sheets=sheets, limits=limits, distance=DISTANCE, correlation=CORRELATION,
        absent=[finding.title for finding in looked_for if finding.key not in found],
        notes=source.notes(), **data_charts(survey),
    )  # fmt: skip


def data_charts(survey: Survey) -> dict[str, Any]:
    """Charts of chroma, sizes and classes with their sentences."""
    count, names, labels = len(survey.train), survey.source.classes, survey.train.labels
    sizes, chroma, out = survey.sizes[:count], survey.chroma[:count], survey.left_out()[:count]
    known = sizes[:, 0] > 0
    if not known.any():
        return {"chroma": None, "sizes": None, "classes": None}
    width, height = np.median(sizes[known], axis=0)
    classes = None
    if len(names) > 1:
        held = np.bincount(labels[labels >= 0], minlength=len(names))
        rows = class_rows(names, labels, out)
        shown = [rows[:ENDS], rows[-ENDS:]] if len(rows) > MANY_CLASSES else [rows]
        classes = (f"{len(names):,} classes. {uneven(held)}", shown, len(rows) - 2 * ENDS, max(sum(rows[0][1:]), 1))
    return {
        "chroma": (f"{np.nanmedian(chroma):.0f}", mean_chroma_chart(chroma, out)),
        "sizes": (f"{width:.0f}×{height:.0f}", size_chart(sizes, out)), "classes": classes,
    }  # fmt: skip


def uneven(held: np.ndarray) -> str:
    """How many photographs the classes hold, (N,), beside each other."""
    if empty := int((held == 0).sum()):
        return f"{empty:,} of them hold no photograph."
    ratio = f"{held.max() / held.min():.1f}".removesuffix(".0")
    return f"The largest holds {ratio} times as many photographs as the smallest."


def class_rows(names: Sequence[str], labels: np.ndarray, left_out: np.ndarray) -> list[tuple[str, int, int]]:
    """(class, photographs to train on, photographs left out), the largest class first."""
    kept, out = (np.bincount(labels[(labels >= 0) & of], minlength=len(names)) for of in (~left_out, left_out))
    return [(names[i], int(kept[i]), int(out[i])) for i in np.argsort(-(kept + out), kind="stable").tolist()]


def finding_sheet(survey: Survey, finding: Finding, thumbnails: Mapping[int, bytes]) -> Sheet:
    """The contact sheet of a finding."""
    in_train, in_val = (len(survey.with_finding(finding.key, training=which)) for which in (True, False))
    rows = []
    for row in chosen(survey, finding):
        places = [(row, "" if row < len(survey.train) else "in validation")]
        if finding.key in TWINS:  # a photograph beside the one that is kept instead of it
            twin = survey.twins[finding.key][row]
            kept = "kept" if twin < len(survey.train) else "in validation"
            places = [(twin, kept), (row, "left out" if row < len(survey.train) else "again in validation")]
        rows.append([card(survey, place, finding.key, tag, thumbnails[place]) for place, tag in places])
    return Sheet(finding, in_train + in_val, in_val, percentage(in_train, len(survey.train)), rows)


def card(survey: Survey, row: int, key: str, tag: str, jpeg: bytes) -> Card:
    width, height = survey.sizes[row]
    small = survey.why.get(row) or f"{width}×{height}"
    if key in ("near-grey", "toned"):
        small = f"mean chroma {survey.chroma[row]:.1f}"
    return Card(data_uri(jpeg) if jpeg else "", tag, survey.photo(row).name, small)


DRAWS = 4
FILM_QUALITY = 88


def variants(rgb: np.ndarray, name: str, seed: int) -> dict[str, np.ndarray]:
    """Word -> picture: the colour, its modern grey, each emulsion without wear, and draws of the whole look."""

    shown = {"in colour": rgb, "modern": lightness_grey(rgb)}
    for kind, sensitivity in EMULSIONS.items():
        shown[f"{kind} film"] = to_pixels(encode(expose(rgb, sensitivity)))
    return shown | {f"drawn {number + 1}": drawn(rgb, seed, name, number) for number in range(DRAWS)}


def drawn(rgb: np.ndarray, *words: int | str) -> np.ndarray:
    return usual_look(rgb, np.random.default_rng(seed_of(*words)))


def film_page(squares: list[tuple[str, np.ndarray]], words: Namespace) -> str:
    """Each square (H, W, 3) uint8 as film may have seen it."""
    photographs = {
        name: {word: image_uri(Image.fromarray(tile), FILM_QUALITY) for word, tile in tiles.items()}
        for name, tiles in ((name, variants(rgb, name, words.seed)) for name, rgb in squares)
    }
    title = "What old film would have seen"
    return render_page("film", title, source=words.source, seed=words.seed, photographs=photographs)
