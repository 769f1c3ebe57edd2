"""Tar files here and at addresses, manifests, and what the words of a command line mean."""

import http.server
import shutil
import threading
from functools import partial

import pytest

from colorize.data import Folder, Shards
from colorize.data.listing import list_folder
from colorize.data.resolve import open_source
from colorize.data.sources import DEMO
from colorize.utils import download as storage
from colorize.utils.errors import UserError
from tests.helpers.data_sets import (
    WNIDS,
    jpeg,
    tarred,
    write_imagenet,
    write_shards,
)


@pytest.mark.parametrize("kind", ["cls", "json"])
def test_shards_hold_what_was_put_into_them(tmp_path, kind):
    folder = write_shards(tmp_path / "tars", kind=kind)
    write_shards(folder, 1, part="val", kind=kind)
    data = Shards(str(folder))
    assert (len(data.train), len(data.val), data.classes) == (24, 6, ["0", "1", "2"])
    for number, photo in enumerate(data.train):
        assert (photo.name, photo.label) == (f"train-{number // 6:03d}/train{number:04d}.jpg", number % 3)
        assert photo.read() == jpeg(number)
    (folder / "classes.txt").write_text("cat\ndog\nfish\n")
    assert Shards(str(folder)).classes == ["cat", "dog", "fish"]
    (folder / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(UserError, match="has 2 classes, and a photograph is of class 2"):
        Shards(str(folder))
    assert Shards(str(folder), labels=False).classes == []


@pytest.mark.parametrize("pattern", ["*.tar", "train-{000..003}.tar", "train-00[0-3].tar"])
def test_patterns_name_shards(tmp_path, pattern):
    data = Shards(f"{write_shards(tmp_path / 'tars')}/{pattern}", val_fraction=0.25)
    assert (len(data.train), len(data.val)) == (18, 6)
    assert not set(data.train.names()) & set(data.val.names())


@pytest.fixture
def server(tmp_path):
    """Serves a folder on this machine, as a bucket would be."""
    folder = write_shards(tmp_path / "bucket")
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_shards_at_an_address_are_copied_once(server, monkeypatch):
    address, _ = server
    data = Shards(f"{address}/train-{{000..003}}.tar", labels=False)
    assert sorted(photo.read() for photo in data.every) == sorted(jpeg(i) for i in range(24))
    monkeypatch.setattr(storage, "download", None)
    assert len(Shards(f"{address}/train-{{000..003}}.tar").every) == 24


def test_a_filesystem_of_fsspec_serves_shards(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in write_shards(tmp_path / "tars").glob("*.tar"):
        memory.pipe(f"/bucket/{path.name}", path.read_bytes())
    data = Shards("memory://bucket/train-*.tar")
    assert sorted(photo.read() for photo in data.every) == sorted(jpeg(i) for i in range(24))


def test_an_address_that_cannot_be_reached_is_named(server, monkeypatch):
    monkeypatch.setattr(storage, "TRIES", 1)
    address, _ = server
    with pytest.raises(UserError, match=r"cannot read http.*train-009.tar: the server says 404"):
        Shards(f"{address}/train-009.tar")
    with pytest.raises(
        UserError, match=r"cannot read http://127.0.0.1:9/a.tar \(.*refused.*see that it can be reached"
    ):
        Shards("http://127.0.0.1:9/a.tar")
    with pytest.raises(UserError, match="a web server does not list its files; number them"):
        Shards(f"{address}/*.tar")
    with pytest.raises(UserError, match="nowhere://"):
        Shards("nowhere://bucket/a.tar")


@pytest.mark.parametrize(
    ("root", "message"),
    [("none-*.tar", "no file matches"), ("gone.tar", "there is no file"), (".", r"there is no train-\*.tar")],
)
def test_shards_that_are_not_there_are_named(tmp_path, monkeypatch, root, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        Shards(root)


def test_a_shard_that_breaks_off_is_named_and_the_rest_is_read(tmp_path):
    folder = write_shards(tmp_path / "tars")
    whole = (folder / "train-001.tar").read_bytes()
    place = whole.index(b"train0008.jpg")
    (folder / "train-001.tar").write_bytes(whole[: place + 900])
    data = Shards(str(folder), val_root=str(write_shards(tmp_path / "val", 1, part="val")))
    assert len(data.train) == 24 - 4
    assert list(data.unreadable_files) == [str(folder / "train-001.tar")]
    assert "breaks off" in data.unreadable_files[str(folder / "train-001.tar")]
    with pytest.raises(UserError, match=r"validation photographs are missing from .*train-001.tar.*fetch it again"):
        Shards(str(tmp_path / "val" / "*.tar"), val_root=str(folder / "*.tar"))


def test_garbage_in_a_shard_is_found(tmp_path):
    folder = write_shards(tmp_path / "tars")
    whole = bytearray((folder / "train-001.tar").read_bytes())
    place = whole.index(b"train0008.jpg")
    whole[place : place + 512] = b"\x55" * 512
    (folder / "train-001.tar").write_bytes(whole)
    assert "breaks off" in Shards(str(folder)).unreadable_files[str(folder / "train-001.tar")]


def test_compressed_and_empty_tars_are_refused(tmp_path):
    import gzip

    (tmp_path / "train-0.tar").write_bytes(gzip.compress(tarred({"a.jpg": jpeg(0)})))
    with pytest.raises(UserError, match="is compressed"):
        Shards(str(tmp_path))
    (tmp_path / "train-0.tar").write_bytes(tarred({"notes.txt": b"nothing"}))
    with pytest.raises(UserError, match="no photographs in"):
        Shards(str(tmp_path))


def test_a_manifest_leaves_photographs_out(photographs, tmp_path):
    manifest = tmp_path / "manifest.tsv"
    header = "set\tname\tfindings\tleave_out\ttwin\n"
    manifest.write_text(f"{header}train\tcats/photo 0.jpg\tgrey\tyes\t\ntrain\tdogs/photo 7.jpg\tcmyk\tno\t\n")
    data = Folder(str(photographs), val_root=str(shutil.copytree(photographs, tmp_path / "val")), exclude=str(manifest))
    assert {"cats/photo 0.jpg"} == {p.name for p in data.val} - {p.name for p in data.train}
    manifest.write_text(f"{header}train\telse/where.jpg\tgrey\tyes\t\n")
    with pytest.raises(UserError, match=r"nothing that .* leaves out is among the training photographs"):
        Folder(str(photographs), exclude=str(manifest))


def test_words_mean_sources(tmp_path, photographs, hub):
    assert len(open_source("demo").train) == len([*DEMO.glob("*.jpg")])
    assert (len(open_source(str(photographs)).train), open_source(str(photographs)).classes) == (14, ["cats", "dogs"])
    shards = write_shards(tmp_path / "tars")
    assert len(open_source(f"{shards}/*.tar").train) == len(open_source(str(shards)).train) == 24
    write_shards(shards, 1, part="val")
    assert len(open_source(str(shards)).val) == 6
    for layout in ("folders", "archives", "kaggle"):
        source = open_source(str(write_imagenet(tmp_path / layout, layout)))
        assert (len(source.train), len(source.val), source.classes) == (15, 6, list(WNIDS))
    assert len(open_source(f"hf://{hub}").train) == 10
    with pytest.raises(UserError, match="there is no folder 'gone': give demo, a folder, tar files"):
        open_source("gone")
    with pytest.raises(UserError, match=r"pip_coffee\.jpg' is a file: give demo, a folder, tar files"):
        open_source(str(DEMO / "pip_coffee.jpg"))
    with pytest.raises(UserError, match=r"pip_coffee\.jpg' is a file: give the folder that holds"):
        list_folder(DEMO / "pip_coffee.jpg")
