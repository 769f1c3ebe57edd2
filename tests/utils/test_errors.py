"""Parts by their dotted names, and what is said of those that cannot be imported."""

import sys

import pytest

from colorize.models import CNN
from colorize.utils.errors import import_failure, locate

NO_SUCH = "is no class or function that can be imported"
NO_MODULE = f"{NO_SUCH}: ModuleNotFoundError: No module named 'nowhere_at_all'"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the user's own, with a sound module and two that are not."""
    (tmp_path / "ownparts").mkdir()
    sources = {"__init__": "", "sound": "class Part:\n    inner = 3\n", "lacks": "x = 1\nimport nowhere_at_all\n"}
    for name, text in {**sources, "broken": "def (:\n"}.items():
        (tmp_path / "ownparts" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "ownparts"
    for name in [name for name in sys.modules if name.split(".")[0] == "ownparts"]:
        del sys.modules[name]


def test_a_part_is_found_through_faces_modules_and_classes(package):
    assert locate("colorize.models.CNN") is locate("colorize.models.cnn.CNN") is CNN
    assert locate("ownparts.sound.Part").__name__ == "Part"
    assert locate("ownparts.sound.Part.inner") == 3


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("colorize.models.CNNN", NO_SUCH),
        ("ownparts.sound.Prat", NO_SUCH),
        ("ownparts.nothing", NO_SUCH),
        ("colorize..CNN", NO_SUCH),
        ("", f"{NO_SUCH}: ValueError: Empty module name"),
        ("nowhere_at_all.Part", NO_MODULE),
        ("ownparts.lacks.Part", f"{NO_MODULE} (…lacks.py, line 2)"),
        ("ownparts.broken.Part", f"{NO_SUCH}: SyntaxError: invalid syntax (…broken.py, line 1)"),
    ],
)
def test_what_cannot_be_imported_says_why(path, message, package):
    with pytest.raises(ImportError) as caught:
        locate(path)
    assert import_failure(caught.value).replace(str(package) + "/", "…") == message
