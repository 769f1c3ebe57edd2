"""The YAML of a run folder is data, and may hold anything."""

import sys
import time

import pytest
from omegaconf import OmegaConf

import colorize
from colorize.cli import main
from colorize.config import check_config
from colorize.reports.run_data import config_of
from colorize.run_folder import RunFolder
from colorize.utils.errors import UserError
from colorize.utils.stored_config import read_config, read_yaml, stored_form
from tests.faults import stranger_folders as strangers
from tests.faults.strangers import MARK
from tests.helpers.commands import refused


@pytest.mark.parametrize("content", ["1\n", "true\n", "1.5\n", ".nan\n", "[1\n", "\0"])
@pytest.mark.parametrize("read", [read_yaml, read_config, config_of])
def test_what_is_no_config_is_refused_in_a_sentence(read, content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml"):
        read(path)


def test_a_page_of_runs_reads_a_config_as_the_other_verbs_do(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: &a [x,x,x]\nb: [*a,*a]\n")
    with pytest.raises(UserError, match="repeats parts of itself"):
        config_of(path)


@pytest.fixture
def stored(trained):
    """The config of a run, as its folder keeps it."""
    return lambda: read_config(trained() / ".hydra" / "config.yaml")


@pytest.mark.parametrize("place", strangers.PLACES)
def test_no_way_of_naming_code_is_taken_anywhere(place, stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call, node in strangers.CALLS.items():
        if (place, call) == ("loss.terms.pixel", "another kind"):
            continue
        config = stored()
        OmegaConf.update(config, place, node, merge=False, force_add=True)
        with pytest.raises(UserError) as caught:
            check_config(config, (), "here")
        assert place.split(".")[0] in str(caught.value)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", strangers.CONFIGS)
def test_a_config_that_asks_grows_or_is_none_is_refused(name, run_folder, capsys):
    folder = run_folder()
    strangers.CONFIGS[name](folder)
    if name == "empty":
        assert not RunFolder(folder).read_config()
        return
    with pytest.raises(UserError) as caught:
        check_config(RunFolder(folder).read_config(), (), "here")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("held", strangers.RESOLVED, ids=str)
def test_what_was_left_open_is_plain(held, run_folder):
    folder = run_folder()
    strangers.write(folder, "resolved.yaml", held)
    with pytest.raises(UserError, match=r"resolved\.yaml' is damaged"):
        RunFolder(folder).read_resolved()


@pytest.mark.parametrize("words", strangers.WORDS, ids=str)
def test_rerun_takes_choices_and_values_alone(words, inside, run_folder, tmp_path):
    strangers.arranged(run_folder(), tmp_path / "case", lambda folder: strangers.write(folder, "overrides.yaml", words))
    refused(inside("train", f"rerun={tmp_path / 'case' / 'run'}", "experiment=smoke"), "overrides.yaml")
    assert not list(tmp_path.rglob(MARK))


ATTACKS = {
    "model.branches: os.system": lambda folder: strangers.planted(folder, "model.branches", strangers.SHELL),
    "tracker: pickle": lambda folder: strangers.planted(folder, "tracker", strangers.CALLS["pickle"]),
    "data: beside": lambda folder: strangers.planted(folder, "data", strangers.CALLS["beside"]),
    "resolved": lambda folder: strangers.write(folder, "resolved.yaml", {"model._target_": "os.system"}),
}


@pytest.mark.parametrize("reader", strangers.READERS["all"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_verb_refuses(attack, reader, run_folder, tmp_path, monkeypatch, capsys):
    home = tmp_path / "case"
    strangers.arranged(run_folder(), home, ATTACKS[attack])
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["colorize"])
    reads_model_alone = attack.startswith(("tracker", "data")) and reader in ("paint", "export", "init_from")
    code = strangers.READERS["all"][reader]()
    assert code == 0 if reads_model_alone else code == 2
    assert not list(home.rglob(MARK))


@pytest.mark.parametrize("name", sorted(set(strangers.PLANTED) - set(strangers.HARMLESS)))
def test_a_folder_that_would_write_elsewhere_is_not_gone_on_with(name, run_folder, tmp_path, monkeypatch):
    home = tmp_path / "case"
    strangers.arranged(run_folder(), home, strangers.PLANTED[name])
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["colorize"])
    assert main(["train", "resume=run"]) == 2
    assert not list(tmp_path.rglob(MARK))
    assert [path for path in (tmp_path / "victims").rglob("*") if path.is_file()] == []


def test_half_written_files_do_not_follow_links(tmp_path):
    victim, target = tmp_path / "victim", tmp_path / "file"
    victim.write_text("mine")
    (tmp_path / "file.part").symlink_to(victim)
    colorize.utils.files.write_whole(target, lambda part: part.write_text("new"))
    assert (victim.read_text(), target.read_text()) == ("mine", "new")


def test_what_a_config_asked_this_machine_for_is_kept_as_the_value(tmp_path, config, monkeypatch):
    monkeypatch.setenv("SIDE", "64")
    cfg = config("experiment=smoke", "checkpoint.every=${seed}")
    OmegaConf.update(cfg, "data.size", "${oc.decode:${oc.env:SIDE}}")
    OmegaConf.save(stored_form(cfg), tmp_path / "config.yaml")
    kept = read_config(tmp_path / "config.yaml")
    assert kept.data.size == 64
    assert "${seed}" in (tmp_path / "config.yaml").read_text()  # a reference stays one
    check_config(kept, (), "here")


@pytest.mark.parametrize(
    "content", ["[" * 2**19, "- " * 2**19, '{"a":' * 2**17, "a: " + "[" * 51 + "]" * 51, "a:\n" + "- 1\n" * 2**17]
)
def test_what_takes_minutes_to_read_is_refused_at_once(content, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"nests deeper|more values"):
        read_config(path)
    assert time.monotonic() - began < 5
