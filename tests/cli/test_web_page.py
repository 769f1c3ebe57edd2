"""The page that `colorize app` serves in a browser, by every control: slow. Without one: cli/test_web_app.py."""

import re
import shutil
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize.cli import sessions
from tests.helpers.browser import choose, downloaded, expect, labels, paint, shown, upload

pytestmark = pytest.mark.slow


def test_networks_are_compared_and_files_downloaded(page, scans):
    upload(page, scans, ["two"])
    paint(page, "4 pictures painted; text.jpg: it is a text file")
    assert labels(page) == ["photograph", "one", "two"]
    first = shown(page)
    page.locator("#side-by-side").get_by_label("Thumbnail 3").click()
    expect(page.get_by_label("Right", exact=True)).to_have_value("two")
    expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", first[1])
    assert shown(page)[0] == first[0]
    assert shown(page)[1] != first[1]
    choose(page, "Left", "one")
    expect(page.locator("#before-after img").first).to_have_attribute("src", first[1])
    slider = page.locator("#before-after")
    slider.scroll_into_view_if_needed()
    box, before = slider.bounding_box(), slider.inner_html()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 5, box["y"] + box["height"] / 2, steps=9)
    page.mouse.up()
    assert slider.inner_html() != before
    assert Image.open(downloaded(page, "#download")).size == (70, 50)
    with zipfile.ZipFile(downloaded(page, "#archive")) as archive:
        assert {"one/cat.png", "two/dog.png", "painted.csv", "painted.html"} <= {*archive.namelist()}
    choose(page, "Photograph", "dog.tif")
    expect(page.locator("#caption")).to_contain_text("70×50")
    assert shown(page)[1] != first[1]
    page.get_by_role("button", name="Report").click()
    expect(page.get_by_role("cell", name="dog.tif").first).to_be_visible()


def test_every_setting_changes_the_files(page, scans, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((70, 50)).save(tmp_path / "reference.png")
    upload(page, scans[:1])
    paint(page, "1 picture painted")
    files = {"as it is": downloaded(page, "#download").read_bytes()}
    page.get_by_role("button", name="Settings").click()

    def repaint():
        before = shown(page)[1]
        paint(page, "1 picture painted")
        expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", before)
        return downloaded(page, "#download").read_bytes()

    def repainted(setting):
        files[setting] = repaint()
        assert len({*files.values()}) == len(files), setting

    choose(page, "Size", "128")
    repainted("size")
    page.get_by_label("number input for Strength").fill("0.5")
    repainted("strength")
    page.get_by_label("number input for Saturation limit").fill("5")
    repainted("saturation limit")
    page.locator("input[type=file]").nth(1).set_input_files(tmp_path / "reference.png")
    page.get_by_text("reference").last.wait_for()
    repainted("reference")
    choose(page, "Format of the files", "webp")
    repainted("format")
    page.get_by_label("draws", exact=True).check()
    page.get_by_label("one", exact=True).uncheck()
    before = shown(page)[1]
    paint(page, "1 picture painted")
    expect(page.locator("#side-by-side .caption-label")).to_have_count(3)
    expect(page.get_by_label("Right", exact=True)).to_have_value("draws")  # what has just been painted
    expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", before)
    files["a network that draws"] = downloaded(page, "#download").read_bytes()
    page.get_by_label("Seed of the samples").fill("7")
    repainted("seed")
    page.get_by_label("Seed of the samples").fill("0")
    assert repaint() == files["a network that draws"]
    page.get_by_label("number input for Samples").fill("3")
    page.get_by_label("Confidence").check()
    paint(page, "1 picture painted")
    expect(page.locator("#side-by-side .caption-label")).to_have_count(6)
    assert labels(page)[2:] == ["draws, sample 1", "draws, sample 2", "draws, sample 3", "draws, confidence"]
    label = page.locator("#side-by-side .caption-label").last
    label.evaluate("label => { label.textContent = 'smoke-diffusion-ddpm-demo-small-s0, '.repeat(3) + 'confidence' }")
    assert label.evaluate("label => label.scrollWidth <= label.clientWidth")  # all of it is seen
    page.locator("#side-by-side").get_by_label("Thumbnail 6").click()
    expect(page.locator("#caption")).to_contain_text("Confidence: more")
    page.locator("#undo").click()
    expect(page.locator("#status")).to_contain_text("Undone: photographs and settings are as before")
    expect(page.get_by_label("Confidence")).not_to_be_checked()
    expect(page.get_by_label("number input for Samples")).to_have_value("1")
    expect(page.get_by_label("Seed of the samples")).to_have_value("0")


def test_hints_are_brushed_and_undone(page, scans):
    upload(page, scans[:2], ["two"])
    expect(page.locator("#undo")).to_be_disabled()
    paint(page, "4 pictures painted")
    choose(page, "Right", "two")
    expect(page.locator("#before-after img").nth(1)).to_have_attribute("src", re.compile("/two/"))
    before = shown(page)[1]
    page.get_by_role("button", name="Hints: brush").click()
    canvas = page.locator("#hints canvas").first
    expect(page.get_by_text("Select the draw tool to start")).to_have_count(0)
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=9)
    page.mouse.up()
    page.get_by_role("button", name="Colour with these hints").click()
    hinted = changed(page, before)
    expect(page.get_by_label("Right", exact=True)).to_have_value("two")  # what was looked at is looked at still
    page.locator("#undo").click()
    expect(page.locator("#status")).to_contain_text("Undone")
    undone = changed(page, hinted)
    painted = downloaded(page, "#download").read_bytes()
    paint(page, "4 pictures painted")  # with the strokes, which have stayed
    changed(page, undone)
    hinted = downloaded(page, "#download").read_bytes()
    assert hinted != painted
    choose(page, "Photograph", "dog.tif")  # and come back with their photograph
    expect(page.locator("#before-after img").nth(1)).to_have_attribute("src", re.compile("/dog"))
    choose(page, "Photograph", "cat.jpg")
    expect(page.locator("#before-after img").nth(1)).to_have_attribute("src", re.compile("/cat"))
    page.get_by_label("number input for Reach").fill("0.1")
    page.get_by_role("button", name="Colour with these hints").click()
    expect(page.locator("#status")).to_contain_text("2 pictures painted")
    choose(page, "Right", "two")
    assert downloaded(page, "#download").read_bytes() not in (painted, hinted)
    for _ in range(2):
        before = shown(page)[1]
        page.locator("#undo").click()
        changed(page, before)  # a click while one is at work is none
    page.locator("#undo").click()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#undo")).to_be_disabled()


