"""Slurm takes a run's machine away: the job that it starts again goes on in the same folder, to the same weights."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from colorize.sweeps.jobs import jobs_of
from tests.helpers.configs import ROOT
from tests.helpers.slurm_cluster import slurm, until

pytestmark = pytest.mark.slow

STEPS = 400
RUN = (
    sys.executable, ROOT / "train.py", "experiment=smoke", "model=cnn", "loss=l1", "model.width=0.1",
    "model.global_size=32", f"schedule.all.steps={STEPS}", "checkpoint.every=20", "evaluate.every=1000", "tracker=none",
)  # fmt: skip
TIMES = ("images_per_second", "perf/tflops", "perf/mfu", "seconds", "memory")  # what no two runs have in common

# exec: SIGTERM goes to training itself. A shell would die of it, and Slurm kill what is left of the job at once
PREEMPTED = """#!/bin/bash
#SBATCH --requeue
#SBATCH --open-mode=append
echo started >> {starts}
exec {train}
"""

# --signal goes to what srun starts, not to the shell, which asks for another turn; the trap keeps it from SIGTERM
REQUEUES_ITSELF = """#!/bin/bash
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=USR1@120
trap : TERM
echo started >> {starts}
srun {train}
code=$?
if [ $code -eq 75 ]; then scontrol requeue $SLURM_JOB_ID; fi
exit $code
"""

# Batch norm wants two photographs of each process
TWO_TASKS = """#!/bin/bash
srun --ntasks=2 --overcommit {train} trainer.batch_size=4
"""


@pytest.fixture(scope="module")
def cluster():
    with slurm() as cluster:
        yield cluster


def words(folder: Path) -> list[str]:
    return [*map(str, RUN), f"hydra.run.dir={folder}"]


@pytest.fixture(scope="module")
def uninterrupted(cluster, tmp_path_factory):
    """The folder of a run that nothing stopped; it asks for the cluster so as not to train where there is none."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    done = subprocess.run(words(folder), cwd=folder.parent, text=True, capture_output=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


class Job:
    """A training run that was handed to the cluster: its number, its folder, and what it left there."""

    def __init__(self, cluster, home: Path, script: str):
        self.cluster, self.home, self.folder, self.starts = cluster, home, home / "run", home / "starts"
        train = shlex.join(words(self.folder))
        (home / "job.sh").write_text(script.format(train=train, starts=shlex.quote(str(self.starts))))
        options = ("--parsable", f"--chdir={home}", f"--output={home / 'job.out'}")
        self.number = cluster("sbatch", *options, home / "job.sh")

    def wait_for_step(self, step: int) -> None:
        until(lambda: any(line["step"] >= step for line in logged(self.folder)), 120, self.said)

    def wait_for_its_next_turn(self) -> None:
        """It stops in the middle, saves its last step, and waits."""
        until(lambda: self.cluster.job(self.number)["JobState"] == "PENDING", 60, self.said)
        last = max(line["step"] for line in logged(self.folder))
        assert 50 <= last < STEPS, self.said()
        assert newest(self.folder)["steps"] == last, self.said()
        assert self.starts.read_text().split() == ["started"]

    def wait_for_end(self) -> None:
        until(lambda: self.cluster.ended(self.number), 240, self.said)

    def said(self) -> str:
        out = self.home / "job.out"
        return f"{self.cluster.job(self.number)}\n{out.read_text() if out.exists() else ''}{self.cluster.logs()}"


@pytest.fixture
def submit(cluster, tmp_path):
    """Hand a training run to the cluster, and cancel it where the test ends before it: `submit(PREEMPTED)`."""
    jobs = []

    def run(script: str) -> Job:
        jobs.append(Job(cluster, tmp_path, script))
        return jobs[-1]

    yield run
    for job in jobs:
        cluster("scancel", job.number)
    until(lambda: not cluster("squeue", "--noheader"), 60, cluster.logs)


def logged(folder: Path) -> list[dict]:
    """The whole lines of a run's log, which may be under way, without the times."""
    file = folder / "metrics.jsonl"
    whole = file.read_text().rpartition("\n")[0].splitlines() if file.exists() else []
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in whole]


def newest(folder: Path) -> dict:
    path = sorted((folder / "checkpoints").glob("step-*.pt"))[-1]
    return torch.load(path, map_location="cpu", weights_only=True)


def tensors(state, name: str = "") -> dict[str, torch.Tensor]:
    """All tensors of a nested state, by where they are."""
    if isinstance(state, torch.Tensor):
        return {name: state}
    items = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list | tuple) else ()
    return {path: tensor for key, value in items for path, tensor in tensors(value, f"{name}/{key}").items()}


