"""Absurd values for every leaf of every config: each is refused in one sentence, or is a value that the program takes.

    python -m tests.faults.absurd_values [--count 400] [--seed 0]

The short part composes configs and checks them, for every leaf and value. The long part, here as a script, draws
`count` of them and gives each to the program itself, in a process of its own with at most a minute. It prints how many
ended how; the exit status is 1 if one ended in a traceback or not at all.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from colorize.cli import conf_folder
from colorize.errors import UserError
from colorize.settings import check_parts, check_settings

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
    "schedule.all.steps=1", "data.root=photographs",
]  # fmt: skip
SECONDS = 60


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


def started(case: Case, folder: Path) -> str:
    """How the program itself answers: finished, refused, traceback or hang."""
    base = [*SMOKE, f"name=run-{folder.name}"] if case.program == "train" else ["run=nothing"]
    kept = [word for word in base if word.split("=")[0] not in (case.key, case.choice.split("=")[0])]
    words = [*kept, *filter(None, [case.choice]), f"{case.key}={case.value}"]
    words = [word for word in words if not (word.startswith("data.root") and "data.root" not in case.choice)]
    folder.mkdir(parents=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "colorize", case.program, *words], cwd=folder, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hang"
    if "Traceback" in done.stderr + done.stdout or "HYDRA_FULL_ERROR" in done.stderr:
        return "traceback"
    return "finished" if done.returncode == 0 else "refused"


def campaign(count: int, seed: int) -> dict[str, list[str]]:
    """outcome -> the cases that had it, of `count` drawn from all."""
    every = [case for config in configs() for case in cases(*config)]
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for place, case in enumerate(random.Random(seed).sample(every, min(count, len(every)))):
            outcome = started(case, Path(scratch) / f"{place}")
            found.setdefault(outcome, []).append(str(case))
            if outcome in ("traceback", "hang"):
                print(f"{outcome}: {case}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = campaign(arguments.count, arguments.seed)
    print(json.dumps(Counter({outcome: len(those) for outcome, those in found.items()})))
    return int(bool(found.keys() & {"traceback", "hang"}))


if __name__ == "__main__":
    sys.exit(main())
