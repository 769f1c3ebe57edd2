"""Hydra's sweeper and launchers as conf/ asks for them; pruning, and a search that is killed."""

import json
import os
import subprocess
import sys
import time

import optuna
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.launcher import Launcher
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from colorize.config import DIRECTIONS
from colorize.sweeps.hydra_plugins import PLUGINS
from colorize.sweeps.jobs import jobs_of
from colorize.sweeps.results import objective_signs
from colorize.sweeps.study import build_sampler, journal_storage, split_overrides, suggest_overrides
from tests.contracts.test_recipes import PUBLISHED, RECIPES
from tests.helpers.configs import CONF, ROOT, SMALL, options
from tests.helpers.sweeps import SMOKE


def composed(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=[*words], return_hydra_config=True)


@pytest.mark.parametrize("name", options("hparams_search"))
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_search_of_every_recipe_looks_for_the_better_end_of_what_is_measured(recipe, name):
    cfg = composed(f"experiment={recipe}", f"hparams_search={name}", *(["data.root=x"] if recipe in PUBLISHED else []))
    sweeper = cfg.hydra.sweeper
    assert cfg.hydra.mode.name == "MULTIRUN"
    for key in sweeper.params:
        assert OmegaConf.select(cfg, key) is not None, key
    signs = objective_signs(sweeper, cfg)
    assert [*signs] == (["val/psnr", "val/features"] if name == "pareto" else [cfg.checkpoint.monitor])
    classes = {f"val/{metric}": get_class(node._target_) for metric, node in cfg.metrics.items()}
    assert signs == {each: classes[each].better == "higher" for each in signs}
    fixed, space = split_overrides(
        OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in sweeper.params.items()])
    )
    assert not fixed
    directions = [DIRECTIONS[not more] for more in signs.values()]
    pruner = instantiate(sweeper.pruner) if sweeper.pruner else None
    study = optuna.create_study(directions=directions, sampler=build_sampler(sweeper.sampler, 0, 0), pruner=pruner)
    assert len(suggest_overrides(study.ask(), space)) == len(sweeper.params)


FALLS = ["experiment=cpu/gan", *SMALL["gan"], "steps_scale=0.003", "data.size=32",
         "metrics=quick", "+metrics.features={_target_: colorize.metrics.FeatureDistance}", "trainer.batch_size=2",
         "evaluate.photographs=2", "evaluate.judges.train_slice=false", "evaluate.historical=false",
         "evaluate.final=[]", "hydra.callbacks.after_sweep.compare=false"]  # fmt: skip


@pytest.mark.parametrize("name", ["optuna", "cmaes"])
def test_the_best_of_a_search_has_the_smaller_value_where_less_is_better(name, inside, tmp_path):
    """And the same command with another tracker, device or number of workers goes on with the third trial."""
    words = ["-m", f"hparams_search={name}", *FALLS, "hydra.sweeper.pruner=null"]
    done = inside("train", *words, "hydra.sweeper.n_trials=2", "tracker=none")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs").glob("sweep-*")
    values = {job.number: job.summary["val"]["features"] for job in jobs_of(folder)}
    assert len(values) == 2
    best = jobs_of(folder)[min(values, key=values.get)]
    recipe = OmegaConf.load(folder / "experiment" / "best.yaml")
    assert recipe.optimizer.lr == float(best.values["optimizer.lr"])
    study = optuna.load_study(study_name="sweep", storage=journal_storage(folder))
    assert study.best_trial.number == best.number
    kept = {path.name for path in folder.glob("[0-9]*")}
    others = ["tracker=tensorboard", "trainer.device=cpu", "data.num_workers=0"]
    again = inside("train", *words, "hydra.sweeper.n_trials=3", *others)
    assert again.returncode == 0, again.stderr
    assert "going on with" in again.stdout
    assert [job.number for job in jobs_of(folder)] == [0, 1, 2]
    assert kept < {path.name for path in folder.glob("[0-9]*")}
    header = (folder / "sweep.csv").read_text().splitlines()[0]
    assert "val/features" in header
    assert "tracker" not in header


@pytest.mark.parametrize("name", options("hydra/launcher"))
def test_every_launcher_can_be_made(name):
    """And a job that runs out of time is queued again, where there are times."""
    launcher = dict(composed(f"hydra/launcher={name}", "hydra.sweep.dir=unused").hydra.launcher)
    target = launcher.pop("_target_")
    kind = PLUGINS.get(target) or get_class(target)
    assert issubclass(kind, Launcher)
    kind(**launcher)
    assert launcher.get("max_num_timeout", 1) > 0


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
    study = optuna.load_study(study_name="sweep", storage=journal_storage(tmp_path / "pruned"))
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
        return optuna.load_study(study_name="sweep", storage=journal_storage(self.folder)).trials


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


def test_a_job_under_torchrun_finds_the_users_own_configs(tmp_path, monkeypatch):
    """Wherever the launcher runs: the folder of --config-dir is in the config, and no command line is read for it."""
    monkeypatch.setattr(sys, "argv", ["another program"])
    sources = [{"provider": "main", "path": str(CONF)}, {"provider": "command-line", "path": str(tmp_path)}]
    launcher = PLUGINS["hydra_plugins.colorize.TorchrunLauncher"](processes=2)
    for given, expected in ((sources, [f"--config-dir={tmp_path}"]), (sources[:1], [])):
        config = OmegaConf.create({"hydra": {"runtime": {"config_sources": given}}})
        launcher.setup(hydra_context=None, task_function=None, config=config)
        words = launcher.command(["seed=1"], tmp_path)
        assert [word for word in words if word.startswith("--config-dir")] == expected
