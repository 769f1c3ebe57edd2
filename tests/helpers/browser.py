"""What tests do with the page that `colorize app` serves, in a browser (playwright)."""

import shutil
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 60_000  # ms, on a busy machine


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
