"""A sample of the odd files through every verb; `python -m tests.faults.odd_files` takes all, and folders of them."""

import importlib

import pytest

from tests.helpers.configs import ROOT

CASES = ROOT.parent / "shared" / "cases"
SAMPLE = ["upright-odd-exif.jpg", "claims-1920x1280.jpg", "no-end-marker.jpg", "png-text-bomb.png", "png-bomb.png",
          "second-page-broken.tif", "tif-16-bit-white-is-zero.tif", "tif-16-bit-planar.tif", "tif-turned.tif",
          "tif-premultiplied.tif", "png-profile-grey-alpha.png", "drawing.jpg"]  # fmt: skip
verbs = importlib.import_module("tests.faults.odd_verbs")
files = importlib.import_module("tests.faults.odd_files")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    verbs.make_weights(folder / "weights")
    return folder


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the odd files are not at {CASES}")
@pytest.mark.parametrize("verb", verbs.VERBS)
def test_a_sample_of_odd_files(verb, work):
    for name, told in files.expected_of(CASES, SAMPLE).items():
        answer = verbs.judged(verb, str(CASES / name), told, work)
        assert answer.outcome in files.FINE, f"{name}: {answer}"


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the odd files are not at {CASES}")
@pytest.mark.parametrize("verb", ["train", "evaluate", "inspect", "prepare"])
def test_every_odd_file_is_read_or_refused(verb, work):
    for name, told in files.expected_of(CASES).items():
        answer = verbs.judged(verb, str(CASES / name), told, work)
        assert answer.outcome in files.FINE, f"{name}: {answer}"
