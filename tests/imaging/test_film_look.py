"""The period look: what film saw and what time did to it, against physics; and it touches training's input only."""

import re
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.data.sources import Demo
from colorize.imaging import film
from colorize.imaging import film_damage as wear
from colorize.imaging.color import rgb_to_lab
from colorize.imaging.film_look import LIMITS, PROBABILITIES, Film, modern
from colorize.utils.errors import UserError
from tests.helpers.configs import tiny_words

RED, GREEN, BLUE = np.eye(3, dtype=np.uint8).reshape(3, 1, 1, 3) * 255


def linear(code):
    """IEC 61966-2-1"""
    share = np.asarray(code, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def seeded(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def photograph():
    return next(Demo(size=224).validation(1))[0].permute(1, 2, 0).numpy()


# --- what film sees


def test_light_is_a_weighted_sum_of_linear_primaries():
    rgb = seeded().integers(0, 256, (9, 7, 3), dtype=np.uint8)
    weights = (0.2, 0.3, 0.5)
    assert np.allclose(film.expose(rgb, weights), linear(rgb) @ weights, atol=1e-6)


@pytest.mark.parametrize("kind", film.EMULSIONS)
def test_grey_stays_as_it_was(kind):
    """Every emulsion is exposed so that a grey card comes out as itself."""
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert np.array_equal(film.to_pixels(film.encode(film.expose(ramp, film.EMULSIONS[kind]))), ramp[..., 0])


def test_what_each_emulsion_is_blind_to():
    def seen(kind):
        return [film.expose(colour, film.EMULSIONS[kind]).item() for colour in (RED, GREEN, BLUE)]

    red, green, blue = seen("blue")
    assert red < 0.05 < green < 0.2 < blue  # no dye: the end near 500 nm is in green's foot
    red, green, blue = seen("orthochromatic")
    assert red < 0.1
    assert min(green, blue) > 0.3
    assert min(seen("panchromatic")) > 0.25
    eye = np.array(film.EYE)
    assert eye[2] < 0.1 < eye[0]  # the eye, by contrast, hardly sees blue's light


def test_modern_has_the_lightness_of_the_colour(photograph):
    """Within half a grey level, everywhere."""
    L = rgb_to_lab(torch.from_numpy(photograph).permute(2, 0, 1))[0]
    grey = rgb_to_lab(torch.from_numpy(modern(photograph))[None].expand(3, -1, -1))[0]
    assert (L - grey).abs().max() < 0.9  # of L*: near black a grey level is nearly one
    assert (L - grey).abs().mean() < 0.12


def test_a_make_of_an_emulsion_still_sums_to_one():
    drawn = np.array([film.emulsion("orthochromatic", 0.15, seeded(seed)) for seed in range(200)])
    assert np.allclose(drawn.sum(axis=1), 1)
    assert drawn.std(axis=0).max() > 0.02
    assert np.abs(drawn.mean(axis=0) - film.EMULSIONS["orthochromatic"]).max() < 0.02


# --- camera, negative, print


@pytest.mark.parametrize("sigma", [0.5, 1.3, 3.0])
def test_blur_keeps_the_mean_and_has_its_width(sigma):
    point = np.zeros((61, 61), np.float32)
    point[30, 30] = 1
    blurred = film.blurred(point, sigma)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    place = np.arange(61) - 30
    assert np.sqrt((blurred.sum(axis=0) * place**2).sum()) == pytest.approx(sigma, rel=0.08)


def test_vignetting_is_what_it_says_at_a_corner():
    light = film.vignette(np.ones((101, 101), np.float32), 0.3, (0.5, 0.5))
    assert light[50, 50] == pytest.approx(1, abs=1e-3)
    assert light[0, 0] == pytest.approx(0.7, abs=0.01)


def test_a_negative_is_straight_above_its_toe_and_level_below():
    """Hurter and Driffield: density rises with the logarithm of light by `SLOPE`."""
    light = np.array([0.18, 0.36, 1.0], np.float32)
    density = film.negative(light)
    assert np.allclose(np.diff(density) / np.diff(np.log10(light + 0.002)), film.SLOPE, rtol=0.02)
    assert film.negative(np.zeros(1, np.float32))[0] == pytest.approx(film.FOG, abs=0.1)


def test_a_middle_grey_prints_as_middle_grey():
    density = film.negative(np.full((1, 1), film.MIDDLE, np.float32))
    for contrast in (0.9, 1.5):
        assert 10 ** -film.printed(density, contrast, 2.0).item() == pytest.approx(film.MIDDLE, rel=1e-3)


def test_contrast_is_the_slope_at_middle_grey():
    light = film.MIDDLE * np.array([0.98, 1.02], np.float32)
    for contrast in (0.8, 1.4):
        printed = film.printed(film.negative(light), contrast, 2.0)
        assert np.diff(printed) / np.diff(np.log10(light)) == pytest.approx(-contrast, rel=0.03)


def test_grain_grows_with_the_root_of_density():
    noise = film.grain_field((400, 400), 0.002, seeded())
    deviations = [film.grain(np.full((400, 400), d, np.float32), noise, 0.05).std() for d in (0.25, 1.0)]
    assert deviations[1] / deviations[0] == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("size", [0.001, 0.004, 0.01])
def test_fine_grain_fades_as_a_picture_shrinks(size):
    """Selwyn 1935: what pixels of 1/300 of the side see of clumps of this size; coarse ones they see whole."""
    pixels = size * 300
    expected = pixels / np.sqrt(pixels**2 + 1 / 12)
    assert film.grain_field((300, 300), size, seeded()).std() == pytest.approx(expected, rel=0.05)


# --- damage


def test_fading_lightens_blacks_and_darkens_whites():
    density = np.array([[0.0, 2.0]], np.float32)
    faded = wear.fade(density, 0.3, 0.1, np.zeros((1, 2)))
    assert faded.tolist() == [pytest.approx([0.1, 1.5])]


@pytest.mark.parametrize("tone", [0.2, 0.5, 0.8])
def test_a_halftone_keeps_every_tone(tone):
    """Murray and Davies: the bare share of the paper is the tone, between ink's 4 % and newsprint's 80 %."""
    dots = wear.halftone(np.full((200, 200), tone, np.float32), 3.1)
    assert dots.mean() == pytest.approx(0.04 + 0.76 * tone, abs=0.03)
    assert dots.std() > 0.1


def test_marks_go_to_paper_or_to_black():
    density, full, none = np.full((4, 4), 0.8), np.ones((4, 4)), np.zeros((4, 4))
    assert wear.marked(density, full, none, 2.0).max() == 0
    assert wear.marked(density, none, full, 2.0).min() == 2.0
    assert np.array_equal(wear.marked(density, none, none, 2.0), density)


@pytest.mark.parametrize("marks", [wear.specks(20, 0.01), wear.hairs(2, 0.2), wear.scratches(3)])
def test_marks_are_few_and_somewhere(marks):
    masks = [wear.drawn((120, 160), marks, seeded(seed)) for seed in range(8)]
    assert all(mask.shape == (120, 160) and mask.min() >= 0 and mask.max() <= 1 for mask in masks)
    assert 0 < np.mean([(mask > 0.2).mean() for mask in masks]) < 0.1


def test_levels_pull_the_ends_apart_but_not_of_one_tone():
    ramp = np.linspace(60, 180, 300, dtype=np.float32).reshape(10, 30)
    pulled = wear.levels(ramp, 1.0)
    assert pulled.min() < 5
    assert pulled.max() > 250
    assert np.array_equal(wear.levels(ramp, 0.0), ramp)
    flat = np.linspace(100, 140, 300).reshape(10, 30)
    assert np.array_equal(wear.levels(flat, 1.0), flat)


# --- the whole look


def test_it_is_a_function_of_picture_and_seed(photograph):
    one, other = (Film()(photograph, seeded(7)) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.shape == photograph.shape[:2]
    assert one.dtype == np.uint8
    assert not np.array_equal(one, Film()(photograph, seeded(8)))


def test_share_says_how_many_look_old(photograph):
    plain = modern(photograph)
    mixed = Film(share=0.5)
    old = sum(not np.array_equal(mixed(photograph, seeded(seed)), plain) for seed in range(80))
    assert 25 < old < 55  # 40 ± 3.4 deviations
    assert np.array_equal(Film(share=0)(photograph, seeded()), plain)


def test_a_red_thing_is_dark_to_a_plate_that_is_blind_to_red():
    """A red square on grey, through the whole look: lighter than its ground to the eye, darker to old plates."""
    rgb = np.full((96, 96, 3), 90, np.uint8)
    rgb[32:64, 32:64] = (255, 60, 60)

    def contrast(**emulsions):
        found = [Film(emulsions=emulsions, halftoned=0)(rgb, seeded(seed)).astype(float) for seed in range(12)]
        return np.mean([grey[36:60, 36:60].mean() - grey[:24].mean() for grey in found])

    assert contrast(blue=1.0) < -20
    assert contrast(orthochromatic=1.0) < -8
    assert contrast(panchromatic=1.0) > 20
    assert modern(rgb)[48, 48] > modern(rgb)[0, 0]


@pytest.mark.parametrize("name", PROBABILITIES)
def test_a_share_that_is_none(name):
    with pytest.raises(UserError, match=rf"look\.{name} is 1\.5; it must lie between 0 and 1"):
        Film(**{name: 1.5})


@pytest.mark.parametrize("name", LIMITS)
def test_a_range_that_is_none(name):
    low, high = LIMITS[name]
    for value in ((high, low), (low, high * 2 + 1), 3, "ab"):
        with pytest.raises(UserError, match=rf"^look\.{name} is .*; it must be two numbers"):
            Film(**{name: value})


def test_every_setting_is_checked():
    known = {*PROBABILITIES, *LIMITS, "emulsions", "spread", "exposure", "plain"}
    assert {field.name for field in fields(Film)} == known
    with pytest.raises(UserError, match=re.escape("look.emulsions has no 'kodachrome'; there are panchromatic,")):
        Film(emulsions={"kodachrome": 1})
    with pytest.raises(UserError, match=r"look\.plain is 'luma'; it must be a function"):
        Film(plain="luma")
    with pytest.raises(UserError, match=r"look\.emulsions is .*how often each is taken"):
        Film(emulsions={"blue": 0})


# --- in training


def test_training_sees_it_and_validation_does_not(inside, tmp_path):
    words = (*tiny_words("cnn", "l1"), "schedule.all.steps=2")
    for name in ("modern", "mixed", "film"):
        done = inside("train", *words, f"data/look={name}", f"name={name}")
        assert done.returncode == 0, done.stderr
    lines = [(tmp_path / "outputs" / name / "metrics.jsonl").read_text() for name in ("modern", "mixed", "film")]
    assert len(set(lines)) == 3
    assert "look: 100% of the training inputs are made to look like old photographs" in done.stdout
    done = inside("train", *words, "data/look=film")
    assert "demo-film-s0" in done.stdout
    done = inside("train", *words, "data/look=flim")
    assert (done.returncode, "did you mean data/look=film?" in done.stderr) == (2, True)
    done = inside("train", *words, "data/look=film", "data.look.share=2", "name=two")
    assert (done.returncode, "look.share is 2" in done.stderr) == (2, True)


def test_the_truth_stays_as_it_was(config):
    from colorize.config import make
    from colorize.data.loader import Draw

    batches = []
    for name in ("modern", "film"):
        data = make(config("data=demo", f"data/look={name}", "data.size=64").data, "data")
        batches.append(next(data.batches([Draw(3, 11), Draw(5, 12)], [2], 0)))
    plain, old = batches
    assert torch.equal(plain.rgb, old.rgb)
    assert plain.grey is None
    assert old.grey.shape == (2, 1, 64, 64)


# --- the page


def test_a_page_of_examples(inside, photographs, tmp_path):
    done = inside("look", photographs, "-o", "examples", "--photographs", 3, "--size", 64, "--beside", photographs)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "examples" / "index.html").read_text(encoding="utf-8")
    assert text.count("<img") == 3 * (2 + 3 + 4)
    assert "http" not in text
    sheet = Image.open(tmp_path / "examples" / "contact-sheet.jpg")
    assert sheet.size == (6 * 68 - 4, 64)
    key = (tmp_path / "examples" / "which-is-real.txt").read_text()
    assert key.count("real:") == key.count("drawn:") == 3
    done = inside("look", photographs, "-o", "examples")
    assert (done.returncode, "is there already" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("gone", "-o", "x"), "there is no folder 'gone'"),
        (("demo", "-o", "x", "--size", "8"), "--size is 8; it must be 32 or more"),
        (("demo", "-o", "x", "--photographs", "0"), "--photographs is 0; it must be 1 or more"),
    ],
)
def test_one_sentence_for_each_mistake(inside, words, sentence):
    done = inside("look", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
