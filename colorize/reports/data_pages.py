"""Pages on data: the inspection of a data set, and the preview of the film look."""

from __future__ import annotations

import base64
import io
from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.data.duplicates import CORRELATION, DISTANCE
from colorize.data.findings import FINDINGS, Finding, Thresholds
from colorize.data.survey import TWINS, Survey
from colorize.imaging.film import EMULSIONS, encode, expose, to_pixels
from colorize.imaging.film_look import Film, lightness_grey
from colorize.reports.charts import class_chart, mean_chroma_chart, size_chart
from colorize.reports.page import STYLE
from colorize.utils.console import counted, percentage
from colorize.utils.seeds import seed_of

SHOWN = 48  # photographs of a finding that the page shows


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
            rows |= {row, survey.twin(row, finding.key) if finding.key in TWINS else row}
    return sorted(row for row in rows if row is not None)


def inspection_page(survey: Survey, limits: Thresholds, thumbnails: Mapping[int, bytes], manifest: str) -> str:
    """The whole page; `thumbnails` are JPEGs, empty where there is nothing to see."""
    title = f"What is in {'/'.join(Path(survey.train.title).parts[-2:])}"
    sheets = "".join(sheet(survey, finding, thumbnails) for finding in FINDINGS)
    parts = [header(survey, title, manifest), table(survey), *charts(survey, limits), sheets, footer(limits)]
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )
    return text.encode("utf-8", errors="replace").decode("utf-8")  # names of files may be no text


def header(survey: Survey, title: str, manifest: str) -> str:
    count, out, today = len(survey.train), int(survey.left_out().sum()), datetime.now()
    verdict = f"Nothing among {counted(count)} needs to be left out of training."
    if out:
        verdict = (
            f"<strong>{out:,}</strong> of {counted(count)} ({percentage(out, count)}) should be left out of training."
        )
    if survey.val:
        leaks = len(survey.with_finding("leak"))
        also = f"{counted(leaks)} of the training set show the same as one of them" if leaks else "none of them trains"
        verdict += f" {counted(len(survey.val))} from {escape(survey.val.title)} validate; {also}."
    command = f"python train.py data=folder data.root=… <mark>data.exclude={escape(manifest)}</mark>"
    use = f"<p>Training leaves them out with</p><pre>{command}</pre>" if out else ""
    return (
        f'<header><p class="quiet">colorize inspect · {escape(survey.train.title)} · {today.day} {today:%B %Y}</p>'
        f'<h1>{escape(title)}</h1><p class="verdict">{verdict}</p>{use}</header>'
    )


def table(survey: Survey) -> str:
    """A row for each finding that there is; the others in a sentence."""
    looked_for = [finding for finding in FINDINGS if finding.key != "leak" or survey.val]
    there = [finding for finding in looked_for if chosen(survey, finding)]
    absent = ", ".join(finding.title for finding in looked_for if finding not in there)
    head = '<th class="number">in validation</th>' if survey.val else ""
    rows = "".join(table_row(survey, finding) for finding in there)
    body = (
        '<table><thead><tr><th>finding</th><th class="number">photographs</th><th class="number">share</th>'
        f"{head}<th>what training does</th></tr></thead><tbody>{rows}</tbody></table>"
    )
    rest = f'<p class="absent quiet">Looked for and not found: {absent}.</p>' if absent else ""
    notes = dict.fromkeys([*survey.train.notes, *(survey.val.notes if survey.val else ())])
    rest += "".join(f'<p class="absent quiet">{escape(note)}</p>' for note in notes)
    return f"<section><h2>Findings</h2>{body if there else ''}{rest}</section>"


def table_row(survey: Survey, finding: Finding) -> str:
    count, in_val = (len(survey.with_finding(finding.key, training=which)) for which in (True, False))
    val = (
        f'<td class="number" data-word="in validation">{in_val:,}</td>' if in_val else '<td class="number void">–</td>'
    )
    return (
        f'<tr class="{"out" if finding.leave_out else "kept"}">'
        f'<td class="finding"><i></i><a href="#{finding.key}">{finding.title}</a></td>'
        f'<td class="number">{count:,}</td><td class="number">{percentage(count, len(survey.train))}</td>'
        f'{val if survey.val else ""}<td class="action">{finding.action}</td></tr>'
    )


def charts(survey: Survey, limits: Thresholds) -> list[str]:
    count = len(survey.train)
    sizes, chroma, out = survey.sizes[:count], survey.chroma[:count], survey.left_out()[:count]
    known = sizes[:, 0] > 0
    if not known.any():
        return []
    legend = '<p class="legend"><i></i>left out</p>' if out.any() else ""
    width, height = np.median(sizes[known], axis=0)
    found = [
        f"<section><h2>Colour</h2><p>Mean chroma of each photograph: 0 is grey, 20 is usual, 60 is gaudy. The median "
        f"is {np.nanmedian(chroma):.0f}.</p>{legend}{mean_chroma_chart(chroma, out)}</section>",
        f"<section><h2>Size</h2><p>Shorter side in pixels, on a scale of doublings. The median photograph has "
        f"{width:.0f}×{height:.0f}.</p>{legend}{size_chart(sizes, out)}</section>",
    ]
    names, labels = survey.train.classes, survey.train.labels
    if len(names) > 1:
        held = np.bincount(labels[labels >= 0], minlength=len(names))
        found.append(
            f"<section><h2>Classes</h2><p>{len(names):,} classes. {uneven(held)}</p>{legend}"
            f"{class_chart(names, labels, out)}</section>"
        )
    return found


