"""A short part of the campaign over what strangers send: exports, weights and checkpoints, damaged or hostile."""

import os
import re
import signal
import subprocess
import sys
import zipfile

import pytest
import torch

import colorize
from colorize.models import CNN, Transformer
from colorize.models import load as loading
from colorize.models.weights import extract_weights
from colorize.utils.checkpoint import FIELDS, read_record
from colorize.utils.errors import UserError
from tests.faults import strangers
from tests.faults.stranger_weights import (
    CARDS,
    NO_WEIGHTS,
    OPTIONS,
    SETTINGS,
    SMALL,
    WRONG,
    changed,
    write_bomb,
    write_wide,
)
from tests.faults.stranger_weights import export as write_export
from tests.helpers.configs import ROOT

CASES = ROOT.parent / "shared" / "cases" / "weights"


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("export"), CNN)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("export"), Transformer)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_settings_that_describe_no_such_network_are_one_sentence(settings, export, tmp_path):
    folder = changed(export, tmp_path / "out", settings=settings)
    with pytest.raises(UserError) as caught:
        colorize.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("card", CARDS, ids=str)
def test_a_size_that_is_none_is_one_sentence(card, export, tmp_path):
    with pytest.raises(UserError, match="trained_size in"):
        loading.trained_size(changed(export, tmp_path / "out", **card))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_encoders_options_are_known_ones(options, transformer, tmp_path):
    with pytest.raises(UserError, match="encoder_options"):
        Transformer(encoder="test_convnext", encoder_options=options, **SMALL)
    with pytest.raises(UserError):
        colorize.load(changed(transformer, tmp_path / "out", settings={"encoder_options": options}))


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_is_checked_once_when_it_is_read(field, run_folder, tmp_path):
    path = next((run_folder() / "checkpoints").glob("step-*.pt"))
    state = read_record(path)
    fits, _ = FIELDS[field]
    for value in [each for each in WRONG if not fits(each)]:
        torch.save(state | {field: value}, tmp_path / "step-00000001.pt")
        with pytest.raises(UserError, match=f"its '{field}' is not"):
            read_record(tmp_path / "step-00000001.pt")
    torch.save({key: value for key, value in state.items() if key != field}, tmp_path / "step-00000001.pt")
    with pytest.raises(UserError, match=f"it has no '{field}'"):
        read_record(tmp_path / "step-00000001.pt")


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    write_wide(tmp_path / "wide.pth")
    with pytest.raises(UserError, match="too few bytes"):
        colorize.load(tmp_path / "wide.pth")
    write_bomb(tmp_path / "bomb.pth")
    with pytest.raises(UserError, match="more than it has"):
        colorize.load(tmp_path / "bomb.pth")


def test_what_is_no_weights_is_called_what_it_is(export, tmp_path):
    for name, (content, words) in NO_WEIGHTS.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            colorize.load(tmp_path / name)
        assert words in str(caught.value), name
        assert "overwrite" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("model.pth", b"x")
    with pytest.raises(UserError, match=r"a zip file of other things \(model.pth\)"):
        colorize.load(tmp_path / "zip.pth")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(UserError, match="is a pipe, a socket or a device, and no file"):
        colorize.load(tmp_path / "pipe.pth")
    with pytest.raises(UserError, match="describes an export: give its folder"):
        colorize.load(export / "README.md")


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the odd files are not at {CASES}")
def test_odd_weights_are_refused_in_a_sentence():
    for path in sorted(CASES.iterdir()):
        with pytest.raises(UserError) as caught:
            colorize.load(path)
        assert "\n" not in str(caught.value)
        assert "overwrite" not in str(caught.value)


@pytest.mark.parametrize("wrap", [
    lambda state: {f"module.{k}": v for k, v in state.items()},
    lambda state: {f"module.module.{k}": v for k, v in state.items()},
    lambda state: {"state_dict": {f"_orig_mod.{k}": v for k, v in state.items()}},
    lambda state: {"state_dict": {f"net_g.{k}": v for k, v in state.items()} | {"net_d.w": torch.zeros(1)}},
    lambda state: {"net_g": state, "net_d": {"w": torch.zeros(1)}}, lambda state: {"ema": state, "step": 5},
    lambda state: {"params_ema": state, "params": {"x": torch.ones(1)}},
    lambda state: {"state_dict": {"params": {f"model.{k}": v for k, v in state.items()}}},
    lambda state: {f"module.{k}": v for k, v in state.items()} | {"n_averaged": torch.tensor(3)},
])  # fmt: skip
def test_containers_and_prefixes_are_taken_off(wrap, tmp_path):
    state = {"low_net.layers.0.0.weight": torch.ones(2), "global_net.fc1.0.bias": torch.zeros(3)}
    found = extract_weights(wrap(state), tmp_path / "a.pth")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_paths_are_paths_and_the_nearest_is_suggested(run_folder, tmp_path, monkeypatch):
    run_folder(to="outputs/quickstart")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "fetch_from_hub", lambda *_: pytest.fail("the hub was asked"))
    for word in ("outputs/qickstart", "./outputs/qickstart"):
        with pytest.raises(UserError, match="did you mean outputs/quickstart"):
            colorize.load(word)
    for word in ("nowhere", "models/a.pth", "../a/b", "/a/b"):
        with pytest.raises(UserError, match="there is no file or folder"):
            colorize.load(word)
    assert loading.is_hub_name("piddnad/ddcolor_paper_tiny")
    assert loading.is_hub_name("owner/name/folder/gan.pth")


def test_another_programs_config_beside_weights_is_passed_over(tmp_path):
    for content in ("[1, 2]", "{", '{"trained_size": "x"}', "\udcff"):
        (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        assert loading.trained_size(tmp_path / "a.pth") is None


OUTCOMES = {
    "refused": lambda: print("a sentence") or 2, "silent": lambda: 2, "wrongly taken": lambda: 0,
    "traceback": lambda: 1 // 0, "hang": signal.pause,
    "killed": lambda: os.kill(os.getpid(), signal.SIGSEGV), "code run": lambda: os.system(f"touch {strangers.MARK}"),
    "file outside": lambda: os.system("touch ../beside"), "file outside ": lambda: os.system("touch in-the-folder"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
@pytest.mark.parametrize("ended", OUTCOMES)
def test_the_campaign_tells_how_a_case_ends(ended, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(strangers, "SECONDS", 0.5)
    with capfd.disabled():
        found, _ = strangers.outcome(strangers.Case("", "", lambda home: None, OUTCOMES[ended]), tmp_path / "home")
    assert found == ended.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_a_few_cases_of_the_campaign():
    """In a process of its own: what has trained cannot be forked."""
    words = [sys.executable, "-m", "tests.faults.strangers", "--only", "photographs", "places", "--count", "2"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    finished, refused = map(int, re.search(r"all +(\d) +(\d)( +0)+$", done.stdout).groups()[:2])
    assert finished + refused == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_every_kind_of_the_campaign():
    words = [sys.executable, "-m", "tests.faults.strangers", "--count", "20"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
