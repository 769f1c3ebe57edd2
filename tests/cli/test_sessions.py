"""Sessions of the page that `colorize app` serves: what each visitor has painted, hints, undo."""

import errno
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.cli import session_files, sessions
from colorize.cli.session_files import BEFORE, SIDE
from colorize.cli.sessions import Session, load_networks
from colorize.utils.errors import UserError
from tests.helpers.app_sessions import options, stroke


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


def test_undo_brings_back_what_was_painted_before(app_networks, scans):
    session, first = Session(), {"one": app_networks["one"]}
    list(session.paint(scans[:1], first, options()))
    before = session.results["cat.jpg"]["one"].file.read_bytes()
    list(session.paint(scans[:1], first, options(size=48, strength=0.5, max_chroma=60.0)))
    notes = session.results["cat.jpg"]["one"].record.notes
    assert notes[-3:] == ["strength 0.5", "saturation limit 60", "size set to 48"]
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
    nothing = Image.new("RGBA", (140, 100))
    for layer in (nothing, Image.new("RGBA", (140, 100), (9, 9, 9, 255))):
        with pytest.raises(UserError, match="no stroke lies on the photograph: brush a colour"):
            session.repaint("cat.jpg", [layer], app_networks, options())
    one = {"one": app_networks["one"]}
    assert not any(step.failure for step in session.repaint("cat.jpg", [stroke()], one, options()))
    assert "hints, reach 0.2" in session.results["cat.jpg"]["one"].record.notes
    hinted = np.asarray(Image.open(session.results["cat.jpg"]["one"].file)).astype(int)
    assert (hinted[25, 30, 0] - hinted[25, 30, 1:]).min() > 40
    session.undo()
    plain = np.asarray(Image.open(session.results["cat.jpg"]["one"].file)).astype(int)
    assert (plain[25, 30, 0] - plain[25, 30, 1:]).min() < 40
    assert session.results["dog.tif"] == kept
    list(session.paint(scans[:2], one, options()))  # with the same hints, until they are erased
    assert np.array_equal(np.asarray(Image.open(session.results["cat.jpg"]["one"].file)), hinted)
    session.brush("cat.jpg", [nothing])
    list(session.paint(scans[:2], one, options()))
    assert np.array_equal(np.asarray(Image.open(session.results["cat.jpg"]["one"].file)), plain)


def test_a_stopped_round_keeps_what_is_painted_and_the_next_one_goes_to_its_end(app_networks, scans):
    session = Session()
    for step in session.paint(scans[:2], app_networks, options()):
        session.stopped = step.done == 1
    assert {name: list(found) for name, found in session.results.items()} == {"cat.jpg": [BEFORE, "one"]}
    assert [step.done for step in session.paint(scans[:1], app_networks, options())] == [0, 1, 2]


def test_the_pages_of_a_tiff_are_photographs_of_their_own(app_networks, tmp_path):
    pages = [Image.new("L", (40, 30), tone) for tone in (60, 160)]
    pages[0].save(tmp_path / "book.tif", save_all=True, append_images=pages[1:])
    session, one = Session(), {"one": app_networks["one"]}
    list(session.paint([tmp_path / "book.tif"], one, options()))
    assert list(session.results) == ["book.tif, page 1", "book.tif, page 2"]
    tones = [np.asarray(Image.open(found[BEFORE].view)).mean() for found in session.results.values()]
    assert tones == pytest.approx([60, 160], abs=2)
    before = {key: found["one"].file.read_bytes() for key, found in session.results.items()}
    assert not any(step.failure for step in session.repaint("book.tif, page 2", [stroke()], one, options()))
    after = {key: found["one"].file.read_bytes() for key, found in session.results.items()}
    assert [key for key in before if before[key] != after[key]] == ["book.tif, page 2"]


def test_a_map_of_confidence_lies_over_the_photograph(app_networks, drawing_network, scans):
    networks, session = {"two": app_networks["two"]} | drawing_network, Session()
    list(session.paint(scans[:1], networks, options(confidence=True, samples=2)))
    found = session.results["cat.jpg"]
    assert list(found) == [
        BEFORE, "two", "two, confidence", "draws, sample 1", "draws, sample 2", "draws, confidence"
    ]  # fmt: skip
    assert Image.open(found["draws, confidence"].file).size == Image.open(found["draws, confidence"].view).size
    with zipfile.ZipFile(session.archive()) as archive:
        names = {*archive.namelist()}
        assert {"two/cat.png", "two/cat.confidence.png", "draws/cat-2.png", "draws/cat.confidence.png"} <= names
        assert len(archive.read("painted.csv").splitlines()) == 4  # of maps there are no lines
    list(session.paint(scans[:1], drawing_network, options()))
    assert list(session.results["cat.jpg"]) == [BEFORE, "two", "two, confidence", "draws"]


