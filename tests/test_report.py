"""The comparison page: what the comparison says, the photographs that evaluation kept, and nothing from elsewhere."""

import base64
import json
import re
from html import escape
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from colorize.cli import main
from colorize.comparing import compare_results
from colorize.comparing.tables import texts
from colorize.report import write_comparison
from colorize.results import PictureTable, Result, pictures_of, write_result
from colorize.statistics import mean_interval, measure

NAMES = [f"{place:03d}.jpg" for place in range(12)]
PROTOCOL = {
    "id": "demo-12-abc", "name": "demo", "geometry": "centre", "filter": "bicubic", "size": 96, "input": ["lab_l"],
    "truth": "own", "photographs": 12, "of": 12,
}  # fmt: skip


@pytest.fixture
def run(tmp_path):
    def make(name, better=0.0, *, pictures=3, width=1.0):
        random = np.random.default_rng([ord(letter) for letter in name])
        values = {"psnr": np.linspace(20, 26, 12) + better + 0.1 * random.normal(size=12)}
        grey = mean_interval(np.linspace(22, 28, 12))
        rows = {"model": {"psnr": mean_interval(values["psnr"])}, "grey": {"psnr": grey}}
        target = tmp_path / name / "results" / "demo.json"
        result = Result(name, PROTOCOL, rows, absent={"fid": "no weights"}, manifest="m", versions={"torch": "2"})
        path = write_result(target, result)
        with PictureTable(pictures_of(path), ["psnr"]) as table:
            table.add("model", NAMES, values)
        kept = target.with_suffix(".pictures")
        kept.mkdir()
        for place in range(pictures):
            for level, what in enumerate(("as-it-is", "painted", "true-colours")):
                colour = (80 * level, 20 * place, len(name))
                Image.new("RGB", (8, 8), colour).save(kept / f"{place:03d}-cat-{what}.jpg")
        (tmp_path / name / ".hydra").mkdir()
        (tmp_path / name / ".hydra" / "config.yaml").write_text(
            f"name: {name!r}\nmodel: {{width: {width}, depth: 2}}\n"
        )
        lines = [{"step": step, "val/psnr": 20 + step / 100, "train/loss": 1.0} for step in (0, 100, 200)]
        (tmp_path / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(tmp_path / name)

    return make


def page_of(tmp_path, *folders):
    comparison = compare_results(folders)
    write_comparison(tmp_path / "compare.html", comparison)
    return comparison, (tmp_path / "compare.html").read_text(encoding="utf-8")


def test_it_says_what_the_comparison_says(run, tmp_path):
    comparison, page = page_of(tmp_path, run("one"), run("two", 1.0, width=0.5))
    for row in comparison.runs.values():
        for text in texts(row["psnr"], measure("psnr").digits):
            assert escape(text) in page
    (verdict,) = comparison.verdicts
    assert escape(verdict.sentence) in page
    assert "no weights" in page
    assert "Grey has the better PSNR" in page
    assert "<td>1.0</td><td>0.5</td>" in page  # model.width
    assert "model.depth" not in page
    assert page.count('<polyline class="line"') == 2


def test_it_needs_no_other_file(run, tmp_path):
    _, page = page_of(tmp_path, run("one"), run("two"))
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3 * 4  # of each photograph the grey input, two paintings and the truth
    for source in sources:
        kind, _, content = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(BytesIO(base64.b64decode(content))).size == (8, 8)
    assert "http" not in page
    assert "url(" not in page


def test_names_are_text(run, tmp_path):
    _, page = page_of(tmp_path, run("<b>one"), run("two&"))
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page
    assert "two&amp;" in page


def test_pictures_that_were_not_kept_are_told(run, tmp_path):
    _, page = page_of(tmp_path, run("one"), run("two", pictures=0))
    assert "of two, there are none: evaluate again with overwrite=true" in page
    assert "data:image" not in page


def test_the_command_writes_it(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", run("one"), run("two")]) == 0
    assert "the page is 'compare.html'" in capsys.readouterr().out.replace("\n", " ")
    assert (tmp_path / "compare.html").stat().st_size < 100_000
