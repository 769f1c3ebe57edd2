"""Tar files as training sets: which train, in which order, and the same as a folder."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from colorize.data import Folder, Shards
from colorize.data.loader import ShardOrder
from colorize.data.resolve import open_source
from colorize.utils.errors import UserError
from tests.helpers.data_sets import jpeg, write_shards


def test_tar_files_that_validate_do_not_train(tmp_path):
    folder = write_shards(tmp_path / "tars", shards=4, each=3)
    (tmp_path / "linked.tar").symlink_to(folder / "train-002.tar")
    data = Shards(f"{folder}/train-*.tar", val_root=f"{folder}/train-{{002..003}}.tar")
    assert (len(data.train), len(data.val)) == (6, 6)
    assert "6 photographs of tar files that validate are left out of training" in data.notes
    assert len(Shards(f"{folder}/train-*.tar", val_root=str(tmp_path / "linked.tar")).train) == 9
    with pytest.raises(UserError, match=r"every tar file of .* validates too"):
        Shards(str(folder), val_root=f"{folder}/*.tar")


def test_a_tar_file_under_two_names_is_read_once(tmp_path):
    folder = write_shards(tmp_path / "tars", shards=2, each=3)
    (folder / "train-999.tar").symlink_to("train-000.tar")
    assert len(open_source(str(folder)).train) == 6


def test_the_order_of_shards_knows_what_was_left_out(tmp_path):
    folder = write_shards(tmp_path / "tars", shards=3, each=4)
    names = [photo.name for photo in open_source(str(folder)).train]
    lines = "".join(f"train\t{name}\tgrey\tyes\t\n" for name in names[:5])
    (tmp_path / "m.tsv").write_text(f"set\tname\tfindings\tleave_out\ttwin\n{lines}")
    val = write_shards(tmp_path / "val", 1, part="val")
    data = Shards(f"{folder}/*.tar", val_root=f"{val}/*.tar", exclude=str(tmp_path / "m.tsv"))
    assert isinstance(data.order, ShardOrder)
    assert np.array_equal(data.order.files, data.train.files)
    assert len(data.order.files) == len(data.train) == 7


@pytest.mark.parametrize("word", ["streams", "buffer"])
@pytest.mark.parametrize(
    ("value", "right"),
    [(0, "greater than or equal to 1"), (-1, "greater than or equal to 1"), (0.5, "a whole number")],
)
def test_an_order_needs_something_to_shuffle(word, value, right):
    with pytest.raises(UserError, match=rf"data\.{word} is {value}; it must be {right}"):
        ShardOrder(np.zeros(3, np.int32), **{word: value})


def test_what_is_prepared_is_what_a_folder_trains(tmp_path, inside):
    """Phones' pictures of two frames, other formats under the name of a JPEG, one folder of photographs: no class."""
    folder = tmp_path / "odd"
    (folder / "sub").mkdir(parents=True)
    pictures = [Image.open(io.BytesIO(jpeg(i))) for i in range(6)]
    pictures[0].save(folder / "mpo.jpg", "MPO", save_all=True, append_images=[pictures[1]])
    pictures[2].save(folder / "gif.jpg", "GIF")
    pictures[3].save(folder / "sub" / "avif.jpg", "AVIF")
    pictures[4].save(folder / "webp.png", "WEBP", lossless=True)
    pictures[5].save(folder / "qoi.jpg", "QOI")
    (folder / "sub" / "text.jpg").write_text("nothing")
    for words in ((), ("--size", 32)):
        done = inside("prepare", folder, f"tars{len(words)}", "--max-bad", 1, "--workers", 0, *words)
        assert done.returncode == 0, done.stderr
        found = open_source(str(tmp_path / f"tars{len(words)}"))
        manifest = json.loads((tmp_path / f"tars{len(words)}" / "manifest.json").read_text())
        assert manifest["train"]["photographs"] == len(found.train) == 5
        assert (found.classes, set(found.train.labels.tolist()), Folder(str(folder)).classes) == ([], {-1}, [])


def test_what_cannot_be_made_is_said_before_the_work(tmp_path, inside, monkeypatch):
    write_shards(tmp_path / "tars")
    (tmp_path / "file").touch()
    monkeypatch.setattr("colorize.data.shards.list_tars", None)
    for words in (("inspect", "tars", "-o", "file/out"), ("prepare", "tars", "file/out")):
        done = inside(*words)
        assert done.returncode == 2
        assert "'file/out' cannot be made, since" in done.stderr
