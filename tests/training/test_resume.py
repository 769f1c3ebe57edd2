"""What may change between two starts of a run: what moves no weight, and where its photographs lie."""

import shutil
import sys

import pytest
from omegaconf import OmegaConf

from colorize.cli import main
from colorize.data import Folder
from colorize.evaluation.network import open_tracker
from colorize.evaluation.result import group_of
from colorize.run_folder import RunFolder
from colorize.tracking import Tracker
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.serialization import read
from colorize.utils.stored_config import config_differences, is_free, is_place
from tests.helpers.commands import refused
from tests.helpers.configs import ROOT
from tests.helpers.resumed import TINY, cut


@pytest.mark.parametrize(
    "words",
    [
        ["tracker=none"], ["tracker=wandb", "tracker.mode=offline", "tracker.project=x"], ["trainer.device=cpu"],
        ["trainer.log_every=2"], ["evaluate.batch_size=3"], ["data.num_workers=0", "checkpoint.keep=1"],
        ["evaluate.samples=2", "data.max_bad=0.5"], ["trainer.recompute=true"],
    ],
)  # fmt: skip
def test_what_moves_no_weight_may_change(words, finished, inside):
    done = inside("train", f"resume={finished.folder}", *words)
    assert (done.returncode, "is finished: 4 steps" in done.stdout) == (0, True), done.stderr
    if not any(word.startswith("tracker") for word in words):
        assert inside("train", *finished.words, *words).returncode == 0, "the same command"


def test_a_run_that_was_tracked_goes_on_untracked(finished, inside, tmp_path):
    config = finished.run.read_config()
    config.tracker = {"_target_": "colorize.tracking.WandB", "_partial_": True, "mode": "offline", "folder": "outputs"}
    OmegaConf.save(config, finished.run.config)
    cut(finished)
    assert "resumes after step 2" in inside("train", f"resume={finished.folder}", "tracker=none").stdout
    assert not (tmp_path / "outputs" / "wandb").exists()
    assert finished.run.read_summary()["status"] == "finished"


def test_what_makes_another_run_is_refused(finished, inside):
    for word in ("optimizer.lr=1", "seed=3", "model=gan", "+model.classes=3", "overwrite=true", "data=demo"):
        refused(inside("train", f"resume={finished.folder}", word), f"which {word} would change", "rerun")
    refused(inside("train", f"resume={finished.folder}", "trainer.devcie=cpu"), "did you mean trainer.device?")
    refused(inside("train", f"resume={finished.folder}", "tracker=wndb"), "did you mean tracker=wandb?")
    refused(inside("train", f"resume={finished.folder}", "checkpoint.keep=1,2"), "names several values")


def test_photographs_may_lie_elsewhere_as_long_as_they_are_the_same(finished, inside, tmp_path):
    elsewhere = finished.photos.rename(tmp_path / "moved")
    cut(finished)
    done = inside("train", f"resume={finished.folder}", f"data.root={elsewhere}")
    assert "resumes after step 2" in done.stdout, done.stderr
    assert finished.run.read_config().data.root == str(elsewhere)  # for the starts to come, and for evaluate
    assert inside("evaluate", f"run={finished.folder}", "metrics=quick", "table=false").returncode == 0
    again = shutil.copytree(elsewhere, tmp_path / "scratch")
    words = [word.replace(str(finished.photos), str(again)) for word in finished.words]
    cut(finished)
    done = inside("train", *words)  # the same command, as a job's script has it
    assert "resumes after step 2" in done.stdout, done.stderr
    others = shutil.copytree(elsewhere, tmp_path / "others")
    path = next(others.iterdir())
    path.write_bytes(path.read_bytes() + b"0")  # the same names, other bytes
    cut(finished)
    for word in (f"data.root={others}", f"data.root={ROOT / 'colorize' / 'data' / 'photos'}"):
        refused(inside("train", f"resume={finished.folder}", word), "the photographs are not those", "name=")


def test_a_link_or_a_relative_path_that_leads_elsewhere_now_is_noticed(finished, inside, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    others, link = shutil.copytree(finished.photos, tmp_path / "sub" / "photos"), tmp_path / "link"
    path = next(others.iterdir())
    path.write_bytes(path.read_bytes() + b"0")  # the same names, other bytes
    for word in (f"data.root={link}", "data.root=photos"):
        link.unlink(missing_ok=True)
        link.symlink_to(finished.photos)
        cut(finished)
        assert "resumes after step 2" in inside("train", f"resume={finished.folder}", word).stdout
        cut(finished)
        link.unlink()
        link.symlink_to(others)
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / "sub")
            patch.setattr(sys, "argv", ["colorize"])
            assert main(["train", f"resume={finished.folder}"]) == 2


