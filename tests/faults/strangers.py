"""What strangers send: run folders, exports, weights, photographs, tar files, answers and words, damaged or hostile.

    python -m tests.faults.strangers [--only KIND …] [--count N] [--seed N]

Each case runs in a process of its own, forked from one that has imported everything, with limits of time and memory. It
is bad where it ends in a traceback, hangs, is killed, fails without a word, runs a stranger's code, writes outside its
output folder, takes what must be refused or refuses what must be taken. Prints what was bad, then a table, kind ×
outcome; the exit status is 1 where anything was.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir

import colorize
from colorize.config import conf_folder

SECONDS = 60  #          of a case
MEMORY = 4 * 2**30  #    bytes of address space that a case may take beside what it was forked with
MARK = "code-was-run"  # a file that a stranger's code leaves in the folder of its case
KINDS = {  # name -> the module beside this one and its function that has the cases
    "folders": "stranger_folders.cases", "weights": "stranger_weights.cases", "photographs": "stranger_files.cases",
    "tars": "stranger_files.tars", "places": "stranger_files.places", "servers": "stranger_servers.cases",
    "records": "stranger_records.cases", "mutations": "stranger_files.mutations",
    "values": "absurd_values.commands",
}  # fmt: skip
DRAWN = {"records": 300, "mutations": 2000, "values": 400}  # of kinds that have many more
FINE = ("finished", "refused")
OUTCOMES = (
    *FINE, "traceback", "hang", "killed", "silent", "code run", "file outside", "wrongly taken", "wrongly refused",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A command in a folder of its own.

    prepare  fills the folder; `command` is what is then called there, and returns an exit status
    must     "refuse" or "finish"; "": either is well
    outputs  what may be new in the folder afterwards; None: anything
    """

    kind: str
    name: str
    prepare: Callable[[Path], None]
    command: Callable[[], int]
    must: str = "refuse"
    outputs: Sequence[str] | None = ("out", "outputs", "run")


def verb(*words: object) -> Callable[[], int]:
    """A command line of `colorize`."""

    def call() -> int:
        from colorize.cli.app import main

        sys.argv = ["colorize"]
        return main([str(word) for word in words])

    return call


def outcome(case: Case, home: Path) -> tuple[str, str]:
    """How a case ends, and what it printed. Its folder is below `home`, which is gone afterwards."""
    place, log = home / "case", home / "log"
    place.mkdir(parents=True)
    case.prepare(place)
    log.touch()
    before = listed(home)
    process = os.fork()
    if process == 0:
        child(case, place, log)
    status = wait(process)
    printed = log.read_text(errors="replace")
    left = sorted(path for path in listed(home) - before if not allowed(case, path))
    ended = "code run" if (place / MARK).exists() else judged(case, status, printed, left)
    shutil.rmtree(home)
    return ended, "\n".join([*left, printed])


def child(case: Case, place: Path, log: Path) -> None:
    """Never returns."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.setsid()
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    os.chdir(place)
    os.environ["PATH"] = f"{place / 'bin'}:{os.environ['PATH']}"  # a stranger's, in place of the system's programs
    sys.path.insert(0, "")
    try:
        code = case.command()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # whatever it is, it is a traceback that a user sees
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if 0 <= code < 256 else 1)


def wait(process: int) -> int | None:
    """The exit status, negative for a signal; None where the time was over."""
    limit, status = time.monotonic() + SECONDS, None
    while status is None and time.monotonic() < limit:
        found, ended = os.waitpid(process, os.WNOHANG)
        if found:
            status = os.waitstatus_to_exitcode(ended)
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # and what it started
    if status is None:
        os.waitpid(process, 0)
    return status


def judged(case: Case, status: int | None, printed: str, left: Sequence[str]) -> str:
    if left:
        return "file outside"
    if status is None:
        return "hang"
    if "Traceback (most recent call last)" in printed:
        return "traceback"
    if status < 0:
        return "killed"
    if status == 0:
        return "wrongly taken" if case.must == "refuse" else "finished"
    if not printed.strip():
        return "silent"  # it says nothing of why
    return "wrongly refused" if case.must == "finish" else "refused"


def listed(home: Path) -> set[str]:
    """What is in the folder of a case, and whatever is beside it."""
    beside = {str(path.relative_to(home)) for path in home.rglob("*") if (home / "case") not in path.parents}
    return beside | {f"case/{path.name}" for path in (home / "case").iterdir()}


def allowed(case: Case, path: str) -> bool:
    folder, _, name = path.partition("/")
    return folder == "case" and (case.outputs is None or name in case.outputs)


def cases(kind: str, shared: Path, count: int | None, seed: int) -> Iterator[Case]:
    """Those of a kind, or so many of them. What they stand on, such as a run, is made once in `shared`."""
    module, name = KINDS[kind].split(".")
    every = list(getattr(importlib.import_module(f"{__package__}.{module}"), name)(shared))
    yield from random.Random(seed).sample(every, min(count or DRAWN.get(kind, len(every)), len(every)))


def import_everything() -> None:
    """Of ours, and what it needs: a case that is forked afterwards imports nothing for itself."""
    for module in pkgutil.walk_packages(colorize.__path__, "colorize."):
        importlib.import_module(module.name)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        compose("train")  # Hydra looks for its plugins once


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.strangers", description="Try what strangers send.")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, help="cases of a kind, by chance (all; of three kinds 300 to 2000)")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args(argv)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    import_everything()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "shared").mkdir()
        os.environ["COLORIZE_CACHE"] = str(home / "cache")
        for kind in words.only:
            for case in cases(kind, home / "shared", words.count, words.seed):
                ended, printed = outcome(case, home / "home")
                counts[case.kind][ended] += 1
                if ended not in FINE:
                    last = "\n    ".join(printed.strip().splitlines()[-6:])
                    print(f"{case.kind}: {case.name}: {ended}\n    {last}", flush=True)
    print(table(counts))
    return int(any(count.keys() - set(FINE) for count in counts.values()))


def table(counts: dict[str, Counter[str]]) -> str:
    lines = [["", *OUTCOMES]]
    lines += [[kind, *(str(count[outcome]) for outcome in OUTCOMES)] for kind, count in counts.items()]
    lines.append(["all", *(str(sum(count[outcome] for count in counts.values())) for outcome in OUTCOMES)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


if __name__ == "__main__":
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    sys.exit(main())
