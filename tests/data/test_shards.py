"""Tar files as the world has them: masks beside photographs, full stops in names, classes that are none, cut ends; and
what is prepared of odd photographs."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from colorize.data import Shards
from colorize.data.collection import Collection
from colorize.data.resolve import open_source
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.selection import select_photographs
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT
from tests.helpers.data_sets import add, jpeg, tarred

CASES = ROOT.parent / "shared" / "cases"


def png(seed):
    Image.open(io.BytesIO(jpeg(seed))).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def listed(tmp_path, files):
    """name -> class of the photographs, and what is said of the rest."""
    path = tmp_path / "t.tar"
    path.write_bytes(files if isinstance(files, bytes) else tarred(files))
    source = open_source(str(path))
    return {photo.name.removeprefix("t/"): photo.label for photo in source.train}, source.notes()


@pytest.mark.parametrize("order", ["as it is", "reversed"])
@pytest.mark.parametrize("kind", ["seg.png", "mask.jpg", "v2.JPG"])
def test_a_field_of_a_photograph_is_none(order, kind, tmp_path):
    """Whatever stands behind the first full stop, in whatever order they come."""
    files = {f"{key}.{field}": jpeg(i) for i in range(3) for key in [f"a/{i}"] for field in ("jpg", kind)}
    found, notes = listed(tmp_path, files if order == "as it is" else dict(reversed(files.items())))
    assert sorted(found) == ["a/0.jpg", "a/1.jpg", "a/2.jpg"]
    assert notes == [n for n in notes if f"beside a photograph, .{kind} (3)" in n]


def test_masks_without_a_plain_photograph_are_none(tmp_path):
    found, notes = listed(tmp_path, {f"{i}.{field}": jpeg(i) for i in range(2) for field in ("rgb.jpg", "mask.png")})
    assert list(found) == ["0.rgb.jpg", "1.rgb.jpg"]
    assert "beside a photograph, .mask.png (2)" in notes[0]


def test_full_stops_and_spaces_belong_to_names(tmp_path):
    names = ["St. Peter, nave.jpg", "St. Mary.jpg", "photo.v1.final.jpg", "photo.v2.final.jpg", "v1.0/plain.JPEG"]
    classes = {"St. Mary.cls": b"3", "photo.cls": b"4", "v1.0/plain.CLS": b"5"}
    found, notes = listed(tmp_path, {**{name: jpeg(i) for i, name in enumerate(names)}, **classes})
    assert found == dict(zip(names, [-1, 3, 4, 4, 5], strict=True))
    assert not notes


def test_of_two_with_one_key_the_other_is_named(tmp_path):
    found, notes = listed(tmp_path, {"a.png": png(0), "a.jpg": jpeg(1), "b.jpg": jpeg(2), "b.webp": jpeg(3)})
    assert list(found) == ["a.jpg", "b.jpg"]
    assert notes == ["left out of the tar files: another photograph has the key (2): a.png, b.webp"]


def test_of_one_name_the_last_stands(tmp_path):
    with tarfile.open(fileobj=(file := io.BytesIO()), mode="w") as tar:
        for seed in range(3):
            add(tar, "a.jpg", jpeg(seed))
    found, notes = listed(tmp_path, file.getvalue())
    assert list(found) == ["a.jpg"]
    assert open_source(str(tmp_path / "t.tar")).train[0].read() == jpeg(2)
    assert "(2): a.jpg, a.jpg" in notes[0]


def test_what_systems_leave_behind_is_no_photograph(tmp_path):
    odd = {
        "._0.jpg": b"x",
        "__MACOSX/._0.jpg": b"x",
        ".hidden/1.jpg": jpeg(1),
        "@eaDir/0.jpg": jpeg(2),
        ".DS_Store": b"x",
    }
    found, notes = listed(tmp_path, {"./0.jpg": jpeg(0), **odd, "/a/../1.jpg": jpeg(3)})
    assert list(found) == ["0.jpg", "/a/../1.jpg"]
    assert "hidden or of the system (5)" in notes[0]


def test_what_is_no_file_or_empty_is_named(tmp_path):
    with tarfile.open(fileobj=(file := io.BytesIO()), mode="w") as tar:
        add(tar, "0.jpg", jpeg(0))
        add(tar, "1.jpg", b"")
        add(tar, "caption.txt", b"a cat")
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)):
            info = tarfile.TarInfo(f"odd{number}.jpg")
            info.type, info.linkname = kind, "0.jpg"
            tar.addfile(info)
    found, notes = listed(tmp_path, file.getvalue())
    assert list(found) == ["0.jpg"]
    assert sorted(notes) == [
        "left out of the tar files: .txt is no ending of a photograph (1): caption.txt",
        "left out of the tar files: no bytes, or more than 2.1 GB (1): 1.jpg",
        "left out of the tar files: no regular files (4): odd0.jpg, odd1.jpg, odd2.jpg, …",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "label"),
    [
        ("cls", b"7", 7), ("CLS", b"7", 7), ("cls", b"\xef\xbb\xbf7\r\n", 7), ("json", b'{"label": 7}', 7),
        ("json", b'\xef\xbb\xbf{"label": "7"}', 7), ("json", b'{"label": null}', None), ("json", b'["a"]', None),
        ("json", b'{"caption": "cat"}', None), ("json", b'"cat"', None), ("json", b'{"label": [1, 2]}', None),
        ("cls", b"cat", "said"), ("cls", b"-7", "said"), ("cls", b"2147483647", "said"), ("cls", b"9999999999", "said"),
        ("cls", b"9" * 5000, "said"), ("cls", b"\xff\xfe7\x00", "said"), ("cls", b"", "said"), ("json", b"{", "said"),
        ("json", b'{"label": "cat"}', "said"), ("json", b'{"label": 1e999}', "said"),
        ("json", b'{"label": true}', "said"),
        ("json", b"[" * 100_000, "said"),
    ],
)  # fmt: skip
def test_what_is_no_class_is_none(kind, text, label, tmp_path):
    """And no photograph is refused for its sake."""
    found, notes = listed(tmp_path, {"a.jpg": jpeg(0), f"a.{kind}": text})
    assert found == {"a.jpg": label if isinstance(label, int) else -1}
    assert [f"classes that are no number from 0 to 99999 (1): a.{kind}" in note for note in notes] == (
        [True] if label == "said" else []
    )


def test_a_class_without_photographs_divides_nothing(tmp_path, inside):
    (tmp_path / "t.tar").write_bytes(tarred({"a.jpg": jpeg(0), "a.cls": b"0", "b.jpg": jpeg(1), "b.cls": b"2"}))
    assert inside("inspect", "t.tar", "-o", "out", "--tiny", 10).returncode == 0
    assert "3 classes. 1 of them hold no photograph." in (tmp_path / "out" / "inspect.html").read_text()


@pytest.fixture
def cut(tmp_path):
    """Four whole photographs, and the beginning of a fifth."""
    whole = tarred({f"{i}.jpg": jpeg(i) for i in range(6)})
    (tmp_path / "cut.tar").write_bytes(whole[: whole.index(b"4.jpg\0") + 900])
    return tmp_path / "cut.tar"


def test_every_verb_says_that_a_tar_file_is_cut(cut, inside, tmp_path):
    sentence = "cut.tar: the tar file breaks off behind byte"
    assert sentence in inside("inspect", cut, "-o", "out", "--tiny", 10).stdout
    assert sentence in (tmp_path / "out" / "inspect.html").read_text()
    assert sentence in inside("prepare", cut, "tars").stdout
    assert sentence in json.loads((tmp_path / "tars" / "manifest.json").read_text())["left_out"][0]
    chosen = select_photographs(Protocol(name="clean", source=str(cut), size=32))
    assert (len(chosen.photos), sentence in chosen.notes[0]) == (4, True)


def test_a_tar_file_of_one_photograph_is_a_source(tmp_path, inside):
    (tmp_path / "one.tar").write_bytes(tarred({"a.jpg": jpeg(0)}))
    assert len(select_photographs(Protocol(name="clean", source=str(tmp_path / "one.tar"), size=32)).photos) == 1
    assert inside("inspect", "one.tar", "-o", "out").returncode == 0
    assert inside("prepare", "one.tar", "tars").returncode == 0
    with pytest.raises(UserError, match="holds one photograph; it takes two to train and validate"):
        Shards(str(tmp_path / "one.tar"))


@pytest.mark.parametrize("field", [b"0000000000x", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"77777777777\0"])
def test_a_header_with_an_absurd_size_ends_its_tar_file(field, tmp_path):
    data = bytearray(tarred({"a.jpg": jpeg(0), "b.jpg": jpeg(1)}))
    place = data.index(b"b.jpg\0")
    data[place + 124 : place + 136] = field.ljust(12, b"\0")
    data[place + 148 : place + 156] = b" " * 8
    data[place + 148 : place + 156] = b"%06o\0 " % sum(data[place : place + 512])
    found, notes = listed(tmp_path, bytes(data))
    assert (list(found), "breaks off" in notes[0]) == (["a.jpg"], True)


@pytest.mark.parametrize("root", ["train-*.tar", "train-00000.tar", "."])
def test_a_pipe_is_no_tar_file(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("train-00000.tar")
    for read in (Shards, open_source):
        with pytest.raises(UserError, match=r"train-00000\.tar'? is no regular file"):
            read(root)


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the odd files are not at {CASES}")
@pytest.mark.parametrize("path", sorted(CASES.glob("*.tar")), ids=lambda path: path.name)
def test_the_odd_tar_files(path):
    expected = json.loads((CASES / "expected.json").read_text())[path.name]
    if expected["want"] == "refuse":
        with pytest.raises(UserError):
            open_source(str(path))
    elif expected["want"] == "paint":
        assert len(open_source(str(path)).train) == expected["photographs"]
    else:
        assert isinstance(open_source(str(path)).train, Collection)
    assert isinstance(path, Path)
