"""What a run ends with: its last and best weights under the protocols of `evaluate.final`, in summary.json and W&B."""

import json
import re
import shutil
import time
from functools import partial

import pytest
import torchvision
from omegaconf import OmegaConf

from colorize.data.sources import demo_photographs
from colorize.metrics.extractors import Extractor
from colorize.tracking.logger import JsonLines
from colorize.training import build
from colorize.training.final import compose_protocols, final_protocols
from colorize.utils import published_file
from tests.helpers.commands import refused
from tests.helpers.configs import tiny_words
from tests.helpers.features import toy

TINY = tiny_words("cnn", "l1")
QUICK = ("metrics=quick", "++protocol.extractors=[]", "table=false")
SHORT = ("schedule.all.steps=1", "evaluate.every=1", "evaluate.photographs=8")  # its last weights are its best
NUMBERS = {"psnr", "ssim", "ciede2000", "colorfulness", "kd_paired_efficientnet_lite0", "fd_efficientnet_lite0"}


@pytest.fixture
def recorded(monkeypatch):
    """What trackers get for their summaries."""
    held = {}
    monkeypatch.setattr(JsonLines, "summary", lambda self, values: held.update(values))
    return held


@pytest.fixture
def quick(monkeypatch):
    """Final evaluations of two metrics and no distances, for tests that look at something else."""
    monkeypatch.setattr("colorize.training.final.WORDS", QUICK)


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


def test_a_run_ends_with_its_evaluation(inside, tmp_path, recorded):
    done = inside("train", *TINY, *SHORT, "name=a", "evaluate.final=[validation,historical]")
    assert done.returncode == 0, done.stderr
    summary = summary_of(tmp_path / "outputs/a")
    assert {protocol: [*weights] for protocol, weights in summary["eval"].items()} == {
        "validation": ["last"], "historical": ["last"]
    }  # fmt: skip
    last = summary["eval"]["validation"]["last"]
    assert last["model"].keys() >= NUMBERS
    assert set(last["model"]["psnr"]) == {"value", "low", "high", "n"}
    assert last["model"]["psnr"]["value"] == pytest.approx(summary["val"]["psnr"], abs=1e-3)
    assert last["grey"]["psnr"]["value"] == pytest.approx(summary["baseline"]["grey"]["psnr"], abs=1e-3)
    assert last["truth"]["colorfulness"]["value"] > last["grey"]["colorfulness"]["value"] == pytest.approx(0, abs=0.2)
    for metric in ("lpips_alex", "fid"):
        assert "HF_HUB_OFFLINE is set" in last["absent"][metric]
        assert f"{metric}" in done.stdout.split("step 1/1")[0]  # said before the first step
        assert recorded[f"eval/validation/absent/{metric}"] == last["absent"][metric]
    assert recorded["eval/validation/psnr"] == last["model"]["psnr"]["value"]
    assert recorded["eval/validation/psnr/low"] == last["model"]["psnr"]["low"]
    assert recorded["eval/validation/grey/psnr"] == last["grey"]["psnr"]["value"]
    assert "psnr" in summary["eval"]["historical"]["last"]["absent"]
    again = inside("evaluate", "run=outputs/a", "checkpoint=last", "metrics=default", "table=false")
    assert "has been measured already" in again.stdout


