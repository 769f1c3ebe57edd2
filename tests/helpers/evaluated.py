"""Results of evaluations with differences that are known, without any network."""

from dataclasses import replace

import numpy as np
import pytest

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.metrics.metric_info import Interval

NAMES = [f"{number:03d}.jpg" for number in range(40)]
PROTOCOL = {
    "id": "toy-40-abc", "name": "toy", "size": 256, "geometry": "centre", "extractors": ["inception"],
    "filter": "bicubic", "input": ["lab_l"], "truth": "own", "photographs": 40, "of": 40,
}  # fmt: skip


@pytest.fixture
def evaluated(tmp_path):
    """A run with a result: PSNR `better` dB above the others', picture by picture, and a FID without pictures."""

    def make(name, better=0.0, *, protocol=None, seed=0, group="", noise=0.3, names=NAMES, fid=20.0, **changes):
        random = np.random.default_rng([ord(letter) for letter in name])
        base = np.random.default_rng(0).normal(24, 3, len(NAMES))[: len(names)]
        values = {"psnr": base + better + noise * random.normal(size=len(names)),
                  "colorfulness": 30 + random.normal(size=len(names))}  # fmt: skip
        cells = {metric: mean_interval(of) for metric, of in values.items()}
        rows = {"model": {**cells, "fid": Interval(fid, fid - 1, fid + 1, len(names))},
                "grey": {"psnr": Interval(21.0, 20.0, 22.0, len(names))},
                "truth": {"colorfulness": Interval(40.0, 39.0, 41.0, len(names))}}  # fmt: skip
        result = Result(name, protocol or PROTOCOL, rows, manifest="m", group=group, seed=seed, versions={"torch": "2"})
        path = write_result(tmp_path / name / "results" / "toy.json", replace(result, **changes))
        with ImageTable(image_table_path(path), list(values)) as table:
            table.add({"model": values}, names)
            table.add({"truth": {"colorfulness": np.full(len(names), 40.0)}}, names)
        return str(tmp_path / name)

    return make
