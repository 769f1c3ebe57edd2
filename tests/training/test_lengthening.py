"""A run that is trained for longer, and what a finished run keeps."""

import json

import pytest
import torch
from omegaconf import OmegaConf

from colorize.run_folder import RunFolder
from colorize.training.resume import check_lengthened
from colorize.training.schedule import Phase, linear_decay, warmup_cosine
from colorize.utils.serialization import read
from tests.helpers.commands import refused
from tests.helpers.resumed import TINY, cut


def networks(folder):
    state = read(RunFolder(folder).checkpoint("last"))["players"]["model"]
    return {f"{part} {key}": value for part in ("module", "average") for key, value in state[part].items()}


def test_more_steps_end_with_the_weights_of_a_run_that_had_them_from_the_start(finished, inside, tmp_path):
    whole = [*finished.words, "schedule.all.steps=6", "name=whole"]
    assert inside("train", *whole).returncode == 0
    done = inside("train", f"resume={finished.folder}", "schedule.all.steps=6")
    assert "resumes after step 4" in done.stdout, done.stderr
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
    assert "resumes after step 4" in done.stdout, done.stderr
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
