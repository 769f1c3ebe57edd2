"""What may change between two starts of a run: what moves no weight, where its photographs lie, and its length."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from colorize.cli import main
from colorize.data import Folder
from colorize.evaluation.network import shown_as
from colorize.evaluation.result import group_of
from colorize.run_folder import RunFolder
from colorize.training.checks import check_phases
from colorize.training.resume import check_lengthened
from colorize.training.schedule import Phase, linear_decay, warmup_cosine
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.errors import UserError
from colorize.utils.serialization import read
from colorize.utils.stored_config import differences, is_free, is_place
from tests.helpers.commands import refused
from tests.helpers.configs import ROOT, SMALL

TINY = ("experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "schedule=single", "evaluate.historical=false")
TINY = (*TINY, "evaluate.every=100")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of photographs, a run of four steps on it, and the same after two: trained once, copied by each test."""
    home = tmp_path_factory.mktemp("kept")
    random = np.random.default_rng(0)
    (home / "photos").mkdir()
    for i in range(12):
        Image.fromarray(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(home / "photos" / f"{i:02d}.png")
    words = [*TINY, "tracker=none", "data=folder", f"data.root={home / 'photos'}", "name=run"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["colorize"])
        for name, more in (("run", []), ("half", ["schedule.all.steps=2"])):
            assert main(["train", *words, *more, f"hydra.run.dir={home / name}"]) == 0
    return home, words


@pytest.fixture
def finished(kept, tmp_path):
    """A copy of that run, its photographs and the words that it was started with."""
    home, words = kept
    shutil.copytree(home / "photos", tmp_path / "photos")
    run = RunFolder(shutil.copytree(home / "run", tmp_path / "outputs" / "run"))
    config = run.read_config()
    config.data.root = str(tmp_path / "photos")
    OmegaConf.save(config, run.config)
    half = home / "half" / "checkpoints"
    words = [word.replace(str(home), str(tmp_path)) for word in words]
    return SimpleNamespace(folder=run.folder, photos=tmp_path / "photos", words=words, run=run, half=half)


def cut(finished):
    """As if it had been killed after step 2."""
    shutil.rmtree(finished.folder / "checkpoints")
    shutil.copytree(finished.half, finished.folder / "checkpoints")
    (finished.folder / "summary.json").unlink(missing_ok=True)


def networks(folder):
    state = read(RunFolder(folder).checkpoint("last"))["players"]["model"]
    return {f"{part} {key}": value for part in ("module", "average") for key, value in state[part].items()}


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
    assert "going on after step 2" in inside("train", f"resume={finished.folder}", "tracker=none").stdout
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
    assert "going on after step 2" in done.stdout, done.stderr
    assert finished.run.read_config().data.root == str(elsewhere)  # for the starts to come, and for evaluate
    assert inside("evaluate", f"run={finished.folder}", "metrics=quick", "table=false").returncode == 0
    again = shutil.copytree(elsewhere, tmp_path / "scratch")
    words = [word.replace(str(finished.photos), str(again)) for word in finished.words]
    cut(finished)
    done = inside("train", *words)  # the same command, as a job's script has it
    assert "going on after step 2" in done.stdout, done.stderr
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
        assert "going on after step 2" in inside("train", f"resume={finished.folder}", word).stdout
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
        assert "going on" in done.stdout, done.stderr
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
    assert "going on after step 2" in done.stdout, done.stderr


def test_more_steps_end_with_the_weights_of_a_run_that_had_them_from_the_start(finished, inside, tmp_path):
    whole = [*finished.words, "schedule.all.steps=6", "name=whole"]
    assert inside("train", *whole).returncode == 0
    done = inside("train", f"resume={finished.folder}", "schedule.all.steps=6")
    assert "going on after step 4" in done.stdout, done.stderr
    assert finished.run.read_summary()["steps"] == 6
    assert f"colorize evaluate run={finished.folder}" in done.stdout  # what comes next
    assert f"colorize paint PHOTO --weights {finished.folder} -o painted" in done.stdout
    one, other = (networks(folder) for folder in (tmp_path / "outputs" / "whole", finished.folder))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert "is finished: 6 steps" in inside("train", f"resume={finished.folder}").stdout
    words = OmegaConf.load(finished.folder / ".hydra" / "overrides.yaml")
    assert "schedule.all.steps" in str(words)  # rerun trains as long
    done = inside("train", *finished.words)
    refused(done, "holds a run with another config", "schedule.all.steps (6 there, 4 now)")


def test_a_further_phase_may_have_a_curve(finished, inside):
    phase = "+schedule.more={_target_: colorize.training.schedule.Phase, steps: 2}"
    done = inside("train", f"resume={finished.folder}", phase)
    assert "going on after step 4" in done.stdout, done.stderr
    assert finished.run.read_summary()["steps"] == 6


def test_fewer_steps_are_refused(finished, inside):
    done = inside("train", f"resume={finished.folder}", "schedule.all.steps=3")
    refused(done, "has taken 4 steps, and its schedule would end after 3", "init_from=")


@pytest.mark.parametrize(
    ("curve", "done", "fits"),
    [
        (None, 100, True),
        (lambda p: warmup_cosine(p), 1, False),
        (lambda p: linear_decay(p, start=0.5), 50, True),  # still at its full rate, in the longer run too
        (lambda p: linear_decay(p, start=0.5), 51, False),
    ],
)
def test_a_curve_may_be_lengthened_where_the_steps_taken_stay_what_they_were(curve, done, fits):
    phases = {"first": Phase(steps=10), "all": Phase(steps=100, lr=curve), "last": Phase(steps=5, lr=warmup_cosine)}
    before, after = {"first": 10, "all": 100, "last": 5}, {"first": 10, "all": 200, "last": 50}
    if fits:
        check_lengthened(phases, before, phases, after, 10 + done, "run")
        return
    with pytest.raises(
        ValueError, match=r"'all' cannot become 200 steps long: its learning rate has a curve.*init_from=run"
    ):
        check_lengthened(phases, before, phases, after, 10 + done, "run")


def test_a_phase_that_is_over_keeps_its_length():
    phases = {"first": Phase(steps=10), "last": Phase(steps=5)}
    with pytest.raises(ValueError, match="'first', which cannot become 12 steps"):
        check_lengthened(phases, {"first": 10, "last": 5}, phases, {"first": 12, "last": 5}, 11, "run")


def test_a_config_of_before_lacks_what_is_new(finished, inside):
    config = finished.run.read_config()
    for key in ("steps_scale", "checkpoint.mode", "checkpoint.final", "trainer.deterministic", "data.max_bad"):
        parent, _, name = key.rpartition(".")
        (OmegaConf.select(config, parent) if parent else config).pop(name, None)
    OmegaConf.save(config, finished.run.config)
    cut(finished)
    assert "going on after step 2" in inside("train", *finished.words).stdout
    cut(finished)
    assert "going on after step 2" in inside("train", f"resume={finished.folder}", "checkpoint.keep=3").stdout


def test_the_defaults_of_constructors_stand_for_keys_that_are_not_there(tiny):
    new = tiny("model=cnn")
    old = new.copy()
    del old.steps_scale, old.trainer.accumulate, old.data.crop
    assert differences(old, new) == {}
    new.trainer.accumulate, new.steps_scale = 2, 0.5
    assert differences(old, new) == {"trainer.accumulate": (1, 2), "steps_scale": (1.0, 0.5)}


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
    with pytest.raises(UserError, match="the schedule has no phase"):
        check_phases({})
    refused(inside("train", *TINY, "tracker=none", "steps_scale=0"), "steps_scale is 0", "greater than 0")


def test_the_summary_counts_scaled_steps(inside, tmp_path):
    assert inside("train", *TINY, "tracker=none", "steps_scale=0.5", "name=half").returncode == 0
    assert json.loads((tmp_path / "outputs" / "half" / "summary.json").read_text())["steps"] == 2


def test_a_finished_run_keeps_its_newest_whole_and_the_weights_of_its_best(finished):
    folder = finished.folder / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["best.pt", "step-00000004.pt"]
    last, best = (read(finished.run.checkpoint(which))["players"]["model"] for which in ("last", "best"))
    assert all(last[part] for part in ("optimizer", "module", "average"))
    assert (best["optimizer"], best["module"]) == (None, None)
    assert all(torch.equal(last["average"][key], best["average"][key]) for key in last["average"])
    assert (folder / "best.pt").stat().st_size < 0.4 * (folder / "step-00000004.pt").stat().st_size


def test_a_finished_run_may_keep_weights_alone_and_cannot_be_lengthened_then(finished, inside):
    cut(finished)
    assert inside("train", *finished.words, "checkpoint.final=weights").returncode == 0
    folder = finished.folder / "checkpoints"
    assert {path.name for path in folder.iterdir()} == {"best.pt", "step-00000004.pt"}
    assert read(folder / "step-00000004.pt")["players"]["model"]["optimizer"] is None
    (finished.folder / "summary.json").unlink()  # killed before it was written
    assert inside("train", *finished.words).returncode == 0
    assert finished.run.read_summary()["status"] == "finished"
    for which in ("best", "last"):
        words = (f"run={finished.folder}", f"checkpoint={which}", "metrics=quick", "overwrite=true", "table=false")
        assert inside("evaluate", *words).returncode == 0
    done = inside("train", f"resume={finished.folder}", "schedule.all.steps=6")
    refused(done, "holds weights alone", "checkpoint.final=weights", "init_from=")
    assert inside("train", *finished.words, f"init_from={finished.folder}", "name=next").returncode == 0


def test_jobs_of_searches_keep_weights_alone(config):
    for name in ("optuna", "cmaes", "pareto"):
        assert config(f"hparams_search={name}").checkpoint.final == "weights"
    assert config().checkpoint.final == "whole"


def test_a_tracker_groups_what_differs_by_the_seed_alone(finished, tmp_path):
    """A learning rate makes another group, and jobs of a sweep have names of their own."""

    def shown(folder, **changes):
        run = RunFolder(shutil.copytree(finished.folder, tmp_path / folder))
        config = run.read_config()
        for key, value in changes.items():
            OmegaConf.update(config, key.replace("__", "."), value)
        OmegaConf.save(config, run.config)
        return shown_as(run)

    name, group = shown("a")
    assert (name, group[:-6]) == ("run", "cnn-l1-folder-")
    assert shown("b", seed=4, trainer__device="cpu")[1] == group
    jobs = [shown(f"00{i}-{i:08x}", optimizer__lr=rate) for i, rate in enumerate((0.1, 0.2))]
    assert [name for name, _ in jobs] == ["run-000", "run-001"]
    assert len({group, *(of for _, of in jobs)}) == 3
