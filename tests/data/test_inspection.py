"""The verb `inspect`: it finds every planted fault, raises no false alarm, and survives whatever a file does."""

import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from colorize.cli import data as inspecting
from colorize.cli import main
from colorize.data.collection import Photo
from colorize.data.duplicates import duplicates, near_hashes
from colorize.data.findings import (
    FINDINGS,
    LEFT_OUT,
    ManifestLine,
    examine,
    read_excluded,
    read_manifest,
    write_manifest,
)
from colorize.data.sources import DEMO
from colorize.utils.errors import INTERRUPTED, UserError
from colorize.utils.processes import GROUP, map_in_processes
from tests.helpers.planted import encoded, plant


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """(folder that trains, folder that validates, name -> findings, name -> twin)"""
    home = tmp_path_factory.mktemp("ein Ordner mit Wörtern")
    return home / "train", home / "val", *plant(home / "train", home / "val")


@pytest.fixture(scope="module", params=[0, 2], ids=["in this process", "in two others"])
def inspected(request, planted, tmp_path_factory):
    """(printed, manifest's lines, folder of the report)"""
    train, val, *_ = map(str, planted)
    report, printed = tmp_path_factory.mktemp("inspected") / "report", io.StringIO()
    with redirect_stdout(printed):
        assert main(["inspect", train, "--val", val, "-o", str(report), "--workers", str(request.param)]) == 0
    return printed.getvalue(), list(read_manifest(report / "manifest.tsv")), report


def test_it_finds_all_that_was_planted_and_nothing_else(inspected, planted):
    train, _, expected, twins = planted
    printed, lines, report = inspected
    assert sum(path.is_file() for path in train.rglob("*")) == 60
    assert {finding for findings in expected.values() for finding in findings} == {finding.key for finding in FINDINGS}
    assert {line.name: set(line.findings) for line in lines} == expected
    assert {line.name: line.twin for line in lines if line.twin} == twins
    left_out = {name for name, findings in expected.items() if findings & LEFT_OUT}
    assert read_excluded(report / "manifest.tsv") == left_out
    assert f"{len(left_out)} of 60 photographs should be left out" in printed


def test_the_page_shows_every_finding_and_needs_no_network(inspected, planted):
    page = (inspected[2] / "inspect.html").read_text(encoding="utf-8")
    for finding in FINDINGS:
        assert f'<section id="{finding.key}">' in page
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page)
    invisible = {"empty", "unreadable", "enormous"}
    keys = [key for findings in planted[2].values() for key in findings]
    pictures = [2 if key in ("leak", "duplicate") else key not in invisible for key in keys]
    assert page.count("<img") == sum(pictures)
    assert "it is a web page" in page
    assert "its pixels end before the picture is complete" in page


def test_no_false_alarm_among_the_demo_photographs(inside, tmp_path):
    """Colour photographs, all different: nobody would leave one of them out."""
    done = inside("inspect", "demo", "-o", tmp_path / "report", "--workers", 0)
    assert done.returncode == 0, done.stderr
    assert list(read_manifest(tmp_path / "report" / "manifest.tsv")) == []
    assert "nothing to leave out" in done.stdout


def test_mean_chroma_is_skimages():
    path = DEMO / "pip_coffee.jpg"
    with Image.open(path) as image:
        lab = rgb2lab(np.asarray(image.convert("RGB")))
    assert examine(path.read_bytes()).chroma == pytest.approx(np.hypot(lab[..., 1], lab[..., 2]).mean(), rel=0.03)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_no_bytes_make_it_raise(kind):
    """A photograph with a piece of it overwritten at random, sixty times."""
    random = np.random.default_rng(0)
    data = encoded(Image.open(DEMO / "pip_coffee.jpg").resize((90, 60)), kind)
    for _ in range(60):
        place, length = int(random.integers(len(data))), int(random.integers(1, 40))
        seen = examine(data[:place] + random.bytes(length) + data[place + length :])
        assert bool(seen.why) == (seen.width == 0)


def test_near_hashes_are_those_of_all_pairs():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 400, dtype=np.uint64)
    for row in range(0, 200, 2):  # a neighbour with 0 to 9 other bits
        flipped = sum(1 << int(bit) for bit in random.permutation(64)[: row % 10])
        hashes[row + 1] = hashes[row] ^ np.uint64(flipped)
    hashes[300:310] = 0
    numbers = [int(value) for value in hashes]
    pairs = {(i, j) for i in range(400) for j in range(i) if (numbers[i] ^ numbers[j]).bit_count() <= 6}
    assert {tuple(pair[::-1]) for pair in near_hashes(hashes).tolist()} == pairs
    assert len(pairs) > 100


