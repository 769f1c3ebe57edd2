"""Pictures painted elsewhere, judged like a network's: which file is of which photograph, and at which size."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from colorize.data.collection import Collection, Photo, normalized
from colorize.data.listing import is_photograph, list_folder
from colorize.evaluation.batches import READ, EvalBatch, read_eval_image
from colorize.evaluation.predictors import Predictor
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.result import Result, row_label
from colorize.evaluation.selection import Selection
from colorize.imaging.color import to_uint8
from colorize.imaging.decode import UNREADABLE, open_rgb
from colorize.imaging.transforms import placement
from colorize.metrics.metric import Pair, Picture
from colorize.utils.errors import UserError, first_line, shorten_list

WEIGHTS = (".pt", ".pth", ".bin", ".safetensors", ".ckpt")  # a folder with one of these holds a network
AS_THEY_ARE, RESIZED = "taken as they are", "brought to the protocol's size from the photograph's"
THREADS = 4


def pictures_taken(result: Result) -> str:
    """24 taken as they are, 3 brought to the protocol's size …; empty where no pictures were painted elsewhere."""
    taken = result.weights.get("network", {}).get("pictures", {})
    return ", ".join(f"{count:,} {way}" for way, count in taken.items())


def label_of(row: str, result: Result) -> str:
    """As `row_label`; the row `model` of pictures that were painted elsewhere is these, and no network."""
    return "pictures" if row == "model" and pictures_taken(result) else row_label(row)


def holds_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures, and no network. Raises `UserError` where it holds neither."""
    if (folder / ".hydra").is_dir() or any(path.suffix in WEIGHTS for path in folder.iterdir()):
        return False
    found = any(is_photograph(path.name) for path in folder.rglob("*"))
    if not found and not (folder / "config.json").is_file():
        raise UserError(
            f"{str(folder)!r} holds neither a network (.hydra, config.json, weights) nor pictures: give a run folder, "
            "an export, or a folder of painted pictures"
        )
    return found


def pictures_digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of all pictures in the folder."""
    total = sha256()
    for photo in Collection(list_folder(folder)):
        content = photo.read()
        total.update(f"{normalized(photo.name)} {len(content)}\n".encode(errors="surrogateescape") + content)
    return total.hexdigest()


@dataclass(frozen=True)
class PaintedPictures:
    """photos in the order of the protocol's photographs; how many were taken in which way; names of no photograph"""

    photos: Collection
    taken: dict[str, int]
    surplus: Sequence[str]

    def predictor(self, protocol: Protocol) -> Predictor:
        """What was painted, at the protocol's size: of pictures that have it, their very pixels."""
        protocol = replace(protocol, reader="photographs")

        def predict(batch: EvalBatch) -> Pair:
            images = [cast(Tensor, read_eval_image(self.photos[place], protocol).rgb) for place in batch.places]
            pixels = torch.stack([image if image.dtype == torch.uint8 else to_uint8(image) for image in images])
            return batch.pair(Picture(pixels.to(batch.L.device)))

        return predict


def match_pictures(folder: Path, chosen: Selection, protocol: Protocol) -> PaintedPictures:
    """The picture of each photograph, by its name without the suffix; sizes are checked.

    Raises `UserError` where a photograph has no picture or several, and for a picture that has neither the protocol's
    size nor its photograph's.
    """
    pictures, names = Collection(list_folder(folder)), [*chosen.photos.names()]
    whole = len({picture_key(name) for name in names}) < len(names)
    wanted = [picture_key(name, whole=whole) for name in names]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(pictures.names()):
        places.setdefault(picture_key(name, whole=whole), []).append(place)
    check_names(wanted, places, chosen.title, folder)
    photos = pictures.select(torch.tensor([places[key][0] for key in wanted], dtype=torch.int32).numpy())
    surplus = [key for key in places if key not in set(wanted)]
    with ThreadPoolExecutor(THREADS) as pool:
        ways = pool.map(lambda picture, photo: way_taken(picture, photo, protocol), photos, chosen.photos)
        return PaintedPictures(photos, dict(Counter(ways)), surplus)


def picture_key(name: str, *, whole: bool = False) -> str:
    """The name without its suffix, and without its folders unless the `whole` of it counts."""
    path = Path(normalized(name)).with_suffix("")
    return path.as_posix() if whole else path.name


def check_names(wanted: Sequence[str], places: dict[str, list[int]], title: str, folder: Path) -> None:
    if twice := [key for key, count in Counter(wanted).items() if count > 1]:
        raise UserError(f"several photographs of {title} are called {twice[0]!r}: pictures cannot be told apart")
    missing = [key for key in wanted if key not in places]
    if len(missing) == len(wanted):
        raise UserError(
            f"no picture in {str(folder)!r} is called like a photograph of {title}: looked for {wanted[0]!r} first, "
            "with any suffix"
        )
    if missing:
        raise UserError(
            f"{len(missing)} of {len(wanted)} photographs of {title} have no picture in {str(folder)!r}: "
            f"{shorten_list(missing)}"
        )
    if several := [key for key in wanted if len(places[key]) > 1]:
        raise UserError(f"{str(folder)!r} holds several pictures of {several[0]!r}: leave one of them")


def way_taken(picture: Photo, photo: Photo, protocol: Protocol) -> str:
    """`AS_THEY_ARE` for the protocol's size, `RESIZED` for the photograph's. Raises `UserError` for any other."""
    assert protocol.size is not None
    reading = picture
    try:
        size = open_rgb(picture.read()).size
        if protocol.geometry != "long" and size == (protocol.size, protocol.size):
            return AS_THEY_ARE
        reading = photo
        rgb, grey = READ[protocol.reader](photo)
    except UNREADABLE as error:
        raise UserError(f"cannot read {reading.where!r}: {first_line(error)}; repair or remove it") from error
    height, width = (rgb if rgb is not None else grey).shape[:2]  # type: ignore[union-attr]
    _, at = placement(width, height, protocol.geometry, protocol.size)
    if size in (at[::-1], (width, height)):
        return AS_THEY_ARE if size == at[::-1] else RESIZED
    raise UserError(
        f"{picture.where!r} has {size[0]}×{size[1]} pixels, and must have {at[1]}×{at[0]}, as the protocol, or "
        f"{width}×{height}, as the photograph"
    )
