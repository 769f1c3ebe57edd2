"""The same photographs in every run's colours: two of them under a slider, all of them beside it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from colorize.report.gather import PAINTED, SEEN, TRUE, Told

GREY, TRUTH = "grey input", "truth"
NOT_KEPT = "evaluate.py keeps pictures for this page; of {}, there are none: evaluate again with overwrite=true."


def photographs(told: Mapping[str, Told]) -> str:
    without = [label for label, each in told.items() if not each.pictures]
    shared = [
        name for name in next(iter(told.values())).pictures if all(name in each.pictures for each in told.values())
    ]
    if not shared:
        return f"<section><h2>The photographs</h2><p>{escape(NOT_KEPT.format(', '.join(without)))}</p></section>"
    figures, columns = "", [GREY, *told, TRUTH]
    for name in shared:
        first = next(iter(told.values())).pictures[name]
        images = {GREY: first.get(SEEN), **{label: each.pictures[name].get(PAINTED) for label, each in told.items()}}
        images[TRUTH] = first.get(TRUE)
        columns = [word for word in columns if images[word]]
        figures += figure(name, {word: images[word] or "" for word in columns})
    last = len(columns) - 1
    choose = "".join(
        f'<label>{side} <select data-side="{side}">'
        + "".join(
            f'<option value="{place}"{" selected" if place == chosen else ""}>{escape(word)}</option>'
            for place, word in enumerate(columns)
        )
        + "</select></label>"
        for side, chosen in (("left", min(1, last)), ("right", last))
    )
    return (
        "<section id=photographs><h2>The photographs</h2><p>Move the line across a photograph; choose what lies on "
        f'either side of it.</p><div class="choose">{choose}</div><div class="stages">{figures}</div></section>'
    )


def figure(name: str, images: Mapping[str, str]) -> str:
    strip = "".join(
        f'<span><img alt="{escape(word)}" src="data:image/jpeg;base64,{jpeg}"><small>{escape(word)}</small></span>'
        for word, jpeg in images.items()
    )
    return (
        '<figure><div class="stage" hidden><img class="left" alt=""><img class="right" alt="">'
        f'<input type="range" min="0" max="100" value="50" aria-label="line across {escape(name)}"></div>'
        f'<div class="strip">{strip}</div><figcaption>{escape(name.partition("-")[2])}</figcaption></figure>'
    )
