"""`colorize dashboard` against a stand-in for W&B's server: it asks for what runs log, and is saved once."""

import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from colorize.cli import main
from tests.helpers.configs import BIN, SMALL, options
from tests.helpers.wandb_boards import BoardServer

KEY = "0" * 40
NOBODY = "http://127.0.0.1:9"


GROUPING = [{"section": "config", "name": f"{name}"} for name in ("names.value.model", "group.value")]


def called(folder, *words, **environment):
    """`colorize dashboard` in its own process, on a machine that knows nothing of W&B but this."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    clean |= {"HOME": str(folder), "NETRC": str(folder / "none")}
    words = [sys.executable, "-m", "colorize", "dashboard", *words]
    return subprocess.run(
        words,
        cwd=folder,
        env=clean | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def asked_for(panel):
    """Every name in a panel: of a metric, of pictures, or of a value of the config as `config:KEY`."""
    config = panel["config"]
    names = [*config.get("metrics", []), *config.get("mediaKeys", []), config.get("targetKey")]
    names += [column["accessor"] for column in config.get("columns", [])]
    if panel["viewType"] == "Scatter Plot":
        names += [config["xAxis"], config["yAxis"]]
    if panel["viewType"] == "Weave":  # a table of the summary
        names += [config["panel2Config"]["exp"]["fromOp"]["inputs"]["key"]["val"]]
    plain = [name.removeprefix("summary:").replace(".value", "") for name in names if name]
    assert plain or panel["viewType"] == "Markdown Panel"
    return plain


def sections(spec):
    return {part["name"]: part["panels"] for part in spec["section"]["panelBankConfig"]["sections"]}


def grids(spec):
    """Panels of a report by the heading above them."""
    found, heading = {}, ""
    for block in spec["blocks"]:
        heading = block["children"][0]["text"] if block["type"] == "heading" else heading
        if block["type"] == "panel-grid":
            found[heading] = block["metadata"]["panelBankSectionConfig"]["panels"]
    return found


def printed(capsys, *words):
    assert main(["dashboard", "colorize", "--print", *words]) == 0
    workspace, report = json.loads(capsys.readouterr().out).values()
    return workspace, report


def summary_of(run):
    words = [BIN / "wandb", "leet", "inspect", "--summary", "--json", run]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def test_what_it_asks_for_is_what_runs_log(inside, photographs, tmp_path, config, capsys):
    """A run and its evaluation, read back from W&B's own file: neither lacks a name of the other."""
    words = ["experiment=smoke", "metrics=default", "model=gan", *SMALL["gan"], "name=run", "schedule.all.steps=1"]
    words += ["data=folder", f"data.root={photographs}", "data.val_fraction=0.4"]
    assert inside("train", *words).returncode == 0
    assert inside("evaluate", "run=outputs/run", "metrics=default").returncode == 0
    runs = [summary_of(path) for path in (tmp_path / "outputs" / "wandb").glob("offline-run-*")]
    logged = {name for run in runs for name in run["summary"]} - {"_step", "_runtime", "_timestamp", "step", "epoch"}
    logged = {name for name in logged if name.split("/")[0] not in ("grey", "mean_ab", "truth")}  # not the network's

    workspace, report = printed(capsys)
    for shown in (sections(workspace), grids(report)):
        asked = {name for panels in shown.values() for panel in panels for name in asked_for(panel)}
        assert {name for name in logged if not name.startswith("absent/")} <= asked
        cannot = set(json.loads((tmp_path / "outputs/run/results/validation.json").read_text())["absent"])
        others = {f"train/{term}" for loss in options("loss") for term in config(f"loss={loss}").loss.weights}
        unknown = asked - logged - others - {"memory_gpu"}
        of_config = {name.removeprefix("config:") for name in unknown if name.startswith("config:")}
        assert all(runs[0]["config"][key.split(".")[0]][key.split(".")[1]] for key in of_config)
        left = {name.removesuffix("/low").removesuffix("/high").split("/")[-1] for name in unknown}
        assert left - {f"config:{key}" for key in of_config} <= cannot


