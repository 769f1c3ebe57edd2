"""How the threads of torch wait for each other: beside a busy process, spinning threads cost nearly everything."""

from __future__ import annotations

import os

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
