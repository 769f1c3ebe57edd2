"""Old photographs to evaluate on: the package's own, and folders of one's own."""

import csv
import re
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage.color import rgb2lab

from colorize.data.sources import DEMO, SHIPPED, Historical, Plates
from colorize.utils.errors import UserError
from tests.helpers.published import PHOTOS, photographed


def test_every_shipped_photograph_has_its_credits():
    with (SHIPPED / "CREDITS.tsv").open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file, delimiter="\t")}
    assert rows.keys() == {path.name for path in SHIPPED.glob("*.jpg")}
    assert len(rows) == 5
    for name, row in rows.items():
        assert all(row[column].strip() for column in ("title", "photographer", "year", "rights", "origin"))
        assert row["source"].startswith("https://")
        assert sha256((SHIPPED / name).read_bytes()).hexdigest() == row["sha256"]
        with Image.open(SHIPPED / name) as image:
            assert (image.mode, image.size) == ("L", (int(row["w"]), int(row["h"])))
            assert max(image.size) <= 768


def test_the_shipped_photographs_are_the_default():
    photos = list(Historical())
    assert [photo.name for photo in photos] == sorted(path.name for path in SHIPPED.glob("*.jpg"))
    for photo in photos:
        assert photo.rgb is None
        assert photo.grey.dtype == np.uint8
        assert np.array_equal(photo.grey, np.asarray(Image.open(SHIPPED / photo.name)))  # grey stays what it is


@pytest.fixture
def folder(tmp_path):
    """A grey and a sepia photograph."""
    grey = ImageOps.grayscale(Image.open(DEMO / "pip_china.jpg"))
    (tmp_path / "old" / "sub").mkdir(parents=True)
    grey.save(tmp_path / "old" / "grey.png")
    ImageOps.colorize(grey, (30, 15, 0), (255, 245, 220), mid=(140, 100, 60)).save(
        tmp_path / "old" / "sub" / "sepia.png"
    )
    return tmp_path / "old"


def test_toned_prints_become_grey_of_the_same_lightness(folder):
    grey, sepia = Historical(str(folder))
    assert (grey.name, sepia.name) == ("grey.png", "sub/sepia.png")
    assert np.array_equal(grey.grey, np.asarray(Image.open(folder / "grey.png")))
    toned = rgb2lab(np.asarray(Image.open(folder / "sub" / "sepia.png")))
    untoned = rgb2lab(np.stack([sepia.grey] * 3, axis=-1))
    assert np.abs(toned[..., 1:]).mean() > 10  # or there was no tone to lose
    assert np.abs(toned[..., 0] - untoned[..., 0]).max() < 0.3


def test_a_colour_photograph_is_no_black_and_white_one(folder):
    Image.open(DEMO / "pip_coffee.jpg").save(folder / "coffee.jpg")
    with pytest.raises(UserError, match=r"coffee\.jpg.*colour photograph"):
        list(Historical(str(folder)))


def test_unreadable_files_are_named_in_their_turn(folder):
    (folder / "half.png").write_bytes((folder / "grey.png").read_bytes()[:9000])
    photos = iter(Historical(str(folder)))
    assert next(photos).name == "grey.png"  # nothing behind it has been read
    with pytest.raises(UserError, match=r"half\.png.*cannot be read"):
        next(photos)


def test_folders_without_photographs_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for read in (Plates, Historical):
        with pytest.raises(UserError, match="no photographs"):
            read(str(tmp_path / "empty"))
        with pytest.raises(UserError, match="there is no folder"):
            read(str(tmp_path / "missing"))
    with pytest.raises(UserError, match=r"data\.balance"):
        Plates(str(tmp_path), balance="x")


def test_composed_photographs_keep_their_colours(tmp_path):
    Image.open(DEMO / "pip_coffee.jpg").save(tmp_path / "a.png")
    (photo,) = Plates(str(tmp_path))
    assert np.array_equal(photo.rgb, np.asarray(Image.open(DEMO / "pip_coffee.jpg")))
    lightness = rgb2lab(photo.rgb)[..., 0], rgb2lab(np.stack([photo.grey] * 3, axis=-1))[..., 0]
    assert np.abs(lightness[0] - lightness[1]).max() < 0.3


def test_a_grey_picture_that_is_no_plate_is_named(folder):
    with pytest.raises(UserError, match=r"grey\.png.*three exposures"):
        list(Plates(str(folder)))


@photographed
def test_plates_and_composed_photographs_of_the_time():
    plates = list(Plates(str(PHOTOS / "plates_raw")))
    assert len(plates) == 7
    for photo in plates:
        assert photo.rgb.shape == (*photo.grey.shape, 3)
        assert not np.array_equal(photo.grey, photo.rgb[..., 2])  # the input is as scanned, the truth is balanced
    composed = Plates(str(PHOTOS / "historical_color"))
    assert all(photo.rgb is not None for photo in composed)
    assert all(photo.rgb is None for photo in Historical(str(PHOTOS / "historical_bw")))


@pytest.mark.parametrize("words", [["data=historical"], ["data=plates", f"data.root={SHIPPED}"]])
def test_they_do_not_train(inside, words):
    done = inside("train", "experiment=smoke", *words)
    assert done.returncode == 2
    assert re.fullmatch(r"data=\w+ has no photographs to train on: .+\n", done.stderr)
