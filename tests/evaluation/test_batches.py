"""From files to batches: sizes, filters, and what the network is shown."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from colorize.data.collection import Photo
from colorize.evaluation.batches import make_eval_batch, read_eval_image
from colorize.evaluation.predictors import constant_ab, jpeg95, lab_roundtrip, predictor_of, truth
from colorize.imaging.choices import GAMUTS
from colorize.imaging.color import lab_to_rgb, to_uint8
from colorize.imaging.transforms import area_weights
from colorize.metrics import CIEDE2000, SSIM, Bleeding, OutOfGamut
from colorize.metrics.metric import Picture
from colorize.utils.errors import UserError
from tests.helpers.evaluations import CPU, frame_of, noise, protocol


def test_the_centre_square_is_pillows(tmp_path):
    image = noise(0, 60, 91)
    expected = image.crop((15, 0, 75, 60)).resize((32, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(frame_of(image, tmp_path).rgb.permute(1, 2, 0), expected)
    bilinear = image.crop((15, 0, 75, 60)).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(frame_of(image, tmp_path, filter="bilinear").rgb.permute(1, 2, 0), bilinear)


def test_linear_samples_two_neighbours_at_pixel_centres(tmp_path):
    """OpenCV's INTER_LINEAR: no pixel in between counts, however far the picture shrinks."""
    image = noise(1, 61, 95)
    pixels = np.asarray(image, float) / 255

    def along(values, axis, size):
        length = values.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = np.floor(place).astype(int)
        share = (place - low).reshape([-1 if a == axis else 1 for a in range(3)])
        high = np.minimum(low + 1, length - 1)
        return values.take(low, axis) * (1 - share) + values.take(high, axis) * share

    expected = along(along(pixels, 0, 32), 1, 32)
    found = frame_of(image, tmp_path, geometry="stretch", filter="linear").rgb.permute(1, 2, 0)
    assert np.abs(found.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize(("old", "new"), [(12, 4), (10, 4), (7, 3), (4, 6)])
def test_area_counts_every_part_of_a_pixel(old, new):
    """As if each pixel were `new` small ones, of which every mean is plain."""
    values = np.random.default_rng(0).normal(size=old)
    expected = values.repeat(new).reshape(new, old).mean(axis=1)
    assert np.allclose(area_weights(old, new) @ torch.tensor(values, dtype=torch.float32), expected, atol=1e-6)


@pytest.mark.parametrize("known", [{}, {"filter": "bilinear", "geometry": "stretch"}, {"truth": "lab_roundtrip"}])
def test_the_truth_has_the_lab_of_its_own_pixels(tmp_path, known):
    batch = make_eval_batch([frame_of(noise(2, 40, 50), tmp_path, **known)], [""], 0, protocol(**known), CPU)
    assert torch.equal(batch.true.lab, Picture(batch.true.pixels).lab)


def test_long_never_enlarges(tmp_path):
    assert frame_of(noise(0, 40, 100), tmp_path, geometry="long", size=50).rgb.shape == (3, 20, 50)
    assert frame_of(noise(0, 40, 100), tmp_path, geometry="long", size=500).rgb.shape == (3, 40, 100)


def test_what_cannot_be_read_stops(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photograph")
    with pytest.raises(UserError, match=r"cannot read '.*broken.jpg': .*; repair or remove it"):
        read_eval_image(Photo(str(tmp_path / "broken.jpg"), "broken.jpg"), protocol())


def test_truth_through_lab_is_itself(scene):
    assert lab_roundtrip(scene).painted is scene.true  # of which much is known
    assert truth(scene).painted is scene.true
    for metric in (SSIM(), CIEDE2000(), Bleeding()):
        found, of_copy = metric.named(lab_roundtrip(scene))[""], metric.measure(scene.true.pixels, scene.true.pixels)
        torch.testing.assert_close(found.double(), of_copy, rtol=0, atol=1e-6, equal_nan=True)
    assert torch.equal(to_uint8(lab_to_rgb(scene.L, scene.ab)), scene.true.pixels)


@pytest.mark.parametrize("gamut", GAMUTS)
def test_colours_out_of_gamut_are_those_of_the_networks_answer(scene, gamut):
    """They are found where ab becomes pixels, and the metric need not look again."""
    pair = predictor_of(lambda L, _: 3 * scene.ab)(replace(scene, protocol=protocol(gamut=gamut)))
    found = OutOfGamut().named(pair)[""]
    assert (found > 0.1).all()
    assert torch.equal(OutOfGamut().named(replace(pair, painted=Picture(pair.painted.pixels)))[""], found)
    assert (OutOfGamut().named(replace(pair, ab=scene.ab))[""] < 0.01).all()


def test_rounding_down_is_what_costs_ct2_its_decibels(scene):
    """Truth through Lab, cut instead of rounded: 49.9 to 52.1 dB were measured of the released code."""
    cut = lab_roundtrip(replace(scene, protocol=protocol(rounding="truncate"))).painted.pixels
    for picture, true in zip(cut, scene.true.pixels, strict=True):
        assert 48 < peak_signal_noise_ratio(true.numpy(), picture.numpy()) < 53


def test_jpeg_is_pillows(scene, tmp_path):
    painted = jpeg95(scene).painted.pixels
    for picture, true in zip(painted, scene.true.pixels, strict=True):
        Image.fromarray(true.permute(1, 2, 0).numpy()).save(tmp_path / "x.jpg", quality=95)
        assert np.array_equal(picture.permute(1, 2, 0), Image.open(tmp_path / "x.jpg"))


def test_grey_has_no_colour_and_the_true_lightness(scene):
    pixels = predictor_of(constant_ab((0, 0)))(scene).painted
    assert pixels.chroma.mean() < 0.02
    assert pixels.chroma.max() < 1  # a level of one channel, where rounding falls between
    assert (pixels.lab[:, :1] - scene.L).abs().max() < 0.3  # half a grey level, which is 0.2 to 0.55 of L*


def test_what_old_film_saw(tmp_path):
    """Red is dark and blue is light on both; orthochromatic film sees green, a plate without dyes does not."""
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:16, :16], picture[:16, 16:], picture[16:, :16], picture[16:, 16:] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        128,
    )
    frame = frame_of(Image.fromarray(picture), tmp_path)
    scene = make_eval_batch([frame], [""], 0, protocol(input=["lab_l", "ortho", "blue_plate", "luma"]), CPU)
    corners = {
        mode: [L[0, 0, y, x].item() for y, x in ((4, 4), (4, 28), (28, 4), (28, 28))]
        for mode, L in scene.inputs.items()
    }
    red, green, blue, grey = corners["lab_l"]
    assert (round(red, 1), round(green, 1), round(blue, 1)) == (53.2, 87.7, 32.3)  # CIE
    red, green, blue, _ = corners["ortho"]
    assert red < 25 < 70 < green
    assert blue > 70
    assert corners["blue_plate"][:2] == [0, 0]
    assert round(corners["blue_plate"][2]) == 100
    assert all(values[3] == pytest.approx(grey, abs=0.01) for values in corners.values())
