"""Which files the words of `paint` mean, what they become, and that nothing in a folder ends the others."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.cli import painting
from colorize.cli.paths import LONGEST_NAME, plan_jobs
from colorize.models import CNN
from colorize.utils.errors import UserError


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Makes photographs in the working folder: `scans("a.jpg", "sub/b.tif")`."""
    monkeypatch.chdir(tmp_path)
    grey = Image.fromarray(np.tile(np.arange(0, 240, 10, dtype=np.uint8), (20, 1)))

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            grey.save(path, "PNG")
        return tmp_path

    return make


def planned(words, output="out", kind=None):
    jobs, notes = plan_jobs(words, Path(output), kind)
    return {job.source.as_posix(): job.target.as_posix() for job in jobs}, notes


def test_sub_folders_are_kept(scans):
    scans("in/a.jpg", "in/sub/b.tif", "in/sub/deep er/c.JFIF", "in/.hidden/d.jpg", "in/@eaDir/a.jpg", "in/._a.jpg")
    assert planned(["in"])[0] == {
        "in/a.jpg": "out/a.png",
        "in/sub/b.tif": "out/sub/b.png",
        "in/sub/deep er/c.JFIF": "out/sub/deep er/c.png",
    }


def test_a_folder_is_searched_for_every_format_that_a_pattern_finds(scans):
    endings = ["jpe", "jfif", "gif", "avif", "jp2", "ppm", "tga", "mpo", "bmp", "dib", "webp", "ico", "psd", "heic"]
    scans(*(f"in/of {ending}.{ending}" for ending in endings), "in/notes.txt", "in/film.mov")
    jobs, notes = planned(["in"])
    assert len(jobs) == len(endings) == len(planned(["in/of*"])[0])
    assert any(".mov" in note for note in notes), notes  # what is passed over is said


def test_several_folders_keep_their_names(scans):
    scans("one/a.jpg", "two/a.jpg")
    assert planned(["one", "two/"], kind="tif")[0] == {"one/a.jpg": "out/one/a.tif", "two/a.jpg": "out/two/a.tif"}
    assert planned(["o*", "t*"])[0] == {"one/a.jpg": "out/one/a.png", "two/a.jpg": "out/two/a.png"}


def test_folders_that_a_pattern_finds_are_painted(scans):
    scans("only folders/x.jpg/a.png", "only folders/y/b.png")
    (scans() / "only folders" / "empty").mkdir()
    expected = {"only folders/x.jpg/a.png": "out/x.jpg/a.png", "only folders/y/b.png": "out/y/b.png"}
    assert planned(["only folders/*"])[0] == expected
    assert planned(["only folders"])[0] == expected
    with pytest.raises(UserError, match="there is no photograph or folder 'only folders/e\\*'"):
        planned(["only folders/e*"])


def test_brackets_of_what_exists_are_no_pattern(scans):
    scans("in [1]/[b].jpg", "in [1]/b.jpg", "in [1]/a*.jpg")
    assert planned(["in [1]/[b].jpg"])[0] == {"in [1]/[b].jpg": "out/[b].png"}
    assert len(planned(["in [1]/*.jpg"])[0]) == 3


def test_two_of_one_stem_keep_their_endings(scans):
    scans("in/a.jpg", "in/a.png", "in/A.tif", "in/a.jpg.tif", "in/b.jpg")
    jobs, notes = planned(["in"])
    assert jobs == {
        "in/a.jpg": "out/a.jpg.png",
        "in/a.png": "out/a.png.png",
        "in/A.tif": "out/A.tif.png",
        "in/a.jpg.tif": "out/a.jpg.tif.png",
        "in/b.jpg": "out/b.png",
    }
    assert any("have the name of another" in note for note in notes)


def test_names_that_differ_in_capitals_alone_stay_two_files(scans):
    scans("in/a.PNG", "in/a.png", "in/A.png", "in/b.png")
    jobs, notes = planned(["in"])
    assert len(jobs) == len({target.casefold() for target in jobs.values()}) == 4
    assert jobs["in/b.png"] == "out/b.png"
    assert sum("but for capitals" in note for note in notes) == 2


def test_a_photograph_that_is_named_twice_is_painted_once(scans):
    scans("in/a.jpg")
    assert planned(["in/a.jpg", "./in/a.jpg", "in/*.jpg"])[0] == {"in/a.jpg": "out/a.png"}


def test_what_was_painted_is_no_photograph(scans):
    scans("in/a.jpg", "in/painted/a.png", "in/sub/b.jpg")
    assert planned(["in"], "in/painted")[0] == {"in/a.jpg": "in/painted/a.png", "in/sub/b.jpg": "in/painted/sub/b.png"}
    with pytest.raises(UserError, match="is the folder of the photographs"):
        planned(["in"], "in")
    assert planned(["in/*"], "in/painted")[0] == planned(["in"], "in/painted")[0]
    assert planned(["in/sub"], "in")[0] == {"in/sub/b.jpg": "in/b.png"}  # the folder above is another


def test_the_home_folder_is_meant_by_its_sign(scans, weights, inside, monkeypatch):
    home = scans("home/a.jpg") / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    assert inside("paint", "~/a.jpg", "-w", weights, "-o", "~/x").returncode == 0
    assert (home / "x" / "a.png").is_file()


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        ("colour.bmp", None, "'colour.bmp' is no folder"),
        ("colour.GIF", None, "is no folder"),
        ("colour.heic", None, "is no folder"),
        ("in/a.jpg/x.bmp", None, "is no folder"),
        ("colour.png", "tif", "'colour.png' is not --format tif"),
    ],
)
def test_outputs_that_cannot_be_are_refused(output, kind, message, scans):
    scans("in/a.jpg")
    with pytest.raises(UserError, match=message):
        planned(["in/a.jpg"], output, kind)


