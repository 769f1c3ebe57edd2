"""Mutated files of every format: a picture or one sentence, in bounded time, whatever is broken."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from colorize.data.collection import Photo
from colorize.data.findings import examine, preview
from colorize.imaging.decode import decode, decode_picture
from colorize.imaging.raster import DecodeError
from tests.faults.mutations import FORMATS, MUTATIONS, mutated

SECONDS = 20  # that one file may take


def check(number: int) -> bool:
    """Whether it is a picture still."""
    name, data = mutated(number)
    began = time.monotonic()
    try:
        picture = decode_picture(data)
        seen = True
        assert picture.image.mode in ("L", "RGB"), name
        rgb, _ = decode(data, 16)  # what training reads, perhaps smaller
        assert rgb.shape[0] == 3, name
    except DecodeError as error:
        seen = False
        said = str(error)
        assert said.strip(), name
        assert "\n" not in said, name
        assert not re.search(r"0x[0-9a-f]{4}|BytesIO|\.(cpp|py)\b", said), (name, said)
    examine(data)
    assert time.monotonic() - began < SECONDS, name
    return seen


def test_a_few_mutations_of_every_format():
    seen = [check(number) for number in range(2 * len(FORMATS) * len(MUTATIONS))]
    assert 0.1 < np.mean(seen) < 0.9  # some are broken and some are not, or nothing was tried


@pytest.mark.slow
def test_two_thousand_mutations():
    for number in range(1000, 3000):
        check(number)


def test_every_format_is_read_as_it_is():
    for name, data in FORMATS.items():
        assert sorted(decode_picture(data).image.size) == [48, 64], name


def test_what_is_left_of_a_damaged_photograph_is_shown_without_warnings(recwarn, tmp_path):
    for number in (1250, 2594, 2802, 3841, 4766, 4864, 4992):
        (tmp_path / "photograph").write_bytes(mutated(number)[1])
        preview(Photo(str(tmp_path / "photograph"), "photograph"))
    assert not recwarn.list


def test_a_folder_without_a_sound_photograph_is_inspected(inside, tmp_path):
    (tmp_path / "photos").mkdir()
    for number, data in enumerate((b"", b"no picture", FORMATS["jpeg"][:300])):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(data)
    done = inside("inspect", "photos", "-o", "out", "--workers", "0")
    assert done.returncode in (0, 1, 2), done.stderr
    assert (tmp_path / "out").is_dir()
