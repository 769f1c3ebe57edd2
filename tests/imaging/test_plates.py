"""Exposures that are shifted by known amounts, plates made of photographs, and Prokudin-Gorskii's own."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from skimage.filters import sobel
from skimage.registration import phase_cross_correlation

from colorize.data.sources import DEMO
from colorize.imaging.plates import compose, open_scan, split_plate
from colorize.imaging.registration import Motion, motion_of, moved, register
from colorize.utils.errors import UserError
from tests.helpers.published import PHOTOS, photographed

PICTURES = ["pip_astronaut", "pip_chelsea", "pip_china", "pip_grace_hopper", "pip_coffee", "pip_flower",
            "gcompris_categorization_monuments_tajMahal", "gcompris_categorization_fishes_fish1"]  # fmt: skip


def photograph(name):
    """(H, W, 3) float32 in 0…255"""
    return np.asarray(Image.open(DEMO / f"{name}.jpg").convert("RGB"), dtype=np.float32)


def cut(channel, margin, shift=(0.0, 0.0)):
    """The channel without a margin, as it looks when the camera has moved it by (dy, dx)."""
    size = (channel.shape[1] - 2 * margin, channel.shape[0] - 2 * margin)
    matrix = (1, 0, margin - shift[1], 0, 1, margin - shift[0])
    return np.asarray(
        Image.fromarray(channel).transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    )


def exposures(name, seed, share=0.05):
    """Red, green and blue with a brightness, contrast, noise and rim of their own, and where red and green lie."""
    random, rgb = np.random.default_rng(seed), photograph(name)
    margin = int(0.06 * max(rgb.shape)) + 3
    reach = share * (max(rgb.shape) - 2 * margin)
    shifts = [random.uniform(-reach, reach, 2), random.uniform(-reach, reach, 2), np.zeros(2)]
    planes = []
    for channel, shift in zip(np.moveaxis(rgb, -1, 0), shifts, strict=True):
        plane = np.clip(cut(np.ascontiguousarray(channel), margin, shift) / 255, 0, 1) ** random.uniform(0.6, 1.6)
        plane = plane * random.uniform(0.5, 1) + random.uniform(0, 0.2) + random.normal(0, 0.02, plane.shape)
        rim = int(random.integers(2, 7))
        plane[:rim], plane[-rim:], plane[:, :rim], plane[:, -rim:] = 0, 0.05, 0.02, 0
        planes.append((255 * plane).clip(0, 255))
    return planes, shifts


@pytest.mark.parametrize("name", PICTURES)
def test_exposures_are_aligned_to_half_a_pixel(name):
    for seed in range(2):
        (red, green, blue), shifts = exposures(name, seed)
        for plane, shift in ((red, shifts[0]), (green, shifts[1])):
            assert np.hypot(*(np.array(register(plane, blue)) + shift)) < 0.5


def test_it_agrees_with_another_registration_where_that_one_works():
    grey = photograph("pip_china").mean(axis=2)
    fixed, moving = cut(grey, 40), cut(grey, 40, (7.3, -11.6))
    other, _, _ = phase_cross_correlation(fixed, moving, upsample_factor=50)
    assert np.abs(np.array(register(moving, fixed)) - other).max() < 0.25  # it is 0.1 off itself


def test_a_negative_is_aligned_as_well():
    grey = photograph("pip_chelsea").mean(axis=2)
    assert register(255 - cut(grey, 30, (4, -9)), cut(grey, 30)) == pytest.approx((-4, 9), abs=0.2)


def test_large_pictures_are_aligned():
    grey = np.asarray(Image.open(DEMO / "pip_china.jpg").convert("L").resize((2400, 1600), Image.Resampling.BICUBIC))
    grey = grey.astype(np.float32)
    assert register(cut(grey, 130, (-71.4, 97.8)), cut(grey, 130)) == pytest.approx((71.4, -97.8), abs=0.5)


def test_what_cannot_be_aligned_is_refused():
    china, flower = (photograph(name).mean(axis=2)[:400, :600] for name in ("pip_china", "pip_flower"))
    with pytest.raises(UserError, match="do not match"):
        register(china, flower)
    with pytest.raises(UserError, match="do not match"):
        register(cut(china, 70, (60, 60)), cut(china, 70))  # 13 % of the longer side
    with pytest.raises(UserError, match="do not match"):
        register(np.full((100, 100), 7.0), np.full((100, 100), 7.0))
    stripes = np.repeat(np.sin(np.arange(200) / 9.0)[:, None], 200, axis=1) ** 3
    with pytest.raises(UserError, match="match"):
        register(stripes, stripes)
    with pytest.raises(UserError, match="one size"):
        register(china, china[1:])
    with pytest.raises(UserError, match="too few"):
        register(china[:20, :20], china[:20, :20])


def turned(channel, motion, margin):
    """The channel without a margin, laid so that `motion` about the centre brings it back: pixel by pixel, by scipy."""
    height, width = (side - 2 * margin for side in channel.shape)
    y, x = np.mgrid[:height, :width].astype(float)
    system = np.array([[1 - motion.stretch, -motion.turn], [motion.turn, 1 - motion.stretch]])
    lying = np.linalg.solve(  # place = q − motion(q): where the fixed pixel q lies in the moving picture
        system, np.stack([(y - height / 2 + motion.dy).ravel(), (x - width / 2 + motion.dx).ravel()])
    )
    places = [lying[0] + height / 2 + margin, lying[1] + width / 2 + margin]
    return map_coordinates(channel, places, order=3, mode="nearest").reshape(height, width).astype(np.float32)


@pytest.mark.parametrize("true", [Motion(3.3, -5.2, 0.004, 0.003), Motion(-6.0, 2.0, -0.003, -0.005)])
@pytest.mark.parametrize("name", ["pip_china", "pip_astronaut"])
def test_a_turn_and_a_stretch_are_found(name, true):
    grey = photograph(name).mean(axis=2)  # not two channels: their lens did not lay them on each other either
    fixed, moving = cut(grey, 40), turned(grey, true, 40)
    found = motion_of(255 * (moving.clip(0, 255) / 255) ** 0.5, fixed, reach=0.06)
    height, width = fixed.shape
    corners = [(y * height / 2, x * width / 2) for y in (-1, 1) for x in (-1, 1)]
    wrong = [np.hypot(*np.subtract(found.at(*corner), true.at(*corner))) for corner in corners]
    assert max(wrong) < 0.3
    assert (
        max(np.hypot(*np.subtract(true.at(*corner), true[:2])) for corner in corners) > 0.8
    )  # what a shift would leave
    inner = slice(20, -20)
    after = np.abs(moved(moving, found) - fixed)[inner, inner].mean()
    before = np.abs(moved(moving, Motion(*found[:2])) - fixed)[inner, inner].mean()
    assert after < 0.7 * before


def test_where_blocks_show_too_little_it_is_a_shift():
    random = np.random.default_rng(0)
    grey = np.full((400, 500), 100, np.float32)
    grey[170:230, 220:280] = random.normal(100, 40, (60, 60)).round()
    found = motion_of(np.roll(grey, (3, -4), axis=(0, 1)), grey, reach=0.06)
    assert found == pytest.approx((-3, 4, 0, 0), abs=0.02)


SHIFTS = ((2.0, -3.0), (-4.0, 1.0), (0.0, 0.0))  # of red, green and blue on the plate made below


def scan_of(name, *, bar=9, rims=(14, 22), width=380):
    """A plate as scanned: white margin, black rim, three exposures with black bars between; blue is the first."""
    rgb = np.asarray(Image.open(DEMO / f"{name}.jpg").convert("RGB").resize((width, 340), Image.Resampling.BICUBIC))
    planes = [cut(np.ascontiguousarray(rgb[..., i], dtype=np.float32), 10, SHIFTS[i]) for i in (2, 1, 0)]
    across = planes[0].shape[1]
    rows = [np.full((rims[0], across), 10.0)]
    for plane in planes:
        rows += [plane, np.full((bar, across), 10.0)]
    plate = np.concatenate([*rows, np.full((rims[1], across), 10.0)])
    plate = np.pad(plate, ((0, 0), (12, 17)), constant_values=10)
    return np.pad(plate, 8, constant_values=254).clip(0, 255).round().astype(np.uint8), rgb[10:-10, 10:-10]


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
        assert register(part[:320, 20:380], rgb[..., channel].astype(float)) == pytest.approx(
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


def misaligned(rgb):
    """Pixels between the edges of red and blue, and of green and blue, by scikit-image."""
    edges = [sobel(rgb[..., channel].astype(float)) for channel in range(3)]
    return [
        np.hypot(*phase_cross_correlation(edges[2], edge, upsample_factor=20, normalization=None)[0])
        for edge in edges[:2]
    ]


def corners(rgb):
    height, width = (3 * side // 5 for side in rgb.shape[:2])
    return [rgb[rows, columns] for rows in (slice(height), slice(-height, None))
            for columns in (slice(width), slice(-width, None))]  # fmt: skip


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


def test_the_verb_writes_both_pictures_and_a_sheet(inside, tmp_path):
    scan, _ = scan_of("pip_china")
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(scan).save(folder / "a.png")
    Image.fromarray(scan[:200]).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no picture")
    done = inside("plates", folder, "-o", "out")
    assert done.returncode == 1
    assert f"b.png: it has {scan.shape[1]}×200 pixels" in done.stderr
    assert "c.png: it is a text" in done.stderr
    assert "composed 1 of 3" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "a-blue.png", "contact-sheet.png"}
    plate = compose(scan)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), plate.rgb)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a-blue.png")), plate.blue)


def test_the_verb_writes_over_no_scan(inside, tmp_path):
    scan, _ = scan_of("pip_china")
    for name in ("one/a.png", "two/a.tif"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(scan).save(tmp_path / name)
    before = (tmp_path / "one" / "a.png").read_bytes()
    for words in (["one/a.png", "two/a.tif", "-o", "out"], ["one", "-o", "one"], ["one/a.png", "-o", "a.png"]):
        done = inside("plates", *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "one" / "a.png").read_bytes() == before
    assert not (tmp_path / "out").exists()
    assert "there is no photograph" in inside("plates", "nowhere.tif", "-o", "out").stderr
