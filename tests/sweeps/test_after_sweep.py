"""After a sweep: seeds of one recipe together, every recipe compared at one size, one best job where that means one."""

import json
import shutil
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from colorize.cli import after_sweep, main
from colorize.cli.after_sweep import compare_jobs, summarise_sweep
from colorize.cli.composition import parse_hydra_args
from colorize.cli.overrides import check_overrides
from colorize.evaluation.compare import compare_results
from colorize.evaluation.result import read_result
from colorize.sweeps.jobs import SweepJob, jobs_of
from colorize.sweeps.results import monitors_of, rank_jobs, seed_groups
from tests.helpers.configs import CONF
from tests.helpers.sweeps import finished


def job(number, *words, psnr=20.0):
    return SweepJob(number, Path(), [*words], finished(psnr))


def test_jobs_that_differ_by_their_seed_are_together():
    ranked = [job(0, "model=cnn", "seed=0"), job(1, "seed=0", "model=gan"), job(2, "seed=1", "model=cnn"),
              job(3, "model=gan", "seed=1"), job(4, "model=gan", "seed=1", "data.size=64")]  # fmt: skip
    groups = [[each.number for each in group] for group in seed_groups(ranked)]
    assert groups == [[0, 2], [1, 3], [4]]


def test_a_lucky_seed_lifts_no_recipe():
    """The best job is of a recipe whose other seeds are last."""
    values = {"lucky": (30, 10, 11), "steady": (20, 21, 22)}
    jobs = [job(10 * place + seed, f"model={name}", f"seed={seed}", psnr=value)
            for place, (name, of) in enumerate(values.items()) for seed, value in enumerate(of)]  # fmt: skip
    ranked = rank_jobs(jobs, ["val/psnr"], [True])
    assert ranked[0].values["model"] == "lucky"
    assert [group[0].values["model"] for group in seed_groups(ranked)] == ["steady", "lucky"]
    assert [len(group) for group in seed_groups(ranked)] == [3, 3]


METRICS = {"psnr": {"_target_": "colorize.metrics.PSNR"}, "features": {"_target_": "colorize.metrics.FeatureDistance"}}


@pytest.fixture
def sweep(tmp_path):
    """A sweep's folder with a finished job for each monitor."""

    def make(*monitors):
        for number, monitor in enumerate(monitors):
            folder = tmp_path / "sweep" / f"{number:03d}-{number:08x}"
            (folder / ".hydra").mkdir(parents=True)
            config = {"checkpoint": {"monitor": monitor, "mode": None}, "metrics": METRICS}
            OmegaConf.save(config, folder / ".hydra" / "config.yaml")
            OmegaConf.save([f"optimizer.lr={number}"], folder / ".hydra" / "overrides.yaml")
            values = {"psnr": 20.0 + number, "features": 0.5 - number / 10}
            summary = {"status": "finished", "val": values, "seed": 0}
            (folder / "summary.json").write_text(json.dumps(summary))
        return tmp_path / "sweep"

    return make


def summarised(folder):
    config = OmegaConf.create({"checkpoint": {"monitor": "val/psnr"}, "metrics": METRICS, "hydra": {"sweeper": {}}})
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return summarise_sweep(folder, config, [])


def test_jobs_with_different_monitors_have_no_best_recipe(sweep, capsys):
    folder = sweep("val/psnr", "val/features")
    assert monitors_of(jobs_of(folder)) == ["val/psnr", "val/features"]
    assert summarised(folder) == 0
    assert not (folder / "experiment").exists()
    assert "best checkpoints are chosen by val/psnr and by val/features" in " ".join(capsys.readouterr().out.split())
    assert (folder / "sweep.html").is_file()


def test_jobs_with_one_monitor_have_one(sweep):
    folder = sweep("val/features", "val/features")
    assert monitors_of(jobs_of(folder)) == ["val/features"]
    assert summarised(folder) == 0
    assert "optimizer:\n  lr: 1\n" in (folder / "experiment" / "best.yaml").read_text()


@pytest.fixture
def grid(trained, tmp_path, monkeypatch):
    """A sweep of model × seed, whose jobs are trained; verbs run in this process, and measure what costs little."""

    def make(*jobs):
        for number, (model, *words) in enumerate(jobs):
            folder = tmp_path / "grid" / f"{number:03d}-{number:08x}"
            shutil.copytree(trained(model, "l1", *words), folder)
        return tmp_path / "grid"

    monkeypatch.chdir(tmp_path)

    def run_verb(verb, words, shown):
        quick = ["++protocol.extractors=[]"] if verb == "evaluate" else []
        return main([verb, *(word.replace("metrics=default", "metrics=quick") for word in words), *quick]) == 0

    monkeypatch.setattr(after_sweep, "run_verb", run_verb)
    return make


def test_a_grid_of_models_and_seeds_is_compared_by_model(grid):
    folder = grid(("cnn",), ("cnn", "seed=1"), ("gan_unet", "data.size=48"), ("gan_unet", "data.size=48", "seed=1"))
    groups = seed_groups(rank_jobs(jobs_of(folder), ["val/psnr"], [True]))
    assert [len(group) for group in groups] == [2, 2]
    compare_jobs(folder, groups, ["validation"], [])
    files = [each.folder / "results" / "validation-32.json" for group in groups for each in group]
    results = [read_result(path) for path in files]
    assert {result.protocol["size"] for result in results} == {32}  # the smaller of 32 and 48
    assert len({result.protocol["id"] for result in results}) == 1
    comparison = compare_results([str(path) for path in files], pool=True)
    assert all(label.endswith("(2 seeds)") for label in comparison.runs)
    assert {verdict.difference.basis for verdict in comparison.verdicts if verdict.metric == "psnr"} == {"seeds"}
    page = (folder / "compare.html").read_text(encoding="utf-8")
    for label in comparison.runs:
        assert label in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.size=32,48"], "the jobs train at 32 and 48 pixels: afterwards they are compared at 32²"),
        (["seed=0,1"], None),
        (["data.size=32,48", "hydra.callbacks.after_sweep.compare=false"], None),
        (["experiment=thesis/gan,thesis/diffusion", "++data.root=x"], "the jobs train at 128 and 256 pixels"),
    ],
)
def test_the_size_of_the_comparison_is_told_before_the_first_step(words, sentence, monkeypatch):
    chosen = [] if any(word.startswith("experiment") for word in words) else ["experiment=smoke"]
    arguments, _ = parse_hydra_args(["-m", *chosen, *words], "train")
    said = []
    monkeypatch.setattr("colorize.cli.overrides.say", said.append)
    check_overrides(CONF, "train", arguments)
    assert [line for line in said if sentence and sentence in line] == said
    assert bool(said) == bool(sentence)
