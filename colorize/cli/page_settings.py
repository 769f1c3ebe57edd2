"""The settings on the page that `colorize app` serves, and what they mean as options of `colorize paint`."""

import math
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from colorize.cli.session_files import reason_of
from colorize.imaging.choices import AUTO, FORMATS, LARGEST_SIZE, SMALLEST_SIZE
from colorize.utils.errors import UserError

LARGEST_SAMPLES = 8
DEEP = "16"  # ends the name of a format with as many bits a sample
UNBOUNDED = 150  # CIE units of chroma, which no colour of sRGB has
TRAINED = "as trained"
SIZE = "Size"


class Settings:
    """Adds them where it is made; `components` are in the order of the arguments of `options`, of which the last, the
    reach of hints, is set elsewhere.

    defaults  options of `colorize paint` for what nobody is asked
    draws     whether one of the networks is stochastic
    """

    def __init__(self, defaults: Namespace, draws: bool):
        self.defaults = defaults
        gr.Markdown("Press *Colour* to apply what you change here.", elem_classes="small")
        reference = gr.File(label="Reference: a photograph in colour", height=150)
        said = "Of the colours: 0 is grey, 1 as predicted, 1.5 the most."
        strength = gr.Slider(0, 1.5, 1, step=0.05, label="Strength", info=said, buttons=["reset"])
        said = f"Stronger colours are reduced to this: 20 is pale, 60 vivid; {UNBOUNDED}: no limit."
        max_chroma = gr.Slider(0, UNBOUNDED, UNBOUNDED, step=5, label="Saturation limit", info=said, buttons=["reset"])
        said = (
            f"Pixels of the shorter side of what the network sees. {AUTO}: of three sizes, the one whose colours are "
            f"most like those at the other two; {TRAINED}: what colorize paint takes unless told otherwise."
        )
        sizes = [AUTO, TRAINED, "128", "192", "256", "320", "384", "512", "768", "1024"]
        size = gr.Dropdown(sizes, value=AUTO, label=SIZE, info=said, filterable=False)
        said = "Colourings of each photograph, to choose from, by networks whose colours are others each time."
        samples = gr.Slider(1, LARGEST_SAMPLES, 1, step=1, label="Samples", info=said, visible=draws, buttons=["reset"])
        seed = gr.Number(0, precision=0, label="Seed of the samples", visible=draws)
        said = "Adds a map of it: violet over the photograph where the true colours may be others. Slower."
        confidence = gr.Checkbox(False, label="Confidence", info=said)
        kinds: list[str | tuple[str, str]] = [*sorted({*FORMATS} - {"jpeg", "tiff"})]
        kinds += [(f"{kind}, 16 bits a sample", f"{kind}{DEEP}") for kind in ("png", "tif")]
        kind = gr.Dropdown(kinds, value="png", label="Format of the files", filterable=False)
        self.components = [size, strength, max_chroma, samples, seed, kind, reference, confidence]

    def options(
        self, size: Any, strength: float, max_chroma: float, samples: int, seed: int, kind: str, reference: str | None,
        confidence: bool, reach: float,
    ) -> Namespace:  # fmt: skip
        """Raises `gr.Error` for a size that cannot be."""
        given = {
            "size": read_size(size), "strength": strength, "samples": int(samples), "seed": int(seed or 0),
            "max_chroma": max_chroma if max_chroma < UNBOUNDED else None, "format": kind.removesuffix(DEEP),
            "depth": 16 if kind.endswith(DEEP) else 8,
            "reference": Path(reference) if reference else None, "confidence": confidence,
            "reach": reach,
        }  # fmt: skip
        return Namespace(**vars(self.defaults) | given)


def check_setting(component: Any, value: Any) -> None:
    """Raises `gr.Error` where a program gives what a visitor cannot choose; a size may be any that
    `read_size` takes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    choices = [choice for _, choice in getattr(component, "choices", ())]
    match component:
        case gr.Slider(minimum=least, maximum=most, step=step):
            fits = is_number and least <= value <= most and (step != 1 or value == int(value))
            wanted = f"a {'whole ' if step == 1 else ''}number from {least} to {most}"
        case gr.Number():
            fits, wanted = is_number and math.isfinite(value) and value == int(value), "a whole number"
        case gr.CheckboxGroup():
            fits = isinstance(value, list) and all(each in choices for each in value)
            wanted = f"a list of names among {', '.join(choices)}"
        case gr.Dropdown(label=label) if label == SIZE:
            read_size(value)
            return
        case gr.Dropdown():
            fits, wanted = value in choices, f"one of {', '.join(choices)}"
        case gr.Checkbox():
            fits, wanted = isinstance(value, bool), "True or False"
        case _:
            return
    if not fits:
        raise refusal(f"{component.label} is {value!r}; it must be {wanted}")


def read_size(given: Any) -> int | str | None:
    """None for the one that the network was trained at."""
    text = str(given).strip()
    if text in (AUTO, TRAINED):
        return AUTO if text == AUTO else None
    if not (text.isascii() and text.isdigit() and SMALLEST_SIZE <= int(text) <= LARGEST_SIZE):
        raise refusal(
            f"The size is {text!r}; it must be {AUTO!r}, {TRAINED!r} or between {SMALLEST_SIZE} and {LARGEST_SIZE}"
        )
    return int(text)


def refusal(sentence: str) -> gr.Error:
    """What the page shows, and a client of the API gets, for a request that cannot be."""
    said = escape(f"{sentence[0].upper()}{sentence[1:]}.", quote=False)
    return gr.Error(said, title="Nothing is painted", print_exception=False)


@contextmanager
def told_to_visitors() -> Iterator[None]:
    """`UserError`, and what a disk says, as `gr.Error`."""
    try:
        yield
    except UserError as error:
        raise refusal(reason_of(error, Path())) from error
    except OSError as error:
        raise refusal(f"It cannot be read or written: {error.strerror}") from error
