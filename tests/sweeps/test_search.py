"""A search by Optuna: it nears what is best, survives what fails, and resumes to the same draws."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from colorize.cli.after_sweep import check_plugins
from colorize.sweeps.jobs import SweepJob
from colorize.sweeps.results import rank_jobs
from colorize.sweeps.search import Search
from colorize.sweeps.study import JOURNAL, split_overrides
from colorize.utils.errors import UserError
from colorize.utils.files import cut_torn_line
from tests.helpers.sweeps import finished


class Jobs:
    """A launcher whose jobs do what `job` says with their numbers and words: its summary, or an exit status."""

    def __init__(self, search, job):
        self.search, self.job, self.launched = search, job, []

    def launch(self, job_overrides, initial_job_idx):
        return [self.run(initial_job_idx + place, words) for place, words in enumerate(job_overrides)]

    def run(self, number, words):
        self.launched.append((number, dict(word.split("=", 1) for word in words)))
        summary = self.job(number, self.launched[-1][1])
        folder = self.search().compose(number, words)
        done = JobReturn(overrides=words, status=JobStatus.COMPLETED)
        done.return_value = summary if isinstance(summary, int) else 0
        if isinstance(summary, dict):
            (folder / "summary.json").write_text(json.dumps(summary))
        return done


class Context:
    """What a search needs of Hydra: a loader that composes a job's config."""

    class config_loader:  # noqa: N801
        @staticmethod
        def load_sweep_config(config, words):
            metrics = {"psnr": {"_target_": "colorize.metrics.PSNR"}, "features": {}}
            named = {
                "checkpoint": {"monitor": "val/psnr"}, "metrics": metrics,
                "hydra": {"job": {}, "sweep": {"subdir": "${job_folder:${hydra.job.num},${words}}"}},
                "words": words,
            }  # fmt: skip
            return OmegaConf.create(named)


@pytest.fixture
def search(tmp_path):
    """`search(job, "optimizer.lr=interval(0,1)", n_trials=5)`: the search after it ran, and what it launched."""

    def run(job, *words, **settings):
        default = {
            "objective": "val/psnr", "direction": "maximize", "n_trials": 6, "n_jobs": 1, "seed": 0, "pruner": None,
            "sampler": {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 3}, "params": None,
        }  # fmt: skip
        config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path / "sweep")}}})
        made = []
        launcher = Jobs(lambda: made[0], job)
        made.append(Search(default | settings, Context, config, launcher))
        try:
            made[0].go(words)
        finally:
            run.launched = launcher.launched
        return made[0]

    return run


def closeness(number, words):
    return finished(-abs(float(words["optimizer.lr"]) - 0.7))


def states(found):
    return [(trial.number, trial.state.name) for trial in found.study.trials]


LINE = "optimizer.lr=interval(0.0, 1.0)"


def test_a_search_nears_what_is_best(search):
    found = search(closeness, LINE, n_trials=25)
    assert [number for number, _ in search.launched] == list(range(25))
    assert abs(found.study.best_params["optimizer.lr"] - 0.7) < 0.1
    assert found.study.best_trial.params["optimizer.lr"] == float(
        search.launched[found.study.best_trial.number][1]["optimizer.lr"]
    )


def test_a_search_cut_off_anywhere_draws_what_an_undisturbed_one_draws(search, tmp_path):
    search(closeness, LINE, n_trials=8)
    whole = list(search.launched)
    (tmp_path / "sweep").rename(tmp_path / "whole")

    def dying(number, words):
        if number in (2, 5) and not (tmp_path / f"died-{number}").exists():
            (tmp_path / f"died-{number}").touch()
            raise KeyboardInterrupt  # nothing is told to the study, as after SIGKILL
        return closeness(number, words)

    launched = []
    for _ in range(3):
        with suppress(KeyboardInterrupt):
            search(dying, LINE, n_trials=8)
        launched += search.launched
    assert [number for number, _ in launched] == [0, 1, 2, 2, 3, 4, 5, 5, 6, 7]  # the two that were cut, again
    assert dict(launched) == dict(whole)


def test_more_trials_go_on_from_there(search):
    assert len(search(closeness, LINE, n_trials=3).study.trials) == 3
    found = search(closeness, LINE, n_trials=5)
    assert [number for number, _ in search.launched] == [3, 4]
    assert len(found.study.trials) == 5


def test_trials_that_fail_are_recorded_and_survived(search):
    def job(number, words):
        return 2 if number == 1 else finished(float("nan")) if number == 2 else closeness(number, words)

    found = search(job, LINE, n_trials=5)
    assert states(found) == [(0, "COMPLETE"), (1, "FAIL"), (2, "FAIL"), (3, "COMPLETE"), (4, "COMPLETE")]
    reasons = [trial.user_attrs.get("failed") for trial in found.study.trials]
    assert "ended with status 2" in reasons[1]
    assert reasons[2] == "val/psnr is nan"


