"""Odd files through every verb that reads photographs, a script: what became of each, against what should.

    python -m tests.faults.odd_files ../shared/cases [--only NAME …] [--verbs VERB …] [--quick] [--folder FOLDER]

FOLDER holds photographs and `expected.json`, which says of each whether it should be painted or refused, and the
lightness of 8×8 areas that should come out. Each file goes alone through each verb, in one process that is killed and
started anew where a file takes longer than `SECONDS`; then all go through the commands together, and so do the folders
that `make_names.py` beside them makes. `--quick` leaves the commands and the folders out.

Prints a table, verb × outcome, and every file that came out otherwise than it should. The exit status is 1 if one did.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from .odd_verbs import OF_TARS, VERBS, Worker, commanded, judged, make_weights

SECONDS = 30  #   that a file may take in one verb
PATIENCE = 240  # that a command may take over all files
SKIPPED = (".pth", ".safetensors", ".db")  # of weights other tests ask
RUN = ["experiment=smoke", "model=cnn", "model.width=0.1", "model.global_size=32", "loss=l1", "tracker=none",
       "evaluate.historical=false", "metrics=quick", "data.max_bad=0.95"]  # fmt: skip
SCORES = ["protocol=clean", "metrics=quick", "table=false"]
FINE = ("as it should be", "refused")


class Line(NamedTuple):
    verb: str
    name: str
    outcome: str
    why: str = ""


def expected_of(cases: Path, only: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Those of photographs, and of tar files of them."""
    known = json.loads((cases / "expected.json").read_text(encoding="utf-8"))
    wanted = {name: told for name, told in known.items() if not name.endswith(SKIPPED)}
    return {name: told for name, told in wanted.items() if not only or name in only}


def each_alone(
    cases: Path, expected: Mapping[str, Mapping[str, Any]], verbs: Sequence[str], worker: Worker
) -> list[Line]:
    lines = []
    for verb in verbs:
        for name, told in expected.items():
            if name.endswith(".tar") and verb not in OF_TARS:
                continue
            answer = worker.ask(judged, verb, str(cases / name), dict(told), seconds=SECONDS)
            lines.append(Line(verb, name, *answer))
    return lines


def commands(folder: Path, weights: Path, work: Path) -> dict[str, list[str]]:
    """Every command over all photographs of a folder."""
    to = lambda name: str(work / name)  # noqa: E731
    said = {f"paint --format {kind}": ["paint", str(folder), "-w", str(weights), "-o", to(kind), "--format", kind]
            for kind in ("png", "tif", "jpg", "webp")}  # fmt: skip
    quoted = "'" + str(folder).replace("'", "\\'") + "'"
    return said | {
        "inspect": ["inspect", str(folder), "-o", to("report")],
        "train": ["train", *RUN, "data=folder", f"data.root={quoted}", f"hydra.run.dir={to('run')}"],
        "evaluate": ["evaluate", f"run={weights}", f"source={quoted}", f"out={to('scores')}", *SCORES],
        "prepare": ["prepare", str(folder), to("tars"), "--max-bad", "0.95"],
        "prepare --size": ["prepare", str(folder), to("small"), "--max-bad", "0.95", "--size", "32"],
    }


def all_together(folder: Path, weights: Path, work: Path, told: str, worker: Worker) -> list[Line]:
    work.mkdir(parents=True, exist_ok=True)
    made = commands(folder, weights, work)
    return [Line(verb, told, *worker.ask(commanded, words, seconds=PATIENCE)) for verb, words in made.items()]


def odd_folders(cases: Path, weights: Path, work: Path, worker: Worker) -> list[Line]:
    """The folders of `make_names.py`, those that can fill memory included."""
    target = work / "names"
    made = [sys.executable, str(cases / "make_names.py"), str(target), "--dangerous"]
    subprocess.run(made, check=True, capture_output=True, timeout=PATIENCE)
    lines = []
    for number, folder in enumerate(sorted(path for path in target.iterdir() if path.is_dir())):
        shown = folder.name.encode("utf-8", errors="replace").decode()
        lines += all_together(folder, weights, work / f"of-{number}", f"folder {shown}", worker)
    return lines


def table_of(lines: Sequence[Line]) -> Table:
    """Verb × outcome."""
    outcomes = [*FINE, *sorted({line.outcome for line in lines} - set(FINE))]
    table = Table(title="odd files", title_justify="left")
    for head in ("", *outcomes):
        table.add_column(head, justify="right" if head else "left")
    for verb in dict.fromkeys(line.verb for line in lines):
        count = Counter(line.outcome for line in lines if line.verb == verb)
        table.add_row(verb, *(str(count[outcome]) for outcome in outcomes))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--folder", type=Path)
    words = parser.parse_args(argv)
    cases = words.cases.resolve()
    with tempfile.TemporaryDirectory() as made:
        work = (words.folder or Path(made)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        weights = make_weights(work / "weights")
        with Worker(work) as worker:
            lines = each_alone(cases, expected_of(cases, words.only), words.verbs, worker)
            if not words.quick:
                lines += all_together(cases, weights, work / "together", "all together", worker)
                lines += odd_folders(cases, weights, work, worker)
    console = Console(width=120)
    console.print(table_of(lines))
    odd = [line for line in lines if line.outcome not in FINE]
    for line in odd:
        console.print(f"{line.verb} {line.name}: {line.outcome}: {line.why}", markup=False)
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
