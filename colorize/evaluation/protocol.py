"""Evaluation protocols: every choice that changes a number."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.imaging import film
from colorize.imaging.choices import GAMUTS
from colorize.imaging.color import grey_to_lightness, luma
from colorize.metrics.extractors import EXTRACTORS
from colorize.utils.errors import UserError
from colorize.utils.files import short_digest
from colorize.utils.validation import FileName

READERS = ("photographs", "black_and_white", "period")
GEOMETRIES = ("centre", "stretch", "long")
FILTERS = ("bicubic", "bilinear", "linear", "area")
TRUTHS = ("pixels", "lab_roundtrip", "none")
ROUNDINGS = ("nearest", "truncate")
UPSAMPLINGS = ("guided", "bilinear")


class NetworkInput(NamedTuple):
    """What a network is shown of a photograph. A package of one's own adds an entry to `INPUTS`.

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
    """How photographs are selected, resized, shown to a network, and measured.

    name         of the protocol, with which its `id` begins
    source       the photographs: what `colorize inspect` takes, `demo` for the 24 validation photographs of the demo
                 data, `run` for those that the run validated on; None: the user has to name them
    reader       `photographs`; `black_and_white`, which have no ground truth; `period`: scans of three exposures, which
                 are aligned, and photographs that were taken in colour at their time
    names        a pattern of file names such as ILSVRC2012_val_{:08d}, from 1 to `photographs`, or a text file with a
                 name a line; None: all there are, in the order of their names
    photographs  how many the whole set has; with fewer the id says that it is a subset. None: as many as there are
    manifest     digest of the set (`Selection.manifest`); any other set is refused. None: any set
    geometry     `centre`: the largest centred square; `stretch`: the whole picture, not keeping its proportions; both
                 are resized to `size`². `long`: the longer side is resized to `size`, and never enlarged
    filter       `bicubic` and `bilinear` are Pillow's, antialiased; `linear` is OpenCV's, which is not; `area` is
                 TensorFlow's
    input        what the network is shown, of `INPUTS`: `lab_l`, the true lightness; `luma`, Pillow's grey; `ortho`,
                 what a film blind to red would record; `blue_plate`, the exposure behind a blue filter. The first one
                 makes the row `model`, each further one a row `model_…`. Predictions always get the true lightness
    predict      at which size ab is predicted: `given`, that of the pictures; `trained`, the shorter side that the
                 network was trained at; or a number of pixels
    upsampling   how ab is then resized to the pictures' size: `guided` by lightness, or `bilinear`
    truth        the ground truth: `pixels`; `lab_roundtrip`: pixels after CIE Lab and back, as in DDColor; `none`
    gamut        what becomes of predicted colours that sRGB does not have: `chroma` reduces their chroma and keeps
                 lightness and hue; `clip` clips the channels, which changes both, as published programs do
    rounding     of predictions to 8 bits: `nearest`, or `truncate`, as in CT2
    reference    of distances between distributions: `paired`, the ground truth of the same pictures; `none`; or a
                 source of other colour photographs
    extractors   networks in whose features these distances are measured
    """

    name: FileName
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
    gamut: str = "chroma"
    rounding: str = "nearest"
    reference: str = "paired"
    extractors: Sequence[str] = ("efficientnet_lite0",)

    def __post_init__(self) -> None:
        for key, known in (
            ("reader", READERS), ("geometry", GEOMETRIES), ("filter", FILTERS), ("truth", TRUTHS),
            ("gamut", tuple(GAMUTS)), ("rounding", ROUNDINGS), ("upsampling", UPSAMPLINGS),
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
                "black-and-white photographs have one input, lab_l, and no ground truth: use protocol.input=lab_l and "
                "protocol.reference=none, or name other colour photographs as the reference"
            )

    @property
    def rows(self) -> dict[str, str]:
        """Row of the table -> its input"""
        return {"model" if not place else f"model_{mode}": mode for place, mode in enumerate(self.input)}

    @property
    def row_labels(self) -> dict[str, str]:
        """Row of the table -> its label"""
        inputs = [(row, INPUTS[mode].label) for row, mode in self.rows.items()]
        return {row: "network" if row == "model" else f"network, shown {label}" for row, label in inputs}

    def reference_protocol(self) -> "Protocol | None":
        """How the reference's own photographs are selected and resized; None where it has none of its own."""
        if self.reference in ("paired", "none"):
            return None
        return replace(
            self, source=self.reference, reader="photographs", names=None, photographs=None, manifest=None,
            truth="pixels", input=("lab_l",), reference="none",
            geometry="centre" if self.geometry == "long" else self.geometry,
        )  # fmt: skip

    def record(self, count: int, whole: int, manifest: str, reference: str = "") -> dict[str, Any]:
        """Every field, what was found of the photographs, and the `id`, which is the same where all of these are.

        count      photographs that are measured
        whole      photographs of the complete set
        manifest   of those that are measured
        reference  manifest of the reference's own photographs, wherever they lie
        """
        fields = asdict(self) | {
            "input": list(self.input), "extractors": list(self.extractors), "photographs": count, "of": whole,
            "manifest": manifest, "reference": reference or self.reference,
        }  # fmt: skip
        del fields["source"]  # the manifest says which photographs they are, wherever they lie
        fields["names"] = None if self.names is None else self.names.rsplit("/", 1)[-1]
        digest = short_digest(json.dumps(fields, sort_keys=True), 8)
        part = f"{count}" if count == whole else f"{count}-of-{whole}"
        return {"id": f"{self.name}-{part}-{digest}", **fields}


def describe_trained_size(name: str, protocol: Mapping[str, Any], trained_at: int | None) -> str | None:
    """A sentence where a network is shown pictures of another size than it was trained at; None where it is not, or
    where this is unknown.

    protocol  as `Protocol.record` has it
    """
    shown = protocol["size"] if (predict := protocol.get("predict", "given")) == "given" else predict
    if trained_at is None or shown in (trained_at, "trained"):
        return None
    return (
        f"{name} was trained at {trained_at}², and this protocol shows it {shown}²: with protocol.predict=trained it "
        f"is shown {trained_at}², as colorize paint does"
    )


def _check_choice(key: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"protocol.{key} is {value!r}; it must be one of {', '.join(known)}")
