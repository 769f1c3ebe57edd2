"""The judges of a run: sets of photographs that training scores, each an entry of the config."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.evaluation.validation import Validator
from colorize.evaluation.validation_set import squares_of
from colorize.models.load import best_state
from colorize.tracking.logger import JsonLines
from colorize.training.build import build_parts
from colorize.training.config_schema import with_checked_values
from colorize.training.resume import files_of_run
from colorize.utils.checkpoint import step_of
from colorize.utils.errors import UserError
from colorize.utils.serialization import read
from tests.helpers.configs import SMALL
from tests.helpers.trainers import Record, trainer_of

CPU = torch.device("cpu")
RUN = ("experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "tracker=none", "metrics=quick", "name=run",
       "schedule=single", "schedule.all.steps=2", "evaluate.every=1", "checkpoint.monitor=val/psnr")  # fmt: skip


def grey(L, _):
    return torch.zeros(len(L), 2, *L.shape[2:])


@pytest.fixture
def folder(tmp_path):
    """Three photographs of one colour each."""
    place = tmp_path / "mine"
    place.mkdir()
    for name, color in (("red", (200, 40, 40)), ("green", (40, 200, 40)), ("blue", (40, 40, 200))):
        Image.new("RGB", (40, 32), color).save(place / f"{name}.png")
    return place


def judges(small, *words):
    cfg = small("cnn", "loss=l1", "metrics=quick", *words)
    parts = build_parts(cfg)
    return parts.judges, parts


def test_a_second_set_is_one_more_entry(small, folder, tmp_path):
    words = [f"+evaluate.judges.mine={{source: '{folder}', prefix: mine, samples: 2}}", "evaluate.every=4"]
    trainer = trainer_of(small("cnn", "loss=l1", "metrics=quick", *words), tmp_path / "run")
    heard = Record()
    assert trainer.fit(heard)
    scored = {step: values for step, values in heard.lines if "val/psnr" in values}
    assert list(scored) == [0, 4]
    assert all({"val/psnr", "mine/psnr", "train_slice/psnr"} <= values.keys() for values in scored.values())
    assert heard.pictures == [(0, ["samples", "samples/mine"]), (4, ["samples", "samples/mine"])]


def test_a_slice_of_the_training_photographs_is_scored_as_they_are(small):
    found, parts = judges(small, "evaluate.judges.train_slice.photographs=3")
    train, names = parts.photographs.train, found["train_slice"].photographs.names
    assert len(names) == 3
    chosen = train.select([list(train.names()).index(name) for name in names])
    expected = Validator(squares_of(parts.photographs, chosen), parts.validator.metrics).score(grey, CPU)[0]
    assert found["train_slice"].score(grey, CPU) == (expected, None)


def test_sheets_have_the_steps_and_the_pictures_of_the_weights_that_were_evaluated(small, tmp_path):
    """Each sheet is predicted again: at step 0 by a new network of the same seed, later by that step's checkpoint."""
    cfg = small("cnn", "loss=l1", "metrics=quick", "evaluate.every=2", "checkpoint.every=1", "checkpoint.keep=9")
    log = JsonLines(tmp_path)
    assert trainer_of(cfg, tmp_path).fit(log)
    log.finish()
    sheets = {path.name: np.array(Image.open(path)) for path in sorted((tmp_path / "samples").iterdir())}
    assert list(sheets) == ["step-000000.png", "step-000002.png", "step-000004.png"]
    parts = build_parts(cfg)
    for name, sheet in sheets.items():
        if step := step_of(Path(name)):
            held = read(tmp_path / "checkpoints" / f"step-{step:08d}.pt")
            parts.model.load_state_dict(best_state(held["players"]["model"]))
        _, expected = parts.validator.score(parts.model.eval().colorize, CPU)
        assert np.array_equal(sheet, np.array(expected)), name
    assert not np.array_equal(sheets["step-000002.png"], sheets["step-000004.png"])


def test_each_may_come_at_its_own_steps(small, tmp_path):
    words = ("evaluate.every=2", "+evaluate.judges.train_slice.every=3", "evaluate.historical=true")
    trainer = trainer_of(small("cnn", "loss=l1", "metrics=quick", *words), tmp_path)
    heard = Record()
    trainer.fit(heard)
    steps = {prefix: [step for step, values in heard.lines if any(name.startswith(prefix) for name in values)]
             for prefix in ("val/", "historical/", "train_slice/")}  # fmt: skip
    assert steps == {"val/": [0, 2, 4], "historical/": [0, 2, 4], "train_slice/": [0, 3, 4]}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["validation", "train_slice"]),
        (["evaluate.historical=true"], ["validation", "historical", "train_slice"]),
        (["evaluate.historical=true", "evaluate.judges.historical=false"], ["validation", "train_slice"]),
        (["evaluate.judges.train_slice=false"], ["validation"]),
        (["evaluate.judges.train_slice=true"], ["validation", "train_slice"]),
        (["+evaluate.judges.train_slice.source=false"], ["validation"]),
    ],
)
def test_false_leaves_one_out(small, words, names):
    assert list(judges(small, *words)[0]) == names