def test_a_search_whose_every_trial_fails_says_why(search):
    with pytest.raises(UserError, match="all 3 trials failed, the last since it ended with status 2"):
        search(lambda number, words: 2, LINE, n_trials=3)


def test_a_job_stopped_from_outside_stops_the_search_which_goes_on_with_it(search):
    stop = {"status": "interrupted"}
    with pytest.raises(SystemExit) as ended:
        search(lambda number, words: stop if number == 1 else closeness(number, words), LINE, n_trials=3)
    assert ended.value.code == 75
    assert states(search(closeness, LINE, n_trials=3)) == [(number, "COMPLETE") for number in range(3)]
    assert [number for number, _ in search.launched] == [1, 2]


def test_two_objectives_have_no_single_best(search):
    def job(number, words):
        lr = float(words["optimizer.lr"])
        return {"status": "finished", "val": {"psnr": lr, "features": lr**2}}

    sampler = {"_target_": "optuna.samplers.NSGAIISampler", "population_size": 4}
    found = search(
        job, LINE, objective=["val/psnr", "val/features"], direction=["maximize", "minimize"], sampler=sampler
    )
    assert len(found.study.best_trials) == 6  # each is better than any other in the one or the other
    jobs = [SweepJob(n, Path(), [], job(n, words)) for n, words in search.launched]
    assert {each.number for each in rank_jobs(jobs, found.objectives, [True, False])} == set(range(6))
    jobs.append(SweepJob(9, Path(), [], {"status": "finished", "val": {"psnr": 2.0, "features": 0.0}}))
    assert [each.number for each in rank_jobs(jobs, found.objectives, [True, False])] == [9]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"objective": "val/snr"}, "objective is 'val/snr', and the runs measure val/psnr, val/features: choose one"),
        ({"objective": "steps"}, "all 6 trials failed, the last since the run has no 'steps'; it has val/psnr"),
        ({"direction": "up"}, "hydra.sweeper.direction is 'up'; it must be maximize or minimize"),
        ({"objective": ["val/psnr", "seconds"]}, "direction needs as many words as hydra.sweeper.objective"),
        ({"sampler": {"_target_": "optuna.samplers.TPESampler", "n_startup": 3}}, "hydra.sweeper.sampler: .*n_startup"),
        (
            {"objective": ["val/psnr", "seconds"], "direction": ["maximize", "minimize"], "pruner": {"_target_": "x"}},
            "a search with several objectives cannot prune: use hydra.sweeper.pruner=null",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(search, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        search(closeness, LINE, **settings)


@pytest.mark.parametrize("name", ["n_trials", "n_jobs"])
def test_a_search_of_no_trials_is_refused_before_it_begins(name):
    sweeper = {"_target_": "hydra_plugins.colorize.OptunaSweeper", name: 0}
    with pytest.raises(UserError, match=rf"hydra\.sweeper\.{name} is 0; it must be greater than or equal to 1"):
        check_plugins(OmegaConf.create({"hydra": {"sweeper": sweeper}}))


def test_a_search_of_nothing_and_a_search_of_something_else(search):
    with pytest.raises(UserError, match="nothing is searched: use for example"):
        search(closeness, "seed=0")
    search(closeness, LINE, "tracker=none", n_trials=1)
    assert len(search(closeness, LINE, "trainer.device=cpu", n_trials=2).study.trials) == 2
    with pytest.raises(
        UserError, match=r"holds a search with another search space .* use hydra\.sweep\.dir=… for a new one"
    ):
        search(closeness, "optimizer.lr=interval(0.0, 2.0)")


def test_half_a_line_of_a_killed_process_is_cut_off(search, tmp_path):
    search(closeness, LINE, n_trials=2)
    journal = tmp_path / "sweep" / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole.splitlines()[0]) // 2])
    cut_torn_line(journal)
    assert journal.read_bytes() == whole
    assert len(search(closeness, LINE, n_trials=3).study.trials) == 3


def test_hydras_words_for_values_are_distributions():
    words = [
        "a=interval(1, 5)", "b=tag(log, interval(1e-5, 1e-2))", "c=range(8, 64, 8)", "d=range(0.0, 1.0, 0.25)",
        "e=choice(x, 'y,z', 3)", "f=p,q", "g=1", "a=7",
    ]  # fmt: skip
    fixed, space = split_overrides(OverridesParser.create().parse_overrides(words))
    assert fixed == ["g=1", "a=7"]
    assert space == {
        "b": FloatDistribution(1e-5, 1e-2, log=True),
        "c": IntDistribution(8, 56, step=8),
        "d": FloatDistribution(0.0, 0.75, step=0.25),
        "e": CategoricalDistribution(("x", "y\\,z", "3")),
        "f": CategoricalDistribution(("p", "q")),
    }
    with pytest.raises(UserError, match=r"a=tag\(log, interval\(0\.0, 1\.0\)\)"):
        split_overrides(OverridesParser.create().parse_overrides(["a=tag(log, interval(0.0, 1.0))"]))
