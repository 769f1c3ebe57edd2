"""Plates of three exposures: parted, aligned and balanced, Prokudin-Gorskii's own among them."""

import numpy as np
import pytest
from PIL import Image
from skimage.filters import sobel
from skimage.registration import phase_cross_correlation

from colorize.data.sources import DEMO
from colorize.imaging.plates import compose, is_composed, open_scan, split_plate
from colorize.imaging.registration import estimate_shift
from colorize.utils.errors import UserError
from tests.helpers.exposures import corners, scan_of
from tests.helpers.published import PHOTOS, photographed


def place(part, whole):
    """Where `part` lies in `whole`, to the pixel."""
    for top in range(whole.shape[0] - part.shape[0] + 1):
        for left in range(whole.shape[1] - part.shape[1] + 1):
            if np.array_equal(whole[top : top + part.shape[0], left : left + part.shape[1]], part):
                return top, left
    raise AssertionError("it is not a part")


def test_a_plate_gives_the_photograph_back():
    scan, rgb = scan_of("pip_china")
    plate = compose(scan, balance="none")
    height, width = plate.blue.shape
    assert min(height / rgb.shape[0], width / rgb.shape[1]) > 0.85
    top, left = place(plate.blue, rgb[..., 2])  # blue is not resampled: its pixels are the scan's
    true = rgb[top : top + height, left : left + width].astype(float)
    assert np.abs(plate.rgb - true).mean() < 2
    assert np.abs(np.roll(true, 1, axis=0) - true).mean() > 5  # what one pixel aside would cost


def test_exposures_are_parted_at_the_bars_not_at_thirds():
    scan, rgb = scan_of("pip_coffee", rims=(2, 50))
    assert abs(len(scan) / 3 - (8 + 2 + 320 + 4.5)) > 10
    for part, channel in zip(split_plate(scan), (2, 1, 0), strict=True):
        assert estimate_shift(part[:320, 20:380], rgb[..., channel].astype(float)) == pytest.approx(
            (0, 0), abs=20
        )  # the same scene, wherever the part begins
    assert len({part.shape for part in split_plate(scan)}) == 1


def test_without_bars_the_parts_are_thirds():
    random = np.random.default_rng(0)
    scan = (120 + random.normal(0, 3, (901, 350))).astype(np.uint8)
    assert {part.shape for part in split_plate(scan)} == {(300, 350)}


def test_sixteen_bits_give_the_same():
    scan, _ = scan_of("pip_china")
    one, other = compose(scan), compose(scan.astype(np.uint16) * 257)
    assert np.array_equal(one.rgb, other.rgb)
    assert np.array_equal(one.blue, other.blue)


def test_the_balance_stretches_each_exposure():
    scan, _ = scan_of("pip_china")
    plain, stretched = (
        compose((scan * 0.5 + 40).astype(np.uint8), balance="none"),
        compose((scan * 0.5 + 40).astype(np.uint8)),
    )
    assert np.percentile(plain.rgb, 99, axis=(0, 1)).max() < 180
    assert np.percentile(stretched.rgb, 99.7, axis=(0, 1)).min() > 250
    assert np.percentile(stretched.rgb, 0.3, axis=(0, 1)).max() < 5
    assert np.array_equal(plain.blue, stretched.blue)


@pytest.mark.parametrize(
    ("scan", "says"),
    [
        (np.zeros((150, 60), np.uint8), "150"),
        (np.zeros((400, 900), np.uint8), "times as high as wide"),
        (np.zeros((900, 150), np.uint8), "times as high as wide"),
        (np.zeros((900, 350), np.float32), "8 or 16 bits"),
        (np.zeros((900, 350, 3), np.uint8), "8 or 16 bits"),
        (np.zeros((900, 350), np.uint8), "do not match"),
    ],
)
def test_what_is_no_plate_is_refused(scan, says):
    with pytest.raises(UserError, match=says):
        compose(scan)


def test_an_unknown_balance_is_refused():
    with pytest.raises(UserError, match="none, percentile"):
        compose(np.zeros((900, 350), np.uint8), balance="warm")


def test_scans_are_read_in_any_grey(tmp_path):
    scan, _ = scan_of("pip_china")
    Image.fromarray(scan).save(tmp_path / "eight.png")
    Image.fromarray(scan.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    Image.fromarray(scan).convert("RGB").save(tmp_path / "rgb.png")
    assert np.array_equal(open_scan(tmp_path / "eight.png"), scan)
    assert np.array_equal(open_scan(tmp_path / "rgb.png"), scan)
    assert np.array_equal(open_scan(tmp_path / "sixteen.png"), scan.astype(np.uint16) * 257)
    (tmp_path / "half.png").write_bytes((tmp_path / "eight.png").read_bytes()[:20000])
    with pytest.raises(UserError, match="cannot be read"):
        open_scan(tmp_path / "half.png")
    with pytest.raises(UserError, match="colour picture"):
        open_scan(DEMO / "pip_coffee.jpg")


@pytest.mark.parametrize(
    ("tint", "shape", "composed"),
    [((1, 0.9, 0.7), (40, 60), True), ((1, 0.9, 0.7), (140, 60), False), ((1, 1, 1), (40, 60), False)],
)
def test_a_photograph_of_few_colours_is_no_plate(tint, shape, composed):
    """A faded slide is one tone from black to white, as a toned scan of a plate is; it has another shape."""
    grey = np.linspace(0, 250, shape[0] * shape[1]).reshape(*shape, 1)
    assert bool(is_composed((grey * tint).astype(np.uint8))) is composed


def misaligned(rgb):
    """Pixels between the edges of red and blue, and of green and blue, by scikit-image."""
    edges = [sobel(rgb[..., channel].astype(float)) for channel in range(3)]
    return [
        np.hypot(*phase_cross_correlation(edges[2], edge, upsample_factor=20, normalization=None)[0])
        for edge in edges[:2]
    ]


@photographed
@pytest.mark.parametrize("name", ["00106v", "00172v", "00963v", "01043v", "01443v", "01736v", "01788v"])
def test_prokudin_gorskiis_plates(name):
    scan = open_scan(PHOTOS / "plates_raw" / f"{name}.jpg")
    plate = compose(scan)
    assert max(misaligned(plate.rgb)) < 0.4
    assert np.mean([misaligned(part) for part in corners(plate.rgb)]) < 0.3  # 0.4 by shifts alone, at times
    blue, green, red = split_plate(scan)
    assert max(misaligned(np.stack([red, green, blue], axis=-1))) > 1  # so there was something to align
    height, width = plate.blue.shape
    assert height * width > 0.68 * blue.size
    for side in (
        plate.rgb[0],
        plate.rgb[-1],
        plate.rgb[:, 0],
        plate.rgb[:, -1],
    ):  # no rim: neither black nor one colour
        assert (side.max(axis=-1) < 16).mean() < 0.5
        assert side.astype(float).std() > 4
