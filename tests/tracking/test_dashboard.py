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


GROUPING = [{"section": "config", "name": "group.value"}]


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


def columns(shown):
    """Names of the columns that the table of runs has been given, of the workspace and of every grid of the report."""
    grids = [block["metadata"] for block in shown.get("blocks", []) if block["type"] == "panel-grid"]
    sets = [each for grid in [shown.get("section", {}), *grids] for each in grid.get("runSets", [])]
    return {name for each in sets for name in each["runFeed"]["columnVisible"] if name.startswith("summary:")}


def without_ground(name, held):
    """Whether the run has not logged `name`, and does not say why."""
    if name.startswith("config:"):
        group, key = name.removeprefix("config:").split(".")
        return key not in held["config"][group]
    metric = name.removesuffix("/low").removesuffix("/high").removeprefix("summary:")
    of, _, metric = metric.rpartition("/")
    of = "" if of in ("val", "train_slice") else f"{of}/"  # while it trains, one reason stands for both
    if of.endswith("absent/"):  # a column of reasons: empty where there is none to give
        return f"{of.removesuffix('absent/')}{metric}" not in held["summary"] and f"{of}{metric}" not in held["summary"]
    return not {name.removeprefix("summary:"), f"{of}absent/{metric}"} & held["summary"].keys()


def test_every_panel_finds_what_it_asks_for(inside, photographs, tmp_path, config, capsys):
    """A finished run, read back from W&B's own file, has each name, or says why it is absent."""
    words = ["experiment=smoke", "metrics=default", "model=gan", *SMALL["gan"], "name=run", "schedule.all.steps=1"]
    words += ["data=folder", f"data.root={photographs}", "data.val_fraction=0.4"]
    assert inside("train", *words, "evaluate.final=[validation,historical]").returncode == 0
    (held,) = map(summary_of, (tmp_path / "outputs" / "wandb").glob("offline-run-*"))
    others = {f"train/{term}" for loss in options("loss") for term in config(f"loss={loss}").loss.weights}
    others |= {"memory_gpu"}  # of runs with another loss, and on a GPU
    logged = {name for name in held["summary"] if name.startswith(("val/", "train", "lr", "memory", "samples", "hist"))}
    assert held["config"]["group"]  # what runs are grouped by

    for protocol in ("validation", "historical"):
        workspace, report = printed(capsys, "--protocol", protocol)
        for shown, panels in ((workspace, sections(workspace)), (report, grids(report))):
            asked = {name for chapter in panels.values() for panel in chapter for name in asked_for(panel)}
            assert {f"eval/{protocol}/pictures", "val/psnr", "config:optimizer.lr"} <= asked
            assert {name for name in asked | columns(shown) if without_ground(name, held)} <= others
            assert logged <= asked
            scored = {name for name in asked if name.startswith("eval/")}
            assert columns(shown) >= {f"summary:{name}" for name in scored if not name.endswith("/pictures")}


def test_both_have_the_sections_and_group_runs_by_recipe(capsys):
    workspace, report = printed(capsys)
    titles = ["Validation", "Pictures", "Scores under protocol=validation", "Losses"]
    titles += ["Learning rates and gradients", "Sweeps", "Cost"]
    assert list(sections(workspace)) == list(grids(report)) == titles
    curves = [panel for panel in sections(workspace)["Validation"] if panel["viewType"] == "Run History Line Plot"]
    assert {panel["config"]["xAxis"] for panel in curves} == {"step"}
    assert workspace["section"]["settings"]["xAxis"] == "step"
    assert workspace["section"]["runSets"][0]["grouping"] == GROUPING
    first = next(block["metadata"] for block in report["blocks"] if block["type"] == "panel-grid")
    assert first["runSets"][0]["grouping"] == GROUPING
    assert not workspace["section"].get("customRunColors")  # W&B gives each recipe a colour
    assert not first.get("customRunColors")
    (coordinates,) = (p for p in sections(workspace)["Sweeps"] if p["viewType"] == "Parallel Coordinates Plot")
    assert asked_for(coordinates) == [
        "config:optimizer.lr", "config:optimizer.weight_decay", "config:trainer.batch_size", "val/psnr",
    ]  # fmt: skip


def test_another_protocol_is_shown_by_its_name(capsys):
    workspace, _ = printed(capsys, "--protocol", "clean-val5k")
    (panels,) = (panels for title, panels in sections(workspace).items() if title.startswith("Scores"))
    assert asked_for(panels[0]) == [f"eval/clean-val5k/psnr{end}" for end in ("/low", "", "/high")]
    asked = {name for panel in panels for name in asked_for(panel)}
    networks = ("clean_fid", "dinov2", "efficientnet_lite0", "mobilenet_v2")
    assert asked >= {f"eval/clean-val5k/{kind}_{network}" for kind in ("fd", "kd_paired") for network in networks}
    assert "eval/clean-val5k/fid" not in asked  # of a network that this protocol has not


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
