"""What exactly is measured: every choice that moves a number."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.imaging import film
from colorize.imaging.color import grey_to_lightness, luma
from colorize.metrics.extractors import EXTRACTORS
from colorize.utils.errors import UserError

READERS = ("photographs", "black_and_white", "period")
GEOMETRIES = ("centre", "stretch", "long")
FILTERS = ("bicubic", "bilinear", "linear", "area")
TRUTHS = ("pixels", "lab_roundtrip", "none")
ROUNDINGS = ("nearest", "truncate")
UPSAMPLINGS = ("guided", "bilinear")


class NetworkInput(NamedTuple):
    """What a network is shown of a photograph.

    label        in the label of its row, and above a picture of it
    description  in a sentence on the photographs
    lightness    (B, 1, H, W) CIE lightness of it, from the true lightness L (B, 1, H, W), the true colours rgb
                 (B, 3, H, W) uint8, and the lightness of a period exposure, where there is one
    """

    label: str
    description: str
    lightness: Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _orthochromatic(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) uint8 -> (B, 1, H, W) uint8, as a film that answers to blue and green alone would show it."""
    emulsion = film.EMULSIONS["orthochromatic"]
    exposed = [film.to_pixels(film.encode(film.expose(one.permute(1, 2, 0).numpy(), emulsion))) for one in rgb.cpu()]
    return torch.from_numpy(np.stack(exposed))[:, None].to(rgb.device)


INPUTS = {
    "lab_l": NetworkInput("lightness", "their CIE lightness", lambda L, rgb, exposure: L),
    "luma": NetworkInput("luma", "Pillow's grey", lambda L, rgb, exposure: grey_to_lightness(luma(rgb))),
    "ortho": NetworkInput(
        "orthochromatic film", "what a film blind to red would have recorded",
        lambda L, rgb, exposure: grey_to_lightness(_orthochromatic(rgb)),
    ),
    "blue_plate": NetworkInput(  # of colour photographs, their blue channel is what such a plate would hold
        "blue plate", "the exposure behind a blue filter",
        lambda L, rgb, exposure: grey_to_lightness(rgb[:, 2:]) if exposure is None else exposure,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How pictures are chosen, brought to size, shown to a network, and measured.

    name         of the protocol, with which its `id` begins
    source       the photographs: a word as `colorize inspect` takes it, `demo` for the 24 that the demo data holds
                 back, `run` for those that the run validated on; None: it must be said
    reader       `photographs`; `black_and_white`, which have no truth; `period`: scans of three exposures, which are
                 aligned, and photographs in the colours of their time
    names        a pattern of file names such as ILSVRC2012_val_{:08d}, from 1 to `photographs`, or a text file with a
                 name a line; None: all there are, in the order of their names
    photographs  how many the whole set has; with fewer the id says that it is a subset. None: as many as there are
    manifest     what `colorize.evaluation.selection.select_photographs` says of the set, to refuse any other; None: any
    geometry     `centre`: the largest centred square; `stretch`: the whole picture, without its proportions; both
                 become `size`². `long`: the longer side becomes `size`, never larger than it is
    filter       `bicubic` and `bilinear` are Pillow's, antialiased; `linear` is OpenCV's, which is not; `area` is
                 TensorFlow's
    input        what the network is shown: `lab_l`, the true lightness; `luma`, Pillow's grey; `ortho`, what a film
                 blind to red would record; `blue_plate`, the exposure behind a blue filter. The first makes the row
                 `model`, each further one a row `model_…`. Painted pictures keep the true lightness in all
    predict      at which size colour is predicted: `given`, that of the pictures; `trained`, the shorter side that the
                 network was trained at; or that number of pixels
    upsampling   how it is then brought to the pictures' size: `guided` by lightness, or `bilinear`
    truth        `pixels`; `lab_roundtrip`: after CIE Lab and back, as DDColor has it; `none`
    rounding     of painted pictures to 8 bits: `nearest`, or `truncate`, as CT2 has it
    reference    of distances between distributions: `paired`, the truth of the very pictures; `none`; or a word for
                 other colour photographs
    extractors   whose features these distances are taken in
    """

    name: str
    source: str | None
    size: int | None
    reader: str = "photographs"
    names: str | None = None
    photographs: int | None = None
    manifest: str | None = None
    geometry: str = "centre"
    filter: str = "bicubic"
    input: Sequence[str] = ("lab_l",)
    predict: str | int = "given"
    upsampling: str = "guided"
    truth: str = "pixels"
    rounding: str = "nearest"
    reference: str = "paired"
    extractors: Sequence[str] = ("efficientnet_lite0",)

    def __post_init__(self) -> None:
        for key, known in (
            ("reader", READERS), ("geometry", GEOMETRIES), ("filter", FILTERS), ("truth", TRUTHS),
            ("rounding", ROUNDINGS), ("upsampling", UPSAMPLINGS),
        ):  # fmt: skip
            _check_choice(key, getattr(self, key), known)
        for key, each_of in (("input", tuple(INPUTS)), ("extractors", tuple(EXTRACTORS))):
            values = getattr(self, key)
            object.__setattr__(self, key, (values,) if isinstance(values, str) else tuple(values))
            for value in getattr(self, key):
                _check_choice(key, value, each_of)
        if not self.input:
            raise UserError(f"protocol.input is empty; it must be one or more of {', '.join(INPUTS)}")
        if isinstance(self.predict, str):
            _check_choice("predict", self.predict, ("given", "trained"))
        for key in ("size", "photographs", "predict"):
            value = getattr(self, key)
            if isinstance(value, int) and value < 1:
                raise UserError(f"protocol.{key} is {value}; it must be 1 or more")
        if (self.truth == "none") != (self.reader == "black_and_white"):
            raise UserError("protocol.truth=none goes with protocol.reader=black_and_white, and with no other")
        if self.truth == "none" and (self.reference == "paired" or set(self.input) != {"lab_l"}):
            raise UserError(
                "black-and-white photographs have one input, lab_l, and no truth to pair: say protocol.input=lab_l and "
                "protocol.reference=none, or other colour photographs"
            )

    @property
    def rows(self) -> dict[str, str]:
        """row of the table -> the input that makes it"""
        return {"model" if not place else f"model_{mode}": mode for place, mode in enumerate(self.input)}

    def described(self, count: int, whole: int, manifest: str) -> dict[str, Any]:
        """Every field with what was found, and the `id`: alike where, and only where, all that matters is."""
        fields = asdict(self) | {
            "input": list(self.input), "extractors": list(self.extractors), "photographs": count, "of": whole,
            "manifest": manifest,
        }  # fmt: skip
        del fields["source"]  # where the photographs lie is nobody's business; the manifest says which they are
        fields["names"] = None if self.names is None else self.names.rsplit("/", 1)[-1]
        digest = sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:8]
        part = f"{count}" if count == whole else f"{count}-of-{whole}"
        return {"id": f"{self.name}-{part}-{digest}", **fields}


def _check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"protocol.{key} is {value!r}; it must be one of {', '.join(known)}")
