"""What strangers send: run folders, exports, checkpoints, photographs and words that are damaged, absurd or hostile.

    python -m tests.faults.strangers [--only KIND …] [--keep FOLDER]

Each case runs in a process of its own, forked from one that has imported everything, with limits of time and memory. It
is bad where it ends in a traceback, hangs, is killed, runs a stranger's code, or writes outside its folder. Prints a
table of counts, and what was bad; the exit status is 1 where anything was.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60  #          of a case
MEMORY = 6 * 2**30  #    bytes that a case may take, of address space
MARK = "code-was-run"  # a file that a stranger's code leaves in the folder of its case
KINDS = {  # name -> the module beside this one that has its cases
    "folders": "stranger_folders",
}  # fmt: skip
OUTCOMES = ("done", "named", "refused late", "traceback", "hang", "killed", "code run", "outside")
BAD = OUTCOMES[3:]


@dataclass(frozen=True)
class Case:
    """A command in a folder of its own.

    prepare  fills the folder; `command` is what is then called there, and returns an exit status
    must     "refuse": done is bad; "finish": a refusal is bad; "": either is well
    """

    kind: str
    name: str
    prepare: Callable[[Path], None]
    command: Callable[[], int]
    must: str = "refuse"


def verb(*words: object) -> Callable[[], int]:
    """A command line of `colorize`."""

    def call() -> int:
        from colorize.cli import main

        sys.argv = ["colorize"]
        return main([str(word) for word in words])

    return call


def outcome(case: Case, home: Path) -> tuple[str, str]:
    """How a case ends, and what it printed."""
    home.mkdir(parents=True)
    case.prepare(home)
    around = listed(home.parent)
    log = home.parent / f"{home.name}.log"
    process = os.fork()
    if process == 0:
        child(case, home, log)
    status = wait(process)
    printed = log.read_text(errors="replace")
    left = sorted(listed(home.parent) - around - {log.name})
    log.unlink()
    return judged(case, status, printed, home, left), "\n".join([*left, printed])


def child(case: Case, home: Path, log: Path) -> None:
    """Never returns."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.chdir(home)
    sys.path.insert(0, "")
    try:
        code = case.command()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # whatever it is, it is a traceback that a user sees
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if 0 <= code < 256 else 1)


def wait(process: int) -> int | None:
    """The exit status, negative for a signal; None where the time was over."""
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def judged(case: Case, status: int | None, printed: str, home: Path, left: list[str]) -> str:
    if (home / MARK).exists() or (home.parent / MARK).exists():
        return "code run"
    if left:
        return "outside"
    if status is None:
        return "hang"
    if "Traceback (most recent call last)" in printed or status == 99:
        return "traceback"
    if status < 0:
        return "killed"
    if status == 0:
        return "refused late" if case.must == "refuse" else "done"
    return "named"


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def cases(names: list[str], home: Path) -> Iterator[Case]:
    """All cases of these kinds. What they stand on, such as a run, is made once in `home`."""
    for name in names:
        yield from importlib.import_module(f"{__package__}.{KINDS[name]}").cases(home / "shared")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.strangers", description="Try what strangers send.")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    words = parser.parse_args(argv)
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "shared").mkdir()
        for number, case in enumerate(cases(words.only, home)):
            place = home / "cases" / f"{number}"
            place.parent.mkdir(exist_ok=True)
            ended, printed = outcome(case, place)
            counts[case.kind, ended] += 1
            wrong = ended in BAD or (ended == "refused late") or (case.must == "finish" and ended != "done")
            if wrong:
                bad.append(case)
                print(f"{case.kind}: {case.name}: {ended}\n    " + "\n    ".join(printed.strip().splitlines()[-6:]))
    print(table(counts))
    return 1 if bad else 0


def table(counts: Counter[tuple[str, str]]) -> str:
    kinds = list(dict.fromkeys(kind for kind, _ in counts))
    lines = [["", *OUTCOMES]]
    lines += [[kind, *(str(counts[kind, outcome]) for outcome in OUTCOMES)] for kind in kinds]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["WANDB_MODE"] = "offline"
    sys.exit(main())