@pytest.mark.usefixtures("quick")
def test_best_weights_have_results_of_their_own(inside, tmp_path, recorded):
    words = ("name=b", "evaluate.final=[validation]", "metrics=quick", "schedule.all.steps=6", "optimizer.lr=0.03")
    assert inside("train", *TINY, *words).returncode == 0
    held, results = summary_of(tmp_path / "outputs/b")["eval"]["validation"], tmp_path / "outputs/b/results"
    if held.keys() == {"last"}:
        pytest.fail("the best step was the last: choose another rate")
    assert (held["last"]["step"], held["best"]["monitor"]) == (6, "val/psnr")
    assert held["best"]["step"] < 6
    assert held["best"]["model"]["psnr"]["value"] > held["last"]["model"]["psnr"]["value"]
    assert recorded["eval/validation@best/psnr"] == held["best"]["model"]["psnr"]["value"]
    assert recorded["eval/validation/psnr"] == held["last"]["model"]["psnr"]["value"]
    assert {path.name for path in results.glob("*.json")} == {"validation.json", "validation@best.json"}
    for checkpoint in ("best", "last"):
        again = inside("evaluate", "run=outputs/b", f"checkpoint={checkpoint}", *QUICK)
        assert "has been measured already" in again.stdout
    done = inside("compare", "outputs/b")
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("quick")
def test_an_interrupted_evaluation_is_resumed_by_the_same_command(inside, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    words = (*TINY, "name=c", "evaluate.final=[validation]", "metrics=quick")
    with monkeypatch.context() as patch:
        patch.setattr("colorize.training.final.evaluate_network", interrupt)
        assert inside("train", *words).returncode == 130
    before = summary_of(tmp_path / "outputs/c")
    assert (before["status"], before["eval"]) == ("interrupted", {})
    assert inside("train", *words).returncode == 0
    after = summary_of(tmp_path / "outputs/c")
    assert (after["status"], after["val"]) == ("finished", before["val"])
    assert "psnr" in after["eval"]["validation"]["last"]["model"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("[validaton]", "evaluate.final names 'validaton', which is no protocol"),
        ("validaton", "evaluate.final names 'validaton', which is no protocol"),
        ("true", "evaluate.final is true; it must be a list of protocols, such as [validation, historical], or false"),
        ("[3]", "evaluate.final is [3]; it must be a list of protocols"),
        ("[coltran-fid5k]", "use evaluate.py run=… protocol=coltran-fid5k protocol.names=… protocol.reference=… after"),
    ],
)
def test_a_protocol_that_there_is_not_is_refused_before_the_first_step(word, sentence, inside, tmp_path):
    refused(inside("train", *TINY, "name=d", f"evaluate.final={word}", "metrics=quick"), sentence)
    assert not (tmp_path / "outputs/d").exists()


@pytest.mark.parametrize(
    ("final", "names"),
    [(False, []), (None, []), ([], []), ("demo", ["demo"]), (["demo", "historical", "demo"], ["demo", "historical"])],
)
def test_one_protocol_is_named_with_or_without_brackets(final, names):
    assert final_protocols(OmegaConf.create({"final": final}).final) == names


@pytest.mark.usefixtures("quick")
def test_the_end_says_where_the_pages_are_and_a_finished_run_what_measures_more(inside, tmp_path):
    words = (*TINY, *SHORT, "name=g", "metrics=quick")
    done = inside("train", *words, "evaluate.final=validation")
    assert done.returncode == 0, done.stderr
    page = tmp_path / "outputs/g/results/validation.html"
    assert str(page) in done.stdout.replace("\n", "")
    assert page.read_text().startswith("<!doctype html>")
    assert "colorize evaluate" not in done.stdout
    again = inside("train", *words, "evaluate.final=[validation,demo,clean]")
    said = again.stdout.replace("\n", " ")
    assert "evaluate.final names demo, of which this finished run has no result" in said
    assert "protocol=demo" in said
    assert "protocol=clean source=run" in said
    assert "protocol=validation" not in said


@pytest.mark.usefixtures("quick")
def test_best_weights_of_before_leave_no_result_once_the_last_are_the_best(inside, tmp_path, recorded):
    words = (*TINY, *SHORT, "name=h", "metrics=quick", "evaluate.final=[validation]")
    assert inside("train", *words).returncode == 0
    results = tmp_path / "outputs/h/results"
    for path in [*results.glob("validation.*")]:
        other = results / path.name.replace("validation", "validation@best")
        shutil.copytree(path, other) if path.is_dir() else shutil.copy(path, other)
    (tmp_path / "outputs/h/summary.json").unlink()
    recorded.clear()
    done = inside("train", *words)
    assert done.returncode == 0, done.stderr
    assert summary_of(tmp_path / "outputs/h")["eval"]["validation"].keys() == {"last"}
    assert not [*results.glob("*@best*")]
    assert (results / "validation.json").is_file()
    assert recorded["eval/validation@best/psnr"] == recorded["eval/validation/psnr"]