def test_words_of_resume_are_read_as_those_of_a_first_start(finished, inside, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    finished.photos.rename(tmp_path / "détails & more")
    done = inside("train", "resume=~/outputs/run", "data.root=~/détails & more")
    assert "is finished" in done.stdout, done.stderr
    for word, said in (("~tracker", "leave out"), ("~trainer.device", "leave out"), ("+trainer.device=cpu", "already")):
        refused(inside("train", "resume=~/outputs/run", word), said)


def test_a_trackers_option_may_stand_behind_its_value_and_a_run_keeps_its_id(finished, inside, tmp_path, monkeypatch):
    for variable in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR"):  # for this test alone
        monkeypatch.setenv(variable, str(tmp_path / "wandb"))
    words = (f"tracker.folder={tmp_path}", "tracker.mode=offline", "name=other", "tracker=wandb")
    for steps in (5, 6):
        done = inside("train", f"resume={finished.folder}", f"schedule.all.steps={steps}", *words)
        assert "resumes after" in done.stdout, done.stderr
    names = [path.name for path in (tmp_path / "wandb").glob("offline-run-*")]
    assert len(names) == 2
    assert all(name.endswith(f"-run-{finished.run.token()}") for name in names)


def test_a_finished_run_is_that_of_its_own_photographs(finished, inside, tmp_path):
    elsewhere = shutil.copytree(finished.photos, tmp_path / "moved")
    words = [*finished.words, f"data.root={elsewhere}"]
    assert "is finished" in inside("train", *words).stdout
    assert finished.run.read_config().data.root == str(elsewhere)
    (elsewhere / "00.png").unlink()
    refused(inside("train", *words, f"data.root={finished.photos}", "data.val_root=moved"), "the photographs are not")


def test_a_run_of_before_has_the_names_of_its_photographs_alone(finished, inside, tmp_path):
    finished.run.config.with_name("photographs").unlink()
    elsewhere = finished.photos.rename(tmp_path / "moved")
    cut(finished)
    done = inside("train", f"resume={finished.folder}", f"data.root={elsewhere}")
    assert "resumes after step 2" in done.stdout, done.stderr


def test_a_config_of_before_lacks_what_is_new(finished, inside):
    config = finished.run.read_config()
    for key in ("steps_scale", "checkpoint.mode", "checkpoint.final", "trainer.deterministic", "data.max_bad"):
        parent, _, name = key.rpartition(".")
        (OmegaConf.select(config, parent) if parent else config).pop(name, None)
    OmegaConf.save(config, finished.run.config)
    cut(finished)
    assert "resumes after step 2" in inside("train", *finished.words).stdout
    cut(finished)
    assert "resumes after step 2" in inside("train", f"resume={finished.folder}", "checkpoint.keep=3").stdout


def test_the_defaults_of_constructors_stand_for_keys_that_are_not_there(tiny):
    new = tiny("model=cnn")
    old = new.copy()
    del old.steps_scale, old.trainer.accumulate, old.data.crop
    assert config_differences(old, new) == {}
    new.trainer.accumulate, new.steps_scale = 2, 0.5
    assert config_differences(old, new) == {"trainer.accumulate": (1, 2), "steps_scale": (1.0, 0.5)}


@pytest.mark.parametrize(("word", "free", "place"), [
    ("tracker.mode", True, False), ("tracker", True, False), ("trackers", False, False), ("seed", False, False),
    ("trainer.device", True, False), ("data.root", False, True), ("data.size", False, False),
])  # fmt: skip
def test_two_lists_say_what_may_change(word, free, place):
    assert (is_free(word), is_place(word)) == (free, place)


def test_groups_know_photographs_by_their_contents(finished, tmp_path):
    def of(folder, **changed):
        photos = Folder(str(folder), size=32)
        config = OmegaConf.create({"seed": 0, "data": {"root": str(folder)}, **changed})
        return group_of(config, [photos.contents(), photos.fingerprint()])

    moved = shutil.copytree(finished.photos, tmp_path / "copy")
    assert of(finished.photos) == of(moved) == of(moved, seed=1)
    path = next(moved.iterdir())
    path.write_bytes(path.read_bytes() + b"0")
    assert of(finished.photos) != of(moved)


def test_a_run_that_kept_the_worst_begins_anew_with_its_best(finished, inside):
    config = finished.run.read_config()
    config.checkpoint = {"every": 2, "keep": 2, "monitor": "val/chroma_error", "mode": "max"}
    config.metrics.chroma_error = {"_target_": "colorize.metrics.ChromaError"}
    OmegaConf.save(config, finished.run.config)
    cut(finished)
    path = finished.run.checkpoint("last")
    state = read(path)
    del state["sign"]
    Checkpoints(path.parent).save({**state, "best": 1e9})
    done = inside("train", f"resume={finished.folder}")
    assert done.returncode == 0, done.stderr
    state = read(finished.run.checkpoint("last"))
    assert state["best"] == -state["scores"]["chroma_error"]


def test_no_phase_is_refused(inside):
    refused(inside("train", *TINY, "tracker=none", "~schedule.all"), "schedule is {}; it must have one part or more")
    refused(inside("train", *TINY, "tracker=none", "steps_scale=0"), "steps_scale is 0", "greater than 0")


def test_a_tracker_groups_what_differs_by_the_seed_alone(finished, tmp_path):
    """A learning rate makes another group, and jobs of a sweep have names of their own."""

    def shown(folder, **changes):
        run = RunFolder(shutil.copytree(finished.folder, tmp_path / folder))
        config = run.read_config()
        for key, value in changes.items():
            OmegaConf.update(config, key.replace("__", "."), value)
        OmegaConf.save(config, run.config)
        opened = []
        open_tracker(run, lambda **given: opened.append(given) or Tracker(**given), {})
        return opened[0]["name"], opened[0]["settings"]["group"]

    name, group = shown("a")
    assert (name, group[:-6]) == ("run", "cnn-l1-folder-32-")
    assert shown("b", seed=4, trainer__device="cpu")[1] == group
    jobs = [shown(f"00{i}-{i:08x}", optimizer__lr=rate) for i, rate in enumerate((0.1, 0.2))]
    assert [name for name, _ in jobs] == ["run-000", "run-001"]
    assert len({group, *(of for _, of in jobs)}) == 3
