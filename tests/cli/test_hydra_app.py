"""Runs that begin from others: init_from, resume, rerun; and the exit status by which a scheduler knows what to do."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from colorize.run_folder import RunFolder
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.processes import StopSignal
from colorize.utils.serialization import read
from tests.helpers.commands import NAME, SMOKE, lines, refused
from tests.helpers.configs import ROOT, SMALL, tiny_words
from tests.helpers.published import published, two_networks

WORDS = SMOKE[1:]
GAN = ("experiment=smoke", "tracker=none", "model=gan_unet", *SMALL["gan_unet"], "evaluate.historical=false")
PUBLISHED = {  # file: the model that it holds, the loss to go on with, the side of a picture
    "thesis_cnn": ("cnn", "iizuka", 224),
    "thesis_gan": ("gan", "pix2pix", 64),
    "thesis_diffusion": ("diffusion", "ddpm", 32),
    "thesis_transformer": ("transformer", "ddcolor", 64),
    "ddcolor_tiny": ("transformer", "ddcolor", 64),
}


def weights(folder, which="last"):
    return read(RunFolder(folder).checkpoint(which))["players"]


def test_a_run_begins_from_another(inside, run_folder, tmp_path):
    first, second = run_folder("gan_unet", "pix2pix", to="first"), tmp_path / "second"
    frozen_rate = ("optimizer.lr=1e-12", "optimizer.critic.lr=1e-12", "seed=3")
    words = (*GAN, "loss=pix2pix", f"init_from={first}", *frozen_rate, f"hydra.run.dir={second}")
    done = inside("train", *words)
    assert done.returncode == 0, done.stderr
    assert f"model: weights of {first}" in done.stdout
    assert f"critic 'adversarial': weights of {first}" in done.stdout
    began, ended = weights(first, "best"), weights(second)
    for name, value in began["model"]["average"].items():
        if name.endswith("weight"):  # the file's sizes, and hardly moved
            assert torch.allclose(value, ended["model"]["module"][name.removeprefix("module.")], atol=1e-6)
    summary = json.loads((second / "summary.json").read_text())
    assert summary["weights"]["init_from"] == str(first)
    assert RunFolder(second).read_config().model.widths == [8, 8, 16, 32]
    assert "is finished" in inside("train", *words).stdout


def test_what_is_said_of_the_network_holds_and_its_sizes_are_the_files(inside, run_folder, tmp_path):
    first = run_folder("transformer")
    words = ("experiment=smoke", "tracker=none", "evaluate.historical=false", "model=transformer", "loss=l1")
    done = inside("train", *words, f"init_from={first}", "model.freeze=true", "model.queries=8", "name=second")
    assert done.returncode == 0, done.stderr
    config = RunFolder(tmp_path / "outputs" / "second").read_config()
    assert (config.model.freeze, config.model.encoder, config.model.dim) == (True, "test_convnext", 16)
    before, after = weights(first, "best")["model"]["average"], weights(tmp_path / "outputs" / "second")["model"]
    for name, value in after["module"].items():
        if name.startswith("encoder."):
            assert torch.equal(value, before[f"module.{name}"]), name
    again = inside("train", *words, f"init_from={first}", "model.freeze=false", "name=second")
    refused(again, "model.freeze (True there, False now)")
    for said, message in [
        (("model.dim=32",), "model.dim=32 would make another network than the one that"),
        (("model.pretrained=true",), "are two sources of weights"),
    ]:
        refused(inside("train", *words, f"init_from={first}", *said, "name=third"), message)


def test_what_a_file_lacks_is_said(inside, run_folder, tmp_path):
    first = run_folder("gan_unet", "l1", to="first")
    assert inside("export", first, "-o", tmp_path / "out").returncode == 0
    done = inside("train", *GAN, "loss=pix2pix", f"init_from={tmp_path / 'out'}", "name=second")
    assert done.returncode == 0, done.stderr
    assert "critic 'adversarial' starts fresh" in done.stdout
    refused(
        inside("train", "experiment=smoke", "model=cnn", "loss=l1", f"init_from={first}", "name=third"),
        "holds a UNet, and model=cnn is a CNN",
    )
    refused(inside("train", *GAN, "init_from=nowhere", "name=third"), "there is no file or folder 'nowhere'")


def test_another_head_for_classes_starts_fresh(inside, photographs, tmp_path):
    words = tiny_words("cnn", "iizuka", "data=folder", f"data.root={photographs}")
    assert inside("train", *words, "name=two").returncode == 0
    (photographs / "birds").mkdir()
    for i in (12, 13):
        (photographs / f"photo {i}.jpg").rename(photographs / "birds" / f"{i}.jpg")
    done = inside("train", *words, "init_from=outputs/two", "name=three")
    assert done.returncode == 0, done.stderr
    assert "start fresh: the file's head is for other classes" in done.stdout
    done = inside("train", *words, "data.labels=false", "init_from=outputs/two", "name=none")
    assert "the file's head for classes is left out" in done.stdout


@pytest.mark.slow
@published
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_are_tuned_further(name, inside, foreign, tmp_path):
    model, loss, size = PUBLISHED[name]
    state = foreign(name)
    torch.save(two_networks(state) if model == "diffusion" else state, tmp_path / f"{name}.pth")
    words = ("experiment=smoke", "tracker=none", f"model={model}", f"loss={loss}", f"data.size={size}", "metrics=quick")
    done = inside("train", *words, f"init_from={tmp_path / name}.pth", "schedule.all.steps=2", "name=tuned")
    assert done.returncode == 0, done.stderr
    assert f"model: weights of {tmp_path / name}.pth" in done.stdout
    assert ("critic 'adversarial' starts fresh" in done.stdout) == (loss in ("pix2pix", "ddcolor"))
    assert json.loads((tmp_path / "outputs" / "tuned" / "summary.json").read_text())["status"] == "finished"


def test_resume_goes_on_wherever_the_run_lies(inside, trained, tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "conclude", lambda *_, **__: None)  # it is killed before it has finished
        inside("train", *WORDS, "name=cut", "overwrite=true")
    (tmp_path / "outputs" / "cut").rename(folder)
    RunFolder(folder).checkpoint("last").unlink()  # as if it had been killed after step 2
    (folder / "summary.json").unlink()
    done = inside("train", f"resume={folder}")
    assert done.returncode == 0, done.stderr
    assert "going on after step 2" in done.stdout
    for kind in ("module", "average"):
        one, other = (weights(path)["model"][kind] for path in (trained(), folder))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not list((tmp_path / "outputs").iterdir())
    refused(inside("train", f"resume={folder}", "optimizer.lr=1"), "which optimizer.lr=1 would change", "rerun")
    refused(inside("train", f"resume={folder}", "overwrite=true"), "which overwrite=true would change")
    refused(inside("train", "resume=nowhere"), "resume=nowhere: there is no run in that folder")
    assert inside("train", f"resume={folder}", "checkpoint.every=50").returncode == 0


@pytest.mark.parametrize("variable", ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"])
def test_a_scheduler_that_starts_it_again_does_not_overwrite_it(variable, inside, run_folder, monkeypatch):
    (run_folder(to=f"outputs/{NAME}") / "summary.json").unlink()
    monkeypatch.setenv(variable, "1")
    assert "going on after step 4" in inside("train", *WORDS, "overwrite=true").stdout


def test_rerun_does_it_again_with_changes(inside, tmp_path):
    steps = ("schedule.all.steps=20", "evaluate.every=100", "optimizer.lr=0.002")
    assert inside("train", *WORDS, *steps, "name=first").returncode == 0
    first = tmp_path / "outputs" / "first"
    done = inside("train", f"rerun={first}")
    assert done.returncode == 0, done.stderr
    again = tmp_path / "outputs" / "first-rerun"
    losses = [[line["train/loss"] for line in lines(folder) if "train/loss" in line] for folder in (first, again)]
    assert len(losses[0]) == 20
    assert losses[0] == losses[1]
    assert inside("train", f"rerun={first}", "seed=7").returncode == 0
    other = RunFolder(tmp_path / "outputs" / "first-seed-7").read_config()
    assert (other.seed, other.optimizer.lr, other.names.model) == (7, 0.002, "cnn")
    refused(inside("train", f"rerun={first}", f"resume={first}"), "say one of them")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 75), ("SIGUSR1", 75), ("SIGUSR2", 75), ("SIGINT", 130)])
def test_every_signal_has_its_status(name, code, capsys):
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    with StopSignal() as stop:
        assert not stop
        signal.raise_signal(getattr(signal, name))
        assert stop
    assert stop.exit_code == code
    assert f"{name}: stopping after this step" in capsys.readouterr().out


def test_a_background_jobs_ctrl_c_stays_ignored():
    """A shell without job control starts what it puts into the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop
            signal.raise_signal(signal.SIGTERM)
            assert stop.exit_code == 75
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_a_signal_ends_a_run_with_a_status_that_says_so(tmp_path):
    """A run in a process of its own; SIGINT is in cli/test_app.py, the others are among the faults."""
    process = start(tmp_path, "schedule.all.steps=100000", "checkpoint.every=100000", "evaluate.every=100000")
    process.send_signal(signal.SIGUSR1)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 75
    assert "SIGUSR1: stopping after this step" in printed
    folder = tmp_path / "outputs" / "run"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert read(RunFolder(folder).checkpoint("last"))["steps"] == summary["steps"] == lines(folder)[-1]["step"]


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    process = start(tmp_path, "schedule.all.steps=100000", "evaluate.every=100000", "trainer.batch_size=64")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    for path in (tmp_path / "outputs" / "run" / "checkpoints").glob("*"):
        assert path.suffix == ".pt"
        read(path)