def test_black_and_white_photographs_are_judged_without_truth(small, tmp_path):
    Image.new("L", (40, 40), 90).save(tmp_path / "old.png")
    for words in ([f"evaluate.historical='{tmp_path}'"],
                  [f"+evaluate.judges.old={{source: '{tmp_path}', prefix: old, truth: false}}"]):  # fmt: skip
        found = list(judges(small, *words)[0].values())
        old = next(judge for judge in found if not judge.photographs.truth)
        assert old.photographs.names == ["old.png"]
        assert old.score(grey, CPU)[0].keys() == {"colorfulness", "chroma_mean"}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("+evaluate.judges.mine={source: nowhere, prefix: mine}", "there is no folder 'nowhere'"),
        ("+evaluate.judges.mine={source: train_slice, prefix: val}", "prefix is 'val'; it must be one word"),
        ("+evaluate.judges.mine={source: train_slice, prefix: train}", "prefix is 'train'; it must be one word"),
        ("evaluate.judges.validation=false", r"evaluate\.judges\.validation must be there"),
        ("evaluate.judges.validation.prefix=mine", r"evaluate\.judges\.validation must be there"),
    ],
)
def test_judges_that_cannot_be_are_refused(small, word, reason):
    with pytest.raises(UserError, match=reason):
        judges(small, word)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("+evaluate.judges.mine={prefx: mine}", r"evaluate.judges.mine has no 'prefx': did you mean prefix"),
        ("+evaluate.judges.mine=3", r"evaluate.judges.mine is 3; it must be a mapping .* or true or false"),
        ("evaluate.judges=3", "evaluate.judges is 3; it must be a mapping"),
        ("evaluate.judges.train_slice.photographs=none", "evaluate.judges.train_slice.photographs is 'none'"),
        ("evaluate.judges.train_slice.photographs=0", "evaluate.judges.train_slice.photographs is 0"),
    ],
)
def test_their_values_are_checked(config, word, reason):
    with pytest.raises(UserError, match=reason):
        with_checked_values(config("experiment=smoke", "tracker=none", word), "train")


def test_their_pictures_stay_in_the_run_folder(config):
    cfg = config(*RUN)
    cfg.evaluate.judges = {"validation": {}, "../x": {"source": "demo", "prefix": "x"}}
    with pytest.raises(
        UserError, match=r"the name of evaluate\.judges\.\.\./x is '\.\./x'; it must be a name that stays"
    ):
        with_checked_values(cfg, "train")


def test_their_pictures_of_later_steps_go_where_a_run_resumes(tmp_path):
    for step in (1, 2):
        (path := tmp_path / f"samples/mine/step-{step:06d}.png").parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    JsonLines(tmp_path, 1).finish()
    assert [path.name for path in tmp_path.glob("samples/mine/*")] == ["step-000001.png"]
    assert tmp_path / "samples/mine/step-000001.png" in files_of_run(tmp_path)


def test_unreadable_training_photographs_are_no_part_of_the_slice(small, photographs):
    bad = sorted(photographs.rglob("*.jpg"))[0]
    bad.write_bytes(b"")
    folders = (f"data.root='{photographs}'", f"data.val_root='{photographs}/dogs'")
    found, parts = judges(small, "data=folder", *folders)
    assert len(found["train_slice"]) == len(parts.photographs.train) - 1


def test_a_run_says_what_it_is_before_it_measures(inside, monkeypatch):
    monkeypatch.setattr("colorize.evaluation.validation.ProgressBar.__init__.__defaults__", (0.0, 0))
    done = inside("train", *RUN, "evaluate.judges.historical=false")
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    assert "cnn of" in printed.partition("baseline grey: 16 of 24 validation photographs")[0]
    lines = [json.loads(line) for line in Path("outputs/run/metrics.jsonl").read_text().splitlines()]
    names = {name.partition("/")[0] for line in lines for name in line}
    assert {"val", "train_slice"} <= names
    assert "historical" not in names
