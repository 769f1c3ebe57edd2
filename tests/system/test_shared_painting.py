"""`colorize paint` by two processes: every photograph is painted once, and reported once."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.models import CNN
from tests.helpers.configs import ROOT

COUNT = 7


@pytest.fixture
def shared(tmp_path):
    """Paint `in` to `out` in so many processes: `shared(2, "--report")`."""
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    weights = colorize.save(model, tmp_path / "weights", {"trained_size": 32})
    (tmp_path / "in").mkdir()
    tones = np.random.default_rng(0).integers(60, 200, (COUNT, 50, 70), dtype=np.uint8)
    for number, pixels in enumerate(tones):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "3b.png").write_text("no picture")

    def run(processes, out, *words):
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [sys.executable, *torchrun, "-m", "colorize", "paint", "in", "-o", out, "-w", str(weights), *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=False
        )

    return run


@pytest.mark.slow
def test_two_processes_share_a_folder(shared, tmp_path):
    words = ("--report", "--iiif", "https://example.org", "--sidecar")
    two, one = shared(2, "two", *words), shared(1, "one", *words)
    assert one.returncode == two.returncode == 1
    for done in (one, two):
        assert done.stdout.splitlines()[-1] == f"painted {COUNT} of {COUNT + 1}; 1 could not be"
        assert done.stdout.count("colour predicted at") == 1
        assert done.stderr.count("in/3b.png: it is a text file") == 1
        painted = [line.split(" -> ")[0] for line in done.stdout.splitlines() if " -> " in line]
        assert sorted(painted) == [f"in/{number}.png" for number in range(COUNT)]  # none twice
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == names
    for name in names:
        same = (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert same or name in ("painted.csv", "painted.html", "manifest.json")  # seconds, the folder's name
    tables = [list(csv.DictReader((tmp_path / out / "painted.csv").open(encoding="utf-8"))) for out in ("one", "two")]
    assert [[row["photograph"] for row in table] for table in tables] == 2 * [[row["photograph"] for row in tables[0]]]
    assert [row["painted"] for row in tables[1]] == [
        *(f"{n}.png" for n in range(4)),
        "",
        *(f"{n}.png" for n in (4, 5, 6)),
    ]
    assert len(json.loads((tmp_path / "two" / "manifest.json").read_text())["items"]) == COUNT


@pytest.mark.slow
def test_a_mistake_is_that_of_all_processes_and_the_rest_is_shared_again(shared, tmp_path):
    done = shared(2, "in")
    assert done.returncode != 0
    assert "is the folder of the photographs" in done.stderr
    (tmp_path / "out").mkdir()
    Image.new("RGB", (70, 50)).save(tmp_path / "out" / "0.png")
    (tmp_path / "in" / "3b.png").unlink()
    done = shared(2, "out")
    assert done.returncode == 0, done.stderr
    assert f"painted {COUNT - 1} of {COUNT}; 1 already exists" in done.stdout
