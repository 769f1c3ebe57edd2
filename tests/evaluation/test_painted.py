"""Pictures painted elsewhere: judged like a network's, under the same protocol, on the same page."""

import json
import shutil

import pytest
import torch
from PIL import Image

from colorize.config import build_part
from colorize.evaluation.batches import make_eval_batch, read_eval_image
from colorize.evaluation.network import open_network
from colorize.evaluation.painted import AS_THEY_ARE, RESIZED
from colorize.evaluation.predictors import network_predictor
from colorize.evaluation.result import read_result
from colorize.evaluation.selection import select_photographs
from colorize.imaging.decode import open_rgb
from tests.helpers.commands import refused
from tests.helpers.configs import tiny_words

WORDS = ("protocol=demo", "metrics=default", "metrics.lpips_alex.download=false", "batch_size=1")
QUICK = ("protocol=demo", "metrics=quick", "+protocol.extractors=[]", "table=false")


@pytest.fixture
def chosen(config):
    protocol = build_part(config("protocol=demo", "run=x", name="evaluate").protocol, "protocol")
    return protocol, select_photographs(protocol)


@pytest.fixture
def jpegs(chosen, tmp_path):
    """The photographs themselves at their own size, as JPEG files in a folder of the folder."""
    folder = tmp_path / "jpegs" / "below"
    folder.mkdir(parents=True)
    for photo in chosen[1].photos:
        open_rgb(photo.read()).save(folder / f"{stem(photo)}.jpeg", quality=95)
    return tmp_path / "jpegs"


def stem(photo):
    return photo.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def test_pictures_of_a_network_have_its_numbers(inside, run_folder, chosen, tmp_path):
    """And stand in a comparison beside it."""
    run_folder("cnn", "l1")
    (folder := tmp_path / "pngs").mkdir()
    protocol, selection = chosen
    predict = network_predictor(open_network("outputs/toy", "best", None).model, "lab_l", None)
    for place, photo in enumerate(selection.photos):
        batch = make_eval_batch([read_eval_image(photo, protocol)], [""], place, protocol, torch.device("cpu"))
        with torch.no_grad():
            pixels = predict(batch).painted.pixels[0].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{stem(photo)}.png")
    done = inside("evaluate", "run=[outputs/toy,pngs]", *WORDS)
    assert done.returncode == 0, done.stderr
    assert f"24 pictures {AS_THEY_ARE}" in done.stdout.replace("\n", " ")
    own, theirs = (read_result(tmp_path / "outputs" / name / "results" / "demo.json") for name in ("toy", "pngs"))
    assert theirs.protocol == own.protocol
    assert theirs.weights["network"]["pictures"] == {AS_THEY_ARE: 24}
    assert str(tmp_path) not in json.dumps(theirs.weights)
    assert {"psnr", "ssim", "features", "kd_paired_efficientnet_lite0"} <= theirs.rows["model"].keys()
    assert theirs.rows["model"] == {name: own.rows["model"][name] for name in theirs.rows["model"]}
    assert theirs.cost == {}
    compared = inside("compare", "outputs/toy", "outputs/pngs")
    assert compared.returncode == 0, compared.stderr
    assert "no significant difference" in compared.stdout.replace("\n", " ")
    again = inside("evaluate", "run=pngs", *WORDS)
    assert "has been measured already" in again.stdout.replace("\n", " ")


def test_pictures_of_the_photographs_size_go_through_the_geometry(inside, jpegs, tmp_path):
    shutil.copy(next(jpegs.rglob("*.jpeg")), jpegs / "another.jpeg")
    done = inside("evaluate", "run=jpegs", *QUICK)
    assert done.returncode == 0, done.stderr
    assert f"24 pictures {RESIZED}" in done.stdout.replace("\n", " ")
    assert "left out of jpegs, since no photograph is called so: another" in done.stdout.replace("\n", " ")
    result = read_result(tmp_path / "outputs/jpegs/results/demo.json")
    assert result.weights["network"]["pictures"] == {RESIZED: 24}
    assert 30 < result.rows["model"]["psnr"].value < 60  # JPEG's damage alone


def test_pictures_and_a_run_of_one_name_stay_apart(inside, run_folder, jpegs, tmp_path):
    """Whichever comes first; and two folders of one name in one command."""
    before = run_folder("cnn", "l1", to="outputs/jpegs")
    refused(inside("evaluate", "run=jpegs", *QUICK), "'outputs/jpegs' is the folder of a trained run", "out=FOLDER")
    refused(inside("evaluate", "run=jpegs", *QUICK, "out=outputs/jpegs"), "is the folder of a trained run")
    other = run_folder("cnn", "l1", "seed=1", to="outputs/other")
    refused(inside("evaluate", f"run={other}", *QUICK, "out=outputs/jpegs"), "is the folder of a trained run")
    shutil.rmtree(before)
    shutil.copytree(jpegs / "below", tmp_path / "x" / "jpegs")
    next((tmp_path / "x" / "jpegs").iterdir()).unlink()
    refused(inside("evaluate", "run=[jpegs,x/jpegs]", *QUICK), "'jpegs' and 'x/jpegs' would both be kept in")
    (results := tmp_path / "outputs/jpegs/results").mkdir(parents=True)
    (results / "demo.json").write_text("{}")
    refused(inside("train", *tiny_words("cnn", "l1", "name=jpegs")), "outputs/jpegs' holds results of pictures")


def test_pictures_that_cannot_be_of_the_protocol(inside, jpegs, tmp_path):
    first, second, *_ = sorted(jpegs.rglob("*.jpeg"))
    refused(inside("evaluate", "run=jpegs", *QUICK, "checkpoint=last"), "checkpoint=last is for run folders")
    refused(inside("evaluate", "run=jpegs"), "'jpegs' is not a run, and has no validation photographs")
    shutil.copy(first, first.with_suffix(".jpg"))
    refused(inside("evaluate", "run=jpegs", *QUICK), f"holds several pictures of {first.stem!r}")
    first.with_suffix(".jpg").unlink()
    Image.new("RGB", (50, 40)).save(first)
    refused(inside("evaluate", "run=jpegs", *QUICK), "has 50×40 pixels, and must have 96×96, as the protocol, or ")
    first.write_bytes(second.read_bytes()[:500])
    refused(done := inside("evaluate", "run=jpegs", *QUICK), "cannot read", first.name)
    assert done.stderr.count(first.stem) == 1  # the photograph itself can be read
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").touch()
    refused(inside("evaluate", "run=notes", *QUICK), "'notes' holds neither a network", "nor pictures")
    refused(inside("evaluate", "run=jpegs", "out=notes/notes.txt", *QUICK), "is a file: name a folder")
    first.unlink()
    missing = f"1 of 24 photographs of the demo photographs held back have no picture in 'jpegs': {first.stem}"
    refused(inside("evaluate", "run=jpegs", *QUICK), missing)
    for path in [*jpegs.rglob("*.jpeg")]:
        path.rename(path.with_stem(f"x{path.stem}"))
    refused(inside("evaluate", "run=jpegs", *QUICK), "no picture in 'jpegs' is called like a photograph of")