def test_ctrl_c_ends_a_sweep(tmp_path):
    words = ("-m", "seed=0,1", "schedule.all.steps=100000", "evaluate.every=100000")
    process = start(tmp_path, *words, "hydra.sweep.dir=outputs/sweep", folder="sweep/000-*")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((tmp_path / "outputs" / "sweep").glob("001-*"))


def start(home, *words, folder="run"):
    """A run in a process of its own that has taken some steps."""
    command = [sys.executable, ROOT / "train.py", *words, *WORDS, "name=run"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    deadline = time.monotonic() + 120
    while not any(log.read_text().count("\n") >= 4 for log in (home / "outputs").glob(f"{folder}/metrics.jsonl")):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(process.communicate()[0])
        time.sleep(0.01)
    return process


def test_what_grey_scores_is_measured_once(inside, run_folder):
    folder = run_folder(to=f"outputs/{NAME}")
    kept = json.loads((folder / ".hydra" / "baselines.json").read_text())
    assert kept["rows"] == json.loads((folder / "summary.json").read_text())["baseline"]
    kept["rows"]["grey"]["psnr"] = 1.0
    (folder / ".hydra" / "baselines.json").write_text(json.dumps(kept))
    (folder / "summary.json").unlink()
    inside("train", *WORDS)
    assert json.loads((folder / "summary.json").read_text())["baseline"]["grey"]["psnr"] == 1.0
    (folder / ".hydra" / "baselines.json").write_text(json.dumps({**kept, "manifest": "another set"}))
    (folder / "summary.json").unlink()
    inside("train", *WORDS)
    assert json.loads((folder / "summary.json").read_text())["baseline"]["grey"]["psnr"] > 15
