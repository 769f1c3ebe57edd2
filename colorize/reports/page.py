"""What pages share: style, and the slider over the same photographs of every run."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from math import ceil
from pathlib import Path

from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.reports.run_data import OLD, PAINTED, SEEN, TRUE, Files, Told
from colorize.utils.errors import UserError

STYLE = Path(__file__).with_name("page.css")

MORE_STYLE = Path(__file__).with_name("evaluation.css")

GREY, TRUTH = "grey", "truth"
SHOWN, OLD_SHOWN = 24, 12  # photographs of a page
OPEN = 6  #                  that are seen at once; the others unfold
IN_A_ROW = 8  #             small pictures of one photograph, at most
SIDE, QUALITY = 384, 85  #   of the longer side in pixels, and JPEG's
HEAVY = 40_000  #            bytes: a larger file is encoded again
NOT_KEPT = "evaluate.py keeps pictures for this page; of {}, there are none: evaluate again with overwrite=true."
UNSEEN = "Of {}, there are none: python evaluate.py run=… protocol=historical."
USE = "Move the line across a photograph; choose what lies on either side of it."


def photographs(told: Mapping[str, Told]) -> str:
    """Those that all runs were compared on."""
    kept = {label: each.pictures for label, each in told.items() if each.pictures}
    without = [label for label in told if label not in kept]
    note = f"<p>{escape(NOT_KEPT.format(', '.join(without)))}</p>" if without else ""
    body = gallery(kept, SHOWN) if kept else ""
    return f'<section id="photographs"><h2>The photographs</h2>{body}{note}</section>'


def historical(told: Mapping[str, Told]) -> str:
    """Old photographs, whose colours nobody knows: as they were evaluated, or else as training last painted them."""
    manifest = next((each.manifest for each in told.values() if each.old), "")
    kept = {label: each.old for label, each in told.items() if each.old and each.manifest == manifest}
    rest = {label: each for label, each in told.items() if label not in kept}
    sheets = {label: each.grids[OLD] for label, each in rest.items() if OLD in each.grids}
    if not kept and not sheets:
        return ""
    without = [label for label in rest if label not in sheets]
    note = f"<p>{escape(UNSEEN.format(', '.join(without)))}</p>" if without else ""
    body = gallery(kept, OLD_SHOWN) if kept else ""
    return (
        '<section id="historical"><h2>Old photographs</h2><p>Nobody knows their true colours.</p>'
        f"{body}{grids(sheets)}{note}</section>"
    )


def samples(told: Mapping[str, Told]) -> str:
    """What each run last painted of its own validation photographs."""
    sheets = {label: each.grids["samples"] for label, each in told.items() if "samples" in each.grids}
    return f"<section><h2>Photographs at the end of training</h2>{grids(sheets)}</section>" if sheets else ""


def gallery(kept: Mapping[str, Files], most: int) -> str:
    """A figure for each photograph that all have; the first `most` of them. `kept`: label -> its paintings."""
    first = next(iter(kept.values()))
    shared = [name for name in first if all(PAINTED in files.get(name, {}) for files in kept.values())]
    if not shared:
        return f"<p>{escape(', '.join(kept))} have no photograph in common.</p>"
    files = {label: {name: of[name][PAINTED] for name in shared} for label, of in kept.items()}
    columns = [*files.items()]
    if all(SEEN in first[name] for name in shared):
        columns.insert(0, (GREY, {name: first[name][SEEN] for name in shared}))
    if true := all(TRUE in first[name] for name in shared):
        columns.append((TRUTH, {name: first[name][TRUE] for name in shared}))
    words = [word for word, _ in columns]
    figures = [figure(name.partition("-")[2], words, [of[name] for _, of in columns]) for name in shared[:most]]
    more = f" These are the first {most} of {len(shared)}." if len(shared) > most else ""
    return (
        f'<div class="gallery"><p>{USE}{more}</p><div class="choose">{choice(words, true)}</div>'
        f'<div class="stages">{"".join(figures[:OPEN])}</div>{unfolded(figures[OPEN:])}</div>'
    )


def unfolded(figures: Sequence[str]) -> str:
    if not figures:
        return ""
    return f'<details><summary>{len(figures)} more</summary><div class="stages">{"".join(figures)}</div></details>'


def choice(words: Sequence[str], true: bool) -> str:
    """What is on either side: beside the truth, the first run; else the first two runs, or grey beside the only one."""
    last = len(words) - 1
    right = last if true else min(2, last)
    return "".join(
        f'<label>{side} <select data-side="{side}">'
        + "".join(
            f'<option value="{place}"{" selected" if place == chosen else ""}>{escape(word)}</option>'
            for place, word in enumerate(words)
        )
        + "</select></label>"
        for side, chosen in (("left", max(0, min(1, right - 1))), ("right", right))
    )


def figure(name: str, words: Sequence[str], files: Sequence[Path]) -> str:
    strip = "".join(
        f'<span><img alt="{escape(word)}" src="{embedded(path)}">'
        f'<small title="{escape(word)}"><bdi>{escape(word)}</bdi></small></span>'
        for word, path in zip(words, files, strict=True)
    )
    columns = ceil(len(words) / ceil(len(words) / IN_A_ROW))  # rows of nearly one length
    return (
        '<figure><div class="stage" hidden><img class="left" alt=""><img class="right" alt="">'
        f'<input type="range" min="0" max="100" value="50" aria-label="line across {escape(name)}"></div>'
        f'<div class="strip" style="--columns:{columns}">{strip}</div><figcaption>{escape(name)}</figcaption></figure>'
    )


def grids(sheets: Mapping[str, tuple[int, Path]]) -> str:
    """Training's own sheets, one below the other."""
    return "".join(
        f'<figure class="sheet"><div><img alt="{escape(label)}" src="{embedded(path, None)}"></div>'
        f"<figcaption>{escape(label)}<small>after step {step:,} of its training</small></figcaption></figure>"
        for label, (step, path) in sheets.items()
    )


def embedded(path: Path, longest: int | None = SIDE) -> str:
    """A picture's file as a JPEG in the page. Raises `UserError` for one that is not whole."""
    content = path.read_bytes()
    try:
        picture = decode_picture(content)
    except UserError as error:
        raise UserError(f"{str(path)!r} is not whole, or no picture: make it again with overwrite=true") from error
    image = picture.opaque()
    if picture.format != "JPEG" or len(content) > HEAVY or (longest and max(image.size) > longest):
        if longest:
            image.thumbnail((longest, longest), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY)
        content = file.getvalue()
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
