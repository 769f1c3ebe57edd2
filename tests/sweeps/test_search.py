"""Sweeps: folders that jobs never share, a search that resumes, prunes and survives, and what stands at the end."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from colorize.cli.after_sweep import AfterSweep, summarise, write_experiment
from colorize.config import DIRECTIONS, better_of, sign_of
from colorize.reports.sweep_page import Sweep as SweepPage
from colorize.reports.sweep_page import write_sweep
from colorize.sweeps.hydra_plugins import NAMES
from colorize.sweeps.jobs import Job, jobs_of
from colorize.sweeps.results import REST, importances, ranked, why_not
from colorize.sweeps.search import Search
from colorize.sweeps.study import JOURNAL, mend, sampler_of, split, storage, suggest
from colorize.utils.errors import UserError
from colorize.utils.hydra_overrides import digest, job_folder, sweep_folder
from tests.helpers.configs import CONF, ROOT, SMALL, options

SMOKE = ["experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "metrics=quick", "evaluate.historical=false",
         "tracker=none", "hydra.callbacks.after_sweep.compare=false"]  # fmt: skip


# Folders


def named(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    return sweep_folder()


def test_the_same_command_is_the_same_sweep(monkeypatch):
    one = named(monkeypatch, "-m", "model=cnn,gan", "seed=0,1")
    assert one == named(monkeypatch, "model=cnn,gan", "--multirun", "seed=0,1")
    assert one == named(monkeypatch, "-m", "model=cnn,gan", "seed=0,1", "tracker=none", "hydra/launcher=torchrun")
    assert one == named(
        monkeypatch, "-m", "model=cnn,gan", "seed=0,1", "trainer.device=cpu", "hydra.sweeper.n_trials=9"
    )
    others = [("model=cnn,gan", "seed=0,1,2"), ("model=cnn", "seed=0,1"), ("+model=cnn,gan", "seed=0,1")]
    assert len({one, *(named(monkeypatch, "-m", *words) for words in others)}) == 4


def test_jobs_of_one_number_and_other_words_lie_apart():
    folders = {job_folder(3, ["seed=0"]), job_folder(3, ["seed=1"]), job_folder(4, ["seed=0"])}
    assert len(folders) == 3
    assert all(re.fullmatch(r"00[34]-[0-9a-f]{8}", folder) for folder in folders)


@pytest.mark.parametrize("left", ["nothing", "half a summary", "half a line", "half of its words"])
def test_a_job_that_failed_early_leaves_the_page_of_the_others(left, tmp_path):
    folder = tmp_path / "sweep"
    config = {"checkpoint": {"monitor": "val/psnr"}, "metrics": {"psnr": {"_target_": "colorize.metrics.PSNR"}}}
    for number in (0, 1):
        job = folder / f"{number:03d}-{digest([str(number)])}"
        (job / ".hydra").mkdir(parents=True)
        OmegaConf.save(config, job / ".hydra" / "config.yaml")
        OmegaConf.save([f"optimizer.lr={number}"], job / ".hydra" / "overrides.yaml")
    summary = {"status": "finished", "val": {"psnr": 20.0}, "seed": 0}
    (folder / f"000-{digest(['0'])}" / "summary.json").write_text(json.dumps(summary))
    if left == "half a summary":
        (job / "summary.json").write_text('{"status": ')
    elif left == "half a line":
        (job / "metrics.jsonl").write_bytes(b'{"step": 1, "val/ps\xff')
    elif left == "half of its words":
        (job / ".hydra" / "overrides.yaml").write_text("- 'optimizer")
    sweep = OmegaConf.create({**config, "hydra": {"sweeper": {}}})
    with initialize_config_dir(str(CONF), version_base="1.3"):
        code = summarise(folder, sweep, [])
    assert code == (left.startswith("half of its") or left == "half a summary")
    assert "20" in (folder / "sweep.html").read_text()
    assert "unfinished" in (folder / "sweep.csv").read_text() or "failed" in (folder / "sweep.csv").read_text()


def test_of_a_job_that_failed_the_words_are_kept_as_they_were_said(tmp_path):
    said = ["name=x-${seed}", "optimizer.lr=0.1"]
    sweep = {"dir": str(tmp_path), "subdir": "000-0123abcd"}
    config = OmegaConf.create(
        {"seed": 7, "hydra": {"mode": RunMode.MULTIRUN, "overrides": {"task": said}, "sweep": sweep}}
    )
    AfterSweep().on_job_end(config, JobReturn(status=JobStatus.FAILED, _return_value=ValueError("no")))
    (job,) = jobs_of(tmp_path)
    assert (job.status, job.values) == ("failed", {"name": "x-${seed}", "optimizer.lr": "0.1"})


def test_the_jobs_of_a_grid_train_in_folders_of_their_own(inside, tmp_path):
    words = ["-m", *SMOKE, "seed=0,1", "data.size=36,32", "hydra.sweep.dir=grid"]
    done = inside("train", *words)
    assert done.returncode == 2
    jobs = jobs_of(tmp_path / "grid")
    assert [job.status for job in jobs] == ["failed", "finished", "failed", "finished"]
    assert [job.values["seed"] for job in jobs] == ["0", "0", "1", "1"]
    for job in jobs:
        words = OmegaConf.load(job.folder / ".hydra" / "overrides.yaml") if job.status == "finished" else job.overrides
        assert job.folder.name == job_folder(job.number, words)
    rows = list(csv.DictReader((tmp_path / "grid" / "sweep.csv").open()))
    assert [(row["number"], row["status"]) for row in rows] == [(str(job.number), job.status) for job in jobs]
    for job, row in zip(jobs, rows, strict=True):
        if job.status == "finished":
            assert float(row["val/psnr"]) == job.summary["val"]["psnr"]


# The search, with jobs that take no time


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
            named = {
                "hydra": {"job": {}, "sweep": {"subdir": "${job_folder:${hydra.job.num},${words}}"}},
                "words": words,
            }
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


def finished(psnr, **more):
    return {"status": "finished", "val": {"psnr": psnr}, **more}


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
    jobs = [Job(n, Path(), [], job(n, words)) for n, words in search.launched]
    assert {each.number for each in ranked(jobs, found.objectives, [True, False])} == set(range(6))
    jobs.append(Job(9, Path(), [], {"status": "finished", "val": {"psnr": 2.0, "features": 0.0}}))
    assert [each.number for each in ranked(jobs, found.objectives, [True, False])] == [9]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"objective": "val/snr"}, "all 6 trials failed, the last since the run has no 'val/snr'; it has val/psnr"),
        ({"direction": "up"}, "hydra.sweeper.direction is 'up'; it must be one of maximize, minimize"),
        ({"objective": ["val/psnr", "seconds"]}, "direction needs as many words as hydra.sweeper.objective"),
        ({"n_trials": 0}, "n_trials and n_jobs of hydra.sweeper are 1 or more, not 0, 1"),
        ({"sampler": {"_target_": "optuna.samplers.TPESampler", "n_startup": 3}}, "hydra.sweeper.sampler: .*n_startup"),
        (
            {"objective": ["val/psnr", "seconds"], "direction": ["maximize", "minimize"], "pruner": {"_target_": "x"}},
            "a search with several objectives cannot prune: say hydra.sweeper.pruner=null",
        ),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(search, settings, sentence):
    with pytest.raises(UserError, match=sentence):
        search(closeness, LINE, **settings)


def test_a_search_of_nothing_and_a_search_of_something_else(search):
    with pytest.raises(UserError, match="nothing is searched: say for example"):
        search(closeness, "seed=0")
    search(closeness, LINE, n_trials=1)
    with pytest.raises(
        UserError, match=r"holds a search with another search space .* say hydra\.sweep\.dir=… for a new one"
    ):
        search(closeness, "optimizer.lr=interval(0.0, 2.0)")


def test_half_a_line_of_a_killed_process_is_cut_off(search, tmp_path):
    search(closeness, LINE, n_trials=2)
    journal = tmp_path / "sweep" / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[: len(whole.splitlines()[0]) // 2])
    mend(journal)
    assert journal.read_bytes() == whole
    assert len(search(closeness, LINE, n_trials=3).study.trials) == 3


def test_hydras_words_for_values_are_distributions():
    words = [
        "a=interval(1, 5)", "b=tag(log, interval(1e-5, 1e-2))", "c=range(8, 64, 8)", "d=range(0.0, 1.0, 0.25)",
        "e=choice(x, 'y,z', 3)", "f=p,q", "g=1", "a=7",
    ]  # fmt: skip
    fixed, space = split(OverridesParser.create().parse_overrides(words))
    assert fixed == ["g=1", "a=7"]
    assert space == {
        "b": FloatDistribution(1e-5, 1e-2, log=True),
        "c": IntDistribution(8, 56, step=8),
        "d": FloatDistribution(0.0, 0.75, step=0.25),
        "e": CategoricalDistribution(("x", "y\\,z", "3")),
        "f": CategoricalDistribution(("p", "q")),
    }
    with pytest.raises(UserError, match=r"a=tag\(log, interval\(0\.0, 1\.0\)\)"):
        split(OverridesParser.create().parse_overrides(["a=tag(log, interval(0.0, 1.0))"]))


def test_what_matters_is_found():
    jobs = []
    for number in range(40):
        lr, idle = (number % 8) / 8, (number * 7 % 5) / 5
        words = [f"optimizer.lr={lr}", f"seed={idle}"]
        jobs.append(Job(number, Path(), words, finished(-((lr - 0.5) ** 2))))
    what = (["optimizer.lr", "seed"], ["val/psnr"], [True])
    shares = importances(jobs, *what, search=True)["val/psnr"]
    assert shares["optimizer.lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(jobs[:19], *what, search=True) == {}
    assert "from 20 finished jobs on; 19 finished" in why_not(jobs[:19], what[0], "val/psnr", search=True)


def test_a_search_looks_at_the_end_that_it_searches():
    """`a` alone decides which jobs are best, `b` alone which are worst: what matters depends on the direction."""
    jobs = []
    for number in range(100):
        a, b = number % 10, number // 10
        score = 10.0 if a == 3 else -10.0 if b == 7 else number % 7 / 10
        jobs.append(Job(number, Path(), [f"a={a}", f"b={b}"], finished(score)))
    for maximize, key in ((True, "a"), (False, "b")):
        shares = importances(jobs, ["a", "b"], ["val/psnr"], [maximize], search=True)["val/psnr"]
        assert max(shares, key=shares.get) == key


def grid(score, models=("cnn", "gan"), seeds=(0, 1)):
    words = [(model, seed) for model in models for seed in seeds]
    return [Job(i, Path(), [f"model={m}", f"seed={s}"], finished(score(m, s))) for i, (m, s) in enumerate(words)]


def test_a_grid_gets_an_analysis_of_variance():
    what = (["model", "seed"], ["val/psnr"], [True])
    shares = importances(grid(lambda model, seed: 20.0 + (model == "gan")), *what, search=False)["val/psnr"]
    assert shares == pytest.approx({"model": 1, "seed": 0, REST: 0}, abs=1e-9)
    jobs = grid(lambda model, seed: 3.0 * (model == "gan") + seed, seeds=(0, 1, 2))
    shares = importances(jobs, *what, search=False)["val/psnr"]
    # by hand: 3 · 2 · 1.5² = 13.5 between the models, 2 · (1 + 0 + 1) = 4 between the seeds
    assert shares == pytest.approx({"model": 13.5 / 17.5, "seed": 4 / 17.5, REST: 0}, abs=1e-9)
    jobs = grid(lambda model, seed: float((model == "gan") ^ seed))
    assert importances(jobs, *what, search=False)["val/psnr"] == pytest.approx(
        {"model": 0, "seed": 0, REST: 1}, abs=1e-9
    )
    assert importances(jobs[:3], *what, search=False) == {}
    assert "from 4 finished jobs on; 3 finished" in why_not(jobs[:3], what[0], "val/psnr", search=False)


def test_the_page_of_a_grid_says_what_mattered_and_how_many_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("metrics.jsonl").touch()
    jobs = grid(lambda model, seed: 20.0 + (model == "gan"))
    for count, text in ((4, "analysis of variance"), (3, "from 4 finished jobs on; 3 finished")):
        keys, names = ["model", "seed"], ["val/psnr"]
        shares = importances(jobs[:count], keys, names, [True], search=False)
        write_sweep(tmp_path / "sweep.html", SweepPage("grid", jobs[:count], keys, names, jobs[:1], shares))
        page = (tmp_path / "sweep.html").read_text()
        assert text in page
        assert "2 seeds" in page
        assert "One seed each" not in page


def test_a_job_as_a_recipe_is_what_the_job_was(tmp_path):
    words = ["hparams_search=optuna", "experiment=smoke", "model=cnn", "loss=l1", "data/look=film", "optimizer.lr=0.25",
             "+model.dropout=0.5", "seed=3", "hydra.sweep.dir=x", "name='a b'"]  # fmt: skip
    where = ["hydra.searchpath=[file://" + str(tmp_path) + "]"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        write_experiment(tmp_path / "experiment" / "best.yaml", Job(4, Path(), words), "sweep-best", ["Job 4"])
        kept = [word for word in words[1:] if not word.startswith(("hydra", "name"))]
        told, recipe = compose("train", kept), compose("train", [*where, "experiment=best"])
    assert recipe.name == "sweep-best-s3"
    told.name = recipe._get_node("name")._value()
    assert OmegaConf.to_container(recipe) == OmegaConf.to_container(told)
    assert recipe.model.dropout == 0.5


# What conf/ offers


def composed(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*words], return_hydra_config=True)


@pytest.mark.parametrize("name", options("hparams_search"))
def test_every_search_asks_for_what_there_is(name):
    cfg = composed(f"hparams_search={name}")
    sweeper = cfg.hydra.sweeper
    assert cfg.hydra.mode.name == "MULTIRUN"
    for key in sweeper.params:
        assert OmegaConf.select(cfg, key) is not None, key
    objectives = [sweeper.objective] if isinstance(sweeper.objective, str) else list(sweeper.objective)
    assert {objective.removeprefix("val/") for objective in objectives} <= cfg.metrics.keys()
    fixed, space = split(OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in sweeper.params.items()]))
    assert not fixed
    signs = [sign_of(name, better_of(cfg, name), sweeper.direction, "", DIRECTIONS) for name in objectives]
    directions = [DIRECTIONS[sign < 0] for sign in signs]
    pruner = instantiate(sweeper.pruner) if sweeper.pruner else None
    study = optuna.create_study(directions=directions, sampler=sampler_of(sweeper.sampler, 0, 0), pruner=pruner)
    assert len(suggest(study.ask(), space)) == len(sweeper.params)


@pytest.mark.parametrize("name", options("hydra/launcher"))
def test_every_launcher_can_be_made(name):
    """And a job that runs out of time is queued again, where there are times."""
    launcher = dict(composed(f"hydra/launcher={name}", "hydra.sweep.dir=unused").hydra.launcher)
    target = launcher.pop("_target_")
    kind = NAMES.get(target.removeprefix("hydra_plugins.colorize.")) or get_class(target)
    assert issubclass(kind, Launcher)
    kind(**launcher)
    assert launcher.get("max_num_timeout", 1) > 0


# The search, with real runs

PRUNES = ("~hydra.sweeper.pruner", "+hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, lower: 99}")


def test_a_run_that_lags_behind_is_pruned(inside, tmp_path):
    space = "optimizer.lr=interval(0.001,0.002)"
    words = ["-m", "hparams_search=optuna", "hydra.sweeper.params=null", *SMOKE, "hydra.sweep.dir=pruned", *PRUNES,
             "hydra.sweeper.n_trials=1", space]  # fmt: skip
    done = inside("train", *words)
    assert done.returncode == 0, done.stderr
    assert "pruned at step 2: val/psnr is" in done.stdout
    (job,) = jobs_of(tmp_path / "pruned")
    assert (job.status, job.summary["steps"]) == ("pruned", 2)  # of 4: the first evaluation decides
    study = optuna.load_study(study_name="sweep", storage=storage(tmp_path / "pruned"))
    (trial,) = study.trials
    assert trial.state.name == "PRUNED"
    assert trial.intermediate_values == {2: job.summary["val"]["psnr"]}
    again = inside("train", *words)
    assert "going on with 'pruned': 1 trials, 1 pruned" in again.stdout


class Sweep:
    """A search in a process of its own, and what it left in `folder`."""

    def __init__(self, home):
        self.home, self.folder = home, home / "search"

    def start(self, *words):
        program = [
            sys.executable, ROOT / "train.py", "-m", "hparams_search=optuna", "hydra.sweep.dir=search", *SMOKE,
            "schedule.all.steps=60", "evaluate.every=20", "checkpoint.every=5", "trainer.log_every=1", "data.size=32",
            "optimizer.lr=tag(log,interval(1e-4,1e-1))", "trainer.batch_size=choice(4,8)",
            "hydra.sweeper.pruner.n_startup_trials=3", "hydra.sweeper.seed=1", *words,
        ]  # fmt: skip
        with (self.home / "said").open("a") as said:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(program, cwd=self.home, stdout=said, stderr=said, env=environment)

    def finish(self, *words):
        code = self.start(*words).wait(1500)
        assert code == 0, (self.home / "said").read_text()[-3000:]

    def kill_in(self, number, *words):
        """SIGKILL, while trial `number` is half done."""
        process = self.start(*words)
        deadline = time.monotonic() + 600
        while not any(step > 12 for step in self.steps(number)):
            assert process.poll() is None, (self.home / "said").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait()
        assert [trial.number for trial in self.trials() if trial.state.name == "RUNNING"] == [number]

    def steps(self, number):
        lines = [line for path in self.folder.glob(f"{number:03d}-*/metrics.jsonl")
                 for line in path.read_text().rpartition("\n")[0].splitlines()]  # fmt: skip
        return [json.loads(line)["step"] for line in lines]

    def trials(self):
        return optuna.load_study(study_name="sweep", storage=storage(self.folder)).trials


@pytest.mark.slow
def test_a_search_killed_twice_ends_with_all_its_trials(tmp_path):
    """Two trials by two processes each, under torchrun; one of these is killed, and one of the ten that follow."""
    sweep = Sweep(tmp_path)
    two = ["hydra/launcher=torchrun", "hydra.sweeper.n_trials=2"]
    sweep.kill_in(1, *two)
    sweep.finish(*two)
    sweep.kill_in(4, "hydra.sweeper.n_trials=12")
    sweep.finish("hydra.sweeper.n_trials=12")
    trials = sweep.trials()
    assert [trial.number for trial in trials] == list(range(12))
    assert {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED"}
    assert len({tuple(trial.params.values()) for trial in trials}) == 12
    jobs = jobs_of(sweep.folder)
    assert [job.number for job in jobs] == list(range(12))
    assert len(list(sweep.folder.glob("[0-9]*-*/"))) == 12
    assert [job.summary["processes"] for job in jobs] == [2, 2, *[1] * 10]
    for job, trial in zip(jobs, trials, strict=True):
        assert {key: float(job.values[key]) for key in trial.params} == {k: float(v) for k, v in trial.params.items()}
        steps = sweep.steps(job.number)
        evaluated = range(20, steps[-1] + 1, 20)  # these have two lines
        assert steps == [0, *sorted([*range(1, steps[-1] + 1), *evaluated])]
        if trial.state.name == "COMPLETE":
            assert trial.value == job.summary["val"]["psnr"]
            assert job.summary["steps"] == 60
