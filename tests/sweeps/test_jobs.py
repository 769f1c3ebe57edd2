"""Jobs of a sweep: each in a folder of its own, and what is kept of those that fail."""

import csv
import json
import re

import pytest
from hydra import initialize_config_dir
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from omegaconf import OmegaConf

from colorize.cli.after_sweep import AfterSweep, summarise_sweep
from colorize.sweeps.jobs import jobs_of
from colorize.utils.files import short_digest
from colorize.utils.hydra_overrides import job_folder
from tests.helpers.configs import CONF
from tests.helpers.sweeps import SMOKE, named


def test_the_same_command_is_the_same_sweep(monkeypatch):
    one = named(monkeypatch, "-m", "model=cnn,gan", "seed=0,1")
    assert one == named(monkeypatch, "model=cnn,gan", "--multirun", "seed=0,1")
    assert one == named(monkeypatch, "-m", "model=cnn,gan", "seed=0,1", "tracker=none", "hydra/launcher=torchrun")
    assert one == named(
        monkeypatch, "-m", "model=cnn,gan", "seed=0,1", "trainer.device=cpu", "hydra.sweeper.n_trials=9"
    )
    others = [("model=cnn,gan", "seed=0,1,2"), ("model=cnn", "seed=0,1"), ("+model=cnn,gan", "seed=0,1")]
    assert len({one, *(named(monkeypatch, "-m", *words) for words in others)}) == 4


def test_words_that_move_no_weight_leave_a_job_where_it_is(tmp_path):
    words = ["model=cnn", "seed=0"]
    more = ["tracker=none", *words, "trainer.device=cpu", "data.num_workers=2", "+tracker.x=1"]
    assert job_folder(3, words) == job_folder(3, more, str(tmp_path)) == f"003-{short_digest(chr(10).join(words), 8)}"
    old = f"003-{short_digest(chr(10).join(more), 8)}"  # as older versions named it
    (tmp_path / old).mkdir()
    assert job_folder(3, more, str(tmp_path)) == old


def test_jobs_of_one_number_and_other_words_lie_apart():
    folders = {job_folder(3, ["seed=0"]), job_folder(3, ["seed=1"]), job_folder(4, ["seed=0"])}
    assert len(folders) == 3
    assert all(re.fullmatch(r"00[34]-[0-9a-f]{8}", folder) for folder in folders)


@pytest.mark.parametrize("left", ["nothing", "half a summary", "half a line", "half of its words"])
def test_a_job_that_failed_early_leaves_the_page_of_the_others(left, tmp_path):
    folder = tmp_path / "sweep"
    config = {"checkpoint": {"monitor": "val/psnr"}, "metrics": {"psnr": {"_target_": "colorize.metrics.PSNR"}}}
    for number in (0, 1):
        job = folder / f"{number:03d}-{short_digest(str(number), 8)}"
        (job / ".hydra").mkdir(parents=True)
        OmegaConf.save(config, job / ".hydra" / "config.yaml")
        OmegaConf.save([f"optimizer.lr={number}"], job / ".hydra" / "overrides.yaml")
    summary = {"status": "finished", "val": {"psnr": 20.0}, "seed": 0}
    (folder / f"000-{short_digest('0', 8)}" / "summary.json").write_text(json.dumps(summary))
    if left == "half a summary":
        (job / "summary.json").write_text('{"status": ')
    elif left == "half a line":
        (job / "metrics.jsonl").write_bytes(b'{"step": 1, "val/ps\xff')
    elif left == "half of its words":
        (job / ".hydra" / "overrides.yaml").write_text("- 'optimizer")
    sweep = OmegaConf.create({**config, "hydra": {"sweeper": {}}})
    with initialize_config_dir(str(CONF), version_base="1.3"):
        code = summarise_sweep(folder, sweep, [])
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
