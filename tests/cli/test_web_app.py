"""The page that `colorize app` serves: its API, what cannot be; in a browser, every control (slow)."""

import errno
import re
import shutil
import socket
import sys
import time
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.cli import sessions
from colorize.cli.web_app import check_port, keep_to_this_machine, launch, paint_defaults
from colorize.utils.errors import UserError
from tests.helpers.commands import refused
from tests.reports.test_page import CHROMIUM

PATIENCE = 60_000  # ms, on a busy machine


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_network_that_does_not_load_and_a_port_in_use_get_one_sentence(inside, app_weights, tmp_path):
    pytest.importorskip("gradio")
    refused(inside("app", "-w", tmp_path / "none", "--port", free_port()), "there is no file or folder")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(inside("app", "-w", app_weights[0], "--port", port), f"port {port} of 127.0.0.1 cannot be used")
    refused(inside("app", "-w", app_weights[0], "--port", 70000), "it must be between 1 and 65535")
    with pytest.raises(UserError, match="there is no address"):
        check_port("no such host", 7860)


def test_without_gradio_one_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match="the page needs the package gradio: pip install 'gradio>=6'"):
        launch({}, "127.0.0.1", 7860, 1)


@pytest.fixture(scope="module")
def address(app_networks, drawing_network, tmp_path_factory):
    """Where the page is served."""
    pytest.importorskip("gradio")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "no_proxy", "NO_PROXY"):
            patch.setenv(name, "")
        connect, asked = socket.socket.connect, set()
        patch.setattr(socket.socket, "connect", lambda self, to: (asked.add(to[0]), connect(self, to))[1])
        keep_to_this_machine(str(tmp_path_factory.mktemp("uploads")))
        page = launch(app_networks | drawing_network, "127.0.0.1", free_port(), megabytes=1)
        yield page.local_url
        page.close(verbose=False)
    assert asked <= {"127.0.0.1"}


def test_a_client_of_the_api_gets_files_and_what_was_said(address, scans, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(address, download_files=str(tmp_path / "got"), verbose=False)
    files, said = client.predict([*map(handle_file, scans)], ["two"], api_name="/paint")
    assert [Image.open(file).size for file in files] == [(70, 50), (70, 50)]
    assert [line.partition(", ")[0] for line in said["painted"]] == ["cat.jpg", "dog.tif"]
    assert re.fullmatch(r"cat.jpg, two: 70×50, [\d.]+ s; colour predicted at \d+", said["painted"][0])
    assert said["failed"] == ["text.jpg: it is a text file"]
    (one,), _ = client.predict([handle_file(scans[0])], ["one"], api_name="/paint")  # that of two is not told again
    assert Path(one).read_bytes() != Path(files[0]).read_bytes()
    stroke = Image.new("RGBA", (70, 50))
    stroke.paste((200, 40, 40, 255), (25, 15, 45, 35))
    stroke.save(tmp_path / "hints.png")
    (tmp_path / "red.json").write_text('[{"x": 35, "y": 25, "rgb": [200, 40, 40], "radius": 9}]')
    hints, red = handle_file(tmp_path / "hints.png"), handle_file(tmp_path / "red.json")
    for given in (hints, red):
        (red_cat,), _ = client.predict([handle_file(scans[0])], ["two"], hints=given, api_name="/paint")
        assert np.subtract(*Image.open(red_cat).getpixel((35, 25))[:2]) > 40
    _, said = client.predict([handle_file(red_cat)], ["two"], api_name="/paint")
    assert "it is in colour already: its lightness is painted" in said["painted"][0]
    with pytest.raises(Exception, match="Hints go with one photograph"):
        client.predict([*map(handle_file, scans)], ["two"], hints=red, api_name="/paint")
    (grey,), _ = client.predict([handle_file(scans[0])], ["two"], strength=0, api_name="/paint")
    assert np.ptp(np.asarray(Image.open(grey)).astype(int), axis=2).max() <= 2
    files, _ = client.predict([handle_file(scans[0])], ["two"], confidence=True, size=24, api_name="/paint")
    assert [Path(file).name for file in files] == ["cat.png", "cat.confidence.png"]
    with pytest.raises(Exception, match="The reference is grey"):
        client.predict([handle_file(scans[0])], ["two"], reference=handle_file(scans[1]), api_name="/paint")
    with pytest.raises(Exception, match="Choose a network first"):
        client.predict([handle_file(scans[0])], [], api_name="/paint")
    with pytest.raises(Exception, match="The size is '9000'; it must be 'auto', 'as trained' or between 1 and 2048"):
        client.predict([handle_file(scans[0])], ["two"], size=9000, api_name="/paint")


def test_a_file_over_the_bound_is_refused(address, tmp_path):
    import httpx

    done = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.jpg", bytes(2**20 + 1))})
    assert done.status_code == 413


def test_an_archive_for_which_the_disk_is_full_costs_no_file(app_networks, scans, monkeypatch):
    pytest.importorskip("gradio")
    from colorize.cli.gradio_page import Page

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    session, page = sessions.Session(), Page(app_networks, paint_defaults())
    page.build()
    results = page.results
    list(session.paint(scans[:1], app_networks, Namespace(**vars(paint_defaults()) | {"format": "png"})))
    assert results.show_archive(session)[results.archive].value is not None
    monkeypatch.setattr(sessions, "write_archive", full)
    with pytest.warns(UserWarning, match="The archive of all cannot be written: No space left on device"):
        assert results.show_archive(session)[results.archive].value is None
    assert results.show_all(session)[results.file].value is not None


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