def changed(page, address):
    """The address of the picture on the right, once it is another."""
    expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", address)
    return shown(page)[1]


def test_stop_keeps_what_is_painted(page, scans, tmp_path, monkeypatch):
    def slowly(*args):
        time.sleep(1)
        return paint_one(*args)

    paint_one = sessions.paint_one
    monkeypatch.setattr(sessions, "paint_one", slowly)
    many = [shutil.copy(scans[0], tmp_path / f"cat{i}.jpg") for i in range(12)]
    upload(page, many)
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.locator("#before-after img").first).to_be_visible()
    expect(page.locator("#status")).to_contain_text(re.compile(r"[3-9] of 12: cat\d+\.jpg"))
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_contain_text("Stopped: ")
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    with zipfile.ZipFile(downloaded(page, "#archive")) as archive:
        painted = len([name for name in archive.namelist() if name.endswith(".png")])
    assert 2 <= painted < 12
    expect(page.locator("#status")).to_have_text(f"Stopped: {painted} of 12 pictures painted")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("number input for Strength").fill("0.5")
    page.get_by_role("button", name="Colour", exact=True).click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"Stopped: \d+ of 12 pictures painted"))
    again = int(page.locator("#status").inner_text().split()[1])
    expect(page.locator("#status")).to_contain_text(f"; {painted - again} keep")
    page.get_by_role("button", name="Report").click()
    expect(page.get_by_role("cell").filter(has_text="; strength 0.5")).to_have_count(again)


def test_what_cannot_be_is_said_in_the_page(page, scans, tmp_path):
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Nothing is painted. Add a photograph first.")
    (tmp_path / "large.jpg").write_bytes(bytes(2**20 + 1))
    page.locator("input[type=file]").first.set_input_files(tmp_path / "large.jpg")
    expect(page.get_by_text("exceed the maximum allowed size of 1.0 Mb")).to_be_visible()
    page.reload()
    (tmp_path / "notes.md").write_text("no photograph")
    upload(page, [scans[0], str(tmp_path / "notes.md")])
    paint(page, "1 picture painted; notes.md: it is a text file")
    page.get_by_role("button", name="Hints: brush").click()
    page.get_by_role("button", name="Colour with these hints").click()
    expect(page.locator("#status")).to_contain_text("No stroke lies on the photograph: brush a colour")
    expect(page.locator(".wrap > .error:visible")).to_have_count(0)  # which would lie over the photographs
    expect(page.locator("body")).not_to_contain_text("common.")
    expect(page.get_by_label("common.")).to_have_count(0)
    page.reload()
    upload(page, scans[:1])
    page.get_by_role("button", name="Settings").click()
    page.locator("input[type=file]").nth(1).set_input_files(scans[1])
    page.get_by_text("dog").last.wait_for()
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Nothing is painted. The reference is grey, or of one tone: give a")
