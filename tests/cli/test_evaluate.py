"""The verb `evaluate`: which networks its word `run` means."""

import shutil

import pytest

QUICK = ("protocol=demo", "++protocol.photographs=2", "protocol.size=32", "metrics=quick", "++protocol.extractors=[]",
         "track=false", "table=false")  # fmt: skip


@pytest.fixture
def runs(trained, tmp_path):
    """Two runs, a folder that is none, and a sweep with a job that finished and one that did not."""
    for name in ("cpu-a", "cpu-b", "sweep-1/000-00000000", "sweep-1/001-00000001"):
        shutil.copytree(trained("cnn", "l1"), tmp_path / "outputs" / name)
    (tmp_path / "outputs/sweep-1/001-00000001/summary.json").unlink()
    (tmp_path / "outputs/cpu-notes").mkdir()
    (tmp_path / "outputs/cpu-painted/results").mkdir(parents=True)  # of a network without a run folder
    return tmp_path / "outputs"


def measured(folder):
    return sorted(str(path.parents[1].relative_to(folder)) for path in folder.rglob("results/demo.json"))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("outputs/cpu-*", ["cpu-a", "cpu-b"]),
        ("outputs/sweep-1", ["sweep-1/000-00000000"]),
        ("outputs/sweep-*", ["sweep-1/000-00000000"]),
        ("[outputs/cpu-a,outputs/cpu-*]", ["cpu-a", "cpu-b"]),
        ("outputs/cpu-a", ["cpu-a"]),
    ],
)
def test_a_pattern_and_the_folder_of_a_sweep_mean_runs(word, found, runs, inside):
    done = inside("evaluate", f"run={word}", *QUICK)
    assert done.returncode == 0, done.stderr
    assert measured(runs) == found
    assert ("not finished: 001-00000001 (unfinished)" in done.stdout) == ("sweep" in word)
    assert ("as no run folder: outputs/cpu-notes" in done.stdout) == ("*" in word and "cpu" in word)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("outputs/x*", "no run folder matches 'outputs/x*'"),
        ("outputs/cpu-n*", "no run folder matches 'outputs/cpu-n*': outputs/cpu-notes are none"),
        ("outputs/cpu-p*", "no run folder matches 'outputs/cpu-p*': outputs/cpu-painted are none"),
        ("outputs/gone", "there is no file or folder 'outputs/gone'"),
    ],
)
def test_a_word_that_means_none_is_one_sentence(word, sentence, runs, inside):
    done = inside("evaluate", f"run={word}", *QUICK)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert sentence in done.stderr
    assert not measured(runs)


def test_several_runs_have_no_folder_in_common(runs, inside):
    done = inside("evaluate", "run=outputs/cpu-*", "out=x", *QUICK)
    assert done.returncode == 2
    assert "out=x is one folder for 2 networks" in done.stderr
