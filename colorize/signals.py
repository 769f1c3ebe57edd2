"""Stopping politely: the step under way is finished and saved first."""

from __future__ import annotations

import signal
import threading
from typing import Any

from colorize.errors import INTERRUPTED, TRY_AGAIN
from colorize.terminal import say

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

    def __bool__(self) -> bool:
        return self.received is not None or self.ended

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
        if self.received is not None:
            if number == signal.SIGINT:  # SIGTERM comes twice where Slurm preempts: from its daemon and from srun
                raise KeyboardInterrupt
            return
        self.received = number
        say(f"{signal.Signals(number).name}: stopping after this step; Ctrl-C stops at once")
