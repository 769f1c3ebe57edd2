"""What exactly is measured: every choice that moves a number, and the photographs it selects."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from colorize.data.collection import WHOLE, Collection, Photo, digest, normalized
from colorize.data.datamodule import Photographs
from colorize.data.listing import list_folder
from colorize.data.resolve import recognise
from colorize.data.sources import SHIPPED, Demo
from colorize.metrics.extractors import EXTRACTORS
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

READERS = ("photographs", "black_and_white", "period")
GEOMETRIES = ("centre", "stretch", "long")
FILTERS = ("bicubic", "bilinear", "linear", "area")
INPUTS = ("lab_l", "luma", "ortho", "blue_plate")
TRUTHS = ("pixels", "lab_roundtrip", "none")
ROUNDINGS = ("nearest", "truncate")
UPSAMPLINGS = ("guided", "bilinear")
REFERENCES = ("paired", "none")


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
    manifest     what `colorize.evaluation.protocol.select_photographs` says of the set, to refuse any other; None: any
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
        for key, each_of in (("input", INPUTS), ("extractors", tuple(EXTRACTORS))):
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


@dataclass(frozen=True)
class Selection:
    """The photographs in their order.

    whole     how many the protocol's set has when it is complete
    manifest  of base names and bytes: the same in whichever folders or tar files the photographs lie
    """

    title: str
    photos: Collection
    classes: Sequence[str]
    whole: int
    manifest: str
    notes: Sequence[str] = ()  # what is not among them, in sentences

    def label(self, photo: Photo) -> str:
        return self.classes[photo.label] if self.classes and photo.label >= 0 else ""


def select_photographs(protocol: Protocol, own: Callable[[], Photographs] | None = None) -> Selection:
    """The photographs of a protocol; `own` makes those that the run was trained with.

    Raises `UserError` where there are none, or others than the protocol says.
    """
    title, photos, classes = _find_photographs(protocol, own)
    if not len(photos):
        raise UserError(f"there are no photographs in {title}")
    names = [normalized(name).rsplit("/", 1)[-1] for name in photos.names()]
    twice = max(Counter(names).values()) > 1
    if protocol.names is None:
        keys = [normalized(name) for name in photos.names()] if twice else names
        order = sorted(range(len(keys)), key=lambda i: (names[i], keys[i]))
        whole = len(order)
        order = order[: protocol.photographs]
    else:
        wanted = _wanted_names(protocol)
        whole, order = len(wanted), order_of_names(wanted, names, title, protocol.names)
    picked = photos.select(np.array(order, dtype=np.int32))
    if twice and protocol.names is not None:
        raise UserError(
            f"several photographs of {title} are called {_most_common(names)!r}: names do not say which is meant"
        )
    manifest = digest(_manifest_line(photo, twice) for photo in picked)
    if protocol.manifest not in (None, manifest):
        raise UserError(f"{title} is not the set of the protocol: its manifest is {manifest}, not {protocol.manifest}")
    return Selection(title, picked, classes, whole, manifest, photos.table.said())


def _find_photographs(
    protocol: Protocol, own: Callable[[], Photographs] | None
) -> tuple[str, Collection, Sequence[str]]:
    """What the source holds, with its classes."""
    word = protocol.source
    if protocol.reader != "photographs":
        if word is None and protocol.reader == "period":
            raise UserError("this protocol needs period photographs: say protocol.source=FOLDER")
        table = list_folder(SHIPPED if word is None else word)
        return ("the photographs that come with the package" if word is None else word), Collection(table), []
    if word is None:
        raise UserError(f"the protocol {protocol.name!r} is for any photographs: say protocol.source=FOLDER, or demo")
    if word == "demo":
        return "the demo photographs held back", Demo().val, []
    if word == "run":
        if own is None:
            raise UserError("weights from elsewhere have no validation photographs of their own: name a protocol")
        data = own()
        return "the run's validation photographs", data.val, data.classes
    source = recognise(word)
    return source.title, source.train if source.val is None else source.val, source.classes


def _wanted_names(protocol: Protocol) -> list[str]:
    """Base names without their ending, in order."""
    assert protocol.names is not None
    if "{" in protocol.names:
        if protocol.photographs is None:
            raise UserError("protocol.names is a pattern: say with protocol.photographs how many there are")
        return [protocol.names.format(number) for number in range(1, protocol.photographs + 1)]
    path = at_home(protocol.names)
    if not path.is_file():
        raise UserError(f"there is no list of names {protocol.names!r}: it is a text file with a name a line")
    text = normalized(path.read_text("utf-8", "surrogateescape"))
    lines = [Path(name.strip()).stem for name in text.splitlines() if name.strip()]
    return lines[: protocol.photographs]


def order_of_names(wanted: Sequence[str], names: Sequence[str], title: str, pattern: str) -> list[int]:
    place = {name.rsplit(".", 1)[0]: i for i, name in enumerate(names)}
    order = [place[name] for name in wanted if name in place]
    if not order:
        raise UserError(
            f"none of the photographs of {title} is called as the protocol's: looked for {pattern}, {wanted[0]} first"
        )
    return order


def _most_common(names: Sequence[str]) -> str:
    return Counter(names).most_common(1)[0][0]


def _manifest_line(photo: Photo, whole_name: bool) -> bytes:
    """A photograph's line in the manifest: its name, and how many bytes it has."""
    name = normalized(photo.name if whole_name else photo.name.rsplit("/", 1)[-1])
    size = photo.size
    if size == WHOLE and photo.path.is_file():
        size = photo.path.stat().st_size
    return f"{name} {size}\n".encode(errors="surrogateescape")
