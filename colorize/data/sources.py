"""Sources of photographs: those that come with the package, your own folders, and old ones to evaluate on.

Old ones are never trained on: black-and-white ones, and two kinds in period colour. Each is read when its turn comes: a
folder may be larger than the memory. H W picture.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

from colorize.data.collection import Collection, Photo, normalized
from colorize.data.datamodule import DataModule
from colorize.data.listing import list_folder
from colorize.imaging.color import grey_of, is_colourful
from colorize.imaging.decode import open_rgb
from colorize.imaging.plates import compose, is_composed, open_scan
from colorize.utils.errors import UserError
from colorize.utils.validation import Between, Name, Side, check_arguments

DEMO = Path(__file__).parent / "photos"
DEMO_VALIDATION = 24
PEOPLE = ("colorbox_", "gcompris_music_", "plasma_", "uswds_")  # how the names of those begin that joined later


class Demo(DataModule):
    """The openly licensed photographs that come with the package (`photos/CREDITS.tsv`); 24 of them validate.

    The 24 are those whose names have the smallest SHA-256, so nobody chose them and they are the same everywhere.

    people  with the photographs of people that joined later, as `conf/data/demo.yaml` has it. The default is without
            them, since run folders of before do not have the key: these go on with their own photographs.
    """

    def __init__(self, *, people: bool = False, **pixels):
        description = f"the {DEMO_VALIDATION} whose names have the smallest hashes"
        super().__init__(*demo_photographs(people=people), val_description=description, **pixels)


def demo_photographs(*, people: bool = True) -> tuple[Collection, Collection]:
    """The photographs of `Demo`: those that train, and those that validate."""
    table = list_folder(DEMO)
    table.notes = []  # of the list of credits beside them
    every = Collection(table)
    if not people:
        every = every.without({name for name in every.names() if name.startswith(PEOPLE)})
    ranked = by_hash(every)
    return every.select(ranked[DEMO_VALIDATION:]), every.select(ranked[:DEMO_VALIDATION])


class Folder(DataModule):
    """A folder of photographs, searched through and through.

    Folders directly below `root` are classes when there are at least two (`labels: false` switches that off); a
    photograph that lies in `root` itself has none.
    Validation is either a folder of its own, `val_root`, or the fraction `val_fraction` of `root` whose relative
    names have the smallest hashes.

    Raises `UserError` when a folder is missing or holds no photographs, or when a split would be empty.
    """

    def __init__(
        self, root: Name, *, val_root: Name | None = None, val_fraction: Between = 0.1, labels: bool = True, **pixels
    ):
        table = list_folder(root)
        classes = table.classes if labels and len(table.classes) > 1 else []
        train = Collection(table.relabelled(classes))
        if val_root is not None:
            val, val_description = Collection(list_folder(val_root).relabelled(classes)), f"all of {val_root!r}"
        else:
            train, val, val_description = split_by_hash(train, val_fraction, root)
        super().__init__(train, val, classes=classes, val_description=val_description, **pixels)


def split_by_hash(photos: Collection, fraction: float, root: str) -> tuple[Collection, Collection, str]:
    """(training, validation, what the latter are): the same photographs on every machine, whatever the folder around
    them is called."""
    if not 0 < fraction < 1:
        raise UserError(f"data.val_fraction is {fraction}; it must lie between 0 and 1, or name a data.val_root")
    if len(photos) < 2:
        raise UserError(f"{root!r} holds one photograph; it takes two to train and validate, or a data.val_root")
    ranked = by_hash(photos)
    count = min(max(round(len(photos) * fraction), 1), len(photos) - 1)
    description = f"{fraction:.0%} of {root!r}, those whose names have the smallest hashes"
    return photos.select(np.sort(ranked[count:])), photos.select(np.sort(ranked[:count])), description


def by_hash(photos: Collection) -> np.ndarray:
    """(N,) their places, in the order of the SHA-256 of their names."""
    names = (normalized(name).encode(errors="surrogateescape") for name in photos.names())
    beginnings = b"".join(sha256(name).digest()[:8] for name in names)
    return np.argsort(np.frombuffer(beginnings, dtype=">u8"), kind="stable").astype(np.int32)


def sample_squares(photographs: DataModule, count: int) -> Iterator[Tensor]:
    """The centre squares (3, S, S) uint8 of `count` training photographs at most, those whose names have the smallest
    hashes. What cannot be read is passed over: training names and counts it."""
    for photo in photographs.train.select(by_hash(photographs.train)[:count]):
        with suppress(UserError):
            yield photographs.centre(photo)


SHIPPED = Path(__file__).parent / "historical"


class HistoricalPhoto(NamedTuple):
    name: str  #              relative to its folder, with "/" on every system
    rgb: np.ndarray | None  # (H, W, 3) uint8 sRGB, its true colours; None where they are unknown
    grey: np.ndarray  #       (H, W) uint8, what is to be coloured


class EvaluationOnly:
    """Photographs of `root` in the order of their names, read lazily by `read`; none to train on.

    `size` is the side in pixels at which they are scored.
    """

    trains = False

    def __init__(self, root: str | Path, read: Callable[[Photo], HistoricalPhoto], size: int = 256):
        self.photos, self.read, self.size = Collection(list_folder(root)), read, size

    def __iter__(self) -> Iterator[HistoricalPhoto]:
        for photo in self.photos:
            try:
                yield self.read(photo)
            except UserError as error:
                raise UserError(f"cannot use {str(photo.path)!r}: {error}") from error


def check_trains(data: object, option: str) -> None:
    """Raises `UserError` for a source of photographs, or its class, that there is nothing to train on in (`trains`)."""
    if not getattr(data, "trains", True):
        raise UserError(f"data={option} has no photographs to train on: it is there to evaluate on; choose other data")


class Historical(EvaluationOnly):
    """Black-and-white photographs of a folder; without one, those of the package. They have no ground truth.

    Raises `UserError` for a folder without photographs and, in its turn, for a file that cannot be read.
    """

    def __init__(self, root: Name | None = None, *, size: Side = 256):
        super().__init__(SHIPPED if root is None else root, black_and_white, size)


class Plates(EvaluationOnly):
    """Photographs in the colours of their time: scans of three exposures below each other, and composed ones.

    A grey picture is taken for a scan, and its blue exposure is the input; a coloured one for a composed photograph,
    and its lightness is the input. `balance` is that of `colorize.imaging.plates.compose`.
    """

    def __init__(self, root: Name, *, balance: Literal["none", "percentile"] = "percentile", size: Side = 256):
        check_arguments({"balance": balance}, Plates, "data")
        self.balance = balance
        super().__init__(root, self.either, size)

    def either(self, photo: Photo) -> HistoricalPhoto:
        pixels = np.asarray(open_rgb(photo.path))
        if is_composed(pixels):
            return HistoricalPhoto(photo.name, pixels, grey_of(pixels))
        return plate(photo, self.balance)


def black_and_white(photo: Photo) -> HistoricalPhoto:
    pixels = np.asarray(open_rgb(photo.path))
    if is_colourful(pixels):
        raise UserError("it is a colour photograph, and the folder is for black-and-white ones")
    return HistoricalPhoto(photo.name, None, grey_of(pixels))


def plate(photo: Photo, balance: str = "percentile") -> HistoricalPhoto:
    composed = compose(open_scan(photo.path), balance=balance)
    return HistoricalPhoto(photo.name, composed.rgb, composed.blue)
