"""Fixtures of the verbs: networks and photographs of the page that `colorize app` serves."""

import re
import socket

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.cli.sessions import load_networks
from colorize.cli.web_app import keep_to_this_machine, launch
from colorize.models import CNN, Diffusion
from tests.helpers.browser import CHROMIUM, PATIENCE
from tests.helpers.deployed import run_in, run_verb, small_unet


@pytest.fixture(scope="session")
def app_weights(tmp_path_factory):
    """Two exports whose colours differ."""
    made = []
    for seed, name in enumerate(("one", "two")):
        torch.manual_seed(seed)
        model = CNN(width=0.1, global_size=32).eval()
        torch.nn.init.normal_(model.colour[-2].bias, std=0.3)
        made.append(str(colorize.save(model, tmp_path_factory.mktemp("weights") / name, {"trained_size": 32})))
    return made


@pytest.fixture(scope="session")
def app_networks(app_weights):
    return load_networks(app_weights, None, "cpu")


@pytest.fixture(scope="session")
def drawing_network(tmp_path_factory):
    torch.manual_seed(0)
    model = Diffusion(widths=(8, 16, 16), time=16, sampling_steps=2).eval()
    weights = colorize.save(model, tmp_path_factory.mktemp("weights") / "draws", {"trained_size": 16})
    return load_networks([str(weights)], None, "cpu")


@pytest.fixture
def scans(tmp_path):
    """A JPEG, a 16-bit TIFF and a text called JPEG."""
    tones = np.random.default_rng(0).integers(60, 200, (5, 7), dtype=np.uint8)
    picture = Image.fromarray(tones).resize((70, 50), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "cat.jpg")
    Image.fromarray(np.asarray(picture).astype(np.uint16) * 257).save(tmp_path / "dog.tif")
    (tmp_path / "text.jpg").write_text("no picture")
    return [str(tmp_path / name) for name in ("cat.jpg", "dog.tif", "text.jpg")]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


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


@pytest.fixture(scope="session")
def deployed(once):
    """A folder with `source`, a network as safetensors, and `onnx`, what `colorize export` made of it."""

    def make(folder):
        colorize.save(small_unet(), folder / "source", {"trained_size": 48, "name": "toy"})
        with run_in(folder):
            assert run_verb("export", "source", "-o", "onnx", "--format", "onnx") == 0

    return once("deployed", make)


@pytest.fixture
def photos(tmp_path):
    """Of several sizes: one is smaller than what the network is shown; grey, transparent, turned by EXIF."""
    random, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for name, size, mode in [
        ("a.jpg", (301, 207), "RGB"), ("b.png", (37, 90), "L"), ("c.png", (64, 50), "RGBA"), ("d.jpg", (99, 60), "RGB"),
    ]:  # fmt: skip
        coarse = Image.fromarray(random.integers(0, 256, (6, 7, 4), dtype=np.uint8), "RGBA").convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "d.jpg" else 1
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / name, exif=exif)
    return folder
