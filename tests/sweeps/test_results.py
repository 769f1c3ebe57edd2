"""Results of a sweep: what mattered, its page, and the best job as a recipe."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from colorize.cli.after_sweep import write_experiment
from colorize.reports.sweep_page import Sweep as SweepPage
from colorize.reports.sweep_page import write_sweep
from colorize.sweeps.jobs import SweepJob
from colorize.sweeps.results import REST, importances, why_no_importances
from tests.helpers.configs import CONF
from tests.helpers.sweeps import finished


def test_what_matters_is_found():
    jobs = []
    for number in range(40):
        lr, idle = (number % 8) / 8, (number * 7 % 5) / 5
        words = [f"optimizer.lr={lr}", f"seed={idle}"]
        jobs.append(SweepJob(number, Path(), words, finished(-((lr - 0.5) ** 2))))
    what = (["optimizer.lr", "seed"], ["val/psnr"], [True])
    shares = importances(jobs, *what, search=True)["val/psnr"]
    assert shares["optimizer.lr"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(jobs[:19], *what, search=True) == {}
    assert "from 20 finished jobs on; 19 finished" in why_no_importances(jobs[:19], what[0], "val/psnr", search=True)


def test_a_search_looks_at_the_end_that_it_searches():
    """`a` alone decides which jobs are best, `b` alone which are worst: what matters depends on the direction."""
    jobs = []
    for number in range(100):
        a, b = number % 10, number // 10
        score = 10.0 if a == 3 else -10.0 if b == 7 else number % 7 / 10
        jobs.append(SweepJob(number, Path(), [f"a={a}", f"b={b}"], finished(score)))
    for maximize, key in ((True, "a"), (False, "b")):
        shares = importances(jobs, ["a", "b"], ["val/psnr"], [maximize], search=True)["val/psnr"]
        assert max(shares, key=shares.get) == key


def grid(score, models=("cnn", "gan"), seeds=(0, 1)):
    words = [(model, seed) for model in models for seed in seeds]
    return [SweepJob(i, Path(), [f"model={m}", f"seed={s}"], finished(score(m, s))) for i, (m, s) in enumerate(words)]


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
    assert "from 4 finished jobs on; 3 finished" in why_no_importances(jobs[:3], what[0], "val/psnr", search=False)


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
        write_experiment(tmp_path / "experiment" / "best.yaml", SweepJob(4, Path(), words), "sweep-best", ["Job 4"])
        kept = [word for word in words[1:] if not word.startswith(("hydra", "name"))]
        told, recipe = compose("train", kept), compose("train", [*where, "experiment=best"])
    assert recipe.name == "sweep-best-s3"
    told.name = recipe._get_node("name")._value()
    assert OmegaConf.to_container(recipe) == OmegaConf.to_container(told)
    assert recipe.model.dropout == 0.5
