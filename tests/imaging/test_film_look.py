"""The film look: a function of picture and seed that touches training's input only."""

import re
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.imaging.film_look import LIMITS, PROBABILITIES, Film, lightness_grey
from colorize.utils.errors import UserError
from tests.helpers.configs import tiny_words
from tests.helpers.light import seeded


def test_it_is_a_function_of_picture_and_seed(photograph):
    one, other = (Film()(photograph, seeded(7)) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.shape == photograph.shape[:2]
    assert one.dtype == np.uint8
    assert not np.array_equal(one, Film()(photograph, seeded(8)))


def test_share_says_how_many_look_old(photograph):
    plain = lightness_grey(photograph)
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
    assert lightness_grey(rgb)[48, 48] > lightness_grey(rgb)[0, 0]


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


def test_training_sees_it_and_validation_does_not(inside, tmp_path):
    words = (*tiny_words("cnn", "l1"), "schedule.all.steps=2")
    for name in ("modern", "mixed", "film"):
        done = inside("train", *words, f"data/look={name}")
        assert done.returncode == 0, done.stderr
    lines = [path.read_text() for path in tmp_path.glob("outputs/*/metrics.jsonl")]
    assert len(set(lines)) == 3
    assert "look: 100% of the training inputs are made to look like old photographs" in done.stdout
    assert "demo-film-s0" in done.stdout
    done = inside("train", *words, "data/look=flim")
    assert (done.returncode, "did you mean data/look=film?" in done.stderr) == (2, True)
    done = inside("train", *words, "data/look=film", "data.look.share=2", "name=two")
    assert (done.returncode, "look.share is 2" in done.stderr) == (2, True)


def test_the_truth_stays_as_it_was(config):
    from colorize.config import build_part
    from colorize.data.loader import SampleIndex

    batches = []
    for name in ("modern", "film"):
        data = build_part(config("data=demo", f"data/look={name}", "data.size=64").data, "data")
        batches.append(next(data.batches([SampleIndex(3, 11), SampleIndex(5, 12)], [2], 0)))
    plain, old = batches
    assert torch.equal(plain.rgb, old.rgb)
    assert plain.grey is None
    assert old.grey.shape == (2, 1, 64, 64)


def test_a_page_of_examples(inside, photographs, tmp_path):
    done = inside("look", photographs, "-o", "examples", "--photographs", 3, "--size", 64, "--beside", photographs)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "examples" / "index.html").read_text(encoding="utf-8")
    assert text.count("<img") == 3 * (2 + 3 + 4)
    assert "http" not in text
    sheet = Image.open(tmp_path / "examples" / "contact-sheet.jpg")
    assert sheet.height == 64 + 6 + 18 + 6
    assert 6 * 70 < sheet.width < 6 * 70 + 80  # and the captions of the rows
    key = (tmp_path / "examples" / "which-is-real.txt").read_text()
    assert key.count("real:") == key.count("drawn:") == 3
    done = inside("look", photographs, "-o", "examples")
    assert (done.returncode, "already exists" in done.stderr) == (2, True)


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