def test_a_name_of_any_length_is_written(scans, weights, inside):
    names = [f"{length!s:n<{length - 4}}.jpg" for length in (200, 246, 250, 251, 255)] + ["ü" * 120 + ".jpg"]
    folder = scans(*(f"in/{name}" for name in names))
    done = inside("paint", "in", "-w", weights, "-o", "out", "--format", "jpeg")
    assert "painted 6 of 6" in done.stdout, done.stderr
    written = os.listdir(folder / "out")  # noqa: PTH208
    assert len(set(written)) == 6
    assert max(len(os.fsencode(name)) for name in written) <= LONGEST_NAME
    assert "its name was too long" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links as here are not Windows'")
def test_nothing_in_a_folder_ends_the_others(scans, weights, inside):
    folder = scans("in/0.jpg", "in/folder.jpg/1.jpg", "in/2.jpg", "beside/3.jpg")
    (folder / "in" / "again").symlink_to(".")
    (folder / "in" / "broken.jpg").symlink_to("nowhere")
    (folder / "in" / "itself.jpg").symlink_to("itself.jpg")
    (folder / "in" / "zero.jpg").symlink_to("/dev/zero")
    (folder / "in" / "beside").symlink_to("../beside")
    (folder / "in" / "text.jpg").write_text("no picture")
    os.mkfifo(folder / "in" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("in/socket.jpg")
    done = inside("paint", "in", "-w", weights, "-o", "out")
    assert done.returncode == 1
    assert "painted 4 of 7; 3 could not be" in done.stdout
    assert sorted(line.split(":")[0] for line in done.stderr.splitlines()) == [
        "in/broken.jpg", "in/itself.jpg", "in/text.jpg",
    ]  # fmt: skip
    assert "pipe.jpg" in done.stdout
    words = ["in/pipe.jpg", "in/socket.jpg", "in/zero.jpg", "in/broken.jpg", "in/itself.jpg", "in/0.jpg"]
    done = inside("paint", *words, "-w", weights, "-o", "named")
    assert "painted 1 of 6; 5 could not be" in done.stdout
    assert done.stderr.count("it is a pipe, a socket or a device, and no file") == 3
    assert "in/broken.jpg: No such file or directory" in done.stderr
    assert "in/itself.jpg: Too many levels of symbolic links" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_text_are_painted(scans, weights, inside):
    scans("in/plain.jpg")
    os.rename(b"in/plain.jpg", b"in/K\xf6ln [b].jpg")  # noqa: PTH104
    done = inside("paint", "in", "-w", weights, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert os.listdir(b"out") == [b"K\xf6ln [b].png"]  # noqa: PTH208
    assert r"K\udcf6ln [b].jpg" in done.stdout


@pytest.mark.parametrize(
    "error", [TypeError("odd"), IndexError(), MemoryError(), OSError(28, "No space left"), OSError()]
)
@pytest.mark.parametrize("where", ["open_photograph", "predict_at_best_size", "save_photograph"])
def test_any_exception_of_one_photograph_is_a_sentence(where, error, scans, weights, inside, monkeypatch):
    scans("in/a.jpg", "in/b.jpg")
    usual, calls = getattr(painting, where), []

    def failing(*given, **options):
        calls.append(given)
        if len(calls) == 1:
            raise error
        return usual(*given, **options)

    monkeypatch.setattr(painting, where, failing)
    done = inside("paint", "in", "-w", weights, "-o", "out")
    assert done.returncode == 1
    assert "painted 1 of 2; 1 could not be" in done.stdout
    assert done.stderr.startswith("in/a.jpg: ")
    assert len(done.stderr.splitlines()) == 1


def test_where_memory_runs_out_the_size_is_halved_and_said(scans, weights, inside, monkeypatch):
    scans("in/a.jpg")
    usual = CNN.colorize

    def greedy(self, L, generator=None, **options):
        if min(L.shape[2:]) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return usual(self, L, generator, **options)

    monkeypatch.setattr(CNN, "colorize", greedy)
    done = inside("paint", "in", "-w", weights, "-o", "out", "--size", "384")
    assert done.returncode == 0, done.stderr
    assert "memory ran out at --size 384: colour is predicted at 96" in done.stdout


def test_a_nearly_black_photograph_is_painted(scans, weights, inside):
    folder = scans("in/a.jpg")
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 4, (200, 200), dtype=np.uint8)).save(folder / "black.png")
    done = inside("paint", "black.png", "-w", weights, "-o", "out")
    assert done.returncode == 0, done.stderr


def test_what_is_there_is_counted(scans, weights, inside):
    scans(*(f"in/{i}.jpg" for i in range(3)))
    words = ("paint", "in", "-w", weights, "-o", "out")
    assert "painted 3 of 3" in inside(*words).stdout
    assert "painted 0 of 3; all already exist, perhaps painted with other settings (--over" in inside(*words).stdout


def test_more_pixels_than_said_are_refused_in_a_sentence(scans, weights, inside):
    scans("in/a.jpg")
    done = inside("paint", "in", "-w", weights, "-o", "out", "--max-pixels", "100")
    assert done.returncode == 1
    assert "--max-pixels" in done.stderr
