"""The verb `look`: what the period look makes of photographs, as a page and a contact sheet."""

from __future__ import annotations

import base64
import io
from argparse import Namespace
from collections.abc import Iterator
from html import escape

import numpy as np
from PIL import Image

from colorize.arguments import Arguments
from colorize.checkpoint import write_text, write_whole
from colorize.data.collection import Photo
from colorize.data.decode import UNREADABLE, open_rgb
from colorize.data.film import EMULSIONS, encode, expose, to_pixels
from colorize.data.historical import grey_of
from colorize.data.loading import first_line
from colorize.data.look import Film, modern
from colorize.data.recognise import WORDS, recognise
from colorize.data.transforms import centre_square
from colorize.doctor.page import STYLE, counted
from colorize.errors import UserError
from colorize.home import at_home
from colorize.seeds import seed_of
from colorize.terminal import say

DRAWS = 4
QUALITY = 88
COLUMNS = 8  # of the contact sheet
GAP = 4


def look(argv: list[str]) -> int:
    """The exit status."""
    words = read_words(argv)
    output = at_home(words.output)
    if output.exists() and not words.overwrite:
        raise UserError(f"{str(output)!r} is there already: name another folder, or write over it with --overwrite")
    squares = list(evenly(words.source, words.photographs, words.size))
    beside = list(evenly(words.beside, words.photographs, words.size)) if words.beside else []
    output.mkdir(parents=True, exist_ok=True)
    text = page(squares, words)
    write_text(output / "index.html", text)
    sheet, key = contact_sheet(squares, beside, words.seed)
    write_whole(output / "contact-sheet.jpg", lambda part: sheet.save(part, "JPEG", quality=QUALITY))
    if beside:
        write_text(output / "which-is-real.txt", key)
    say(f"{counted(len(squares))} in {str(output / 'index.html')!r}, and in contact-sheet.jpg beside it")
    return 0


def read_words(argv: list[str]) -> Namespace:
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
    photos = recognise(word).train
    for place in np.linspace(0, len(photos) - 1, min(count, len(photos))).round().astype(int).tolist():
        photo: Photo = photos[place]
        try:
            yield photo.name, np.asarray(centre_square(open_rgb(photo.read()), size))
        except UNREADABLE as error:
            raise UserError(f"cannot read {photo.where!r}: {first_line(error)}; `inspect` finds all") from error


def variants(rgb: np.ndarray, name: str, seed: int) -> dict[str, np.ndarray]:
    """Word -> picture: the colour, its modern grey, each emulsion without wear, and draws of the whole look."""

    shown = {"in colour": rgb, "modern": modern(rgb)}
    for kind, sensitivity in EMULSIONS.items():
        shown[f"{kind} film"] = to_pixels(encode(expose(rgb, sensitivity)))
    return shown | {f"drawn {number + 1}": drawn(rgb, seed, name, number) for number in range(DRAWS)}


def drawn(rgb: np.ndarray, *words: int | str) -> np.ndarray:
    return Film()(rgb, np.random.default_rng(seed_of(*words)))


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


def page(squares: list[tuple[str, np.ndarray]], words: Namespace) -> str:
    figures = []
    for name, rgb in squares:
        tiles = "".join(figure(word, tile) for word, tile in variants(rgb, name, words.seed).items())
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


def figure(word: str, tile: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(tile).save(file, "JPEG", quality=QUALITY)
    source = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="" loading="lazy" src="data:image/jpeg;base64,{source}">'
        f"<figcaption>{escape(word)}</figcaption></figure>"
    )
