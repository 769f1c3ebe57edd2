"""docs/wandb_sweep.yaml and W&B's agent, against a stand-in for its server."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from omegaconf import OmegaConf

from colorize.cli.composition import parse_hydra_args
from colorize.cli.overrides import check_overrides
from colorize.config import better_of
from colorize.run_folder import RunFolder
from tests.helpers.configs import BIN, CONF, ROOT, SMALL
from tests.helpers.wandb_boards import BoardServer

SWEEP = yaml.safe_load((ROOT / "docs" / "wandb_sweep.yaml").read_text(encoding="utf-8"))


def of_recipe():
    """The words of the command between the program and the values."""
    words = SWEEP["command"]
    return words[words.index("${program}") + 1 : words.index("${args_no_hyphens}")]


@pytest.fixture
def server():
    served = BoardServer()
    yield served
    served.stop()


@pytest.fixture
def environment(tmp_path, server):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    path = os.pathsep.join([str(BIN), clean["PATH"]])  # where the agent finds python
    return clean | {"HOME": str(tmp_path), "PATH": path, **server.environment()}


def test_its_keys_its_metric_and_its_command_are_the_projects(config):
    values = {key: each.get("min", each.get("values", [None])[0]) for key, each in SWEEP["parameters"].items()}
    told = [f"{key}={value}" for key, value in values.items()]
    check_overrides(CONF, "train", parse_hydra_args([*of_recipe(), *told], "train")[0])
    words = [word for word in of_recipe() if not word.startswith("hydra.")]
    plain, searched = config(*words), config(*words, *told)
    for key, value in values.items():
        assert OmegaConf.select(plain, key, throw_on_missing=True) is not None, key
        assert OmegaConf.select(searched, key) == value
    goal = {"higher": "maximize", "lower": "minimize"}[better_of(plain, plain.checkpoint.monitor)]
    assert SWEEP["metric"] == {"name": plain.checkpoint.monitor, "goal": goal}
    assert SWEEP["metric"]["name"].removeprefix("val/") in plain.metrics
    assert SWEEP["early_terminate"]["min_iter"] < plain.schedule.all.steps // plain.evaluate.every


def test_wandb_takes_it(tmp_path, server, environment):
    words = [BIN / "wandb", "sweep", ROOT / "docs" / "wandb_sweep.yaml"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "wandb agent me/colorize/s1" in done.stderr
    told = {key: dict(each) for key, each in server.sweep["parameters"].items()}
    assert told == SWEEP["parameters"]
    assert (server.sweep["command"], server.sweep["metric"]) == (SWEEP["command"], SWEEP["metric"])


RUN = """
from colorize.run_folder import RunFolder
from colorize.tracking import WandB
more = {"folder": "outputs", "patience": (20, 5)}  # the stand-in does not answer all that a sweep's run asks at its end
tracker = WandB(RunFolder("run").run_id("mine"), "mine", {}, project="elsewhere", **more)
tracker.scalars({"val/psnr": 20.0}, 1)
tracker.finish()
"""


def test_a_run_that_an_agent_began_is_the_agents_and_stays_so(tmp_path, server, environment):
    agents = {"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": "abc", "WANDB_PROJECT": "colorize", "WANDB_ENTITY": "me"}
    agents["WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL"] = "1"  # seconds, usually 15: the end is waited for no longer than 5
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    words = [sys.executable, "-c", RUN]
    done = subprocess.run(words, cwd=tmp_path, env=environment | agents, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    ((run, announced),) = server.runs.items()
    assert (run, announced["sweep"], announced["project"]) == ("abc", "s1", "colorize")
    assert [line["val/psnr"] for line in server.history["abc"]] == [20.0]
    assert RunFolder(tmp_path / "run").run_id("mine") == "abc"  # for evaluate.py, which no agent starts


def test_a_run_of_ones_own_has_its_name_and_a_token(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "left-over")  # without a sweep it is not the agent's
    (tmp_path / ".hydra").mkdir()
    run = RunFolder(tmp_path)
    assert run.run_id("mine") == f"mine-{run.token()}"


@pytest.mark.slow
def test_an_agents_runs_have_folders_of_their_own_and_may_be_stopped(tmp_path, server, environment):
    """One that is hopeless, then two of the very same values, by the command of the file with a smaller recipe."""
    small = ["experiment=smoke", "model=cnn", *SMALL["cnn"], "loss=l1", "metrics=quick", "evaluate.historical=false"]
    kept = [word for word in of_recipe() if word.startswith("hydra.")]
    command = ["${env}", "${interpreter}", "${program}", *small, *kept, "${args_no_hyphens}"]
    server.sweep = SWEEP | {"command": command, "program": str(ROOT / "train.py")}
    values = {"optimizer.lr": 1e-5, "trainer.batch_size": 2}
    server.queue, server.hopeless = [values | {"schedule.all.steps": 100000}, values, values], ["agent2"]
    words = [BIN / "wandb", "agent", "me/colorize/s1"]
    impatient = environment | {"WANDB_AGENT_MAX_INITIAL_FAILURES": "1"}  # gives up at the first run that fails
    done = subprocess.run(words, cwd=tmp_path, env=impatient, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert {run: told["sweep"] for run, told in server.runs.items()} == dict.fromkeys(
        ("agent2", "agent1", "agent0"), "s1"
    )
    folders = {run: tmp_path / "outputs" / "wandb-s1" / run for run in server.runs}
    states = {run: RunFolder(folder).read_summary()["status"] for run, folder in folders.items()}
    assert states == {"agent2": "interrupted", "agent1": "finished", "agent0": "finished"}
    for run in ("agent1", "agent0"):
        lines = map(json.loads, (folders[run] / "metrics.jsonl").read_text().splitlines())
        scores = [line["val/psnr"] for line in lines if "val/psnr" in line]
        assert [line["val/psnr"] for line in server.history[run] if "val/psnr" in line] == scores
        assert len(scores) == 3