def test_a_reference_gives_its_colours_and_a_grey_one_is_refused_before_all_else(app_networks, scans, tmp_path):
    session, one = Session(), {"one": app_networks["one"]}
    with pytest.raises(UserError, match=r"^the reference is grey, or of one tone: give a photograph in colour$"):
        session.paint(scans, one, options(reference=Path(scans[0])))
    with pytest.raises(UserError, match=r"^the reference: it is a text file$"):
        session.paint(scans, one, options(reference=Path(scans[2])))
    assert not session.results
    green = np.asarray(Image.open(scans[0]).convert("RGB")) * np.array([0.5, 1.0, 0.5])
    green[:, :35] = green[:, :35] * np.array([1.6, 0.9, 1.0])
    Image.fromarray(green.astype(np.uint8)).save(tmp_path / "green.png")
    list(session.paint(scans[:1], one, options(reference=tmp_path / "green.png")))
    painted = np.asarray(Image.open(session.results["cat.jpg"]["one"].file)).astype(float)
    assert (painted[..., 1] - painted[..., 2]).mean() > 10


def test_visitors_are_not_told_of_the_command_line(app_networks, scans):
    (step,) = [each for each in Session().paint(scans[:1], app_networks, options(max_pixels=99)) if each.failure]
    assert step.failure == "cat.jpg: it has 70×50 pixels, more than 99"


def test_a_full_disk_costs_only_what_was_not_yet_written(app_networks, scans, monkeypatch):
    def full(model, job, *rest):
        if job.source.name == "cat.jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        return paint_one(model, job, *rest)

    paint_one = sessions.paint_one
    monkeypatch.setattr(sessions, "paint_one", full)
    session = Session()
    steps = list(session.paint(scans[:2], {"one": app_networks["one"]}, options()))
    assert [step.failure for step in steps if step.failure] == ["cat.jpg, one: No space left on device"]
    assert list(session.results) == ["dog.tif"]


def test_a_disk_that_is_full_for_what_is_shown_gets_back_what_was_painted(app_networks, scans, monkeypatch):
    def full(path, write):
        if "cat" in path.name:
            raise OSError(errno.ENOSPC, "cannot write it: No space left on device", str(path))
        write_whole(path, write)

    write_whole = session_files.write_whole
    monkeypatch.setattr(session_files, "write_whole", full)
    session = Session()
    steps = list(session.paint(scans[:2], app_networks, options(confidence=True, size=24)))
    said = [f"cat.jpg, {name}: cannot write it: No space left on device" for name in ("one", "two")]
    assert [step.failure for step in steps if step.failure] == said  # and not where the server keeps it
    assert list(session.results) == ["dog.tif"]
    assert not [path.name for path in session.folder.rglob("*cat*")]
    assert len([*session.folder.rglob("dog*.png")]) == 4


def test_what_the_page_shows_of_a_large_photograph_is_smaller_than_its_file(app_networks, tmp_path):
    picture = Image.new("RGBA", (2 * SIDE, 40), (90, 90, 90, 0))
    picture.paste((90, 90, 90, 255), (SIDE, 0, 2 * SIDE, 40))
    picture.save(tmp_path / "wide.png")
    session = Session()
    list(session.paint([tmp_path / "wide.png"], {"one": app_networks["one"]}, options()))
    found = session.results["wide.png"]
    assert Image.open(found["one"].file).size == (2 * SIDE, 40)
    assert Image.open(found[BEFORE].view).size == (SIDE, 20)
    assert Image.open(found[BEFORE].view).getpixel((9, 9)) == (255, 255, 255)  # what is transparent lies on white


def test_networks_of_one_name_are_called_by_their_whole_path(app_weights, tmp_path):
    other = shutil.copytree(app_weights[0], tmp_path / "one")
    assert list(load_networks([app_weights[0], str(other), app_weights[1]], None, "cpu")) == [
        app_weights[0],
        str(other),
        "two",
    ]
