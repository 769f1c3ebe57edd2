"""Sessions of the page that `colorize app` serves: what each visitor has painted, hints, undo, the archive."""

import csv
import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from colorize.cli.sessions import BEFORE, VIEW, Session, load_networks
from colorize.cli.web_app import paint_defaults
from colorize.utils.errors import UserError


def options(**given):
    defaults = paint_defaults()
    vars(defaults).update({"format": "png"} | given)
    return defaults


def test_each_network_paints_each_photograph_and_one_that_is_bad_costs_no_other(app_networks, scans):
    session = Session()
    steps = list(session.paint(scans, app_networks, options()))
    assert [step.failure for step in steps if step.failure] == ["text.jpg: it is a text file"]
    assert [(step.done, step.of) for step in steps][-1] == (6, 6)
    assert {name: list(found) for name, found in session.results.items()} == {
        "cat.jpg": [BEFORE, "one", "two"], "dog.tif": [BEFORE, "one", "two"]
    }  # fmt: skip
    one, two = (np.asarray(Image.open(session.results["cat.jpg"][name].file)).astype(int) for name in ("one", "two"))
    assert one.shape == two.shape == (50, 70, 3)
    assert abs(one - two).max() > 5
    views = [Image.open(each.view) for each in session.results["dog.tif"].values()]
    assert {(view.format, view.mode, view.size) for view in views} == {("JPEG", "RGB", (70, 50))}
    session.close()
    assert not session.folder.exists()


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


def test_undo_brings_back_what_was_painted_before(app_networks, scans):
    session, first = Session(), {"one": app_networks["one"]}
    list(session.paint(scans[:1], first, options()))
    before = session.results["cat.jpg"]["one"].file.read_bytes()
    list(session.paint(scans[:1], first, options(size=48)))
    assert session.results["cat.jpg"]["one"].file.read_bytes() != before
    session.undo()
    assert session.results["cat.jpg"]["one"].file.read_bytes() == before
    session.undo()
    assert session.results == {}
    session.undo()


def test_hints_from_a_brush_are_painted_and_the_rest_is_kept(app_networks, scans):
    session = Session()
    list(session.paint(scans[:2], app_networks, options()))
    kept = session.results["dog.tif"]
    with pytest.raises(UserError, match="there are no hints: brush a colour"):
        session.repaint("cat.jpg", [Image.new("RGBA", (140, 100))], app_networks, options())
    stroke = Image.new("RGBA", (140, 100))  # twice the photograph's size, as its view may be
    stroke.paste((200, 40, 40, 255), (40, 40, 80, 60))
    stroke.paste((40, 40, 200, 90), (80, 60, 90, 70))
    assert [step.failure for step in session.repaint("cat.jpg", [stroke], {"one": app_networks["one"]}, options())] == [
        "",
        "",
    ]
    hinted = np.asarray(Image.open(session.results["cat.jpg"]["one"].file)).astype(int)
    assert (hinted[25, 30, 0] - hinted[25, 30, 1:]).min() > 40
    session.undo()
    plain = np.asarray(Image.open(session.results["cat.jpg"]["one"].file)).astype(int)
    assert (plain[25, 30, 0] - plain[25, 30, 1:]).min() < 40
    assert session.results["dog.tif"] == kept


def test_the_pages_of_a_tiff_are_photographs_of_their_own(app_networks, tmp_path):
    pages = [Image.new("L", (40, 30), tone) for tone in (60, 160)]
    pages[0].save(tmp_path / "book.tif", save_all=True, append_images=pages[1:])
    session, one = Session(), {"one": app_networks["one"]}
    list(session.paint([tmp_path / "book.tif"], one, options()))
    assert list(session.results) == ["book.tif, page 1", "book.tif, page 2"]
    tones = [np.asarray(Image.open(found[BEFORE].view)).mean() for found in session.results.values()]
    assert tones == pytest.approx([60, 160], abs=2)
    stroke = Image.new("RGBA", (40, 30), (200, 40, 40, 255))
    first = session.results["book.tif, page 1"]["one"].file
    list(session.repaint("book.tif, page 2", [stroke], one, options()))
    assert session.results["book.tif, page 1"]["one"].file == first
    assert session.results["book.tif, page 2"]["one"].file != first


def test_photographs_of_one_name_are_told_apart(app_networks, scans, tmp_path):
    (tmp_path / "b").mkdir()
    Image.new("L", (40, 30), 90).save(tmp_path / "b" / "cat.jpg")
    session = Session()
    list(session.paint([scans[0], tmp_path / "b" / "cat.jpg"], {"one": app_networks["one"]}, options()))
    assert list(session.results) == ["cat.jpg", "2/cat.jpg"]
    with zipfile.ZipFile(session.archive()) as archive:
        assert {"one/cat.png", "one/2/cat.png"} <= {*archive.namelist()}


def test_what_the_page_shows_of_a_large_photograph_is_smaller_than_its_file(app_networks, tmp_path):
    picture = Image.new("RGBA", (2 * VIEW, 40), (90, 90, 90, 0))
    picture.paste((90, 90, 90, 255), (VIEW, 0, 2 * VIEW, 40))
    picture.save(tmp_path / "wide.png")
    session = Session()
    list(session.paint([tmp_path / "wide.png"], {"one": app_networks["one"]}, options()))
    found = session.results["wide.png"]
    assert Image.open(found["one"].file).size == (2 * VIEW, 40)
    assert Image.open(found[BEFORE].view).size == (VIEW, 20)
    assert Image.open(found[BEFORE].view).getpixel((9, 9)) == (255, 255, 255)  # what is transparent lies on white


def test_networks_of_one_name_are_called_by_their_whole_path(app_weights, tmp_path):
    other = shutil.copytree(app_weights[0], tmp_path / "one")
    assert list(load_networks([app_weights[0], str(other), app_weights[1]], None, "cpu")) == [
        app_weights[0],
        str(other),
        "two",
    ]
