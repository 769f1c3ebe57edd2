"""The console command: help, and one sentence and a status for each mistake."""

import errno
import json
import os
import signal
import subprocess
import sys
from importlib import import_module

import pytest

from colorize.cli import main
from colorize.cli.app import VERBS
from colorize.utils.environment import own_version
from tests.helpers.commands import PLAIN, SMOKE, refused
from tests.helpers.configs import ROOT, options

REFUSED = [  # by the parts themselves; mistyped words are in cli/test_overrides.py
    (["data=folder", "data.root=my photos [1]"], ["'data.root=my photos [1]'", "needs quotes"]),
    (["data=folder", "data.root=/nowhere/at all"], ["there is no folder '/nowhere/at all'"]),
    (["model=transformer", "loss=iizuka"], ["loss term 'classify' needs ['logits']", "model answers ['ab', 'bins']"]),
    (["evaluate.samples=0"], ["evaluate.samples is 0", "greater than or equal to 1"]),
    (["model=transformer", "loss=l1", "data.size=100"], ["data.size is 100", "multiples of 32", "128"]),
    (["model=transformer", "model.encoder=resnet17"], ["timm has no encoder 'resnet17'"]),
    (["trainer.device=gpu"], ["trainer.device='gpu'", "use auto"]),
    (["tracker.mode=ofline", "tracker=wandb"], ["tracker.mode", "offline"]),
]


@pytest.mark.parametrize(("words", "parts"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_gets_one_sentence(words, parts, inside, tmp_path):
    refused(inside("train", *PLAIN, *words), *parts)
    assert not list(tmp_path.rglob("summary.json"))


def test_an_unknown_verb(command):
    done = subprocess.run([sys.executable, "-m", "colorize", "trian"], capture_output=True, text=True, check=False)
    refused(done, "there is no verb 'trian'", "train")


@pytest.mark.parametrize("words", [("--version",), ("train", "--version"), ("paint", "--version")], ids=" ".join)
def test_the_version_is_that_of_colorize(words, capsys):
    assert main(list(words)) == 0
    assert capsys.readouterr().out == f"colorize {own_version()}\n"


HELP = """
import sys
from colorize.cli import main
from colorize.cli.app import VERBS

slow = {"torch", "timm", "hydra", "numpy", "PIL", "scipy", "pydantic", "wandb", "gradio", "matplotlib", "optuna"}
for verb in sorted(VERBS, key=lambda name: VERBS[name].composed):
    if VERBS[verb].composed:
        slow.discard("hydra")  # lists the groups of its configs
    for option in ("--help", "--no-such-option"):
        try:
            main([verb, option])
        except SystemExit as ended:  # of argparse
            assert not ended.code
        print(verb, option, sorted(slow & {*sys.modules}), file=sys.stderr)
"""


def test_help_and_refused_options_import_nothing_slow():
    done = subprocess.run([sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True)
    asked = [f"{verb} {option} []" for verb in VERBS for option in ("--help", "--no-such-option")]
    assert set(asked) <= set(done.stderr.splitlines()), done.stderr
    for name, verb in VERBS.items():
        assert verb.composed or f"usage: colorize {name} [-h]" in done.stdout


def test_every_verb_is_what_the_table_says(capsys):
    """Its function is there, and usage and the page of commands have its arguments."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert main([]) == 0
    shown = capsys.readouterr().out
    for name, verb in VERBS.items():
        module, _, function = verb.target.partition(":")
        assert callable(getattr(import_module(f"colorize.cli.{module}"), function))
        assert f"  {name:<10} {verb.arguments} " in shown
        assert f"| `{name} {verb.arguments}` |" in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("paint", "--wieghts", "X"), "there is no option '--wieghts': did you mean --weights?"),
        (("paint", "a.jpg", "--weight=X", "-o", "b"), "there is no option '--weight': did you mean --weights?"),
        (("paint", "a.jpg", "-w", "X", "-o", "b", "--size", "0"), "--size is 0; it must be between 16 and 2048"),
        (("paint", "a.jpg", "-o", "b", "--size", "100000"), "--size is 100000; it must be between 16 and 2048"),
        (("paint", "a.jpg", "-o", "b", "--reach", "20"), "--reach is 20.0; it must be between 0.01 and 1"),
        (("paint", "a.jpg", "-w", "X", "-o", "b", "--seed", "-x"), "there is no option '-x'"),
        (("paint", "a.jpg", "-o", "b", "--strength", "0,8"), "argument --strength: '0,8' must be a number such as 0.8"),
        (("app", "--port", "abc"), "argument --port: 'abc' must be a whole number"),
        (("export", "a", "b", "-o", "c"), "there is no place for 'b'"),
        (("prepare", "demo", "x", "--quality", "101"), "--quality is 101; it must be between 1 and 100"),
        (("inspect", "demo", "-o", "x", "--tint", "nan"), "--tint is nan; it must be 0 or more"),
        (("sync", "--foldr"), "there is no option '--foldr'"),
    ],
)  # fmt: skip
def test_a_mistaken_option_is_named_before_all_else(words, sentence, inside):
    refused(inside(*words), f"colorize {words[0]}: {sentence}")


def test_a_folder_without_photographs(inside, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(inside("train", *SMOKE[1:], "data=folder", "data.root=empty"), "no photographs in 'empty'")


def test_an_unreadable_validation_photograph(inside, photographs):
    for path in photographs.rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:200])
    done = inside("train", *SMOKE[1:], "data=folder", f"data.root={photographs}")
    refused(done, "cannot read", "repair or remove it")


def test_a_loss_that_explodes(inside, tmp_path):
    done = inside("train", *SMOKE[1:], "optimizer.lr=1e30", "trainer.clip=null", "optimizer=adam", "schedule=single")
    refused(done, "became", "at step", "is whole")
    summary = json.loads(next((tmp_path / "outputs").glob("*/summary.json")).read_text())
    assert summary["status"] == "failed"


def test_a_full_disk(tmp_path):
    """Files may not grow beyond 512 kB: the checkpoint does not fit, and all else does."""
    resource = pytest.importorskip("resource", reason="only POSIX can limit the size of files")

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19))

    words = [sys.executable, ROOT / SMOKE[0], *SMOKE[1:]]
    done = subprocess.run(
        words, cwd=tmp_path, preexec_fn=small_files, capture_output=True, text=True, timeout=200, check=False
    )
    refused(done, os.strerror(errno.EFBIG), "step-00000002.pt")
    assert not list(tmp_path.rglob("*.part"))


def test_help_lists_the_groups(command):
    done = command("train.py", "--help")
    assert f"model: {', '.join(options('model'))}\n" in done.stdout
    assert "experiment: " in done.stdout
    assert "python train.py" in done.stdout


def test_the_config_can_be_printed(inside):
    done = inside("train", "--cfg", "job", "model=cnn")
    assert "colorize.models.CNN" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["paint", "~$a.jpg", "--weights", "w", "-o", "out"], ["inspect", "~$x", "-o", "o"],
        ["export", "~$x", "-o", "o"], ["prepare", "~$x", "o"], ["sync", "~$x"], ["evaluate", "run=~$x"],
        ["train", "resume=~$x"], ["compare", "~$x"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_name_that_only_looks_like_a_home_folder_is_a_name(words, inside):
    """Office programs leave files called ~$NAME; a home folder of that name is not known."""
    refused(inside(*words), "~$")


def test_an_option_may_name_the_home_folder(inside, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    refused(inside("train", "--config-dir=~/mine", "--cfg", "job"), f"--config-dir={tmp_path}/mine: there is no such")
