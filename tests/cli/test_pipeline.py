"""The photographs of a folder in a pipeline: in their order, few at a time, each with its own mistake."""

import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from colorize.cli import pipeline
from colorize.cli.painting import TimedPhotograph
from colorize.cli.painting_record import PaintRecord
from colorize.cli.paths import PaintJob
from colorize.cli.pipeline import WRITERS, paint_in_pipeline
from colorize.imaging.image_io import LoadedPhotograph
from colorize.imaging.raster import DecodeError

COUNT = 8
JOBS = [PaintJob(Path(f"{n}.jpg"), Path(f"{n}.png")) for n in range(COUNT)]


class Stages:
    """Stages that note what happens: `wrong` is what fails, as ("write", 3); `slow` lasts longer than the others."""

    def __init__(self, wrong=(), slow=()):
        self.wrong, self.slow = wrong, slow
        self.threads, self.reported, self.held, self.most = {}, [], 0, 0
        self.lock = threading.Lock()

    def pass_(self, stage, job, held=0):
        with self.lock:
            self.held += held
            self.most = max(self.most, self.held)
        self.threads.setdefault(stage, set()).add(threading.get_ident())
        number = JOBS.index(job)
        time.sleep(0.05 if (stage, number) in self.slow else 0.005)
        if (stage, number) in self.wrong:
            with self.lock:
                self.held -= 1
            raise ValueError(f"{stage} {number}")

    def read(self, job):
        self.pass_("read", job, held=1)
        return TimedPhotograph(LoadedPhotograph(Image.new("L", (30, 20))), 0.0)

    def color(self, job, timed):
        self.pass_("color", job)
        return lambda: self.write(job)

    def write(self, job):
        self.pass_("write", job)
        with self.lock:
            self.held -= 1
        return PaintRecord(job.source, [job.target], 30, 20, 0.0, [])

    def report(self, job, painted):
        try:
            assert painted().source == job.source
            self.reported.append((JOBS.index(job), ""))
        except ValueError as error:
            self.reported.append((JOBS.index(job), str(error)))

    def run(self):
        paint_in_pipeline(JOBS, self.read, self.color, self.report)
        return self.reported


def test_each_photograph_has_its_own_mistake_and_all_are_reported_in_their_order():
    wrong = [("read", 0), ("color", 2), ("write", 3), ("read", 4), ("write", COUNT - 1)]
    stages = Stages(wrong, slow=[("write", 1), ("write", 5), ("read", 6)])
    said = {number: f"{stage} {number}" for stage, number in wrong}
    assert stages.run() == [(number, said.get(number, "")) for number in range(COUNT)]
    assert stages.held == 0


def test_stages_run_in_threads_of_their_own_and_few_photographs_are_in_memory():
    stages = Stages(slow=[("write", number) for number in range(COUNT)])
    stages.run()
    assert stages.threads["color"] == {threading.get_ident()}
    assert len(stages.threads["read"]) == 1
    assert len(stages.threads["write"]) == WRITERS
    assert not set.intersection(*stages.threads.values())
    assert 2 < stages.most <= WRITERS + 2


@pytest.mark.parametrize("free", [pipeline.PLENTY * 30 * 20 - 1, pipeline.PLENTY * 30 * 20, None])
def test_a_photograph_for_which_memory_is_short_is_in_memory_alone(free, monkeypatch):
    monkeypatch.setattr(pipeline, "available_memory", lambda: free)
    stages = Stages()
    assert stages.run() == [(number, "") for number in range(COUNT)]
    assert (stages.most == 1) == (free == pipeline.PLENTY * 30 * 20 - 1)


def test_a_photograph_that_others_leave_no_memory_for_is_read_again_alone():
    stages = Stages(slow=[("write", number) for number in range(COUNT)])
    usual, refused = stages.read, []

    def read(job):
        if job == JOBS[4] and stages.held:
            refused.append(job)
            raise DecodeError("there is not enough memory to decode it", "enormous")
        return usual(job)

    stages.read = read
    assert stages.run() == [(number, "") for number in range(COUNT)]
    assert refused == [JOBS[4]]


@pytest.mark.parametrize("stage", ["color", "report"])
def test_what_is_being_written_at_ctrl_c_is_written_and_reported(stage):
    stages = Stages(slow=[("write", number) for number in range(COUNT)])
    usual, interrupted = getattr(stages, stage), []

    def interrupt(job, given):
        if job is JOBS[3] and not interrupted:
            interrupted.append(job)
            raise KeyboardInterrupt
        return usual(job, given)

    setattr(stages, stage, interrupt)
    with pytest.raises(KeyboardInterrupt):
        stages.run()
    numbers = [number for number, _ in stages.reported]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 3  # and those behind it that were on their way
    assert len(numbers) < COUNT
