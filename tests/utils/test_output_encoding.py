"""Whatever the encoding of a terminal, a pipe or a file is, printing to it does not fail."""

import io
import sys

import pytest

from colorize.cli import main
from colorize.metrics.metric_info import score_table
from colorize.utils.console import printable, say
from colorize.utils.environment import allow_any_text

NARROW = ["cp932", "gbk", "cp949", "cp1251", "cp1252", "ascii", "utf-8"]
NAMES = ["plain", "写真 東京", "Собор", "é", "🌈", "\udce4\udcf6.jpg", "32² × 64 · 10 %…"]


@pytest.fixture
def redirected(monkeypatch):
    """Standard output and error as files of an encoding: `read = redirected("cp932")`, `read()` gives their text."""

    def redirect(encoding):
        files = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", files[0])
        monkeypatch.setattr(sys, "stderr", files[1])

        def read():
            texts = []
            for file in files:
                file.flush()
                texts.append(file.buffer.getvalue().decode(encoding))
            return "".join(texts)

        return read

    return redirect


@pytest.mark.parametrize("encoding", NARROW)
def test_every_name_is_printed(encoding, redirected):
    read = redirected(encoding)
    allow_any_text()
    for name in NAMES:
        print(name)
        print(name, file=sys.stderr)
        say(name)
    score_table({name: {"psnr": 20.0} for name in NAMES}, "scores…")
    text = read()
    assert text.count("plain") >= 3
    assert r"\udce4\udcf6.jpg" in text


def test_what_an_encoding_has_is_left_as_it_is(redirected):
    read = redirected("cp1252")
    allow_any_text()
    say("32² × 64 − ½ é")
    assert read() == "32² × 64 - ½ é\n"


@pytest.mark.parametrize("words", [("--help",), ("nothing",), ("paint", "東京.jpg", "-w", "x", "-o", "y")])
def test_every_verb_prints_through_it(words, redirected):
    read = redirected("ascii")
    main(list(words))
    assert read().isascii()


def test_a_run_is_trained_beside_a_narrow_pipe(redirected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["colorize"])
    read = redirected("cp949")
    name = "写真 Собор é"
    words = [
        "experiment=smoke",
        "model=cnn",
        "model.width=0.1",
        "model.global_size=32",
        "metrics=quick",
        "tracker=none",
    ]
    assert main(["train", *words, "metrics=quick", "evaluate.historical=false", f"name='{name}'"]) == 0, read()
    assert (tmp_path / "outputs" / name / "summary.json").is_file()


def test_brackets_and_colons_are_text(redirected):
    """Rich takes [b] for markup, [/b] for its end and :cat: for a picture."""
    read = redirected("utf-8")
    for name in ("[b]", "[/b]", "[bold red]x", "[link=x]", ":cat:"):
        say(name)
        score_table({name: {"psnr": 20.0}}, f"of {name}")
        assert read().count(name) == 3, name
    assert printable("a\nb\x1b[0m\udce4é写") == r"a\nb\x1b[0m\udce4é写"
