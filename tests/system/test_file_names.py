"""Names of files that are no UTF-8, in everything that a command writes: it is written, and can be read again."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from colorize.utils.files import as_json, write_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
RUN = ["experiment=smoke", "model=cnn", "model.width=0.1", "model.global_size=32", "loss=l1", "tracker=none",
       "metrics=quick", "evaluate.historical=false"]  # fmt: skip
FOLDER, NAME = os.fsdecode(b"K\xf6ln [b]"), os.fsdecode(b"Stra\xdfe [b]")


@pytest.fixture
def named(tmp_path):
    """Photographs in a folder of two class folders, and one that is none."""
    random = np.random.default_rng(0)
    for i in range(14):
        folder = tmp_path / FOLDER / (FOLDER if i % 2 else "plain")
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize((60, 48), Image.Resampling.BICUBIC).save(folder / f"{NAME} {i}.jpg")
    (tmp_path / FOLDER / "plain" / f"{NAME} broken.jpg").write_bytes(b"no picture")
    return tmp_path / FOLDER


def test_training_and_evaluation_write_them(named, inside, tmp_path, monkeypatch):
    source = f"'{named}'"
    monkeypatch.chdir(tmp_path)
    words = ["data=folder", f"data.root={source}", "data.max_bad=5", "data.val_fraction=0.3", "name=run"]
    done = inside("train", *RUN, *words)
    run = tmp_path / "outputs" / "run"
    assert done.returncode in (0, 2), done.stderr + done.stdout
    if done.returncode == 2:  # the broken one is a validation photograph
        assert "broken.jpg" in done.stderr
        (named / "plain" / f"{NAME} broken.jpg").unlink()
        done = inside("train", *RUN, *words, "overwrite=true")
        assert done.returncode == 0, done.stderr + done.stdout
    held = json.loads((run / "summary.json").read_text(encoding="utf-8"))  # strict: JSON is UTF-8
    assert held
    assert inside("evaluate", f"run='{run}'", "protocol=clean", f"source={source}").returncode in (0, 2)


def test_inspection_and_preparation_write_them(named, inside, tmp_path):
    done = inside("inspect", named, "-o", tmp_path / NAME)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / NAME / "inspect.html").is_file()
    done = inside("prepare", named, tmp_path / "tars", "--max-bad", "0.5")
    assert done.returncode == 0, done.stderr
    assert os.fsencode(FOLDER) in (tmp_path / "tars" / "classes.txt").read_bytes()
    json.loads((tmp_path / "tars" / "manifest.json").read_text(encoding="utf-8"))


def test_texts_keep_their_bytes_and_json_is_utf8(tmp_path):
    write_text(tmp_path / "x.txt", f"é 写 {NAME}\n")
    assert (tmp_path / "x.txt").read_bytes() == "é 写 ".encode() + b"Stra\xdfe [b]\n"
    assert as_json({"é": "写"}) == '{"é": "写"}'
    assert json.loads(as_json({"é": NAME}).encode("utf-8")) == {"é": NAME}
