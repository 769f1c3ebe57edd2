"""The page that `colorize app` serves: its API, and what cannot be. In a browser: cli/test_web_page.py."""

import errno
import os
import re
import shutil
import socket
import sys
import time
from argparse import Namespace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize.cli import sessions, web_app
from colorize.cli.web_app import check_port, launch, paint_defaults
from colorize.utils.errors import UserError
from tests.cli.conftest import free_port
from tests.helpers.commands import refused
from tests.helpers.configs import ROOT


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


def test_a_client_of_the_api_gets_files_and_what_was_said(address, scans, tmp_path, capsys):
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
    (near,), _ = client.predict([handle_file(scans[0])], ["two"], hints=red, reach=0.01, api_name="/paint")
    changed = [(np.asarray(Image.open(file)) != np.asarray(Image.open(files[0]))).mean() for file in (near, red_cat)]
    assert changed[0] < changed[1]
    _, said = client.predict([handle_file(red_cat)], ["two"], api_name="/paint")
    assert "it is painted by colorize already: its lightness is painted" in said["painted"][0]
    with pytest.raises(Exception, match="Hints go with one photograph"):
        client.predict([*map(handle_file, scans)], ["two"], hints=red, api_name="/paint")
    (grey,), _ = client.predict([handle_file(scans[0])], ["two"], strength=0, api_name="/paint")
    assert np.ptp(np.asarray(Image.open(grey)).astype(int), axis=2).max() <= 2
    files, _ = client.predict([handle_file(scans[0])], ["two"], confidence=True, size=24, api_name="/paint")
    assert [Path(file).name for file in files] == ["cat.png", "cat.confidence.png"]
    (deep,), _ = client.predict([handle_file(scans[0])], ["two"], format="tif16", api_name="/paint")
    assert tifffile.imread(deep).dtype == np.uint16
    with pytest.raises(Exception, match="The reference is grey"):
        client.predict([handle_file(scans[0])], ["two"], reference=handle_file(scans[1]), api_name="/paint")
    capsys.readouterr()
    for wrong, sentence in [
        ({"strength": "high"}, "Strength is 'high'; it must be a number from 0 to 1.5."),
        ({"max_chroma": -1}, "Saturation limit is -1; it must be a number from 0 to 150."),
        ({"samples": 1.5}, "Samples is 1.5; it must be a whole number from 1 to 8."),
        ({"seed": "one"}, "Seed of the samples is 'one'; it must be a whole number."),
        ({"networks": ["nope"]}, "Networks is ['nope']; it must be a list of names among one, two, draws."),
        ({"format": "gif"}, "Format of the files is 'gif'; it must be one of jpg, png, tif, webp, png16, tif16."),
        ({"confidence": "no"}, "Confidence is 'no'; it must be True or False."),
        ({"reach": 2}, "Reach is 2; it must be a number from 0.01 to 1."),
    ]:
        with pytest.raises(Exception, match=re.escape(sentence)):
            client.predict([handle_file(scans[0])], **{"networks": ["two"]} | wrong, api_name="/paint")
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(Exception, match="Choose a network first"):
        client.predict([handle_file(scans[0])], [], api_name="/paint")
    with pytest.raises(Exception, match="The size is '9000'; it must be 'auto', 'as trained' or between 16 and 2048"):
        client.predict([handle_file(scans[0])], ["two"], size=9000, api_name="/paint")


def test_the_documented_client_as_it_stands(address, scans, tmp_path, monkeypatch):
    """But for the address and the name of the network."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(from gradio_client .*?)```", page, re.S).group(1)
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(scans[0], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:7860", address).replace("quickstart", "two"), found := {})
    assert [Path(file).name for file in found["files"]] == ["a.png", "b.png"]
    assert found["said"]["failed"] == []


def test_a_file_over_the_bound_is_refused(address, tmp_path):
    import httpx

    done = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.jpg", bytes(2**20 + 1))})
    assert done.status_code == 413


def test_an_upload_for_which_the_disk_is_full_is_refused_in_a_sentence_and_leaves_nothing(address, monkeypatch):
    import httpx
    from starlette.datastructures import UploadFile

    def upload():
        return httpx.post(f"{address}gradio_api/upload", files={"files": ("a.jpg", bytes(2**19))})

    async def quota(*_):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    held = {*Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*")}
    with monkeypatch.context() as patch:
        patch.setattr(web_app, "disk_usage", lambda _: Namespace(free=web_app.RESERVE))
        done = upload()
        assert (done.status_code, done.text) == (400, "Nothing is uploaded: the disk of the page is full")
        assert {*Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*")} == held
    with monkeypatch.context() as patch:
        patch.setattr(UploadFile, "write", quota)
        done = upload()
        assert (done.status_code, done.text) == (507, "Nothing is uploaded: Disk quota exceeded")
    assert upload().status_code == 200


def test_two_visitors_are_served_in_turn_each_with_their_own(address, scans, tmp_path, monkeypatch):
    """The second sees its place while it waits."""
    from gradio_client import Client, handle_file

    def held_up(model, job, *rest):
        at_work.append(job.source.name)
        assert gate.wait(300)
        done = paint_one(model, job, *rest)
        assert at_work.pop() == job.source.name
        assert not at_work  # one at a time
        return done

    gate, at_work, paint_one = Event(), [], sessions.paint_one
    monkeypatch.setattr(sessions, "paint_one", held_up)
    clients = [Client(address, download_files=str(tmp_path / name), verbose=False) for name in "ab"]
    jobs = [clients[0].submit([handle_file(scans[0])], ["one"], api_name="/paint")]
    wait_until(lambda: at_work)
    jobs.append(clients[1].submit([handle_file(scans[1])], ["one"], api_name="/paint"))
    wait_until(lambda: jobs[1].status().rank is not None)
    assert (jobs[1].status().rank, jobs[1].status().queue_size) == (0, 1)
    gate.set()
    painted = [job.result(timeout=300) for job in jobs]
    assert [[Path(file).name for file in files] for files, _ in painted] == [["cat.png"], ["dog.png"]]
    assert [said["painted"][0].partition(",")[0] for _, said in painted] == ["cat.jpg", "dog.tif"]
    folders = [{*Path(files[0]).parts} for files, _ in painted]
    assert not {part for part in folders[0] & folders[1] if part.startswith("colorize-app-")}


def wait_until(holds):
    end = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_that_does_not_start_gets_one_sentence(app_networks, monkeypatch):
    """Gradio gives it five seconds."""
    http_server = pytest.importorskip("gradio.http_server")

    def too_slow(_):
        raise http_server.ServerFailedToStartError

    monkeypatch.setattr(http_server.Server, "run_in_thread", too_slow)
    with pytest.raises(UserError, match=r"the page's server has not started at port \d+ of 127.0.0.1"):
        launch(app_networks, "127.0.0.1", free_port(), 1)


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


def test_on_the_right_is_what_was_painted_last(app_networks, scans):
    pytest.importorskip("gradio")
    from colorize.cli.gradio_page import Page

    def paint(*names):
        list(session.paint(scans[:1], {name: app_networks[name] for name in names}, settings))
        return right("two")

    def right(shown):
        return page.results.choose(session, "cat.jpg", right=shown)[page.results.right].value

    settings = Namespace(**vars(paint_defaults()) | {"format": "png"})
    session, page = sessions.Session(), Page(app_networks, paint_defaults())
    page.build()
    assert [paint("two"), paint("one"), paint("one", "two")] == ["two", "one", "two"]
    session.undo()
    assert right("two") == "two"  # as it was
