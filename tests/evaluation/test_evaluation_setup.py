"""What identifies an evaluation: its photographs, their reference and every argument, wherever files lie."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from colorize.config import build_part
from colorize.data import duplicates
from colorize.data.collection import Collection
from colorize.data.listing import list_folder
from colorize.data.sources import demo_photographs
from colorize.evaluation import evaluation_setup
from colorize.evaluation.baselines import cache_folder
from colorize.evaluation.evaluation_setup import is_whole, set_up
from colorize.evaluation.network import open_network
from colorize.evaluation.result import read_result
from colorize.utils.errors import UnavailableError
from colorize.utils.files import without_folders
from tests.helpers.features import toy

DEMO = ("protocol=demo", "++protocol.photographs=4", "protocol.size=32", "track=false", "table=false")
QUICK = (*DEMO, "metrics=quick", "++protocol.extractors=[]")
COLOURFULNESS = (*QUICK, "+metrics.colorfulness={_target_: colorize.metrics.Colorfulness}")


@pytest.fixture
def run(run_folder, inside):
    """The verb `evaluate` beside `outputs/toy`, a trained network; what it ended with."""
    run_folder("cnn", "l1")

    def evaluate(*words):
        done = inside("evaluate", "run=outputs/toy", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return evaluate


@pytest.fixture
def setup(config, trained):
    """The set-up of an evaluation with these words."""

    def make(*words):
        cfg = config("run=x", *words, name="evaluate")
        return set_up(cfg, build_part(cfg.protocol, "protocol"), open_network(str(trained("cnn", "l1")), "last", None))

    return make


def folder_of_noise(folder, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for number in range(3):
        Image.fromarray(random.integers(0, 256, (16 + seed, 20, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def cached(found):
    return cache_folder(found.described, found.stamp())


def result_in(tmp_path):
    return read_result(tmp_path / "outputs/toy/results/demo.json")


def test_the_reference_is_its_photographs_and_not_their_path(setup, tmp_path):
    one = folder_of_noise(tmp_path / "one")
    shutil.copytree(one, tmp_path / "two")
    words = (*QUICK, "++protocol.extractors=[efficientnet_lite0]")
    first, second = (setup(*words, f"++protocol.reference={tmp_path / name}") for name in ("one", "two"))
    assert first.described == second.described
    assert cached(first) == cached(second)
    assert str(tmp_path) not in json.dumps(first.stamp())
    folder_of_noise(one, seed=5)
    other = setup(*words, f"++protocol.reference={one}")
    assert other.described["id"] != first.described["id"]
    assert cached(other) != cached(first)


def test_every_argument_of_a_metric_is_in_the_stamp(setup):
    """Those that a config leaves to the constructor, too; but not where a network's weights lie."""
    signed, absolute = (setup(*COLOURFULNESS, f"+metrics.colorfulness.absolute={word}") for word in ("false", "true"))
    assert setup(*COLOURFULNESS).stamp() == signed.stamp()
    assert signed.stamp() != absolute.stamp()
    assert cached(signed) != cached(absolute)
    lpips = [setup(*DEMO, "metrics=full", "metrics.lpips_alex.download=false", *more).arguments
             for more in ((), ("++metrics.lpips_alex.weights=nowhere.pth",))]  # fmt: skip
    assert lpips[0] == lpips[1]


def test_an_argument_is_measured_and_not_answered_from_the_cache(run, tmp_path):
    """In the row of the truth, too, which the cache keeps."""
    run(*COLOURFULNESS)
    signed = result_in(tmp_path).rows
    assert "has been measured already" in run(*COLOURFULNESS, "+metrics.colorfulness.absolute=false")
    assert "has been measured already" not in run(*COLOURFULNESS, "+metrics.colorfulness.absolute=true")
    absolute = result_in(tmp_path).rows
    assert absolute["truth"]["colorfulness"].value < signed["truth"]["colorfulness"].value


def test_a_metric_that_was_absent_is_measured_once_it_can_be(run, tmp_path):
    without = [word for word in COLOURFULNESS if not word.startswith("+metrics")]
    run(*without)
    assert "colorfulness" not in result_in(tmp_path).rows["model"]
    assert "has been measured already" not in run(*COLOURFULNESS)
    assert {"psnr", "colorfulness"} <= result_in(tmp_path).rows["model"].keys()
    assert "has been measured already" in run(*COLOURFULNESS)
    assert "has been measured already" in run(*without)  # with fewer metrics nothing is missing


def test_an_extractor_whose_weights_arrive_is_measured(run, tmp_path, monkeypatch):
    def unavailable(name):
        raise UnavailableError(f"the weights are not at '{tmp_path}/hub/{name}.pth': put them there")

    words = (*QUICK[:-1], "++protocol.extractors=[inception]")
    monkeypatch.setattr(evaluation_setup, "create_extractor", unavailable)
    run(*words)
    before = result_in(tmp_path)
    assert "fid" not in before.rows["model"]
    assert before.absent["fid"] == "the weights are not at '…/inception.pth': put them there"
    assert "has been measured already" in run(*words)
    monkeypatch.setattr(evaluation_setup, "create_extractor", toy)
    assert "has been measured already" not in run(*words)
    assert result_in(tmp_path).rows["model"]["fid"].value > 0
    assert "has been measured already" in run(*words)


