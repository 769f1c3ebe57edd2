"""A list of 14 million photographs: how long processes take to open it, and how much memory it takes. Of `data.py`."""

import multiprocessing
import time
from pathlib import Path

import numpy as np

from colorize.data.collection import Collection, Table, lines_digest
from colorize.data.listing import cached_listing
from colorize.data.loader import FeistelPermutation

ENTRIES = 14_000_000  # ImageNet-21k
FILES = [f"train-{number:05d}.tar" for number in range(10_000)]


def big_table() -> tuple[Table, list]:
    """14 million photographs with names as ImageNet has them, in 10,000 tar files."""
    numbers = np.arange(ENTRIES, dtype=np.int64)
    name = np.frombuffer(b"n00000000/n00000000_0000000.JPEG\n", np.uint8)
    names = np.tile(name, (ENTRIES, 1))
    for last, values, digits in ((8, numbers // 640, 8), (18, numbers // 640, 8), (26, numbers % 640, 7)):
        for place in range(digits):
            names[:, last - place] = 48 + values // 10**place % 10
    ends = np.arange(1, ENTRIES + 1, dtype=np.int64) * len(name) - 1
    columns = {
        "names": names.reshape(-1)[:-1], "ends": ends, "labels": (numbers // 640).astype(np.int32),
        "files": (numbers // 1400).astype(np.int32), "starts": numbers % 1400 * 100_000,
        "sizes": np.full(ENTRIES, 99_000, np.uint32),
    }  # fmt: skip
    return Table(columns, FILES), ["stamp"]


def never() -> tuple[Table, list]:
    raise RuntimeError("the kept list was not found")


def start(answer, barrier, reader: int) -> None:
    """A process that opens the kept list and looks up 100,000 photographs in a random order."""
    before = proportional_megabytes()
    began = time.perf_counter()
    table = cached_listing("benchmark", FILES, never, lambda saved: saved == ["stamp"])
    photos = Collection(table)
    order = FeistelPermutation(len(photos), 0)
    photos[int(order(np.arange(1))[0])]
    if not reader:
        lines_digest(photos.lines())  # as the main process does to tell this set from any other
    opened = time.perf_counter() - began
    for place in order(np.arange(100_000) + reader * 100_000):
        photos[int(place)]
    barrier.wait()  # all are there when each is weighed
    answer.put((opened, proportional_megabytes() - before))
    barrier.wait()


def proportional_megabytes() -> float:
    """Memory of this process, what it shares with others divided among them."""
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1024


def index(workers: int) -> tuple[float, float]:
    """Seconds to start, and megabytes that the list adds to all processes together."""
    context = multiprocessing.get_context("fork")
    answers, barrier = context.Queue(), context.Barrier(1 + workers)
    processes = [context.Process(target=start, args=(answers, barrier, number)) for number in range(1 + workers)]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return max(opened for opened, _ in found), sum(megabytes for _, megabytes in found)


def weigh() -> dict[int, tuple[float, float]]:
    """Workers -> seconds and megabytes; the list is made by a process of its own, which leaves nothing behind."""
    what = ("benchmark", FILES, big_table, lambda _: False)
    maker = multiprocessing.get_context("fork").Process(target=cached_listing, args=what)
    maker.start()
    maker.join()
    return {workers: index(workers) for workers in (0, 2, 4)}
