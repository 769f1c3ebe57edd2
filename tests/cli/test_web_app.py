"""The page that `colorize app` serves: its API, what cannot be; in a browser, every control (slow)."""

import re
import socket
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize.cli.web_app import check_port, keep_to_this_machine, launch
from colorize.utils.errors import UserError
from tests.helpers.commands import refused
from tests.reports.test_page import CHROMIUM


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
    monkeypatch.setitem(sys.modules, "gradio.themes", None)
    with pytest.raises(UserError, match="the page needs the package gradio: pip install 'gradio>=6'"):
        launch({}, "127.0.0.1", 7860, 1)


@pytest.fixture(scope="module")
def address(app_networks, tmp_path_factory):
    """Where the page is served."""
    pytest.importorskip("gradio")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_TEMP_DIR", "no_proxy", "NO_PROXY"):
            patch.setenv(name, "")
        keep_to_this_machine(str(tmp_path_factory.mktemp("uploads")))
        page = launch(app_networks, "127.0.0.1", free_port(), megabytes=1)
        yield page.local_url
        page.close(verbose=False)


def test_a_client_of_the_api_gets_files_and_what_was_said(address, scans, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(address, download_files=str(tmp_path / "got"), verbose=False)
    files, said = client.predict([*map(handle_file, scans)], ["two"], api_name="/paint")
    assert [Image.open(file).size for file in files] == [(70, 50), (70, 50)]
    assert [line.partition(", ")[0] for line in said["painted"]] == ["cat.jpg", "dog.tif"]
    assert re.fullmatch(r"cat.jpg, two: 70×50, [\d.]+ s", said["painted"][0])
    assert said["failed"] == ["text.jpg: it is a text file"]
    (grey,), _ = client.predict([handle_file(scans[0])], ["two"], strength=0, api_name="/paint")
    assert np.ptp(np.asarray(Image.open(grey)).astype(int), axis=2).max() <= 2
    with pytest.raises(Exception, match="Choose a network first"):
        client.predict([handle_file(scans[0])], [], api_name="/paint")
    with pytest.raises(Exception, match="The size is 9000; it must be between 1 and 2048"):
        client.predict([handle_file(scans[0])], ["two"], size=9000, api_name="/paint")


def test_a_file_over_the_bound_is_refused(address, tmp_path):
    import httpx

    done = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.jpg", bytes(2**20 + 1))})
    assert done.status_code == 413


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_every_control_in_a_browser_that_asks_no_other_host(address, scans, tmp_path):
    api = pytest.importorskip("playwright.sync_api")
    hosts = set()
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: hosts.add(re.match(r"\w+:(//[^/]*)?", request.url).group()))
        page.goto(address)
        page.locator("input[type=file]").first.set_input_files(scans)
        page.get_by_label("two", exact=True).check()
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("Size of the prediction").fill("48")
        page.get_by_role("button", name="Colour", exact=True).click()
        api.expect(page.locator("#status")).to_contain_text("4 pictures painted; text.jpg: it is a text file")
        page.get_by_label("Right", exact=True).click()
        page.get_by_role("option", name="two", exact=True).click()
        api.expect(page.get_by_text("Download two")).to_be_visible()
        before = shown(page)
        page.get_by_role("button", name="Hints: brush").click()
        canvas = page.locator("#hints canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=9)
        page.mouse.up()
        page.get_by_role("button", name="Colour with these hints").click()
        api.expect(page.locator("#status")).to_contain_text("2 pictures painted")
        assert shown(page) != before
        page.locator("#undo").click()
        api.expect(page.locator("#status")).to_be_empty()
        with page.expect_download() as download:
            page.get_by_text("Download all (ZIP)").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            assert {"one/cat.png", "two/dog.png", "painted.csv", "painted.html"} <= {*archive.namelist()}
        browser.close()
    assert {host for host in hosts if host.startswith("http")} == {address.rstrip("/")}


def shown(page):
    """The addresses of the pictures in the slider."""
    return page.locator("#before-after img").evaluate_all("images => images.map(image => image.src)")
