"""Stopping politely: the step under way is finished and saved first."""

from __future__ import annotations

import signal
import threading

from colorize.terminal import say


class StopSignal:
    """While it is entered, a first SIGINT (Ctrl-C) or SIGTERM turns it true; a second one interrupts at once.

    Python lets only the main thread handle signals; elsewhere this stays false.
    """

    def __init__(self) -> None:
        self.received = False

    def __bool__(self) -> bool:
        return self.received

    def __enter__(self) -> StopSignal:
        self.previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True
        say("stopping after this step; once more to stop at once")
