"""Absurd values for every leaf of every config: each is refused in one sentence, or is a value that the program takes.

The short part composes configs and checks them, for every leaf and value. The long part,
`python -m tests.faults.strangers --only values`, gives some of them to the programs themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from colorize.config import conf_folder
from colorize.training.config_schema import check_parts, check_settings
from colorize.utils.errors import UserError

from . import stranger_folders, strangers

VALUES: dict[str, Any] = {  # as it is said -> as Hydra reads it
    "null": None, "[]": [], "{}": {}, "nan": nan, "inf": inf, "-1": -1, "0": 0, "1e18": 1e18, "x": "x", "[1]": [1],
    "{a: 1}": {"a": 1}, "true": True,
}  # fmt: skip
GROUPS = {
    "train": ["model", "loss", "data", "data/look", "optimizer", "schedule", "tracker", "metrics"],
    "evaluate": ["protocol", "metrics"],
}
SMOKE = [
    "experiment=smoke", "model=cnn", "loss=l1", "tracker=none", "metrics=quick", "evaluate.historical=false",
    "schedule.all.steps=1",
]  # fmt: skip
SCORES = ["run=run", "protocol=validation", "metrics=quick", "table=false"]


class Case(NamedTuple):
    program: str
    choice: str  # group=option, or nothing
    key: str
    value: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.program, self.choice, f"{self.key}={self.value}")))


def configs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(program, choice, config) of every option of every group, and first what each program has by default."""
    conf = conf_folder()
    with initialize_config_dir(str(conf), version_base="1.3"):
        for program, groups in GROUPS.items():
            choices = [f"{g}={p.stem}" for g in groups for p in sorted((conf / g).glob("*.yaml"))]
            for choice in ["", *choices]:
                yield program, choice, OmegaConf.to_container(compose(program, overrides=[choice] if choice else []))


def cases(program: str, choice: str, cfg: dict[str, Any]) -> Iterator[Case]:
    """Every value for every leaf, and for every node, of what is chosen; of the whole config where nothing is."""
    group = choice.split("=")[0].split("/")[0]
    for key in [path for path in paths(cfg) if path.split(".")[0] == group or not choice]:
        yield from (Case(program, choice, key, value) for value in VALUES)


def paths(node: Any, path: str = "") -> Iterator[str]:
    for key, value in node.items():
        below = f"{path}.{key}" if path else str(key)
        if not str(key).startswith("_"):
            yield below
        if isinstance(value, dict):
            yield from paths(value, below)


def checked(case: Case, cfg: dict[str, Any]) -> str:
    """How a config with the value is answered: taken, or the sentence that refuses it. Anything else is raised."""
    values = deepcopy(cfg)
    *above, last = case.key.split(".")
    node = values
    for key in above:
        node = node[key]
    node[last] = deepcopy(VALUES[case.value])
    try:
        check_settings(values, case.program)
        check_parts(values)
    except UserError as error:
        return str(error)
    return "taken"


def all_checked() -> dict[Case, str]:
    """The short part: case -> answer. Raises what is neither: an error of the program's own."""
    answers = {}
    for program, choice, cfg in configs():
        for case in cases(program, choice, cfg):
            try:
                answers[case] = checked(case, cfg)
            except Exception as error:
                raise AssertionError(f"{case} is answered by {type(error).__name__}: {error}") from error
    return answers


def commands(shared: Path) -> Iterator[strangers.Case]:
    """Every case as a command line, for the program itself."""
    prepare = partial(stranger_folders.arranged, stranger_folders.run(shared), edit=lambda folder: None)
    for case in (each for config in configs() for each in cases(*config)):
        base = SMOKE if case.program == "train" else SCORES
        told = [word for word in base if word.split("=")[0] not in (case.key, case.choice.split("=")[0])]
        command = strangers.verb(case.program, *told, *filter(None, [case.choice]), f"{case.key}={case.value}")
        yield strangers.Case(f"value, {case.program}", str(case), prepare, command, must="", outputs=None)
