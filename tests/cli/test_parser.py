"""Overrides as text: quoted, completed, read back, and never run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from colorize.cli.hydra_app import rerun_name
from colorize.cli.parser import ArgumentParser
from colorize.utils.errors import UserError
from colorize.utils.hydra_overrides import parse_override, quote_if_needed, quoted, unquote
from tests.helpers.configs import BIN, ROOT

COMPLETED = [
    ("python train.py", "model=transf", ["model=transformer"]),
    ("python train.py", "optimizer.l", ["optimizer.lr="]),
    ("python evaluate.py", "protocol=h", ["protocol=historical"]),
    ("python compare.py", "REA", ["README.md"]),  # files, which the shell completes
    ("colorize", "tr", ["train"]),
    ("colorize train", "model=transf", ["model=transformer"]),
    ("colorize evaluate", "protocol=h", ["protocol=historical"]),
]


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_bash_completes():
    """Through the very machinery of the shell: the function that `complete` registered, and COMP_*."""
    script = 'eval "$(python train.py -sc install=bash)"\neval "$(colorize -sc install=bash)"\n'
    script += "complete -p python colorize >&2\n"
    for program, word, _ in COMPLETED:
        line = f"{program} {word}"
        script += f'COMP_LINE="{line}" COMP_POINT={len(line)} COMP_CWORD={line.count(" ")}\n'
        script += 'hydra_bash_completion; echo "${COMPREPLY[*]}"\n'
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert len(done.stderr.splitlines()) == done.stderr.count("-F hydra_bash_completion") == 2  # and nothing else
    assert done.stdout.splitlines() == [" ".join(options) for _, _, options in COMPLETED]


@pytest.mark.parametrize(
    "value",
    [
        "фото/старые", "写真", "a=b", "outputs/run-seed=7", "a~b", "R&D", "50%!", "#1", "a;b", "x^2",
        "été/à la mer", "C:\\фото\\", "<new>",
    ],
)  # fmt: skip
def test_a_plain_value_needs_no_quotes(value):
    assert parse_override(quote_if_needed(f"data.root={value}")).value() == value


@pytest.mark.parametrize("value", ["~/my photos", "'~/my photos'", '"~/my photos"'])
def test_the_home_folder_stands_for_a_tilde(value, monkeypatch):
    """Behind an = many shells leave it as it is."""
    monkeypatch.setenv("HOME", "/home/ann [1]")
    for key in ("run", "data.root", "init_from", "resume", "tracker.folder", "hydra.run.dir", "evaluate.historical"):
        assert parse_override(quote_if_needed(f"{key}={value}")).value() == "/home/ann [1]/my photos"
    parser = ArgumentParser("paint", "colour photographs")
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("-o", type=Path)
    args = parser.parse(["a", "~/b", "-o", "~/c"])
    assert (args.photographs, args.o) == (["a", "/home/ann [1]/b"], Path("/home/ann [1]/c"))


@pytest.mark.parametrize("text", ["it's", "C:\\x\\y", "a\\'b\\\\", 'say "x"', "[a,b]", "ф (1)"])
def test_what_we_quote_is_read_back(text):
    assert parse_override(f"key={quoted(text)}").value() == unquote(quoted(text)) == text


@pytest.mark.parametrize(
    ("word", "character"), [("run=[outputs/a=b,c]", "="), ("data.root=my photos [1]", "["), ("name=it's", "'")]
)
def test_a_refusal_names_the_character(word, character):
    with pytest.raises(UserError, match=re.escape(f"cannot read {word!r}, for its {character}: ")):
        parse_override(quote_if_needed(word))


def test_names_that_we_make_are_read_by_our_own_command_line(tmp_path):
    folder = tmp_path / "a run [1]"
    changes = ["optimizer.lr=1e-3", "+model.x={a: 1, b: [2]}", "~loss.terms.pixel", "seed=-7", "data.root=/ä/ö (1)"]
    name = rerun_name(folder, changes)
    for key in ("resume", "run", "init_from", "rerun", "name"):
        assert parse_override(quote_if_needed(f"{key}={name}")).value() == name
    assert parse_override(f"run=[{rerun_name(folder, changes[:2])},b]").value()[1] == "b"
    assert len(rerun_name(folder, changes * 9)) < 100
    assert rerun_name(folder, changes * 9) != rerun_name(folder, changes * 8)
    assert rerun_name(folder, ["seed=1"]) != rerun_name(folder, ["seed=-1"])


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_no_other_program_is_started_to_be_asked(tmp_path):
    """Hydra's own script starts whatever stands behind `python`."""
    (tmp_path / "other.py").write_text("open('started', 'w')\nraise SystemExit('what?')\n")
    install = f'cd "{tmp_path}"\neval "$(python "{ROOT / "train.py"}" -sc install=bash)"\n'
    line = "python other.py oth"
    asked = f'COMP_LINE="{line}" COMP_POINT={len(line)} COMP_CWORD=2\nhydra_bash_completion; echo "${{COMPREPLY[*]}}"\n'
    environment = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    done = subprocess.run(["bash", "-c", install + asked], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["other.py"]
    assert not done.stderr
    assert not (tmp_path / "started").exists()