def test_samples_are_measured_when_they_are_asked_for(inside, run_folder, tmp_path):
    run_folder("diffusion", None)
    words = ("evaluate", "run=outputs/toy", *DEMO, "++protocol.extractors=[]", "++protocol.photographs=2",
             "metrics=quick", "+metrics.diversity={_target_: colorize.metrics.Diversity}")  # fmt: skip
    assert inside(*words).returncode == 0
    assert "diversity" in result_in(tmp_path).absent
    done = inside(*words, "samples=2")
    assert (done.returncode, "has been measured already" in done.stdout) == (0, False), done.stderr
    assert result_in(tmp_path).rows["model"]["diversity"].value > 0
    for more in (["samples=2"], []):
        assert "has been measured already" in inside(*words, *more).stdout


def test_a_whole_result_is_of_these_weights_and_this_protocol(run, setup, tmp_path):
    run(*QUICK)
    result, found = result_in(tmp_path), setup(*QUICK)
    weights = result.weights["network"]["sha256"]
    assert not is_whole(result, found, "other")
    assert not is_whole(result, setup(*QUICK, "protocol.size=48"), weights)


def test_no_absolute_path_is_in_a_result_or_on_its_page(run, inside, tmp_path):
    reference = folder_of_noise(tmp_path / "reference")
    assert inside("export", "outputs/toy", "-o", str(tmp_path / "exported")).returncode == 0
    source = folder_of_noise(tmp_path / "photographs", seed=3)
    words = (*QUICK, "++protocol.extractors=[efficientnet_lite0,inception]", "metrics=full",
             f"++protocol.reference={reference}", f"source={source}")  # fmt: skip
    assert "distances of sets are to 3 photographs of " in run(*words)  # which a short folder cannot hide
    done = inside("evaluate", f"run={tmp_path / 'exported'}", *words)
    assert done.returncode == 0, done.stderr
    for name in ("toy", "exported"):
        for kind in ("json", "csv", "html"):
            text = (tmp_path / f"outputs/{name}/results/demo.{kind}").read_text(encoding="utf-8")
            assert str(tmp_path) not in text
            assert not re.search(r"/(?:root|home|Users|tmp)/", text)
        assert "Distances of sets are to 3 other photographs." in text
    assert result_in(tmp_path).absent["fid"].count("'…/") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "not at '/a b/c.pth' or '/d.pth': see https://e.org/f/g",
            "not at '…/c.pth' or '…/d.pth': see https://e.org/f/g",
        ),
        ("/data/ilsvrc", "…/ilsvrc"),
        (r"C:\data\ilsvrc", "…/ilsvrc"),
        ("['/a/b', 'c/d']", "['…/b', 'c/d']"),
        ("hf://a/b", "hf://a/b"),
        ("photographs/cats", "photographs/cats"),
    ],
)
def test_texts_without_folders(text, shown):
    assert without_folders(text) == shown


def test_photographs_that_the_run_trained_on_are_counted_and_told(run_folder, inside, tmp_path):
    """By their bytes, under any name: on the terminal, in the result and on its page."""
    run_folder("cnn", "l1")
    trained_on, held_back = demo_photographs()
    folder = tmp_path / "test_photos"
    folder.mkdir()
    for number, photo in enumerate([trained_on[0], trained_on[5], held_back[0]]):
        shutil.copyfile(photo.file, folder / f"{number}{photo.path.suffix}")
    words = ("protocol=clean", "source=test_photos", "protocol.size=32", "protocol.extractors=[]", "metrics=quick")
    done = inside("evaluate", "run=outputs/toy", *words, "track=false", "table=false")
    assert done.returncode == 0, done.stderr
    sentence = "smoke-cnn-l1-demo-s0 was trained on 2 of these 3 photographs: on others its numbers would be worse"
    assert sentence in " ".join(done.stdout.split())
    (path,) = (tmp_path / "outputs/toy/results").glob("clean*.json")
    assert json.loads(path.read_text())["weights"]["network"]["trained_on_these"] == 2
    assert sentence in path.with_suffix(".html").read_text(encoding="utf-8")
    for name in ("0", "1"):
        next(folder.glob(f"{name}.*")).unlink()
    done = inside("evaluate", "run=outputs/toy", *words, "track=false", "table=false", "overwrite=true")
    assert done.returncode == 0, done.stderr
    assert "was trained on" not in done.stdout


@pytest.mark.parametrize("most", [100_000, 2])
def test_the_same_photographs_are_found_in_another_folder(most, monkeypatch, tmp_path):
    """By length and bytes; in sets of very many files, by name and bytes."""
    monkeypatch.setattr(duplicates, "MANY", most)
    contents = {"a/1.jpg": b"one", "a/2.jpg": b"two", "a/3.jpg": b"four", "b/1.jpg": b"one", "b/9.jpg": b"two",
                "b/3.jpg": b"five", "b/4.jpg": b"two"}  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    photos, train = (Collection(list_folder(tmp_path / name)) for name in ("b", "a"))
    assert duplicates.count_shared(photos, train) == (1 if most == 2 else 3)
    assert duplicates.count_shared(train, photos) == (1 if most == 2 else 2)
