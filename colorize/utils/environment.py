"""The environment of a process: home folder, cores, memory, threads, encodings, versions. Imports nothing slow."""

import codecs
import io
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path


def at_home(path: str | os.PathLike[str]) -> Path:
    """The path, with the home folder for a ~ that begins it. A name that only begins so, as ~$photo.jpg and the names
    of users who are not known do, stays as it is, where `Path.expanduser` raises an error."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (for this)


def without_links(path: str | os.PathLike[str]) -> Path:
    """The path without links. A link that leads in a circle stays as it is, and whoever opens it is told so, where
    `Path.resolve` raises a RuntimeError (before Python 3.13)."""
    return Path(os.path.realpath(path))


# What stands for signs of ours where the encoding lacks them, as cp1252 and cp932 do
PLAIN = {
    "…": "...", "–": "-", "−": "-", "·": "-", "×": "x", "²": "^2", "→": "->", "↑": "(up)", "↓": "(down)", "“": '"',
    "”": '"', "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "∞": "inf", "Δ": "Delta ", "½": "1/2",
}  # fmt: skip


def escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: letters that every encoding has. Names that are no text in UTF-8 become \\udcXX."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(c, ascii(c)[1:-1]) for c in error.object[error.start : error.end]), error.end


codecs.register_error("colorize", escape_unencodable)


def allow_any_text() -> None:
    """From here on standard output and standard error take every text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="colorize")


def usable_cores() -> int:
    """Those that the system lets this process run on: a container's or a job's share, not the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_of_process(env: Mapping[str, str]) -> int:
    """The share of one of the processes that torchrun or srun has started on this machine; at least 1.

    srun may have given each its own cores, which the affinity tells; those of torchrun all may use the same.
    """
    cores = usable_cores()
    if "LOCAL_WORLD_SIZE" in env:
        return max(1, cores // int(env["LOCAL_WORLD_SIZE"]))
    if "SLURM_PROCID" in env and (tasks := tasks_on_this_node(env)) > 1:
        job = int(env.get("SLURM_CPUS_ON_NODE", cores))
        return max(1, min(cores, int(env.get("SLURM_CPUS_PER_TASK", job // tasks))))
    return cores


def tasks_on_this_node(env: Mapping[str, str]) -> int:
    """Of Slurm's "4(x2),1", the tasks on each node of a step, those on this node."""
    counts: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", env.get("SLURM_STEP_TASKS_PER_NODE", "1")):
        counts += [int(count)] * int(times or 1)
    node = int(env.get("SLURM_NODEID", 0))
    return counts[node] if node < len(counts) else 1


def available_memory() -> int | None:
    """Bytes of memory that this process can still take; None where the system does not tell."""
    found: list[int] = []
    with suppress(OSError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError, StopIteration):  # of a container or a job of a scheduler (cgroup v2)
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").rsplit("::", 1)[-1].strip().lstrip("/")
        folder = Path("/sys/fs/cgroup", group)
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = next(int(line.split()[1]) for line in statistics if line.startswith("inactive_file"))
        found += [int(limit) - used + cached] if limit != "max" else []
    return min(found, default=None)


# What OpenMP's runtimes read when they are loaded, with torch: libgomp (Linux), Intel's and LLVM's (Windows, macOS)
SPINS = {
    "GOMP_SPINCOUNT": "1000",  # some ten microseconds, about what falling asleep and waking up costs; libgomp's: 300000
    "KMP_BLOCKTIME": "1",  #     milliseconds, by default 200: its spinning threads yield, so that a few do no harm
}
SAID = (*SPINS, "OMP_WAIT_POLICY", "KMP_LIBRARY")


def wait_passively() -> None:
    """Let a thread that waits for the others give its core away, in this process and in those that it starts.

    For programs alone, before they import torch; importing this package sets nothing. Where the environment says
    anything of how threads wait, that holds.

    By default a waiting thread spins for milliseconds. With as many threads as cores and one busy neighbour, one thread
    of each step has to wait for its core, and the others spin on the cores that it could have.
    """
    if not any(name in os.environ for name in SAID):
        os.environ |= SPINS


PACKAGES = ("torch", "torchvision", "timm", "hydra-core", "wandb")


def versions() -> dict[str, str]:
    return {
        "colorize": own_version(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def own_version() -> str:
    """As it is installed; of a checkout that never was, the one that is being worked on."""
    try:
        return version("colorize-lab")
    except PackageNotFoundError:
        return "0.1.0"


@cache
def commit() -> str | None:
    """The git commit of the checkout that this code lies in, with a plus where files differ from it; None where it
    lies in none. What it was when it was first asked for: a checkout may move on while a run trains."""
    root = Path(str(files("colorize"))).resolve().parent
    if not (root / ".git").exists() or not (git := shutil.which("git")):
        return None

    def said(*words: str) -> str:
        return subprocess.run([git, "-C", root, *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = said("status", "--porcelain", "--untracked-files=no")
    return said("rev-parse", "HEAD") + ("+" if changed else "") or None


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Meanwhile, an import of the module fails as if it were not installed, unless it is there already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