def test_both_have_the_sections_and_one_colour_for_each_network(capsys):
    workspace, report = printed(capsys)
    titles = ["Validation", "Pictures", "Scores of evaluate.py protocol=validation", "Losses"]
    titles += ["Learning rates and gradients", "Sweeps", "Cost"]
    assert list(sections(workspace)) == list(grids(report)) == titles
    curves = [panel for panel in sections(workspace)["Validation"] if panel["viewType"] == "Run History Line Plot"]
    assert {panel["config"]["xAxis"] for panel in curves} == {"step"}
    assert workspace["section"]["settings"]["xAxis"] == "step"
    assert workspace["section"]["runSets"][0]["grouping"] == GROUPING
    assert len(set(workspace["section"]["customRunColors"].values())) == len(options("model"))
    first = next(block["metadata"] for block in report["blocks"] if block["type"] == "panel-grid")
    assert first["runSets"][0]["grouping"] == GROUPING
    assert list(first["customRunColors"].values()) == list(workspace["section"]["customRunColors"].values())
    (coordinates,) = (p for p in sections(workspace)["Sweeps"] if p["viewType"] == "Parallel Coordinates Plot")
    assert asked_for(coordinates) == [
        "config:optimizer.lr", "config:optimizer.weight_decay", "config:trainer.batch_size", "val/psnr",
    ]  # fmt: skip


def test_another_protocol_is_shown_by_its_name(capsys):
    workspace, _ = printed(capsys, "--protocol", "clean-val5k")
    (panels,) = (panels for title, panels in sections(workspace).items() if title.startswith("Scores"))
    assert asked_for(panels[0]) == ["clean-val5k/psnr/low", "clean-val5k/psnr", "clean-val5k/psnr/high"]


def test_a_second_call_writes_over_the_first(tmp_path):
    server = BoardServer()
    foreign = {"id": "mine", "name": "nw-mine-v", "displayName": "a view of mine", "type": "project-view", "spec": "{}"}
    server.views["mine"] = foreign
    calls = [called(tmp_path, "colorize", **server.environment()) for _ in range(2)]
    server.stop()
    assert [done.returncode for done in calls] == [0, 0], calls
    assert calls[0].stdout == calls[1].stdout  # the same addresses
    assert calls[0].stdout.count(f"{server.url}/me/colorize") == 2
    assert server.views["mine"] == foreign
    workspace, report = (server.views[made] for made in server.inserted)  # two were made, not four
    assert (workspace["type"], report["type"]) == ("project-view", "runs")
    assert "val/psnr" in asked_for(sections(json.loads(workspace["spec"]))["Validation"][0])
    assert "val/psnr" in asked_for(grids(json.loads(report["spec"]))["Validation"][0])


def test_a_project_that_is_not_there_is_not_made(tmp_path):
    server = BoardServer()
    done = called(tmp_path, "colour", **server.environment())
    server.stop()
    assert done.returncode == 2
    assert "W&B has no project 'colour' of me: track a run in it first; there are colorize" in done.stderr
    assert not server.views


class Refusing(BaseHTTPRequestHandler):
    """Answers as W&B does to a key that it does not know."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_error(401)


def test_a_wrong_key_or_no_network_is_one_sentence_and_no_long_wait(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    refusing = f"http://127.0.0.1:{server.server_port}"
    for url, key in ((refusing, KEY), (NOBODY, KEY), (NOBODY, "short")):
        began = time.monotonic()
        done = called(tmp_path, "colorize", WANDB_BASE_URL=url, WANDB_API_KEY=key, WANDB_HTTP_TIMEOUT="3")
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("W&B did not take the dashboard (")
        assert "Traceback" not in done.stderr
        assert time.monotonic() - began < 60
    server.shutdown()


def test_offline_by_wish_it_says_so(tmp_path):
    done = called(tmp_path, "colorize", WANDB_MODE="offline", WANDB_API_KEY=KEY)
    assert done.returncode == 2
    assert "a dashboard is on W&B's server, and WANDB_MODE is offline here" in done.stderr


def test_without_the_package_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["dashboard", "colorize"]) == 2
    assert capsys.readouterr().err == ("a dashboard needs the package wandb-workspaces: pip install wandb-workspaces\n")


def test_without_a_key_nothing_asks_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    environment |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none"), "WANDB_BASE_URL": NOBODY}
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "colorize", "dashboard"]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert process.wait(timeout=60) == 2  # one that asks would wait for ever
    said = os.read(ours, 4096).decode()
    os.close(ours)
    assert said.strip() == "W&B is not logged in here: run `wandb login` first, or --print to see what would be sent"