def test_imagenet_adds_its_first_5000(config):
    assert config().evaluate.final == ["validation", "historical"]
    cfg = config("data=imagenet", "data.root=x")
    assert cfg.evaluate.final == ["validation", "historical", "clean-val5k"]
    assert config("data=imagenet", "data.root=x", "evaluate.final=false").evaluate.final is False


def test_servers_that_are_silent_cost_five_seconds_in_all(tmp_path, monkeypatch):
    def silent(url, write, *, silent, **_):
        time.sleep(silent)
        raise TimeoutError("no answer")

    monkeypatch.setattr(published_file, "fetch_bytes", silent)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(published_file._Waiting, "failed", {})
    files = [published_file.PublishedFile((f"{i}.pth",), f"http://127.0.0.1/{i}.pth", "0") for i in range(4)]
    began, reasons = time.monotonic(), []
    with published_file.limit_waiting(0.5):
        for file in [*files, *files]:
            with pytest.raises(published_file.UnavailableError) as raised:
                file.find()
            reasons.append(str(raised.value))
    assert time.monotonic() - began < 1
    assert "no answer" in reasons[0]
    assert "this one was not asked" in reasons[1]
    assert reasons[:4] == reasons[4:]


def test_a_server_that_sends_something_else_is_asked_once_and_that_is_said_once(tmp_path, monkeypatch, capsys):
    """By all protocols that a run ends with, for its last and its best weights."""
    monkeypatch.setattr(published_file, "fetch_bytes", lambda url, write, **_: write(b"<!doctype html>"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(published_file._Waiting, "failed", {})
    file = published_file.PublishedFile(("a.pth",), "http://127.0.0.1/a.pth", "0" * 64)
    for _ in range(2):
        with published_file.limit_waiting(5):
            for _ in range(2):
                with pytest.raises(published_file.UnavailableError, match="is not the published file"):
                    file.find()
    assert capsys.readouterr().out == "fetching http://127.0.0.1/a.pth\n"


def test_with_weights_lpips_and_fid_are_there(inside, tmp_path, monkeypatch):
    def create(name, *args, **kwargs):
        made: Extractor = toy(name)
        return made

    def random_trunk(name, *args, **kwargs):
        return getattr(torchvision.models, name)(weights=None).features

    monkeypatch.setattr("colorize.evaluation.evaluation_setup.create_extractor", create)
    monkeypatch.setattr("colorize.metrics.perceptual.load_trunk", random_trunk)
    done = inside("train", *TINY, *SHORT, "name=e", "evaluate.final=[validation]")
    assert done.returncode == 0, done.stderr
    model = summary_of(tmp_path / "outputs/e")["eval"]["validation"]["last"]["model"]
    assert model["fid"]["value"] > 0
    assert model["lpips_alex"]["value"] > 0


@pytest.mark.usefixtures("quick")
def test_validation_has_a_bound(inside, tmp_path):
    words = (*TINY, "evaluate.photographs=5", "evaluate.final=[validation]", "metrics=quick", "name=f")
    done = inside("train", *words)
    assert done.returncode == 0, done.stderr
    assert re.search(rf"{len(demo_photographs()[0])} train, 5 validate", done.stdout)
    summary = summary_of(tmp_path / "outputs/f")
    assert summary["validation"]["photographs"] == 5
    result = json.loads((tmp_path / "outputs/f/results/validation.json").read_text())
    assert (result["protocol"]["photographs"], result["protocol"]["of"]) == (5, 24)
    assert summary["eval"]["validation"]["last"]["model"]["psnr"]["value"] == pytest.approx(
        summary["val"]["psnr"], abs=1e-3
    )


def test_weights_of_metrics_are_fetched_before_validation_is_built(monkeypatch, small):
    """Else a first start would say to download what the next line fetches, and would validate without it."""
    built, build_metrics = [], build.build_metrics
    monkeypatch.setattr(build, "build_metrics", lambda node: built.append({*node}) or build_metrics(node))
    fetch = partial(build.fetch_metric_weights, compose_protocols(["validation", "historical"]))
    build.build_parts(small("cnn", "loss=l1"), fetch=fetch)
    assert built[0] == {"lpips_alex"}
    assert [("psnr" in names) for names in built] == [False, True]
