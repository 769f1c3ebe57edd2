"""Whole runs that W&B follows: what arrives, and what becomes of it when network, server, disk or key fail."""

import json
import re
import subprocess
import sys
import time

import pytest

from tests.helpers.configs import ROOT, SMALL, options, own_loss
from tests.helpers.tracked_runs import (
    QUICK,
    TINY,
    colorize,
    history,
    inspected,
    logged_in,
    losses,
    numbers,
    tracked,
    written,
)
from tests.helpers.wandb_server import WandbServer


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()


ONE_AFTER_THE_OTHER = """
import json, sys
from colorize.cli.app import main
for words in json.loads(sys.argv[1]):
    assert main(["train", *words]) == 0
"""


@pytest.mark.slow
def test_every_network_is_followed(tmp_path, server):
    """All of them in one process, as a multirun has them."""
    told = ("experiment=smoke", "metrics=default")
    runs = [
        [*told, f"model={model}", f"loss={own_loss(model)}", *SMALL.get(model, []), f"name={model}"]
        for model in options("model")
    ]
    words = [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(runs)]
    done = subprocess.run(words, cwd=tmp_path, env=logged_in(tmp_path, server), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(options("model")) == {run.rsplit("-", 1)[0] for run in server.runs}
    for run, lines in server.history.items():
        model = run.rsplit("-", 1)[0]
        assert numbers(lines) == written(tmp_path / "outputs" / model), model
        assert [step for step, _ in losses(lines)] == [1, 2, 3, 4]
        summary = server.summary[run]
        for metric in ("psnr", "ssim", "lpips_alex", "kd_paired_efficientnet_lite0"):
            assert {f"val/{metric}", f"absent/{metric}"} & summary.keys(), (model, metric)
        assert summary.keys() >= {"historical/colorfulness", "historical/chroma_mean", "memory", "lr"}
        for kind in ("samples", "historical"):
            shown = [line for line in lines if kind in line]
            assert [line["step"] for line in shown] == [0, 2, 4]
            assert all(line[kind]["path"] in server.files[run] for line in shown)
        assert server.config[run]["names"]["model"] == model
        assert server.config[run]["overrides"] == next(words for words in runs if f"name={model}" in words)
    captions = {line["samples"]["caption"] for lines in server.history.values() for line in lines if "samples" in line}
    assert len(captions) == 3  # of steps 0, 2 and 4: every network is shown the same photographs
    assert all(f"{photo}.jpg" in caption for photo in ("animals_panda", "others_volleyball") for caption in captions)
    assert not list((tmp_path / "home").rglob("*wandb*"))


@pytest.mark.slow
def test_a_failing_job_of_a_multirun_leaves_no_line_to_the_next(tmp_path, server):
    words = ("-m", "optimizer.lr=1e-3,1e30,2e-3", *QUICK, "hydra.callbacks.after_sweep.compare=false")
    program = [sys.executable, str(ROOT / "train.py"), *words, *TINY]
    environment = logged_in(tmp_path, server)
    done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "'pixel' became nan" in done.stderr
    jobs = sorted((tmp_path / "outputs").glob("sweep-*/*-*"))
    assert len(jobs) == len(server.runs) == 3
    found = {config["optimizer"]["lr"]: server.history[run] for run, config in server.config.items()}
    for job in jobs:
        status = json.loads((job / "summary.json").read_text())["status"]
        assert status == ("failed" if job.name.startswith("001") else "finished")
    for rate, job in zip((1e-3, 1e30, 2e-3), jobs, strict=True):
        assert numbers(found[rate]) == written(job)
    assert len(losses(found[1e30])) < 4


def test_the_server_gets_the_whole_run_and_its_checkpoints_with_their_origin(tmp_path, server):
    done = tracked(tmp_path, server, "name=first", *QUICK)
    assert "W&B online" in done.stdout
    ((run, announced),) = server.runs.items()
    assert run.startswith("first-")
    assert re.fullmatch(r"cnn-l1-demo-[0-9a-f]{6}", announced["groupName"])
    assert set(announced["tags"]) == {"cnn", "l1", "demo"}
    assert losses(server.history[run]) == losses(written(tmp_path / "outputs/first"))
    steps = [line["_step"] for line in server.history[run]]
    assert steps == list(range(len(steps)))
    summary = json.loads((tmp_path / "outputs/first/summary.json").read_text())
    for version in server.artifacts:
        assert (version["name"], version["type"], version["committed"]) == (run, "model", True)
        assert version["metadata"]["validation"] == summary["validation"]["manifest"]
        assert (version["metadata"]["parent"], version["metadata"]["loss"]) == (None, "l1")
    kept = tmp_path / "outputs/first/checkpoints"
    aliased = {alias: version for version in server.artifacts for alias in version["aliases"]}
    assert aliased["latest"]["files"]["checkpoint.pt"] == (kept / "step-00000004.pt").read_bytes()
    assert aliased["best"]["files"]["checkpoint.pt"] == (kept / "best.pt").read_bytes()
    assert aliased["step-4"] == aliased["latest"]
    assert aliased["latest"]["metadata"]["val"] == summary["val"]

    tracked(tmp_path, server, "name=second", "init_from=outputs/first", *QUICK)
    child = next(name for name in server.runs if name.startswith("second-"))
    assert set(server.used) == {(child, aliased["best"]["id"])}
    assert {v["metadata"]["parent"] for v in server.artifacts if v["run"] == child} == {run}
    # Neither a copy of a checkpoint is left, under whatever name, nor a second name of one that is sent
    sizes = {path.stat().st_size for path in (tmp_path / "outputs").glob("*/checkpoints/*.pt")}
    assert not [path for path in (tmp_path / "outputs/wandb").rglob("*") if path.stat().st_size in sizes]


def test_an_offline_run_holds_what_the_run_folder_holds(tmp_path, server):
    """Value for value; and what was offline arrives later: its evaluation, and checkpoints that are gone by then."""
    tracked(tmp_path, server, "name=off", "tracker.mode=offline")
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*")
    lines = written(tmp_path / "outputs/off")
    assert {"memory", "images_per_second", "val/psnr", "train/pixel", "historical/colorfulness"} <= set().union(*lines)
    assert numbers(history(run)) == lines
    announced = next(record["run"] for record in inspected(run) if record["type"] == "run")
    assert announced["config"]["update"]["trainer"]["log_every"] == 1
    assert announced["display_name"] == "off"
    saved = (tmp_path / "outputs/off/checkpoints/step-00000004.pt").read_bytes()
    assert sum(path.stat().st_nlink > 1 for path in run.rglob("*.pt")) >= 1  # linked, not copied
    evaluated(tmp_path, server)
    for path in (tmp_path / "outputs/off/checkpoints").iterdir():
        path.unlink()
    assert not list((tmp_path / "home").rglob("*wandb*"))
    colorize(tmp_path, server, "sync")
    (arrived,) = server.history.values()
    assert numbers(arrived) == lines
    (newest,) = (
        version for version in server.artifacts if "latest" in version["aliases"] and "step-4" in version["aliases"]
    )
    assert newest["files"]["checkpoint.pt"] == saved
    assert not list(run.rglob("*.pt"))
    check_evaluation(tmp_path, server)


@pytest.mark.slow
def test_an_evaluation_of_an_online_run_is_told_without_another_line(tmp_path, server):
    tracked(tmp_path, server, "name=off", *QUICK)
    evaluated(tmp_path, server)
    colorize(tmp_path, server, "sync")
    check_evaluation(tmp_path, server)


def evaluated(tmp_path, server):
    words = ("protocol=demo", "metrics=quick", "+protocol.extractors=[]", "device=cpu")
    assert "the tracker" not in colorize(tmp_path, server, "evaluate", "run=outputs/off", *words).stdout


def check_evaluation(tmp_path, server):
    """Numbers with their intervals and a table of pictures are in the summary of the run, and in none of its lines."""
    for run, lines in server.history.items():
        result = json.loads((tmp_path / "outputs/off/results/demo.json").read_text())
        assert numbers(lines) == written(tmp_path / "outputs/off")
        summary = server.summary[run]
        value, low, high = (summary[f"demo/psnr{end}"] for end in ("", "/low", "/high"))
        assert low < value < high
        assert value == result["rows"]["model"]["psnr"]["value"]
        trained = json.loads((tmp_path / "outputs/off/summary.json").read_text())
        assert summary["val/psnr"] == trained["val"]["psnr"]  # offline parts arrive one after the other
        assert (summary["demo/pictures"]["nrows"], summary["demo/pictures"]["_type"]) == (24, "table-file")
        (table,) = (each for each in server.artifacts if each["run"] == run and each["type"] == "run_table")
        assert sum(name.endswith(".jpg") for name in table["files"]) == 3 * 24
        held = json.loads(table["files"]["demo/pictures.table.json"])
        assert held["columns"][:5] == ["photograph", "grey input", "painted", "truth", "psnr"]
        assert len({row[0] for row in held["data"]}) == 24


def test_a_network_that_is_lost_in_mid_run(tmp_path, server):
    """Training goes on, waits no longer than it was told, and everything arrives later."""
    words = ("name=lost", "schedule.all.steps=80", "evaluate.every=40", "tracker.patience=[5,2]", *QUICK)
    program = [sys.executable, str(ROOT / "train.py"), *TINY, *words]
    deaf, log = WandbServer(), tmp_path / "outputs/lost/metrics.jsonl"
    process = subprocess.Popen(program, cwd=tmp_path, env=logged_in(tmp_path, deaf), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (log.exists() and '"step": 3' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    deaf.stop()
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    assert "W&B online" in printed
    assert "W&B did not take everything within 2 s: upload it later with `colorize sync outputs`" in printed
    lines = written(tmp_path / "outputs/lost")
    assert [step for step, _ in losses(lines)] == [*range(1, 81)]
    colorize(tmp_path, server, "sync")
    (arrived,) = server.history.values()
    assert numbers(arrived) == lines
    assert {alias for version in server.artifacts for alias in version["aliases"]} >= {"latest", "best", "step-80"}
    assert "nothing is pending" in colorize(tmp_path, server, "sync").stdout


def program(folder, server, text, *words, **more):
    """A small Python program on a machine of its own; what it printed."""
    environment = {**logged_in(folder, server), **more.pop("env", {})}
    done = subprocess.run(
        [sys.executable, "-c", text, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False, **more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


LONG = """
from pathlib import Path
from colorize.tracking import JsonLines, Loggers, WandB, begin
Path("outputs/long").mkdir(parents=True)
log = Loggers([JsonLines("outputs/long"), begin(lambda: WandB("long", "long", {}, mode="offline", patience=(5, 5)))])
for step in range(400):
    log.scalars({f"train/{name}": step / 7 for name in range(3)}, step)
log.finish()
"""


def test_a_full_disk_under_the_offline_folder(tmp_path, server):
    """W&B's own process is the one that writes there."""
    resource = pytest.importorskip("resource", reason="Windows has no limits of that kind")
    most = 2**16
    limits = (most, resource.RLIM_INFINITY)
    program(tmp_path, server, LONG, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits))
    (kept,) = (tmp_path / "outputs/wandb").glob("offline-run-*-long/*.wandb")
    assert kept.stat().st_size <= most
    assert [line["step"] for line in written(tmp_path / "outputs/long")] == [*range(400)]


SHORT = """
import time
from pathlib import Path
from colorize.tracking import WandB, begin
log = begin(lambda: WandB("short", "short", {}, mode="online", patience=(5, 2)))
for step in range(3):
    log.scalars({"lr": 1.0}, step)
began = time.monotonic()
log.finish()
assert time.monotonic() - began < 4
"""


def test_a_run_that_was_deleted_on_the_server(tmp_path, server):
    server.delete("short")
    printed = program(tmp_path, server, SHORT)
    assert "W&B cannot be online (run short was previously created and deleted; try a new run name)" in printed
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]
    done = colorize(tmp_path, server, "sync", code=2)
    assert f"not sent: {run.name} (run short was previously created and deleted; try a new run name)" in done.stdout
    assert "1 of 1 runs could not be sent" in done.stderr


def test_a_run_that_is_deleted_in_mid_run(tmp_path, server):
    announced = server.on_UpsertBucket

    def announce_then_delete(words):
        server.delete(words["name"])
        return announced(words)

    server.on_UpsertBucket = announce_then_delete
    assert "W&B did not take everything within 2 s" in program(tmp_path, server, SHORT)
    (run,) = (tmp_path / "outputs/wandb").glob("run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]


@pytest.mark.parametrize("answer", [None, {}], ids=["null", "empty"])
def test_a_server_that_answers_with_nothing(answer, tmp_path, server):
    server.instead = [answer]
    assert "W&B cannot be online (" in program(tmp_path, server, SHORT)
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]


def test_a_server_that_answers_with_nothing_in_mid_run(tmp_path, server):
    """W&B's own process dies of it, which ends no run and shows no traceback."""
    announced = server.on_UpsertBucket

    def announce_then_nothing(words):
        server.instead = [{"data": dict.fromkeys(("viewer", "upsertBucket", "createRunFiles", "createArtifact"))}]
        return announced(words)

    server.on_UpsertBucket = announce_then_nothing
    words, environment = [sys.executable, "-c", SHORT], logged_in(tmp_path, server)
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_key_that_is_wrong(tmp_path, server):
    wrong = {"WANDB_API_KEY": "short"}
    printed = program(tmp_path, server, SHORT, env=wrong)
    assert "W&B cannot be online (WANDB_API_KEY invalid: API key must have 40+ characters" in printed
    (run,) = (tmp_path / "outputs/wandb").glob("offline-run-*-short")
    assert [line["step"] for line in history(run)] == [0, 1, 2]
    done = colorize(tmp_path, server, "sync", code=2, env=wrong)
    assert "1 runs are pending, and W&B does not take the key" in done.stderr


def test_two_jobs_with_one_id(tmp_path, server):
    """A run folder was copied, and both are trained at once: neither stops, and each keeps its own lines here."""
    program = [sys.executable, "-c", TWICE]
    jobs = []
    for word in ("1", "2"):
        words = [*program, word]
        jobs.append(subprocess.Popen(words, cwd=tmp_path, env=logged_in(tmp_path, server), stderr=subprocess.PIPE))
        while not list((tmp_path / "outputs/wandb").glob("run-*-twice")):
            assert jobs[0].poll() is None, jobs[0].stderr.read().decode()
            time.sleep(0.1)
        time.sleep(1)  # W&B calls a run's folder by the second in which it began
    for job in jobs:
        assert job.wait(timeout=120) == 0, job.stderr.read().decode()
    found = sorted([line["lr"] for line in history(run)] for run in (tmp_path / "outputs/wandb").glob("run-*-twice"))
    assert found == [[1.0] * 5, [2.0] * 5]
    assert list(server.runs) == ["twice"]
    assert {line["lr"] for line in server.history["twice"]} == {1.0, 2.0}


TWICE = """
import sys, time
from colorize.tracking import WandB
tracker = WandB("twice", "twice", {}, mode="online", patience=(20, 20))
for step in range(5):
    tracker.scalars({"lr": float(sys.argv[1])}, step)
    time.sleep(0.5)
tracker.finish()
"""
