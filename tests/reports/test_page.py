"""Photographs on pages: sizes, names, those that were not kept; one file without any other."""

import base64
import re
import subprocess
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from colorize.reports.page import HEAVY, SIDE, shorten_labels
from tests.helpers.browser import CHROMIUM
from tests.helpers.pages import (
    old_photographs,
    page_of,
    pictures_in,
    section,
    trained,
)


def test_it_needs_no_other_file(run, tmp_path):
    _, page = page_of(tmp_path, run("one"), run("two"))
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3 * 4  # of each photograph the grey input, two paintings and the truth
    for source in sources:
        kind, _, content = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(BytesIO(base64.b64decode(content))).size == (8, 8)
    assert "http" not in page
    assert "url(" not in page


def test_pictures_that_are_large_or_heavy_become_smaller(run, tmp_path):
    folder = run("one", pictures=1, side=SIDE + 40)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    path = tmp_path / "one" / "results" / "demo.pictures" / "000-cat-painted.jpg"
    Image.fromarray(noise).save(path, quality=98)
    assert path.stat().st_size > HEAVY
    _, page = page_of(tmp_path, folder)
    grey, painted, true = pictures_in(section(page, "Photographs"))
    assert (grey.size, painted.size, true.size) == ((SIDE, SIDE), (256, 256), (SIDE, SIDE))
    assert len(section(page, "Photographs")) < path.stat().st_size * 4 / 3


def test_names_are_text(run, tmp_path):
    _, page = page_of(tmp_path, run("<b>one"), run("two&"))
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page
    assert "two&amp;" in page


@pytest.mark.parametrize(
    ("labels", "short"),
    [
        (["quickstart-cnn-demo-s0", "quickstart-gan-demo-s0"], ["cnn", "gan"]),
        (["cpu-cnn-demo-s0", "cpu-cnn-demo-s1"], ["s0", "s1"]),
        (["cnn lr=0.1 (2 seeds)", "cnn lr=0.2 (2 seeds)"], ["lr=0.1", "lr=0.2"]),
        (["a", "a-b"], ["a", "a-b"]),
        (["one"], ["one"]),
        ([], []),
        (["gan", "cnn"], ["gan", "cnn"]),
    ],
)
def test_names_are_shortened_where_they_are_alike(labels, short):
    assert shorten_labels(labels) == dict(zip(labels, short, strict=True))


def test_captions_tell_runs_with_long_names_apart(run, tmp_path):
    _, page = page_of(tmp_path, run("smoke-cnn-demo-s0"), run("smoke-gan-demo-s0"))
    captions = re.findall(r'<small title="([^"]*)">([^<]*)', section(page, "Photographs"))[:4]
    assert captions == [("grey", "grey"), ("smoke-cnn-demo-s0", "cnn"), ("smoke-gan-demo-s0", "gan"),
                        ("ground truth", "ground truth")]  # fmt: skip


def test_runs_that_are_called_like_pictures(run, tmp_path):
    """What is chosen by its place is the picture that stands there; the names differ in length."""
    _, page = page_of(tmp_path, run("truth"), run("grey"))
    photographs = section(page, "Photographs")
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', photographs)[:4] == ["grey", "truth", "grey", "ground truth"]
    shown = [picture.getpixel((4, 4)) for picture in pictures_in(photographs)[:4]]
    for found, made in zip(shown, ((0, 0, 5), (80, 0, 5), (80, 0, 4), (160, 0, 5)), strict=True):
        assert np.abs(np.subtract(found, made)).max() < 6


def test_pictures_that_were_not_kept_are_told(run, tmp_path):
    _, page = page_of(tmp_path, run("one"), run("two", pictures=0))
    photographs = section(page, "Photographs")
    assert "of two, there are none: evaluate again with overwrite=true" in photographs
    assert len(pictures_in(photographs)) == 3 * 3
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', photographs)[:3] == ["grey", "one", "ground truth"]


def test_old_photographs_as_they_were_evaluated(run, tmp_path):
    """Grey and each painting, no truth; the sheets of training are not needed."""
    folders = [run("one"), run("two")]
    for folder in folders:
        old_photographs(folder)
    trained(tmp_path / "one")
    _, page = page_of(tmp_path, *folders)
    old = section(page, "Old photographs")
    assert re.findall(r'<option value="\d+"( selected)?>([^<]*)', old) == [
        ("", "grey"), (" selected", "one"), ("", "two"), ("", "grey"), ("", "one"), (" selected", "two"),
    ]  # fmt: skip
    assert [picture.size for picture in pictures_in(old)] == [(12, 6)] * 2 * 3


def test_runs_without_them_show_their_last_sheet_or_are_named(run, tmp_path):
    """And other photographs are not mixed with the first run's."""
    folders = [run(name) for name in ("one", "sheet", "others", "none")]
    old_photographs(folders[0])
    old_photographs(folders[2], manifest="others")
    trained(tmp_path / "sheet")
    _, page = page_of(tmp_path, *folders)
    old = section(page, "Old photographs")
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', old)[:2] == ["grey", "one"]
    assert "Of others, none, there are none: python evaluate.py run=… protocol=historical." in old
    assert "sheet<small>after step 1,500 of its training</small>" in old
    sheet = pictures_in(old)[-1]
    assert sheet.size == (30, 20)
    assert abs(sheet.getpixel((15, 10))[0] - 1500 % 256) < 8  # the last one


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_slider_moves_and_chooses(run, tmp_path):
    """In a browser: the line goes where the input says, and both sides show the pictures that are chosen."""
    _, page = page_of(tmp_path, run("one"), run("two"))
    script = """<script>
      const stage = document.querySelector(".stage"), line = stage.querySelector("input");
      line.value = 80; line.dispatchEvent(new Event("input"));
      const left = document.querySelector("select[data-side=left]");
      left.value = 0; left.dispatchEvent(new Event("change"));
      const strip = [...document.querySelectorAll("figure")[0].querySelectorAll(".strip img")].map((i) => i.src);
      const place = (side) => strip.indexOf(stage.querySelector("." + side).src);
      const loaded = [...document.images].every((image) => image.src.startsWith("data:"));
      document.title = [stage.style.getPropertyValue("--line-at"), place("left"), place("right"), stage.hidden, loaded];
    </script>"""
    (tmp_path / "moved.html").write_text(page.replace("</body>", f"{script}</body>"), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *words, (tmp_path / "moved.html").as_uri()], capture_output=True, text=True, timeout=100, check=True
    )
    assert "<title>80%,0,3,false,true</title>" in done.stdout
