"""What a service that follows a run is told of its evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.again import saved_words
from colorize.evaluation.subjects import Subject
from colorize.lineage import shown_as
from colorize.results import Pictures, Result, pictures_of, read_pictures
from colorize.runs import RunFolder
from colorize.tracking import begin

Files = Mapping[str, Mapping[str, str]]  # name of a photograph -> what is seen -> file beside the result
COLUMNS = {"as it is": "grey input", "true colours": "truth"}  # other words stand as the page has them


def tell_tracker(subject: Subject, result: Result, target: Path, files: Files) -> None:
    """Numbers with their intervals into the summary of the run that they are of, and a table of its pictures.

    Under the run's own id; nothing is added to the numbers of its steps.
    """
    if subject.run is None:
        return
    run: DictConfig = subject.run
    settings: Any = OmegaConf.to_container(run, resolve=True)
    run_id = RunFolder(subject.origin).run_id(run.name)
    name, settings["group"] = shown_as(RunFolder(subject.origin))
    settings["overrides"] = saved_words(Path(subject.origin))
    start = subject.part("tracker")
    tracker = begin(lambda: start(run_id=run_id, name=name, settings=settings))
    tracker.summary({
        f"{target.stem}/{metric}{end}": number
        for metric, cell in result.rows["model"].items()
        for end, number in (("", cell.value), ("/low", cell.low), ("/high", cell.high))
    })  # fmt: skip
    if files:
        tracker.table(
            f"{target.stem}/pictures", *picture_table(target.parent, files, read_pictures(pictures_of(target)))
        )
    tracker.finish()


def picture_table(folder: Path, files: Files, own: Pictures) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows: each photograph's name, how it looks, and its values by every metric of single pictures."""
    words = list(next(iter(files.values())))
    columns = ["photograph", *(COLUMNS.get(word, word) for word in words), *own.values]
    place = {name: i for i, name in enumerate(own.names)}
    rows = []
    for name, seen in files.items():
        values = [float(column[place[name]]) for column in own.values.values()]
        rows.append([name, *(folder / seen[word] for word in words), *(None if isnan(v) else v for v in values)])
    return columns, rows
