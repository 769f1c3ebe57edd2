"""The photographs that a protocol selects, in their order, and their manifest."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from colorize.data.collection import Collection, Photo, lines_digest, normalized
from colorize.data.datamodule import DataModule
from colorize.data.listing import list_folder
from colorize.data.resolve import open_source
from colorize.data.sources import SHIPPED, by_hash, demo_photographs
from colorize.evaluation.protocol import Protocol
from colorize.imaging.decode import UNREADABLE
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

THREADS = 4  # that read photographs for the manifest


@dataclass(frozen=True)
class Selection:
    """The photographs of a protocol, in their order.

    whole     how many the protocol's set has when it is complete
    manifest  digest of base names and of all bytes: the same in any folders or tar files
    notes     what is left out, in sentences
    """

    title: str
    photos: Collection
    classes: Sequence[str]
    whole: int
    manifest: str
    notes: Sequence[str] = ()

    def label(self, photo: Photo) -> str:
        return self.classes[photo.label] if self.classes and photo.label >= 0 else ""


def select_photographs(
    protocol: Protocol, own: Callable[[], DataModule] | None = None, most: int | None = None
) -> Selection:
    """The photographs of a protocol; `own` opens the data that the run was trained with, of whose validation
    photographs training looked at `most`.

    Raises `UserError` where there are none, or where they are not those of the protocol.
    """
    title, photos, classes = _find_photographs(protocol, own)
    if not len(photos):
        raise UserError(f"there are no photographs in {title}")
    names = [normalized(name).rsplit("/", 1)[-1] for name in photos.names()]
    twice = max(Counter(names).values()) > 1
    if protocol.names is None:
        keys = [normalized(name) for name in photos.names()] if twice else names
        order = sorted(range(len(keys)), key=lambda i: (names[i], keys[i]))
        whole = max(len(order), protocol.photographs or 0)
        if protocol.source == "run" and most is not None and most < whole:
            chosen = set(by_hash(photos)[:most].tolist())
            order = [i for i in order if i in chosen]
        order = order[: protocol.photographs]
    else:
        wanted = _wanted_names(protocol)
        whole, order = protocol.photographs or len(wanted), order_of_names(wanted, names, title, protocol.names)
    picked = photos.select(np.array(order, dtype=np.int32))
    if twice and protocol.names is not None:
        name = Counter(names).most_common(1)[0][0]
        raise UserError(f"several photographs of {title} are called {name!r}: the protocol needs names that differ")
    with ThreadPoolExecutor(THREADS) as pool:
        manifest = lines_digest(pool.map(partial(_manifest_line, whole_name=twice), picked))
    if protocol.manifest not in (None, manifest):
        raise UserError(
            f"{title} is not the set of the protocol: its manifest is {manifest}, and must be {protocol.manifest}"
        )
    return Selection(title, picked, classes, whole, manifest, photos.table.remarks())


def _find_photographs(
    protocol: Protocol, own: Callable[[], DataModule] | None
) -> tuple[str, Collection, Sequence[str]]:
    """Title, photographs and classes of the protocol's source."""
    word = protocol.source
    if protocol.reader != "photographs":
        if word is None and protocol.reader == "period":
            raise UserError("this protocol needs period photographs: use source=FOLDER")
        table = list_folder(SHIPPED if word is None else word)
        return ("the photographs that come with the package" if word is None else word), Collection(table), []
    if word is None:
        raise UserError(f"the protocol {protocol.name!r} is for any photographs: use source=FOLDER, or demo")
    if word == "demo":
        return "the demo photographs held back", demo_photographs()[1], []
    if word == "run":
        if own is None:
            raise UserError(
                "weights without a run folder have no validation photographs: name a protocol with protocol=…"
            )
        data = own()
        return "the run's validation photographs", data.val, data.classes
    source = open_source(word)
    return source.title, source.train if source.val is None else source.val, source.classes


def _wanted_names(protocol: Protocol) -> list[str]:
    """Base names without their suffix, in order."""
    assert protocol.names is not None
    if "{" in protocol.names:
        if protocol.photographs is None:
            raise UserError("protocol.names is a pattern: set protocol.photographs to the number of files")
        return [protocol.names.format(number) for number in range(1, protocol.photographs + 1)]
    path = at_home(protocol.names)
    if not path.is_file():
        raise UserError(f"there is no list of names {protocol.names!r}: it is a text file with a name a line")
    text = normalized(path.read_text("utf-8", "surrogateescape"))
    names = dict.fromkeys(Path(name.strip()).stem for name in text.splitlines() if name.strip())
    return [*names][: protocol.photographs]


def order_of_names(wanted: Sequence[str], names: Sequence[str], title: str, pattern: str) -> list[int]:
    """Places in `names` of the wanted names, in their order; those that are missing are left out."""
    place = {name.rsplit(".", 1)[0]: i for i, name in enumerate(names)}
    order = [place[name] for name in wanted if name in place]
    if not order:
        raise UserError(f"no photograph of {title} has a name of the protocol: looked for {pattern}, {wanted[0]} first")
    return order


def _manifest_line(photo: Photo, whole_name: bool) -> bytes:
    """A photograph's line in the manifest: its name, and the SHA-256 of its bytes; none where it cannot be read, which
    measuring it finds."""
    name, content = normalized(photo.name if whole_name else photo.name.rsplit("/", 1)[-1]), ""
    with suppress(*UNREADABLE):
        content = sha256(photo.read()).hexdigest()
    return f"{name} {content}\n".encode(errors="surrogateescape")
