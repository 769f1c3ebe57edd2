"""Run folders from strangers whose configs would run code, ask this machine for something, or write elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from .strangers import MARK, Case, verb

SHELL = {"_target_": "os.system", "command": f"touch {MARK}"}
CALLS = {  # ways to run code, or to read or write a file, with plain arguments
    "os.system": SHELL,
    "subprocess": {"_target_": "subprocess.call", "args": ["touch", MARK]},
    "exec": {"_target_": "builtins.exec", "_args_": [f"open({MARK!r}, 'w')"]},
    "open": {"_target_": "builtins.open", "file": MARK, "mode": "w"},
    "touch": {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [MARK]}]},
    "pickle": {"_target_": "torch.load", "f": "evil.pkl", "weights_only": False},
    "partial": {"_target_": "functools.partial", "_args_": [{"_target_": "os.system", "_partial_": True}]},
    "hydra": {"_target_": "hydra.utils.instantiate", "config": SHELL},
    "ours": {"_target_": "colorize.cli.app.main", "argv": ["plates", "x"]},
    "ours, inside": {"_target_": "colorize.utils.checkpoint.os.system", "command": f"touch {MARK}"},
    "dunder": {"_target_": "colorize.__main__.main"},
    "a function": {"_target_": "colorize.utils.hydra_overrides.quoted", "value": "x"},
    "another kind": {"_target_": "colorize.losses.L1"},
    "a base": {"_target_": "colorize.models.Colorizer"},
    "beside": {"_target_": "evil.Evil"},
    "a list": {"_target_": ["os.system"]},
    "a number": {"_target_": 5},
    "climbing": {"_target_": "colorize...os.system"},
}
PLACES = {  # config path -> which commands read it
    "model": "all", "model.branches": "all", "model.upsample": "all", "loss": "resume", "loss.terms.pixel": "resume",
    "loss.terms.pixel.unit": "resume", "loss.weights": "resume", "data": "evaluate", "data.size": "size",
    "data.look": "evaluate", "optimizer": "resume", "optimizer.critic": "resume", "schedule": "resume",
    "schedule.all": "resume", "schedule.all.lr": "resume", "trainer": "resume", "trainer.device": "resume",
    "metrics": "resume", "metrics.psnr": "resume", "tracker": "evaluate", "evaluate": "resume", "names": "resume",
    "extra": "resume", "seed": "evaluate", "name": "evaluate", "evaluate.historical": "resume",
}  # fmt: skip
WORDS = [  # in overrides.yaml
    ["--config-dir=conf", "model=evil"], ["-cd", "conf", "model=evil"],
    ["hydra.searchpath=[file://conf]", "model=evil"],
    ["model._target_=os.system", f"+model.command='touch {MARK}'"],
    [f"+model.x={{_target_:os.system,command:'{MARK}'}}"],
    ["+extra={_target_:os.system}"], ["hydra.run.dir=../outside"], ["hydra/launcher=basic"], ["-m"], ["--multirun"],
    ["tracker.project=${oc.env:HOME}"], ["trust=[os]", "model._target_=os.system"], ["model._target_=evil.Evil"],
    ["hydra.callbacks.x={_target_:os.system}"], ["+hydra.job.env_set.PATH=."], ["tracker._target_=torch.load"],
    ["metrics@hydra.callbacks=quick"], ["--config-name=evil"], ["+model._args_=[1]"],
    ["++loss.terms.x={_target_:os.abort}"],
    ["loss.terms.pixel._target_=os.abort"], ["model={_target_:os.system}"], ["a: b"], [5], [["a"]],
]  # fmt: skip
RESOLVED = [
    {"model._target_": "os.system"}, {"model.branches": SHELL}, {"model.branches": "${oc.env:HOME}"},
    {"loss.terms.pixel._target_": "os.system"}, {"tracker._target_": "os.system"}, {"model": SHELL}, ["x"], "x",
    {"model.classes": float("nan")}, {5: 5}, {"../model": 1}, {"model.classes": ["a"]},
]  # fmt: skip


@cache
def run(shared: Path) -> Path:
    """A finished run, trained once, in a process of its own: what has trained cannot be forked."""
    folder = shared / "run"
    words = ["experiment=smoke", "tracker=none", "model=cnn", "loss=l1", "model.width=0.1", "model.global_size=32"]
    words += ["evaluate.historical=false", f"hydra.run.dir='{folder}'"]
    subprocess.run([sys.executable, "-m", "colorize", "train", *words], check=True, capture_output=True)
    return folder


def cases(shared: Path) -> Iterator[Case]:
    kept = run(shared)
    for place, readers in PLACES.items():
        for call, node in CALLS.items():
            if (place, call) != ("loss.terms.pixel", "another kind"):  # there it is one of its kind
                yield from attacked(kept, f"{place}: {call}", partial(planted, place=place, node=node), readers)
    for name, edit in CONFIGS.items():
        yield from attacked(kept, name, edit, "resume")
    for held in RESOLVED:
        yield from attacked(kept, f"resolved {held}", partial(write, name="resolved.yaml", content=held), "all")
    for words in WORDS:
        write_words = partial(write, name="overrides.yaml", content=words)
        yield Case("folder, rerun", f"{words}", partial(arranged, kept, edit=write_words), verb("train", "rerun=run"))
    for name, plant in PLANTED.items():
        must = "" if name in HARMLESS else "refuse"
        yield Case("folder, planted", name, partial(arranged, kept, edit=plant), verb("train", "resume=run"), must)
    for name in ("results", "results file"):
        yield Case("folder, planted", f"evaluate {name}", partial(arranged, kept, edit=PLANTED[name]), EVALUATE)


EVALUATE = verb("evaluate", "run=run", "protocol=validation", "metrics=quick", "+protocol.extractors=[]")
READERS: dict[str, dict[str, Callable[[], int]]] = {
    "all": {
        "paint": verb("paint", "photo.png", "-w", "run", "-o", "out"), "export": verb("export", "run", "-o", "out"),
        "init_from": verb("train", "experiment=smoke", "model=cnn", "loss=l1", "tracker=none", "init_from=run"),
    },
    "evaluate": {"evaluate": EVALUATE},
    "resume": {"resume": verb("train", "resume=run")},
}  # fmt: skip
READERS["evaluate"] |= READERS["resume"]
READERS["all"] |= READERS["evaluate"]
READERS["size"] = {name: command for name, command in READERS["all"].items() if name != "init_from"}


def attacked(
    kept: Path, name: str, edit: Callable[[Path], None], readers: str, must: str = "refuse", kind: str = "folder"
) -> Iterator[Case]:
    """The same folder before each of its readers."""
    for how, command in READERS[readers].items():
        yield Case(f"{kind}, {how}", name, partial(arranged, kept, edit=edit), command, must)


def arranged(kept: Path, home: Path, edit: Callable[[Path], None]) -> None:
    """A run that is not finished, in `run`, a photograph, and code that lies about."""
    from PIL import Image

    shutil.copytree(kept, home / "run")
    (home / "run" / "summary.json").unlink(missing_ok=True)
    shutil.rmtree(home / "run" / "results", ignore_errors=True)
    Image.new("L", (32, 32), 90).save(home / "photo.png")
    (home / "evil.py").write_text(f"open({MARK!r}, 'w')\nclass Evil: pass\n")
    (home / "conf" / "model").mkdir(parents=True)
    (home / "conf" / "model" / "evil.yaml").write_text("_target_: evil.Evil\n")
    torch.save(Marking(), home / "evil.pkl")
    edit(home / "run")


class Marking:
    def __reduce__(self) -> Any:
        return os.system, (f"touch {MARK}",)


def planted(folder: Path, place: str, node: Any) -> None:
    path = folder / ".hydra" / "config.yaml"
    config: Any = OmegaConf.load(path)
    OmegaConf.update(config, place, node, merge=False, force_add=True)
    OmegaConf.save(config, path)


def write(folder: Path, name: str, content: Any) -> None:
    OmegaConf.save(OmegaConf.create(content) if content != "x" else OmegaConf.create(["x"]), folder / ".hydra" / name)


def text(content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / ".hydra" / "config.yaml").write_text(content) and None


def added(line: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / ".hydra" / "config.yaml").open("a") as file:
            file.write(line)

    return edit


def referred(value: str, place: str = "model.branches", **more: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        planted(folder, place, value)
        for key, node in more.items():
            planted(folder, key, node)

    return edit


def growing(folder: Path) -> None:
    for i in range(40):
        planted(folder, f"grow{i}", "x" * 100 if i == 0 else f"${{grow{i - 1}}}${{grow{i - 1}}}")


CONFIGS: dict[str, Callable[[Path], None]] = {
    "a part by reference": referred("${evil}", evil=SHELL),
    "its name by reference": referred("${evil}", "model._target_", evil="os.system"),
    "a partial model": referred(True, "model._partial_"), "arguments by place": referred([1], "model._args_"),
    "converted": referred("none", "model._convert_"), "not recursive": referred(False, "model._recursive_"),
    "environment": referred("${oc.env:HOME}", "name"), "environment, inside": referred("a${oc.env:HOME}b", "name"),
    "decoded": referred("${oc.decode:'{_target_: os.system}'}"),
    "created": referred("${oc.create:{_target_:os.abort}}"),
    "selected": referred("${oc.select:evil}", evil=SHELL), "nested reference": referred("${a.${name}}"),
    "Hydra's own": referred("${hydra:runtime.cwd}", "name"), "a circle": referred("${model.branches}"),
    "nowhere": referred("${nothing.there}"), "growing": growing,
    "aliases": text("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True))),
    "a Python object": text("!!python/object/apply:os.system ['touch " + MARK + "']\n"),
    "a list": text("[1, 2]\n"), "empty": text(""), "no YAML": text("a: [1\nb: }"), "binary": text("\0\1\2"),
    "deep": text("a: " + "[" * 3000 + "]" * 3000 + "\n"), "many": text("".join(f"k{i}: 1\n" for i in range(20000))),
    "a number for a key": added("5: 6\n"), "large": added("x: " + "y" * 2**21 + "\n"),
}  # fmt: skip


def linked(name: str, *, to_file: bool) -> Callable[[Path], None]:
    """A link out of the folder where something will be written."""

    def edit(folder: Path) -> None:
        outside = folder.parent.parent / "victims" / folder.parent.name
        outside.mkdir(parents=True)
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        (folder / name).unlink(missing_ok=True)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(outside / "file" if to_file else outside)

    return edit


def put(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


PLANTED: dict[str, Callable[[Path], None]] = {
    "results": linked("results", to_file=False), "results file": linked("results/validation.json", to_file=True),
    "numbers": linked("metrics.jsonl", to_file=True), "lock": linked(".lock", to_file=True),
    "half a summary": linked("summary.json.part", to_file=True), "samples": linked("samples", to_file=False),
    "checkpoints": linked("checkpoints", to_file=False), "owner": linked(".owner", to_file=True),
    "a pruner": put("trial.json", json.dumps({"trial": 0, "objective": "val/psnr", "pruner": SHELL})),
    "a trial": put("trial.json", "[1]"), "half a trial": put("trial.json", '{"trial":'),
    "no study": put("trial.json", json.dumps(
        {"trial": 0, "objective": "val/psnr", "pruner": {"_target_": "optuna.pruners.MedianPruner"}})),
    "run id": put(".hydra/run_id", "../../../outside"), "token": put(".hydra/token", "../../../outside\n/nowhere"),
}  # fmt: skip
HARMLESS = ("run id", "token")