def uneven(held: np.ndarray) -> str:
    """How many photographs the classes hold, (N,), beside each other."""
    if empty := int((held == 0).sum()):
        return f"{empty:,} of them hold no photograph."
    ratio = f"{held.max() / held.min():.1f}".removesuffix(".0")
    return f"The largest holds {ratio} times as many photographs as the smallest."


def sheet(survey: Survey, finding: Finding, thumbnails: Mapping[int, bytes]) -> str:
    """The contact sheet of a finding; nothing where there is none."""
    rows = chosen(survey, finding)
    if not rows:
        return ""
    count = sum(len(survey.with_finding(finding.key, training=which)) for which in (True, False))
    rest = count - len(rows)
    more = f" Here are {len(rows)}, evenly chosen; {rest:,} more are in the manifest." if rest else ""
    kind, draw = ("pairs", pair) if finding.key in TWINS else ("cards", card)
    cards = "".join(draw(survey, row, finding.key, thumbnails) for row in rows)
    return (
        f'<section id="{finding.key}"><h2>{finding.title} <span class="quiet">{count:,}</span></h2>'
        f'<p>{finding.meaning} {finding.action}{more}</p><div class="{kind}">{cards}</div></section>'
    )


def card(survey: Survey, row: int, key: str, thumbnails: Mapping[int, bytes]) -> str:
    word = "" if row < len(survey.train) else "in validation"
    return f"<figure>{picture(thumbnails[row])}{caption(survey, row, key, word)}</figure>"


def pair(survey: Survey, row: int, key: str, thumbnails: Mapping[int, bytes]) -> str:
    """A photograph beside the one that is kept instead of it."""
    twin = survey.twin(row, key)
    assert twin is not None
    gone = "left out" if row < len(survey.train) else "again in validation"
    sides = ((twin, "kept" if twin < len(survey.train) else "in validation"), (row, gone))
    figures = [f"<figure>{picture(thumbnails[one])}{caption(survey, one, key, word)}</figure>" for one, word in sides]
    return f'<div class="pair">{"".join(figures)}</div>'


def picture(jpeg: bytes) -> str:
    if not jpeg:
        return '<span class="blank">nothing to see</span>'
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'


def caption(survey: Survey, row: int, key: str, word: str = "") -> str:
    """The name, and what else tells something about the finding; `word`: what becomes of it."""
    width, height = survey.sizes[row]
    told = survey.why.get(row) or f"{width}×{height}"
    if key in ("near-grey", "toned"):
        told = f"mean chroma {survey.chroma[row]:.1f}"
    tag = f'<b class="{"out" if word == "left out" else "stays"}">{word}</b>' if word else ""
    return f"<figcaption>{tag}{breakable(survey.photo(row).name)}<small>{escape(told)}</small></figcaption>"


def breakable(name: str) -> str:
    """Long names break behind slashes and underlines rather than anywhere."""
    return escape(name).replace("/", "/<wbr>").replace("_", "_<wbr>")


def footer(limits: Thresholds) -> str:
    return (
        f'<footer class="quiet">Tiny: shorter side below {limits.side} pixels. Almost grey: 95 % of the pixels have a '
        f"CIE Lab chroma below {limits.chroma:g}. Toned: 95 % of the pixels deviate by less than {limits.tint:g} from "
        "the mean colour of those with the same lightness, and half of them have a colour. Twins: 64-bit difference "
        f"hashes at most {DISTANCE} bits apart, and the correlation of their pixels above {CORRELATION:g}.</footer>"
    )


DRAWS = 4
FILM_QUALITY = 88


def variants(rgb: np.ndarray, name: str, seed: int) -> dict[str, np.ndarray]:
    """Word -> picture: the colour, its modern grey, each emulsion without wear, and draws of the whole look."""

    shown = {"in colour": rgb, "modern": lightness_grey(rgb)}
    for kind, sensitivity in EMULSIONS.items():
        shown[f"{kind} film"] = to_pixels(encode(expose(rgb, sensitivity)))
    return shown | {f"drawn {number + 1}": drawn(rgb, seed, name, number) for number in range(DRAWS)}


def drawn(rgb: np.ndarray, *words: int | str) -> np.ndarray:
    return Film()(rgb, np.random.default_rng(seed_of(*words)))


def film_page(squares: list[tuple[str, np.ndarray]], words: Namespace) -> str:
    figures = []
    for name, rgb in squares:
        tiles = "".join(film_figure(word, tile) for word, tile in variants(rgb, name, words.seed).items())
        figures.append(f'<section><h2>{escape(name)}</h2><div class="cards">{tiles}</div></section>')
    title = "What old film would have seen"
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body><main><header>"
        f'<p class="quiet">colorize look · {escape(words.source)} · seed {words.seed}</p><h1>{title}</h1>'
        '<p class="verdict">Each photograph in colour, in the grey that networks are usually trained on, as three '
        "kinds of film saw it, and four times as <code>data/look=film</code> may draw it.</p></header>"
        f"{''.join(figures)}</main></body></html>\n"
    )
    return text.encode("utf-8", errors="replace").decode("utf-8")  # names of files may be no text


def film_figure(word: str, tile: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(tile).save(file, "JPEG", quality=FILM_QUALITY)
    source = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="" loading="lazy" src="data:image/jpeg;base64,{source}">'
        f"<figcaption>{escape(word)}</figcaption></figure>"
    )
