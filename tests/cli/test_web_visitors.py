"""The page that `colorize app` serves with two visitors, and with a full disk, in a browser: slow."""

import errno
import zipfile
from argparse import Namespace
from threading import Event

import pytest

from colorize.cli import sessions, web_app
from tests.helpers.browser import PATIENCE, downloaded, expect, paint, upload

pytestmark = pytest.mark.slow


def test_two_visitors_wait_for_each_other_and_see_only_their_own(page, browser, address, scans, monkeypatch):
    def held_up(model, job, *rest):
        started.set()
        assert gate.wait(PATIENCE / 1000)
        return paint_one(model, job, *rest)

    started, gate, paint_one = Event(), Event(), sessions.paint_one
    monkeypatch.setattr(sessions, "paint_one", held_up)
    other = browser.new_page()
    other.set_default_timeout(PATIENCE)
    other.goto(address)
    upload(page, scans[:1])
    upload(other, scans[1:2])
    page.get_by_role("button", name="Colour", exact=True).click()
    assert started.wait(PATIENCE / 1000)
    other.get_by_role("button", name="Colour", exact=True).click()
    expect(other.locator("#status")).to_contain_text("queue: 1/1")
    gate.set()
    for each, name in ((page, "cat.jpg"), (other, "dog.tif")):
        expect(each.locator("#status")).to_contain_text("1 picture painted")
        expect(each.get_by_label("Photograph", exact=True)).to_have_value(name)
        with zipfile.ZipFile(downloaded(each, "#archive")) as archive:
            assert f"one/{name.partition('.')[0]}.png" in archive.namelist()
            assert len([file for file in archive.namelist() if file.endswith(".png")]) == 1
    other.locator("#undo").click()
    expect(other.locator("#nothing")).to_be_visible()
    expect(page.locator("#before-after")).to_be_visible()
    other.close()


def test_a_full_disk_is_said_in_the_page_and_costs_only_what_it_has_no_room_for(page, scans, monkeypatch):
    def full(model, job, *rest):
        if job.source.name == "cat.jpg":
            raise OSError(errno.ENOSPC, "cannot write it: No space left on device", str(job.target))
        return paint_one(model, job, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(web_app, "disk_usage", lambda _: Namespace(free=0))
        page.locator("input[type=file]").first.set_input_files(scans[0])
        expect(page.get_by_text("the disk of the page is full")).to_be_visible()
    page.reload()
    upload(page, scans[:2])
    paint_one = sessions.paint_one
    monkeypatch.setattr(sessions, "paint_one", full)
    paint(page, "1 picture painted; cat.jpg, one: cannot write it: No space left on device")
    assert "colorize-app" not in page.locator("#status").inner_text()
    expect(page.get_by_label("Photograph", exact=True)).to_have_value("dog.tif")
    with zipfile.ZipFile(downloaded(page, "#archive")) as archive:
        assert "one/dog.png" in archive.namelist()
    monkeypatch.setattr(sessions, "paint_one", paint_one)
    paint(page, "2 pictures painted")
