"""Runs that begin from others by a word: resume, rerun, and what a scheduler starts again."""

import json
import logging

import pytest
import torch

from colorize.cli.hydra_app import expand_resume_rerun
from colorize.run_folder import RunFolder
from colorize.utils.checkpoint import Checkpoints
from tests.helpers.commands import NAME, lines, refused
from tests.helpers.run_weights import WORDS, weights


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
    assert "resumes after step 2" in done.stdout
    for kind in ("module", "average"):
        one, other = (weights(path)["model"][kind] for path in (trained(), folder))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert not list((tmp_path / "outputs").iterdir())
    refused(inside("train", f"resume={folder}", "optimizer.lr=1"), "which optimizer.lr=1 would change", "rerun")
    refused(inside("train", f"resume={folder}", "overwrite=true"), "which overwrite=true would change")
    refused(inside("train", "resume=nowhere"), "resume=nowhere: there is no run in that folder")
    assert expand_resume_rerun(["resume=null", "rerun=null", "seed=1"]) == (["seed=1"], [])
    assert inside("train", f"resume={folder}", "checkpoint.every=50").returncode == 0


@pytest.mark.parametrize("variable", ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"])
def test_a_scheduler_that_starts_it_again_does_not_overwrite_it(variable, inside, run_folder, monkeypatch):
    (run_folder(to=f"outputs/{NAME}") / "summary.json").unlink()
    monkeypatch.setenv(variable, "1")
    assert "resumes after step 4" in inside("train", *WORDS, "overwrite=true").stdout


def test_rerun_does_it_again_with_changes(inside, tmp_path):
    steps = ("schedule.all.steps=8", "evaluate.every=100", "optimizer.lr=0.002")
    assert inside("train", *WORDS, *steps, "name=first").returncode == 0
    first = tmp_path / "outputs" / "first"
    done = inside("train", f"rerun={first}")
    assert done.returncode == 0, done.stderr
    again = tmp_path / "outputs" / "first-rerun"
    losses = [[line["train/loss"] for line in lines(folder) if "train/loss" in line] for folder in (first, again)]
    assert len(losses[0]) == 8
    assert losses[0] == losses[1]
    assert inside("train", f"rerun={first}", "seed=7").returncode == 0
    other = RunFolder(tmp_path / "outputs" / "first-seed-7").read_config()
    assert (other.seed, other.optimizer.lr, other.names.model) == (7, 0.002, "cnn")
    refused(inside("train", f"rerun={first}", f"resume={first}"), "use one of them")


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


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_requests_of_an_http_client_are_no_lines_of_hydras(verb, inside, capsys):
    """Hydra shows what any library logs; that of one's own parts is wanted."""
    words = ("data=folder", "data.root=nowhere") if verb == "train" else ("run=nowhere",)
    refused(inside(verb, *words), "nowhere")
    for name in ("httpx", "httpx2", "mine"):
        logging.getLogger(name).info("said by %s", name)
    printed = capsys.readouterr().out
    assert "said by mine" in printed
    assert "httpx" not in printed
