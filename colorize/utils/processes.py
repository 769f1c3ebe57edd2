"""Signals that stop a process, and a pool of worker processes that survives a task that crashes."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

import torch

from colorize.utils.console import say
from colorize.utils.environment import usable_cores
from colorize.utils.errors import INTERRUPTED, TRY_AGAIN

# Ctrl-C; what schedulers, containers and torchrun send; and what Slurm sends on request before time runs out
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))


class StopSignal:
    """While it is entered, a first signal of `STOPPING` turns it true; a second Ctrl-C interrupts at once.

    A launcher's own handler, as submitit's, which queues a job again, gets the signal when what this guards is done.
    A Ctrl-C that is ignored stays so: a shell starts its background jobs that way, since it is meant for another one.
    Python lets only the main thread handle signals; elsewhere this stays false.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.ended = False
        self.at_once = False

    def __bool__(self) -> bool:
        return self.received is not None or self.ended

    def interrupt_from_now_on(self) -> None:
        """What follows has no steps: the next signal interrupts it."""
        self.at_once = True

    def end(self) -> None:
        """Stop as a signal would: a search has seen enough of this run."""
        self.ended = True

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C; after any other signal 75, "try again", by which schedulers know what to start again."""
        return INTERRUPTED if self.received == signal.SIGINT else TRY_AGAIN

    def __enter__(self) -> StopSignal:
        self.previous: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                if number == signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self.previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)
        if self.received is not None:
            handler = self.previous[self.received]
            if callable(handler) and handler is not signal.default_int_handler:
                handler(self.received, None)

    def _handle(self, number: int, frame) -> None:
        if self.at_once:
            self.received = number
            raise KeyboardInterrupt
        if self.received is not None:
            if number == signal.SIGINT:  # SIGTERM comes twice where Slurm preempts: from its daemon and from srun
                raise KeyboardInterrupt
            return
        self.received = number
        say(f"{signal.Signals(number).name}: stopping after this step; Ctrl-C stops at once")


def ignore_stop_signals(worker: int) -> None:
    """A terminal and a scheduler send their signals to every process; the parent wants to finish its step first."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


T = TypeVar("T")
R = TypeVar("R")
GROUP = 16  #   photographs that a process is handed at a time
AHEAD = 4  #    groups for each process that wait or are done: memory does not grow with the photographs
PHOTOGRAPHS_PER_WORKER = 2000  # photographs for which another process is worth its start: a few seconds


def choose_workers(count: int) -> int:
    """Processes for so many photographs; 0: none but this one."""
    several = min(usable_cores(), count // PHOTOGRAPHS_PER_WORKER)
    return several if several > 1 else 0


def map_in_processes(
    task: Callable[[T], R], photographs: Iterable[T], workers: int, crashed: Callable[[T], R]
) -> Iterator[R]:
    """The results in order. For a photograph that ends the process that works on it, `crashed` gives one.

    `task` must be picklable. 0 workers: in this process.
    """
    if workers == 0:
        yield from map(task, photographs)
        return
    remaining = iter(photographs)
    groups = iter(lambda: list(islice(remaining, GROUP)), [])
    waiting: deque[tuple[list[T], Future[list[R]]]] = deque()
    pool = _pool(workers)
    try:
        while True:
            for group in islice(groups, workers * AHEAD - len(waiting)):
                waiting.append((group, pool.submit(_work, task, group)))
            if not waiting:
                return
            group, future = waiting.popleft()
            try:
                results = future.result()
            except BrokenProcessPool:
                results = list(_one_by_one(task, group, crashed))
                pool = _pool(workers)
                waiting = deque((later, pool.submit(_work, task, later)) for later, _ in waiting)
            yield from results
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Started anew rather than forked: the same on every system, and no thread of torch's is cut in two."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Ctrl-C is for the parent, with which its processes end, however it ends; and each of them has one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    torch.set_num_threads(1)


def _end_with_the_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(task: Callable[[T], R], group: Sequence[T]) -> list[R]:
    return [task(photo) for photo in group]


def _one_by_one(task: Callable[[T], R], group: Sequence[T], crashed: Callable[[T], R]) -> Iterator[R]:
    """One after the other, so that it shows which of them ends its process."""
    pool = _pool(1)
    try:
        for photo in group:
            try:
                result = pool.submit(task, photo).result()
            except BrokenProcessPool:
                result, pool = crashed(photo), _pool(1)
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
