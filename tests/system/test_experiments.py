"""What the programs of experiments/ make before they train: folders of photographs, configs of tries, tables."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from colorize.config import build_part
from colorize.data.sources import demo_photographs
from tests.helpers.configs import ROOT

EXPERIMENTS = ROOT / "experiments"
TRIES = yaml.safe_load((EXPERIMENTS / "recipe" / "tries.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def given(tmp_path):
    """The smallest folder that photographs.py takes."""
    names = [f"people_places/train/{name}.jpg" for name in ("a", "b", "c")] + ["people_places/val/d.jpg"]
    names += ["caltech101/train/cat/e.jpg", "plates_raw/1.jpg", "historical_color/plate_1.jpg"]
    names += ["historical_color/loc_peasant_girls.jpg", "historical_color/loc.jpg"]
    names += ["documerica/s.jpg", "fsa_color/t.jpg", "fsa_bw/u.jpg"]
    for number, name in enumerate(names):
        (tmp_path / "given" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50, 3), number * 9, np.uint8)).save(tmp_path / "given" / name)
    (tmp_path / "given" / "bsds500_test").mkdir()
    people = [
        ("file", "group", "set", "repository", "licence"),
        ("train/a.jpg", "open", "x", "o/a", "CC-BY-2.0 (there)"),
        ("train/b.jpg", "mixed", "x", "o/b", "none stated (web)"),
        ("train/c.jpg", "open", "x", "o/c", "CC BY 2.0"),
        ("val/d.jpg", "open", "x", "o/a", "CC0 1.0"),
    ]
    (tmp_path / "given" / "people_places" / "SOURCES.tsv").write_text("\n".join(map("\t".join, people)))
    return tmp_path / "given"


def test_the_folders_of_photographs(given, tmp_path, config):
    program = [sys.executable, EXPERIMENTS / "photographs.py", given, "-o", tmp_path / "made"]
    for _ in range(2):
        subprocess.run(program, check=True, cwd=tmp_path, capture_output=True)
    roots = [f"data.root={tmp_path / 'made' / 'train'}", f"data.val_root={tmp_path / 'made' / 'val'}"]
    data = build_part(config("experiment=recipe/base", *roots).data, "data")
    before, now = demo_photographs(people=False), demo_photographs()
    held_out = {*before[1].names(), *now[1].names()}
    names = set(data.train.names())
    assert names == {
        "caltech101/cat/e.jpg",
        *(f"people_places/{name}.jpg" for name in "abc"),
        *(f"demo/{name}" for name in before[0].names()),
    }
    assert list(data.val.names()) == ["people_places/d.jpg"]
    opened = {path.relative_to(tmp_path / "made" / "train_open").as_posix()
              for path in (tmp_path / "made" / "train_open").rglob("*.jpg")}  # fmt: skip
    assert opened == {
        "people_places/a.jpg", "people_places/c.jpg", *(f"demo/{name}" for name in {*now[0].names()} - held_out)
    }  # fmt: skip
    assert not {name.rsplit("/", 1)[-1] for name in names | opened} & held_out
    old = {folder: sorted(path.name for top in (tmp_path / "made" / folder).iterdir() for path in top.rglob("*.jpg"))
           for folder in ("period", "slides", "fsa")}  # fmt: skip
    assert old == {"period": ["1.jpg", "loc.jpg"], "slides": ["s.jpg", "t.jpg"], "fsa": ["u.jpg"]}
    for folder, count in (("train", len(names)), ("train_open", len(opened))):
        head, *lines = (line.split("\t") for line in (tmp_path / "made" / f"{folder}.tsv").read_text().splitlines())
        assert head == ["set", "source", "licence as read", "photographs"]
        assert sum(int(line[3]) for line in lines) == count
        assert ["people_places, x", "o/a, o/c", "CC BY 2.0", "2"] in lines
    assert all(line[2] for line in lines)


@pytest.mark.parametrize("name", TRIES)
def test_a_try_is_one_change_of_the_base(name, config):
    cfg, base = config("experiment=recipe/base", *TRIES[name]), config("experiment=recipe/base")
    assert cfg.name.startswith("recipe-base")
    assert name.startswith("base") or cfg != base
    optimizers, schedule = build_part(cfg.optimizer, "optimizer"), build_part(cfg.schedule, "schedule")
    build_part(cfg.loss, "loss").active({})
    for phase in schedule.values():
        optimizers.check(phase.optimizer)


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    """The program run.py in a folder of its own, whose commands only leave what it reads: steps of 0.5 s in the first
    phase and of 2 s in any other."""
    monkeypatch.syspath_prepend(EXPERIMENTS / "recipe")
    monkeypatch.chdir(tmp_path)
    program = runpy.run_path(str(EXPERIMENTS / "recipe" / "run.py"))
    said: list[tuple[str, ...]] = []

    def call(*words: str, quiet: bool = False) -> bool:
        said.append(words)
        options = dict(word.split("=", 1) for word in words if "=" in word)
        if words[0] == "evaluate.py":
            write(Path(options["run"]) / "results" / "people_places.json", "{}")
        elif quiet:
            run = Path(options["hydra.run.dir"])
            steps = sum(int(value) for key, value in options.items() if key.endswith(".steps"))
            lines = [{"step": step, "images_per_second": 32 if step <= 24 else 8} for step in range(1, steps + 1)]
            write(run / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
            write(run / ".hydra" / "config.yaml", "trainer: {batch_size: 16, accumulate: 1}")
        else:
            write(Path("outputs") / options["name"] / "summary.json", json.dumps({"status": "finished"}))
        return True

    program["main"].__globals__["call"] = call

    def run(*names: str) -> int:
        monkeypatch.setattr(sys, "argv", ["run.py", *names])
        return program["main"]()

    return run, said


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_tries_take_the_same_time_and_are_not_done_again(recipe):
    run, said = recipe
    assert run("base", "small_first") == 0
    timed, trained = said[:2], said[2:]
    assert all(words[-1] == "name=timed" for words in timed)  # all before the first is trained
    assert [words[0] for words in trained] == ["train.py", "evaluate.py"] * 2
    assert "schedule.all.steps=1200" in trained[0]  # of 0.5 s
    assert {"schedule.small.steps=400", "schedule.all.steps=200"} <= set(trained[2])  # 400 · 0.5 s + 200 · 2 s
    assert "run=outputs/recipe/small_first" in trained[3]
    assert run("base", "small_first") == 0
    assert len(said) == 6
    Path("outputs/recipe/base/results/people_places.json").unlink()
    assert run("base") == 0
    assert [words[0] for words in said[6:]] == ["train.py", "evaluate.py"]  # the steps are known


def test_the_table_of_tries(evaluated, tmp_path, monkeypatch):
    """Two runs' results, of which one is the base: a gain with its interval, baselines, and every number in the CSV."""
    monkeypatch.syspath_prepend(EXPERIMENTS / "recipe")
    table = runpy.run_path(str(EXPERIMENTS / "recipe" / "table.py"))
    for name, better in (("base", 0.0), ("lite2", 1.0)):
        evaluated(name, better, noise=0.0)
    write(tmp_path / "tries.yaml", "base: []\nlite2: [model.encoder=tf_efficientnet_lite2]\nwide: []\n")
    write(tmp_path / "README.md", "Before\n\n<!-- begin table -->\n\n<!-- end table -->\n\nBehind\n")
    record = {"lite2": {"words": ["model.encoder=tf_efficientnet_lite2"], "steps": {"small": 1000, "all": 240}}}
    for _ in range(2):
        assert table["write_table"](tmp_path, tmp_path, "toy", record) == 0
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("Before\n\n<!-- begin table -->\n\n| try |")
    assert text.endswith("|\n\n<!-- end table -->\n\nBehind\n")
    assert "| lite2 | `model.encoder=tf_efficientnet_lite2` | 1,000 + 240 | +1.00 (+1.00 to +1.00) |" in text
    assert "| grey |" in text
    assert "wide" not in text
    lines = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "try,words,steps,row,metric,value,low,high,n"
    assert any(line.startswith("lite2,model.encoder=tf_efficientnet_lite2,1000+240,model,psnr,") for line in lines)
