"""The page that `colorize app` serves in a browser, by every control: slow. Without one: cli/test_web_app.py."""

import re
import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.cli import sessions
from tests.reports.test_page import CHROMIUM

pytestmark = pytest.mark.slow
PATIENCE = 60_000  # ms, on a busy machine


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page in a window of its own. Whatever is done in it, no other host is asked and nothing is wider than it."""
    asked, page = set(), browser.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: asked.add(re.match(r"\w+:(//[^/]*)?", request.url).group()))
    page.on("websocket", lambda socket: asked.add(socket.url))
    page.goto(address)
    yield page
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    links = page.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert all(link.startswith(address) for link in links)
    assert {host for host in asked if not host.startswith(("data:", "blob:"))} == {address.rstrip("/")}
    page.close()


def upload(page, files, networks=()):
    page.locator("input[type=file]").first.set_input_files(files)
    for name in networks:
        page.get_by_label(name, exact=True).check()
    page.get_by_text(Path(files[-1]).stem[:3]).first.wait_for()


def paint(page, said):
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.locator("#status")).to_contain_text(said)


def expect(locator):
    return pytest.importorskip("playwright.sync_api").expect(locator)


def choose(page, label, option):
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def downloaded(page, button):
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.path()


def shown(page):
    """The addresses of the pictures in the slider."""
    return page.locator("#before-after img").evaluate_all("images => images.map(image => image.src)")


def labels(page):
    return page.locator("#side-by-side .caption-label").all_inner_texts()


def is_grey(path):
    return np.ptp(np.asarray(Image.open(path).convert("RGB")).astype(int), axis=2).max() <= 3


def test_networks_are_compared_and_files_downloaded(page, scans):
    upload(page, scans, ["two"])
    paint(page, "4 pictures painted; text.jpg: it is a text file")
    assert labels(page) == ["photograph", "one", "two"]
    first = shown(page)
    page.locator("#side-by-side").get_by_label("Thumbnail 3").click()
    expect(page.locator("#download")).to_have_text("Download two")
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

    def repainted(setting):
        before = shown(page)[1]
        paint(page, "1 picture painted")
        expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", before)
        files[setting] = downloaded(page, "#download").read_bytes()
        assert len({*files.values()}) == len(files), setting

    page.get_by_label("Size", exact=True).fill("48")
    page.get_by_label("Size", exact=True).press("Enter")
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
    page.get_by_label("number input for Samples").fill("3")
    page.get_by_label("Show what is guessed").check()
    paint(page, "1 picture painted")
    expect(page.locator("#side-by-side .caption-label")).to_have_count(6)
    assert labels(page)[2:] == ["draws, sample 1", "draws, sample 2", "draws, sample 3", "draws, confidence"]
    page.locator("#side-by-side").get_by_label("Thumbnail 6").click()
    expect(page.locator("#caption")).to_contain_text("Violet where colours are guessed")


def test_hints_are_brushed_and_undone(page, scans):
    upload(page, scans[:1], ["two"])
    paint(page, "2 pictures painted")
    choose(page, "Right", "two")
    expect(page.locator("#download")).to_have_text("Download two")
    before = shown(page)
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
    expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", before[1])
    expect(page.locator("#download")).to_have_text("Download two")  # what was looked at is looked at still
    hinted = shown(page)[1]
    page.locator("#undo").click()
    expect(page.locator("#before-after img").nth(1)).not_to_have_attribute("src", hinted)
    expect(page.locator("#status")).to_be_empty()
    page.locator("#undo").click()
    expect(page.locator("#nothing")).to_be_visible()
    page.locator("#undo").click()
    expect(page.get_by_text("There is nothing to undo.")).to_be_visible()


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
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_contain_text("Stopped")
    with zipfile.ZipFile(downloaded(page, "#archive")) as archive:
        assert 1 <= len([name for name in archive.namelist() if name.endswith(".png")]) < 12


def test_what_cannot_be_is_said_in_the_page(page, scans, tmp_path):
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.get_by_text("Add a photograph first.")).to_be_visible()
    (tmp_path / "large.jpg").write_bytes(bytes(2**20 + 1))
    page.locator("input[type=file]").first.set_input_files(tmp_path / "large.jpg")
    expect(page.get_by_text("exceed the maximum allowed size of 1.0 Mb")).to_be_visible()
    page.reload()
    upload(page, scans[:1])
    page.get_by_role("button", name="Settings").click()
    page.locator("input[type=file]").nth(1).set_input_files(scans[1])
    page.get_by_text("dog").last.wait_for()
    page.get_by_role("button", name="Colour", exact=True).click()
    expect(page.get_by_text("The reference is grey, or of one tone: give a photograph in colour.")).to_be_visible()
