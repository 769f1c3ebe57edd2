"""The archive of a session of the page that `colorize app` serves: what it holds, and whether that can be verified."""

import csv
import errno
import io
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize.cli.sessions import Session
from tests.helpers.app_sessions import options, stroke


def test_the_archive_holds_every_file_and_a_report(app_networks, scans):
    session = Session()
    assert session.archive() is None
    list(session.paint(scans, app_networks, options(format="tif")))
    with zipfile.ZipFile(session.archive()) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".tif"))
        assert {"painted.csv", "painted.html"} <= {*archive.namelist()}
        rows = list(csv.DictReader(io.StringIO(archive.read("painted.csv").decode())))
        assert Image.open(io.BytesIO(archive.read(names[0]))).size == (70, 50)
    assert names == ["one/cat.tif", "one/dog.tif", "two/cat.tif", "two/dog.tif"]
    assert sorted(row["painted"] for row in rows) == ["", *names]
    assert [row["warnings"] for row in rows if row["photograph"] == "text.jpg"] == ["it is a text file"]
    assert {(row["photograph"], row["width"], row["height"]) for row in rows if row["network"] == "two"} == {
        ("cat.jpg", "70", "50"), ("dog.tif", "70", "50")
    }  # fmt: skip


def test_photographs_of_one_stem_become_two_files(app_networks, scans, tmp_path):
    """`cat.jpg` and `cat.tif`, in one round, and again when each is painted with hints."""
    session, one = Session(), {"one": app_networks["one"]}
    shutil.copy(scans[1], tmp_path / "cat.tif")
    list(session.paint([scans[0], tmp_path / "cat.tif", scans[0]], one, options()))
    for name in ("cat.jpg", "cat.tif"):
        assert not any(step.failure for step in session.repaint(name, [stroke()], one, options()))
    with zipfile.ZipFile(session.archive()) as archive:
        names = {re.sub("-[0-9a-f]{12}", "", name) for name in archive.namelist()}
    assert names == {
        "one/cat.jpg.png", "one/cat.tif.png", "hints/cat.jpg.png", "hints/cat.tif.png", "painted.csv", "painted.html"
    }  # fmt: skip


def test_the_unpacked_archive_is_verified_with_its_hints_and_its_reference(
    app_networks, app_weights, scans, inside, tmp_path
):
    (tmp_path / "photographs").mkdir()
    photographs = [shutil.copy(scan, tmp_path / "photographs") for scan in scans[:2]]
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((70, 50)).save(tmp_path / "colours.png")
    session, one = Session(), {"one": app_networks["one"]}
    list(session.paint(photographs, one, options(reference=tmp_path / "colours.png")))
    list(session.repaint("cat.jpg", [stroke()], one, options(reach=0.2)))
    with zipfile.ZipFile(session.archive()) as archive:
        archive.extractall(tmp_path / "unpacked")
    verify = ("verify", "unpacked", "--source", "photographs", "-w", app_weights[0])
    done = inside(*verify)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 agree" in done.stdout
    for folder in ("hints", "reference"):
        (only,) = (tmp_path / "unpacked" / folder).iterdir()
        only.unlink()
    done = inside(*verify)
    assert done.returncode == 1
    for name, file in (("hints", "cat"), ("reference", "dog")):
        said = re.search(rf"{file}.png: the file that it was given as --{name} \(.*", done.stderr).group()
        assert said.endswith(" is not in 'photographs' or 'unpacked'")


def test_an_archive_that_fails_leaves_nothing_and_each_has_an_address_of_its_own(app_networks, scans, monkeypatch):
    session, one = Session(), {"one": app_networks["one"]}
    list(session.paint(scans[:1], one, options()))
    first = session.archive()
    assert session.archive() != first  # or a browser might show the one that it holds
    assert not first.exists()
    monkeypatch.setattr(zipfile.ZipFile, "write", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        session.archive()
    assert not list(session.folder.glob("archive-*"))
    assert session.results["cat.jpg"]["one"].file.is_file()


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_photographs_of_one_name_are_told_apart(app_networks, scans, tmp_path):
    (tmp_path / "b").mkdir()
    Image.new("L", (40, 30), 90).save(tmp_path / "b" / "cat.jpg")
    session = Session()
    list(session.paint([scans[0], tmp_path / "b" / "cat.jpg"], {"one": app_networks["one"]}, options()))
    assert list(session.results) == ["cat.jpg", "2/cat.jpg"]
    with zipfile.ZipFile(session.archive()) as archive:
        assert {"one/cat.png", "one/2/cat.png"} <= {*archive.namelist()}
