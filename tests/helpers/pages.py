"""Run folders for pages, and what is read off a page."""

import base64
import json
import re
from html import unescape
from io import BytesIO

import numpy as np
from PIL import Image

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.result import Result, write_result
from colorize.reports.comparison_page import write_comparison

NAMES = [f"{place:03d}.jpg" for place in range(12)]
PROTOCOL = {
    "id": "demo-12-abc", "name": "demo", "geometry": "centre", "filter": "bicubic", "size": 96, "input": ["lab_l"],
    "truth": "own", "photographs": 12, "of": 12,
}  # fmt: skip
COST = {"parameters": 12_340_000, "gmacs": 3.217, "size": [64, 96], "seconds": 0.02, "batch_size": 4, "device": "toy"}
SUMMARY = {
    "name": "x", "status": "finished", "steps": 1500, "seconds": 120.0, "images_per_second": 33.0, "device": "cpu",
    "processes": 2, "parameters": 777_000, "seed": 0, "weights": {"evaluated": "ema"}, "versions": {"torch": "2"},
    "val": {"psnr": 21.5}, "baseline": {"grey": {"psnr": 22.5}, "mean_ab": {"psnr": 22.6}},
    "truth": {"colorfulness": 48.0}, "validation": {"photographs": 24, "size": 64, "manifest": "m"},
}  # fmt: skip


def trained(folder, **changes):
    """A run folder as training leaves it, with its sheets of pictures; `folder` may have been evaluated."""
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "config.yaml").write_text(f"name: {folder.name}\nmodel: {{width: 7}}\n")
    (folder / "summary.json").write_text(json.dumps({**SUMMARY, "name": folder.name, **changes}))
    for name in ("samples", "historical"):
        (folder / name).mkdir()
        for step in (100, 1500):
            Image.new("RGB", (30, 20), (step % 256, 0, 0)).save(folder / name / f"step-{step:06d}.png")
    return str(folder)


def old_photographs(folder, manifest="old", pictures=2):
    """As `protocol=historical` leaves them."""
    rows = {"model": {"colorfulness": mean_interval(np.linspace(1, 2, 12))}}
    protocol = {**PROTOCOL, "id": "historical-2", "name": "historical", "truth": "none", "geometry": "long"}
    target = write_result(f"{folder}/results/historical.json", Result("x", protocol, rows, manifest=manifest))
    kept = target.with_suffix(".pictures")
    kept.mkdir()
    for place in range(pictures):
        for what in ("as-it-is", "painted"):
            Image.new("RGB", (12, 6), (9 * place, 9, 9)).save(kept / f"{place:03d}-tesla-{what}.jpg")


def page_of(tmp_path, *folders):
    comparison = compare_results(folders)
    write_comparison(tmp_path / "compare.html", comparison)
    return comparison, (tmp_path / "compare.html").read_text(encoding="utf-8")


def section(page, heading):
    return page.partition(f"<h2>{heading}</h2>")[2].partition("</section>")[0]


def cells(html):
    """The words of each row of a table, small print apart."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", html)
    found = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    return [[unescape(re.sub(r"<[^>]*>", "|", cell)).strip("|") for cell in row] for row in found]


def pictures_in(html):
    return [
        Image.open(BytesIO(base64.b64decode(text))) for text in re.findall(r'src="data:image/jpeg;base64,([^"]*)', html)
    ]