def test_of_every_picture_one_photograph_remains():
    pairs = np.array([(0, 1), (1, 2), (3, 4), (5, 6), (5, 7), (6, 7)])  # 0 and 2 are not alike
    worse = np.isin(np.arange(8), [3])  # left out for another reason, so 4 stays
    assert duplicates(pairs, worse) == {1: 0, 3: 4, 6: 5, 7: 5}


def test_a_million_equal_hashes_are_no_million_squared_pairs():
    assert len(near_hashes(np.zeros(10**6, np.uint64))) < 3 * 10**6


def test_thousands_of_almost_blank_pictures_are_no_thousands_squared():
    """With two bits of 64 each, all of their hashes are near one another; the nearest must be among what is found."""
    bits = [1 << i | 1 << j for i in range(64) for j in range(i)]
    found = {tuple(pair) for pair in near_hashes(np.array(bits, np.uint64)).tolist()}
    assert len(found) < len(bits) ** 2 / 4
    again = [row for row in range(len(bits)) if bits[row] & 1]  # a bit in common: 2 bits apart, not 4
    assert all(any((row, other) in found or (other, row) in found for other in again if other != row) for row in again)


def ends_its_process(photo):
    if photo.name == "deadly":
        os._exit(9)
    return photo.name


def test_a_file_that_kills_its_process_is_named_and_the_others_are_done():
    names = [f"photo {i}" for i in range(GROUP + 4)]
    names[GROUP - 1] = "deadly"
    photographs = [Photo(Path(name), name) for name in names]
    done = list(map_in_processes(ends_its_process, photographs, 2, crashed=lambda photo: f"lost {photo.name}"))
    assert done == [name.replace("deadly", "lost deadly") for name in names]


def test_names_of_any_kind_survive_the_manifest(tmp_path):
    names = ["a b.jpg", "tab\there", "line\nbreak", "back\\slash\\t", "\udcff.jpg", "Ölbild/猫.jpg", "\\"]
    lines = [ManifestLine("train", name, ("duplicate", "tiny"), True, twin=name) for name in names]
    write_manifest(tmp_path / "manifest.tsv", lines)
    assert list(read_manifest(tmp_path / "manifest.tsv")) == lines


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "is no manifest"), ("name\tleave_out\n", "is no manifest"), ("\0\0\0", "is no manifest")],
)
def test_another_file_is_no_manifest(text, complaint, tmp_path):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(UserError, match=complaint):
        read_excluded(tmp_path / "list.txt")


def test_a_manifest_with_a_spoilt_line_is_refused(tmp_path):
    write_manifest(path := tmp_path / "manifest.tsv", [ManifestLine("train", "a.jpg", ("tiny",), True)])
    path.write_text(path.read_text() + "b.jpg\tyes\n")
    with pytest.raises(UserError, match="line 3"):
        read_excluded(path)
    with pytest.raises(UserError, match="there is no manifest"):
        read_excluded(tmp_path / "missing.tsv")


def test_mistakes_are_one_sentence(inside, photographs, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "a file").write_text("")
    for words, complaint in [
        ((tmp_path / "nowhere", "-o", "out"), "there is no folder"),
        ((tmp_path / "there", "-o", "out"), "no photographs in"),
        ((photographs, "-o", tmp_path / "there"), "already exists"),
        ((photographs, "-o", tmp_path / "a file", "--overwrite"), "is a file"),
        ((photographs, "-o", "out", "--val", tmp_path / "nowhere"), "there is no folder"),
        ((photographs, "-o", "out", "--val", photographs), "the same photographs"),
        ((photographs, "-o", "out", "--workers", "-1"), "must be 0 or more"),
        ((photographs,), "-o/--output"),
    ]:
        done = inside("inspect", *words)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_in_a_sentence(inside, photographs, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(inspecting, "find_duplicates", interrupted)
    done = inside("inspect", photographs, "-o", tmp_path / "out")
    assert done.returncode == INTERRUPTED
    assert "interrupted before the report was written" in done.stdout
    assert not (tmp_path / "out").exists()


def test_limits_are_options(inside, photographs, tmp_path):
    """The photographs of the fixture have 60×48 pixels of smooth noise."""
    excluded = {}
    for tiny in (48, 49):
        assert inside("inspect", photographs, "-o", tmp_path / f"{tiny}", "--tiny", tiny).returncode == 0
        excluded[tiny] = read_excluded(tmp_path / f"{tiny}" / "manifest.tsv")
    assert (len(excluded[48]), len(excluded[49])) == (0, 14)


def test_a_link_to_nowhere_is_unreadable(inside, photographs, tmp_path):
    (photographs / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    inside("inspect", photographs, "-o", tmp_path / "out", "--tiny", 10)
    assert read_excluded(tmp_path / "out" / "manifest.tsv") == {"gone.jpg"}
