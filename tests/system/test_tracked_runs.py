"""Whole runs that W&B follows: what arrives at its server, and what an offline run holds."""

import json
import re
import subprocess
import sys

import pytest

from tests.helpers.configs import ROOT, SMALL, options, own_loss
from tests.helpers.data_sets import write_imagenet
from tests.helpers.tracked_runs import (
    QUICK,
    TINY,
    colorize,
    history,
    inspected,
    logged_in,
    losses,
    numbers,
    program,
    tracked,
    written,
)

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
    assert re.fullmatch(r"cnn-l1-demo-32-[0-9a-f]{6}", announced["groupName"])
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


@pytest.mark.slow
def test_a_name_with_a_slash_is_tracked(tmp_path, server):
    """At the server, and offline until it is sent, with the evaluation that such a run ends with."""
    runs = [[*TINY, *QUICK, "name=faces/on", "evaluate.final=[validation]"]]
    runs += [[*TINY, *QUICK, "name=faces/off", "evaluate.final=[validation]", "tracker.mode=offline"]]
    program(tmp_path, server, ONE_AFTER_THE_OTHER, json.dumps(runs))
    colorize(tmp_path, server, "sync")
    assert {announced["displayName"] for announced in server.runs.values()} == {"faces/on", "faces/off"}
    for run, announced in server.runs.items():
        folder = tmp_path / "outputs" / announced["displayName"]
        assert re.fullmatch(rf"faces_{folder.name}-[0-9a-f]+", run)
        assert numbers(server.history[run]) == written(folder)
        check_final_evaluations(server.summary[run], folder)
        assert {alias for each in server.artifacts if each["run"] == run for alias in each["aliases"]} >= {"best"}


def test_imagenet_ends_with_its_final_evaluations_at_the_server(tmp_path, server):
    """A miniature ILSVRC tree: `clean-val5k` says that it is a subset, and every value arrives."""
    root = write_imagenet(tmp_path / "imagenet", "folders")
    words = ["model=cnn", *SMALL["cnn"], "data=imagenet", f"data.root={root}", "data.size=32", "name=net"]
    words += ["schedule.all.steps=1", "trainer.batch_size=2", "evaluate.every=1", "metrics=quick"]
    program(tmp_path, server, ONE_AFTER_THE_OTHER, json.dumps([words]), env={"HF_HUB_OFFLINE": "1"})
    ((run, summary),) = server.summary.items()
    folder = tmp_path / "outputs/net"
    held = check_final_evaluations(summary, folder)
    assert held.keys() == {"validation", "historical", "clean-val5k"}
    assert {"train/loss", "val/psnr", "historical/colorfulness"} <= summary.keys()
    for protocol in ("validation", "clean-val5k"):
        keys = ("psnr", "ssim", "ciede2000", "colorfulness", "fd_efficientnet_lite0", "kd_paired_efficientnet_lite0")
        assert summary.keys() >= {f"eval/{protocol}/{key}" for key in keys}
        assert summary.keys() >= {f"eval/{protocol}/{row}/colorfulness" for row in ("grey", "truth")}
    for absent in ("validation/absent/fid", "clean-val5k/absent/fd_clean_fid", "clean-val5k/absent/lpips_alex"):
        assert "HF_HUB_OFFLINE is set" in summary[f"eval/{absent}"]
    result = json.loads((folder / "results/clean-val5k.json").read_text())
    assert re.fullmatch(r"clean-val5k-6-of-5000-[0-9a-f]{8}", result["protocol"]["id"])
    for protocol in held:
        assert summary[f"eval/{protocol}/pictures"]["path"] in server.files[run]


def check_final_evaluations(summary, folder):
    """The summary at the server has what the run's own summary has, under the names that other programs read."""
    held = json.loads((folder / "summary.json").read_text())["eval"]
    for protocol, weights in held.items():
        assert weights["last"]["model"]["colorfulness"]["n"] > 0
        for which, of in weights.items():
            place = f"eval/{protocol}@best" if which == "best" else f"eval/{protocol}"
            for metric, cell in of["model"].items():
                assert summary[f"{place}/{metric}"] == cell["value"]
                ends = [summary.get(f"{place}/{metric}/{end}") for end in ("low", "high")]
                assert ends == [cell["low"], cell["high"]]
                assert None not in ends or "its interval" in summary[f"{place}/absent/{metric}"]
            assert {metric: summary[f"{place}/absent/{metric}"] for metric in of["absent"]} == of["absent"]
    return held


def test_an_offline_run_holds_what_the_run_folder_holds(tmp_path, server):
    """Value for value; and what was offline arrives later: its evaluation, and checkpoints that are gone by then."""
    tracked(tmp_path, server, "name=off", "tracker.mode=offline", "evaluate.judges.train_slice=false")
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
        value, low, high = (summary[f"eval/demo/psnr{end}"] for end in ("", "/low", "/high"))
        assert low < value < high
        assert value == result["rows"]["model"]["psnr"]["value"]
        trained = json.loads((tmp_path / "outputs/off/summary.json").read_text())
        assert summary["val/psnr"] == trained["val"]["psnr"]  # offline parts arrive one after the other
        assert (summary["eval/demo/pictures"]["nrows"], summary["eval/demo/pictures"]["_type"]) == (24, "table-file")
        (table,) = (each for each in server.artifacts if each["run"] == run and each["type"] == "run_table")
        assert sum(name.endswith(".jpg") for name in table["files"]) == 3 * 24
        held = json.loads(table["files"]["eval/demo/pictures.table.json"])
        assert held["columns"][:5] == ["photograph", "grey input", "painted", "truth", "psnr"]
        assert len({row[0] for row in held["data"]}) == 24