def assert_cut_once_and_the_same(job: Job, uninterrupted: Path) -> None:
    """Two starts, one requeue; the weights and the log, to their last digits, are those of the whole run."""
    job.wait_for_end()
    state = job.cluster.job(job.number)
    assert (state["JobState"], state["Restarts"]) == ("COMPLETED", "1"), job.said()
    assert job.starts.read_text().split() == ["started"] * 2
    summary = json.loads((job.folder / "summary.json").read_text())
    assert (summary["status"], summary["steps"]) == ("finished", STEPS)
    assert logged(job.folder) == logged(uninterrupted)
    found, expected = (tensors(newest(folder)["players"]) for folder in (job.folder, uninterrupted))
    assert found.keys() == expected.keys()
    assert expected
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def test_a_requeued_job_goes_on_to_the_same_weights(cluster, submit, uninterrupted):
    job = submit(PREEMPTED)
    job.wait_for_step(50)
    cluster("scontrol", "requeue", job.number)
    job.wait_for_its_next_turn()
    assert_cut_once_and_the_same(job, uninterrupted)


def test_a_job_displaced_by_an_urgent_one_goes_on_after_it(cluster, submit, uninterrupted, tmp_path):
    job = submit(PREEMPTED)
    job.wait_for_step(50)
    options = ("--partition=urgent", "--parsable", f"--output={tmp_path / 'urgent.out'}")
    urgent = cluster("sbatch", *options, "--wrap=sleep 1")
    job.wait_for_its_next_turn()
    until(lambda: cluster.ended(urgent), 60, job.said)
    assert cluster.job(urgent)["JobState"] == "COMPLETED"
    assert job.starts.read_text().split() == ["started"]
    assert_cut_once_and_the_same(job, uninterrupted)


@pytest.mark.parametrize("words", [("scancel", "--signal=USR1"), ("scontrol", "requeue")], ids=["asked", "preempted"])
def test_a_job_that_requeues_itself_does_so_once(cluster, submit, uninterrupted, words):
    """Asked to stop, as Slurm does before time is up; and where Slurm requeues it in the same moment."""
    job = submit(REQUEUES_ITSELF)
    job.wait_for_step(50)
    cluster(*words, job.number)
    job.wait_for_its_next_turn()
    assert_cut_once_and_the_same(job, uninterrupted)


def test_two_tasks_are_two_processes_of_one_run(submit):
    job = submit(TWO_TASKS)
    job.wait_for_end()
    assert job.cluster.job(job.number)["JobState"] == "COMPLETED", job.said()
    summary = json.loads((job.folder / "summary.json").read_text())
    assert (summary["status"], summary["steps"], summary["processes"]) == ("finished", STEPS, 2)
    assert [line["step"] for line in logged(job.folder) if "lr" in line] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("how", ["preempted", "out of time"])
def test_a_job_of_a_sweep_is_queued_again_and_goes_on(cluster, uninterrupted, tmp_path, how):
    """submitit hands the jobs in; one is displaced by an urgent one, or gets the signal that comes before its time is
    up."""
    pytest.importorskip("submitit", reason="pip install hydra-submitit-launcher brings submitit")
    sweep = (
        "-m", "hydra/launcher=slurm", "hydra.launcher.partition=spare", "seed=0,1", "hydra.sweep.dir=sweep",
        "hydra.callbacks.after_sweep.compare=false",
    )  # fmt: skip
    environment = {**cluster.environment, "OMP_NUM_THREADS": "1"}
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(
            [*map(str, RUN), *sweep], cwd=tmp_path, env=environment, stdout=said, stderr=subprocess.STDOUT
        )

    def told():
        logs = sorted(tmp_path.glob("sweep/.submitit/*/*_log.*"))
        return "\n".join(path.read_text() for path in [tmp_path / "said", *logs]) + cluster.logs()

    def first():
        return next(iter(tmp_path.glob("sweep/000-*/")), tmp_path)

    until(lambda: process.poll() is not None or any(line["step"] >= 50 for line in logged(first())), 240, told)
    assert process.poll() is None, told()
    job = cluster("squeue", "--noheader", "--states=RUNNING", "--format=%A")
    if how == "preempted":
        cluster("sbatch", "--partition=urgent", "--output=/dev/null", "--wrap=sleep 1")
    else:
        cluster("scancel", "--signal=USR2", job)
    until(lambda: (cluster.job(job)["Restarts"], cluster.job(job)["JobState"]) == ("1", "PENDING"), 90, told)
    stopped = newest(first())["steps"]
    assert 50 <= stopped < STEPS
    assert stopped == max(line["step"] for line in logged(first()))  # the step under way was finished and saved
    until(lambda: process.poll() is not None, 400, told)
    assert process.returncode == 0, told()
    jobs = jobs_of(tmp_path / "sweep")
    assert [(job.status, job.summary["steps"]) for job in jobs] == [("finished", STEPS)] * 2
    assert logged(jobs[0].folder) == logged(uninterrupted)
