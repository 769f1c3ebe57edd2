"""Duplicates: the same file in two lists; the same picture among millions, by near hashes and then by pixels.

N photographs, M pairs of them, H W picture.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.data.collection import Collection, Photo, normalized
from colorize.data.listing import file_identity
from colorize.imaging.color import rgb_to_lab
from colorize.imaging.decode import UNREADABLE
from colorize.imaging.transforms import channels
from colorize.utils.download import is_remote
from colorize.utils.errors import UserError


def without_overlap(train: Collection, val: Collection) -> Collection:
    """`train` without the files that validate too: a folder within the other, or links to it.

    Raises `UserError` where none is left.
    """
    if train.table is val.table or not {"names", "files"} & train.table.columns.keys() & val.table.columns.keys():
        return train
    if train.files is not None and val.files is not None:
        held = {file_identity(val.table.places[number]) for number in np.unique(val.files)}
        both = [number for number in np.unique(train.files) if file_identity(train.table.places[number]) in held]
        keep = ~np.isin(train.files, both)
    elif train.files is None and val.files is None:
        paths = set(real_paths(val))
        keep = np.array([path not in paths for path in real_paths(train)], dtype=bool)
    else:
        return train
    if not keep.any():
        raise UserError("every training photograph validates too: name another data.val_root, or leave it out")
    return train if keep.all() else train.select(np.flatnonzero(keep))


def real_paths(photos: Collection) -> Iterator[str]:
    """The path of each photograph without links."""
    root, links = photos.table.places[0], set(photos.table.links)
    real_folder = cache(lambda folder: os.path.realpath(f"{root}/{folder}"))
    for name in photos.names():
        folder, _, base = name.rpartition("/")
        yield os.path.realpath(f"{root}/{name}") if name in links else f"{real_folder(folder)}{os.sep}{base}"


def count_shared(photos: Collection, train: Collection) -> int:
    """How many of `photos` are among `train`, byte for byte. Candidates have as many bytes; or the same name, where
    there are so many files that asking for the length of each would take minutes. Remote files are left out."""
    by_name = train.files is None and len(train) > MANY
    groups: dict[str | int, list[Photo]] = {}
    for photo in photos:
        groups.setdefault(_base_name(photo) if by_name else photo.length, []).append(photo)
    shared, digests = 0, dict[str | int, list[str]]()
    for photo in train:
        key = "" if is_remote(photo.file) else _base_name(photo) if by_name else photo.length
        if key in groups and (digest := _content_digest(photo)):
            held = digests.setdefault(key, [*map(_content_digest, groups[key])])
            shared += held.count(digest)
            digests[key] = [other for other in held if other != digest]
    return shared


def _base_name(photo: Photo) -> str:
    return normalized(photo.name).rsplit("/", 1)[-1]


def _content_digest(photo: Photo) -> str:
    """Nothing for a photograph that cannot be read."""
    with suppress(*UNREADABLE):
        return sha256(photo.read()).hexdigest()
    return ""


MANY = 100_000  # loose files whose lengths are not asked for one by one
DISTANCE = 6  #   of 64 bits, at most, between the hashes of a picture and its copy
BLOCK = 2**22  #  comparisons at a time
PARTNERS = 64  #  of one hash in one band, the nearest: almost blank pictures are all near one another
PRODUCT = 4096  # pairs of photographs between two groups of equal hashes; of larger groups, one stands for all


def near_hashes(hashes: np.ndarray) -> np.ndarray:
    """(N,) uint64 -> (M, 2) rows, the smaller first, of the pairs whose hashes differ in at most `DISTANCE` bits.

    Of so few bits, one of `DISTANCE` + 1 bands has none, so only hashes that agree in a band are compared: a
    million photographs take a minute, not the days of all pairs.
    """
    order = np.argsort(hashes, kind="stable")
    distinct, starts = np.unique(hashes[order], return_index=True)
    groups = np.split(order, starts[1:])  # rows of each distinct hash
    found = [_within(group) for group in groups if len(group) > 1]
    found += [_between(groups[one], groups[other]) for one, other in _near_distinct(distinct)]
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _near_distinct(hashes: np.ndarray) -> np.ndarray:
    """(K,) different hashes -> (M, 2) places in it."""
    pairs = [np.empty((0, 2), np.int64)]
    for band in np.array_split(np.arange(64, dtype=np.uint64), DISTANCE + 1):
        key = (hashes >> band[0]) & np.uint64(2 ** len(band) - 1)
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order])) + 1
        for bucket in np.split(order, ends):
            pairs.extend(_near_in(hashes, bucket))
    return np.unique(np.concatenate(pairs), axis=0)


def _near_in(hashes: np.ndarray, bucket: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs within a bucket (K,), a block of it at a time."""
    size = max(1, BLOCK // max(1, len(bucket)))  # of no photograph, an empty one is all there is
    for start in range(0, len(bucket), size):
        rows, others = bucket[start : start + size], bucket[start:]
        bits = np.bitwise_count(hashes[rows][:, None] ^ hashes[others][None, :])
        near = np.triu(bits <= DISTANCE, 1)  # each pair once, and none with itself
        for row in np.flatnonzero(near.sum(axis=1) > PARTNERS):
            distance = np.where(near[row], bits[row], DISTANCE + 1)
            near[row] = False
            near[row, np.argpartition(distance, PARTNERS)[:PARTNERS]] = True
        one, other = np.nonzero(near)
        yield np.sort(np.stack([rows[one], others[other]], axis=1), axis=1)


def _within(group: np.ndarray) -> np.ndarray:
    if len(group) ** 2 <= PRODUCT:
        return group[np.stack(np.triu_indices(len(group), 1), axis=1)]
    first = np.stack([np.full(len(group) - 1, group[0]), group[1:]], axis=1)
    return np.concatenate([first, np.stack([group[:-1], group[1:]], axis=1)])


def _between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if len(one) * len(other) > PRODUCT:
        one = one[:1] if len(one) > len(other) else one
        other = other[:1] if len(one) <= len(other) else other
    return np.stack(np.meshgrid(one, other), axis=-1).reshape(-1, 2)


def leaks(pairs: np.ndarray, training: int) -> dict[int, int]:
    """Training row -> the first validation row that shows the same; rows below `training` train."""
    return {one: other for one, other in sorted(pairs.tolist(), reverse=True) if one < training <= other}


def duplicates(pairs: np.ndarray, worse: np.ndarray) -> dict[int, int]:
    """Row -> the row that is kept instead of it.

    Of two equals the earlier is kept, but `worse` (N,) ones, that are left out for another reason, come last. A row
    is a duplicate only of a row that is kept, so that of every picture one remains.
    """
    partners: dict[int, list[int]] = {}
    for one, other in pairs:
        partners.setdefault(int(one), []).append(int(other))
        partners.setdefault(int(other), []).append(int(one))
    found: dict[int, int] = {}

    def rank(row: int) -> tuple[bool, int]:
        return bool(worse[row]), row

    for row in sorted(partners, key=rank):
        kept = [other for other in partners[row] if rank(other) < rank(row) and other not in found]
        if kept:
            found[row] = min(kept, key=rank)
    return found


TINT_SIDE = 32  # pixels of the longer side at which tints are measured: below that of JPEG's colours
MIN_TONED_CHROMA = 3.0  # CIE, that half of a toned picture's pixels have at least: an object on white has less
STEP = 2  # 8-bit levels between neighbours that count as a difference: even areas have none
SIGNATURE = 32  # pixels of a side of what two pictures are compared by
CORRELATION = 0.94
MAX_EQUAL_ERROR = 1.5  # 8-bit levels, root mean square


class Colours(NamedTuple):
    """Chroma of a picture in CIE units."""

    grey: bool  #       red, green and blue are equal everywhere
    mean: float
    median: float
    high: float  #      95 % of the pixels lie below
    deviation: float  # 95 % of the pixels lie nearer to the mean colour of the pixels of their own lightness


def measure_colors(image: Image.Image) -> Colours:
    """RGB -> its colours."""
    pixels = np.array(image)  # (H, W, 3) uint8
    grey = bool((pixels.max(axis=2) == pixels.min(axis=2)).all())
    chroma = np.hypot(*rgb_to_lab(channels(pixels)).numpy()[1:])
    median, high = np.percentile(chroma, (50, 95))
    return Colours(grey, float(chroma.mean()), float(median), float(high), _deviation(image))


def _deviation(image: Image.Image) -> float:
    """How far colour is from a function of lightness, which it is in a toned photograph, whatever the tint."""
    scale = min(1.0, TINT_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = np.array(image.resize(size, Image.Resampling.BOX))
    L, a, b = rgb_to_lab(channels(small)).numpy().reshape(3, -1)
    step = np.clip(L.astype(int), 0, 99)
    weight = _smooth(np.bincount(step, minlength=100))
    means = [_smooth(np.bincount(step, channel, minlength=100)) / np.maximum(weight, 1e-9) for channel in (a, b)]
    return float(np.percentile(np.hypot(a - means[0][step], b - means[1][step]), 95))


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Over five neighbouring steps of lightness."""
    return np.convolve(counts, (1, 2, 3, 2, 1), mode="same")


def difference_hash(image: Image.Image) -> int:
    """64 bits: whether each of 8×8 areas is brighter than the one left of it. 0 of a picture without structure.

    The dHash of N. Krawetz, "Kind of like that", 2013, with a threshold, so that even areas do not give chance bits.
    """
    grey = image.convert("L").convert("F").resize((9, 8), Image.Resampling.BOX)
    levels = np.asarray(grey)
    bits = levels[:, 1:] > levels[:, :-1] + STEP
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def image_signature(image: Image.Image) -> np.ndarray:
    """(32, 32, 3) uint8: the picture squeezed to a square."""
    return np.array(image.resize((SIGNATURE, SIGNATURE), Image.Resampling.BOX))


def is_same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two signatures are of the same picture, whatever its size, brightness and contrast.

    A correlation of 0.94 parts copies (re-encoded, resized, brightened) from other photographs of the same thing;
    flat pictures have none and must be equal.
    """
    p, q = one.astype(np.float64), other.astype(np.float64)
    if np.sqrt(np.mean((p - q) ** 2)) < MAX_EQUAL_ERROR:
        return True
    p, q = p - p.mean(axis=(0, 1)), q - q.mean(axis=(0, 1))  # of each channel: two blue skies are two photographs
    return bool((p * q).sum() > CORRELATION * np.sqrt((p * p).sum() * (q * q).sum()))
