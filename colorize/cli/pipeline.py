"""The photographs of a folder, painted side by side: the next is read, and the last ones are written, while the network
is at work on another."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest

from colorize.cli.painting import TimedPhotograph
from colorize.cli.painting_record import PaintRecord
from colorize.cli.paths import PaintJob
from colorize.imaging.raster import DecodeError
from colorize.utils.environment import available_memory

WRITERS = 2  # threads: to compress a PNG takes longer than to paint it
PLENTY = 32  # bytes of free memory for each pixel of a photograph, of which 4 hold it: else no other is beside it

Read = Callable[[PaintJob], TimedPhotograph]
Color = Callable[[PaintJob, TimedPhotograph], Callable[[], PaintRecord]]
Report = Callable[[PaintJob, Callable[[], PaintRecord]], None]


def paint_in_pipeline(jobs: Sequence[PaintJob], read: Read, color: Color, report: Report) -> None:
    """Paint every photograph; whatever is raised for one is its result.

    Four photographs at most are in memory: one that is read, one that is coloured, and two that are written; where
    memory is short for that, one. When this is interrupted, those that are being written are written and reported.

    read    in a thread
    color   in this thread; what it returns is called in another thread
    report  in this thread, in the jobs' order: the job, and a function that returns its record or raises its error
    """
    waiting: deque[tuple[PaintJob, Future[PaintRecord]]] = deque()

    def settle(most: int) -> None:
        """Report the first ones, as far as they are done; wait where more than `most` would be left."""
        while waiting and (len(waiting) > most or waiting[0][1].done()):
            job, done = waiting[0]
            report(job, done.result)
            waiting.popleft()

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(WRITERS) as writers:
        coming: Future[TimedPhotograph] | None = None
        try:
            for job, following in zip_longest(jobs, jobs[1:]):
                reading = coming or reader.submit(read, job)
                if lacked_memory(reading):  # perhaps for those beside it
                    settle(0)
                    reading = reader.submit(read, job)
                alone = is_large(reading)
                coming = reader.submit(read, following) if following and not alone else None
                settle(0 if alone else WRITERS - 1)
                try:
                    done = writers.submit(color(job, reading.result()))
                except Exception as error:  # of a decoder, the network …: that of this photograph alone
                    done = Future()
                    done.set_exception(error)
                waiting.append((job, done))
                settle(0 if alone else WRITERS)
        finally:
            reader.shutdown(cancel_futures=True)
            settle(0)


def lacked_memory(reading: Future[TimedPhotograph]) -> bool:
    """Waits for the photograph."""
    error = reading.exception()
    return isinstance(error, DecodeError) and error.kind == "enormous"


def is_large(reading: Future[TimedPhotograph]) -> bool:
    """Whether memory may not hold others beside this photograph. Waits for it; false where it cannot be read."""
    if reading.exception():
        return False
    (width, height), free = reading.result().photograph.image.size, available_memory()
    return free is not None and PLENTY * width * height > free
