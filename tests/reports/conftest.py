"""Fixtures of this folder's tests."""

import json

import numpy as np
import pytest
from PIL import Image

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from tests.helpers.pages import (
    NAMES,
    PROTOCOL,
)


@pytest.fixture
def run(tmp_path):
    def make(name, better=0.0, *, pictures=3, width=1.0, side=8, **changes):
        random = np.random.default_rng([ord(letter) for letter in name])
        values = {"psnr": np.linspace(20, 26, 12) + better + 0.1 * random.normal(size=12)}
        grey, mean = mean_interval(np.linspace(22, 28, 12)), mean_interval(np.linspace(22, 29, 12))
        rows = {"model": {"psnr": mean_interval(values["psnr"])}, "grey": {"psnr": grey}, "mean_ab": {"psnr": mean}}
        target = tmp_path / name / "results" / "demo.json"
        of = {"absent": {"fid": "no weights"}, "manifest": "m", "versions": {"torch": "2"}, **changes}
        path = write_result(target, Result(name, PROTOCOL, rows, **of))
        with ImageTable(image_table_path(path), ["psnr"]) as table:
            table.add({"model": values}, NAMES)
            table.add({"grey": {"psnr": np.linspace(22, 28, 12)}}, NAMES)
        kept = target.with_suffix(".pictures")
        kept.mkdir()
        for place in range(pictures):
            for level, what in enumerate(("as-it-is", "painted", "true-colours")):
                colour = (80 * level, 20 * (place % 12), len(name))
                Image.new("RGB", (side, side), colour).save(kept / f"{place:03d}-cat-{what}.jpg")
        (tmp_path / name / ".hydra").mkdir()
        (tmp_path / name / ".hydra" / "config.yaml").write_text(
            f"name: {name!r}\nmodel: {{width: {width}, depth: 2}}\n"
        )
        lines = [{"step": step, "val/psnr": 20 + step / 100, "train/loss": 1.0} for step in (0, 100, 200)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(tmp_path / name)

    return make
