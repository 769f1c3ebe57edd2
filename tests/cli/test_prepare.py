"""`colorize prepare`: tar files that hold exactly what the source held, the same bytes however they were made."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time

import pytest
from PIL import Image

from colorize.data.collection import Collection, Photo, Table
from colorize.data.resolve import open_source
from colorize.data.shard_writer import numbered_keys, plain_key, prepare_photo
from colorize.data.shards import Shards
from tests.helpers.configs import ROOT
from tests.helpers.data_sets import jpeg, write_imagenet, write_shards


@pytest.fixture
def folder(tmp_path):
    """40 photographs in two classes, one of them with a name that tar files do not like."""
    for number in range(40):
        place = tmp_path / "photos" / ("cats" if number % 2 else "dögs")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"photo {number:02d}.v1.jpg").write_bytes(jpeg(number))
    return tmp_path / "photos"


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_what_was_in_the_folder_is_in_the_tar_files(folder, inside, tmp_path):
    done = inside("prepare", folder, "out", "--photographs", 7, "--val-fraction", 0.25)
    assert done.returncode == 0, done.stderr
    source, found = open_source(str(folder)).train, Shards(str(tmp_path / "out"))
    pictures = {photo.read(): photo.label for photo in source}
    for photos, count in ((found.train, 30), (found.val, 10)):
        assert len(photos) == count
        for photo in photos:
            assert pictures.pop(photo.read()) == photo.label
    assert not pictures
    assert found.classes == ["cats", "dögs"]


def test_the_manifest_says_what_is_there(folder, inside, tmp_path):
    (folder / "cats" / "broken.jpg").write_bytes(b"nothing")
    assert inside("prepare", folder, "out", "--photographs", 7, "--max-bad", 1).returncode == 0
    held = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert held["train"]["photographs"] == 40
    assert [name for name, _ in held["unreadable"]] == ["cats/broken.jpg"]
    assert sum(shard["photographs"] for shard in held["train"]["shards"]) == 40
    for shard in held["train"]["shards"]:
        data = (tmp_path / "out" / shard["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = tar.getmembers()
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in members} == {(0, 0, 0, "")}
        assert len(members) == 2 * shard["photographs"]
        assert not any("." in m.name.rsplit("/", 1)[-1].rsplit(".", 1)[0] for m in members)


def test_processes_change_nothing(folder, inside, tmp_path):
    for name, workers in (("none", 0), ("two", 2)):
        assert inside("prepare", folder, name, "--photographs", 9, "--workers", workers).returncode == 0
    assert digests(tmp_path / "none") == digests(tmp_path / "two")


def test_another_seed_is_another_order(folder, inside, tmp_path):
    for seed in (0, 1):
        assert inside("prepare", folder, f"seed{seed}", "--seed", seed).returncode == 0
    one, other = ([photo.name for photo in Shards(str(tmp_path / f"seed{s}"), val_fraction=0.1).every] for s in (0, 1))
    assert one != other
    assert sorted(one) == sorted(other)
    assert one != sorted(one)


# A slow disk: without it a quick machine is done before the signal arrives
SLOWLY = """
import sys, time
from colorize.cli import prepare as preparing
from colorize.cli.app import main
write = preparing.write_shard
preparing.write_shard = lambda *words: (time.sleep(0.4), write(*words))[1]
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_was_cut_off_is_gone_on_with(number, folder, inside, tmp_path):
    """Ended in the middle; the whole tar files stay as they were, and the set ends as an undisturbed one."""
    for extra in range(40, 200):
        (folder / "cats" / f"photo {extra}.jpg").write_bytes(jpeg(extra, (240, 180)))
    words = ("prepare", str(folder), "out", "--photographs", "5", "--workers", "0")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *words], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "out").glob("train-*.tar"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    code = process.wait(30)
    kept = {path.name: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").glob("train-*.tar"))}
    assert 3 <= len(kept) < 32
    assert code == (-9 if number == signal.SIGKILL else 130)
    assert inside(*words).returncode == 0
    first = list(kept)[:2]
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in first} == {n: kept[n] for n in first}
    assert inside("prepare", folder, "undisturbed", "--photographs", 5, "--workers", 0).returncode == 0
    assert digests(tmp_path / "out") == digests(tmp_path / "undisturbed")


def test_imagenet_keeps_names_classes_and_its_validation_set(inside, tmp_path):
    source = open_source(str(write_imagenet(tmp_path / "imagenet", "folders")))
    assert inside("prepare", tmp_path / "imagenet", "out", "--photographs", 4).returncode == 0
    found = Shards(str(tmp_path / "out"))
    assert {p.read(): source.classes[p.label] for p in source.val} == {
        p.read(): found.classes[p.label] for p in found.val
    }
    assert len(found.train) == len(source.train)
    assert all("ILSVRC2012_val_" in photo.name for photo in found.val)


def test_tar_files_into_tar_files(inside, tmp_path):
    write_shards(tmp_path / "shards")
    assert inside("prepare", tmp_path / "shards", "out", "--photographs", 5).returncode == 0
    before, after = (Shards(str(tmp_path / name), val_fraction=0.1).every for name in ("shards", "out"))
    assert {p.read(): p.label for p in before} == {p.read(): p.label for p in after}


def test_a_run_trains_on_it(folder, inside):
    assert inside("prepare", folder, "out", "--val-fraction", 0.2).returncode == 0
    done = inside("train", "experiment=smoke", "model=cnn", "loss=l1", "model.width=0.1", "model.global_size=32",
                  "tracker=none", "data=shards", "data.root=out")  # fmt: skip
    assert done.returncode == 0, done.stderr


# --- a photograph


def test_large_ones_shrink_and_small_ones_stay(tmp_path):
    (tmp_path / "large.jpg").write_bytes(jpeg(0, (200, 120)))
    (tmp_path / "small.jpg").write_bytes(jpeg(1, (50, 40)))
    clear = Image.new("RGBA", (50, 40), (255, 0, 0, 0))  # transparent, but for a corner: all over would be opaque
    clear.paste((255, 0, 0, 255), (40, 30, 50, 40))
    clear.save(tmp_path / "clear.png")
    found = {
        name: prepare_photo(Photo(str(tmp_path / name), name), 60, 95)
        for name in ("large.jpg", "small.jpg", "clear.png")
    }
    shrunk = Image.open(io.BytesIO(found["large.jpg"].data))
    assert shrunk.size == (100, 60)
    assert found["small.jpg"].data == (tmp_path / "small.jpg").read_bytes()
    clear = Image.open(io.BytesIO(found["clear.png"].data))
    assert (clear.format, clear.size, clear.getpixel((5, 5))) == ("JPEG", (50, 40), (255, 255, 255))
    kept = prepare_photo(Photo(str(tmp_path / "clear.png"), "clear.png"), None, 95)
    assert (kept.suffix, kept.data) == (".png", (tmp_path / "clear.png").read_bytes())


def test_keys_are_unique_and_without_full_stops():
    """Also those that a number would make equal, that differ in case, or in the way an accent is written."""
    names = [
        "a/b.c.jpg",
        "a/b_c.png",
        "a/b_c-2.jpg",
        "a/B_C.jpg",
        "b.jpg",
        ".jpg",
        "v1.0/b.jpg",
        "é.jpg",
        "e\u0301.jpg",
    ]
    photos = Collection(Table.of([*names, "a/b_c-4.jpg", "/x/../b"], ["here"]))
    numbered = numbered_keys(photos)
    keys = [numbered.get(place, plain_key(photo.name)) for place, photo in enumerate(photos)]
    assert keys[:4] == ["a/b_c", "a/b_c-3", "a/b_c-2", "a/B_C-5"]
    assert keys[4:] == ["b", "photograph", "v1.0/b", "é", "é-2", "a/b_c-4", "x/b"]


# --- mistakes


def test_another_command_on_the_same_folder(folder, inside):
    assert inside("prepare", folder, "out").returncode == 0
    done = inside("prepare", folder, "out")
    assert (done.returncode, "is complete already" in done.stdout) == (0, True)
    done = inside("prepare", folder, "out", "--size", 64)
    assert done.returncode == 2
    assert "'out' holds a set with size None, and not 64: name another folder" in done.stderr
    (folder / "cats" / "new.jpg").write_bytes(jpeg(99))
    done = inside("prepare", folder, "out")
    assert "'out' holds a set with other photographs" in done.stderr


def test_too_many_that_cannot_be_read(folder, inside, tmp_path):
    for number in range(5):
        (folder / "cats" / f"broken {number}.jpg").write_bytes(b"")
    done = inside("prepare", folder, "out", "--photographs", 10, "--max-bad", 3)
    assert done.returncode == 2
    assert "of 45 photographs cannot be read, more than --max-bad allows (3), e.g. cats/broken" in done.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    done = inside("prepare", folder, "out", "--photographs", 10, "--max-bad", 5)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("left out, since it cannot be read") == 5


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("gone", "out"), "there is no folder 'gone'"),
        (("photos", "photos"), "'photos' is not empty"),
        (("photos", "photos/cats/photo 01.v1.jpg"), "is a file: name a folder"),
        (("photos", "out", "--quality", "200"), "--quality is 200; it must be between 1 and 100"),
        (("photos", "out", "--photographs", "0"), "--photographs is 0; it must be 1 or more"),
        (("photos", "out", "--sise", "64"), "did you mean --size?"),
        (("photos", "out", "--exclude", "gone.tsv"), "there is no manifest 'gone.tsv'"),
    ],
)
def test_one_sentence_for_each_mistake(words, sentence, folder, inside):
    done = inside("prepare", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
