"""The page of an evaluation: one file, nothing from any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.metric_info import measure
from colorize.evaluation.result import LABELS, Result
from colorize.evaluation.samples import Album
from colorize.metrics.full_reference import ErrorsByColour
from colorize.reports.charts import colour_charts
from colorize.reports.page import MORE_STYLE, STYLE
from colorize.reports.tables import (
    PICTURES_TOLD,
    alike,
    beaten_by_grey,
    measured_in_words,
    metrics_of,
    sentences,
    texts,
)
from colorize.utils.files import write_whole

CLASSES_SHOWN = 8  # at either end
FEWEST = 3  # pictures of a class that is listed


def write_page(target: Path, result: Result, album: Album, errors: ErrorsByColour | None, own: ImageValues) -> Path:
    """Beside the result `target`, as .html."""
    style = STYLE.read_text(encoding="utf-8") + MORE_STYLE.read_text(encoding="utf-8")
    title = f"{result.name} under {result.protocol['name']}"
    parts = [
        header(result), verdicts(target, result), table(result), *sheets(album), classes(own),
        colour_charts(errors) if errors else "", provenance(result),
    ]  # fmt: skip
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )
    page = target.with_suffix(".html")
    encoded = text.encode("utf-8", errors="replace")  # names of files may be no text
    write_whole(page, lambda part: part.write_bytes(encoded))
    return page


def header(result: Result) -> str:
    today = datetime.now()
    return (
        f'<header><p class="quiet">colorize evaluate · {today.day} {today:%B %Y} · {escape(result.protocol["id"])}</p>'
        f'<h1>{escape(result.name)}</h1><p class="verdict">{escape(measured_in_words(result))}</p></header>'
    )


def verdicts(target: Path, result: Result) -> str:
    told = [*sentences(target, result), *([beaten_by_grey([result.name], 1)] if grey_wins(result) else [])]
    if not told:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return f'<section><h2>What it comes to</h2><ul class="told">{items}</ul></section>'


def grey_wins(result: Result) -> bool:
    own, grey = (result.rows.get(row, {}).get("psnr") for row in ("model", "grey"))
    return own is not None and grey is not None and grey.value >= own.value


def table(result: Result) -> str:
    """A line for each metric, a column for each row of the result: there are many metrics and few rows."""
    columns = [(LABELS.get(row, row), row.startswith("model")) for row in result.rows]
    head = "".join(f'<th class="number{" own" if own else ""}">{escape(word)}</th>' for word, own in columns)
    rows = []
    for metric in metrics_of(result):
        shown = []
        for (_, own), cells in zip(columns, result.rows.values(), strict=True):
            value, ends = texts(cells.get(metric), measure(metric).digits)
            kind = "number own" if own else "number"
            around = f"<small>{escape(ends)}</small>" if own else ""
            shown.append(f'<td class="{kind}" title="{escape(ends)}">{escape(value)}{around}</td>')
        rows.append(f'<tr><td class="row">{escape(measure(metric).heading)}</td>{"".join(shown)}</tr>')
    absent = "".join(f"<li><b>{escape(names)}</b>: {escape(reason)}</li>" for names, reason in alike(result.absent))
    gone = f'<h3>Not there, and why</h3><ul class="told">{absent}</ul>' if absent else ""
    return (
        "<section><h2>All numbers</h2><p>Small print is the 95 % interval: where the value would lie for other "
        "pictures of the same kind; of the other rows it appears under the pointer. These are what to read the network "
        "next to.</p>"
        f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f"{gone}</section>"
    )


def sheets(album: Album) -> list[str]:
    if album.full:
        figures = "".join(full_figure(name, images, link) for name, images, link in album.full)
        return [
            f"<section><h2>The photographs</h2><p>{escape(album.words)} {PICTURES_TOLD['full']}</p>"
            f'<div class="full{" one" if len(album.full[0][1]) > 3 else ""}">{figures}</div></section>'
        ]
    found = []
    for metric, groups in album.ranked.items():
        body = "".join(
            f'<h3>{escape(word)}</h3><div class="triples">{"".join(triple(each) for each in group)}</div>'
            for word, group in groups.items()
        )
        found.append(
            f"<section><h2>By {escape(measure(metric).title)}</h2><p>{escape(album.words)}</p>{body}</section>"
        )
    return found


def triple(shown: tuple[str, str, Sequence[str]]) -> str:
    name, told, images = shown
    return (
        f'<figure><div class="triple">{"".join(img(each) for each in images)}</div>'
        f"<figcaption>{escape(name)}<small>{escape(told)}</small></figcaption></figure>"
    )


def full_figure(name: str, images: Mapping[str, str], link: Mapping[str, str]) -> str:
    shown = "".join(
        f'<a href="{escape(link[word])}" title="{escape(word)}">{img(jpeg)}</a>' for word, jpeg in images.items()
    )
    return (
        f'<figure><div class="triple">{shown}</div>'
        f"<figcaption>{escape(name)}<small>{escape(' · '.join(images))}</small></figcaption></figure>"
    )


def img(jpeg: str) -> str:
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{jpeg}">'


def classes(own: ImageValues) -> str:
    """The classes that come out best and worst, by the metric that sees most."""
    metric = next((m for m in ("lpips_alex", "features", "ciede2000", "psnr") if m in own.values), None)
    groups: dict[str, list[int]] = {}
    for place, label in enumerate(own.labels):
        if label:
            groups.setdefault(label, []).append(place)
    groups = {label: places for label, places in groups.items() if len(places) >= FEWEST}
    if metric is None or len(groups) < 2:
        return ""
    known = measure(metric)
    found = {label: mean_interval(own.values[metric][places]) for label, places in groups.items()}
    order = sorted(found, key=lambda label: found[label].value, reverse=known.better == "higher")
    shown = order if len(order) <= 2 * CLASSES_SHOWN else [*order[:CLASSES_SHOWN], *order[-CLASSES_SHOWN:]]
    also = [m for m in ("psnr", "chroma_error", "colorfulness") if m in own.values and m != metric]
    rows = ""
    for label in shown:
        value, ends = texts(found[label], known.digits)
        others = "".join(
            f'<td class="number">{texts(mean_interval(own.values[m][groups[label]]), measure(m).digits)[0]}</td>'
            for m in also
        )
        rows += (
            f'<tr><td>{escape(label)}</td><td class="number">{len(groups[label])}</td>'
            f'<td class="number">{value}<small>{ends}</small></td>{others}</tr>'
        )
    heads = "".join(f'<th class="number">{escape(measure(m).heading)}</th>' for m in (metric, *also))
    return (
        f"<section><h2>By class</h2><p>{len(groups)} classes of {FEWEST} pictures or more, best first"
        f'{"; the middle is left out" if len(shown) < len(order) else ""}.</p><div class="wide"><table><thead><tr>'
        f'<th>class</th><th class="number">pictures</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</section>"
    )


def provenance(result: Result) -> str:
    def listed(of: Mapping[str, object]) -> str:
        return "".join(f"<dt>{escape(str(key))}</dt><dd>{escape(str(value))}</dd>" for key, value in of.items())

    groups = {
        "Protocol": result.protocol, "Cost": result.cost, "Weights": result.weights, "Versions": result.versions,
    }  # fmt: skip
    body = "".join(f"<details><summary>{word}</summary><dl>{listed(of)}</dl></details>" for word, of in groups.items())
    return f"<section><h2>Where it comes from</h2>{body}</section>"
