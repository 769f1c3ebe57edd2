"""The pages of runs: what the comparison says, the photographs that were kept, costs, and nothing from elsewhere."""

import base64
import json
import re
import shutil
import subprocess
from html import escape, unescape
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from colorize.cli import main
from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.image_table import PictureTable
from colorize.evaluation.metric_info import measure
from colorize.evaluation.result import Result, pictures_of, write_result
from colorize.reports.comparison_page import write_comparison
from colorize.reports.page import HEAVY, SIDE
from colorize.reports.tables import texts

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
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


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
        with PictureTable(pictures_of(path), ["psnr"]) as table:
            table.add("model", NAMES, values)
            table.add("grey", NAMES, {"psnr": np.linspace(22, 28, 12)})
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


def test_the_ranking_begins_with_the_better_and_ends_with_grey(run, tmp_path):
    """Two is a decibel above one on every picture; both are below grey."""
    _, page = page_of(tmp_path, run("one"), run("two", 1.0))
    table = section(page, "The ranking")
    head, *rows = cells(table)
    assert head == ["", "leads in", "PSNR dB ↑"]
    assert [row[0] for row in rows] == ["two", "one", "grey", "mean colour of training"]
    assert [row[1] for row in rows] == ["1 of 1", "0 of 1", "", ""]
    assert rows[2][2].startswith("25.00|")
    assert table.count('class="number own"') == 1
    assert page.index("The ranking") < page.index("Side by side") < page.index("In words") < page.index("All numbers")


def test_many_runs_fold_what_is_much(run, tmp_path):
    _, page = page_of(tmp_path, *[run(name, 0.5 * place, pictures=8) for place, name in enumerate("abcde")])
    assert "<h1>5 runs</h1>" in page
    assert [row[0] for row in cells(section(page, "The ranking"))[-2:]] == ["grey", "mean colour of training"]
    assert "PSNR: 10 of 10 pairs can be told apart</summary>" in page
    photographs = section(page, "The photographs")
    assert "<summary>2 more</summary>" in photographs
    assert len(pictures_in(photographs)) == 8 * 7
    assert pictures_in(photographs.partition("<details>")[2])[0].size == (8, 8)


def test_costs_are_told_and_what_is_not_known_is_a_dash(run, tmp_path):
    measured, unknown, summed = run("measured", cost=COST), run("unknown"), run("summed")
    trained(tmp_path / "measured", parameters=1)
    trained(tmp_path / "summed", processes=1)
    _, page = page_of(tmp_path, measured, unknown, summed)
    head, *rows = cells(section(page, "What it costs"))
    assert head == ["", "M parameters", "GMACs", "seconds a photograph", "steps", "minutes", "photographs a second",
                    "trained on"]  # fmt: skip
    assert rows == [
        ["measured", "12.34", "3.22|at 96×64", "0.020|4 at a time, toy", "1,500", "2.0", "33.0", "cpu|2 processes"],
        ["unknown", "–", "–", "–", "–", "–", "–", "–"],
        ["summed", "0.78", "–", "–", "1,500", "2.0", "33.0", "cpu"],
    ]


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


def test_pictures_that_are_large_or_heavy_become_smaller(run, tmp_path):
    folder = run("one", pictures=1, side=SIDE + 40)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    path = tmp_path / "one" / "results" / "demo.pictures" / "000-cat-painted.jpg"
    Image.fromarray(noise).save(path, quality=98)
    assert path.stat().st_size > HEAVY
    _, page = page_of(tmp_path, folder)
    grey, painted, true = pictures_in(page)
    assert (grey.size, painted.size, true.size) == ((SIDE, SIDE), (256, 256), (SIDE, SIDE))
    assert len(page) < path.stat().st_size * 4 / 3


def test_names_are_text(run, tmp_path):
    _, page = page_of(tmp_path, run("<b>one"), run("two&"))
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page
    assert "two&amp;" in page


def test_runs_that_are_called_like_pictures(run, tmp_path):
    """What is chosen by its place is the picture that stands there; the names differ in length."""
    _, page = page_of(tmp_path, run("truth"), run("grey"))
    photographs = section(page, "The photographs")
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', photographs)[:4] == ["grey", "truth", "grey", "truth"]
    shown = [picture.getpixel((4, 4)) for picture in pictures_in(photographs)[:4]]
    for found, made in zip(shown, ((0, 0, 5), (80, 0, 5), (80, 0, 4), (160, 0, 5)), strict=True):
        assert np.abs(np.subtract(found, made)).max() < 6


def test_pictures_that_were_not_kept_are_told(run, tmp_path):
    _, page = page_of(tmp_path, run("one"), run("two", pictures=0))
    photographs = section(page, "The photographs")
    assert "of two, there are none: evaluate again with overwrite=true" in photographs
    assert len(pictures_in(photographs)) == 3 * 3
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', photographs)[:3] == ["grey", "one", "truth"]


# --- old photographs


def test_old_photographs_as_they_were_evaluated(run, tmp_path):
    """Grey and each painting, no truth; the sheets of training are not needed."""
    folders = [run("one"), run("two")]
    for folder in folders:
        old_photographs(folder)
    trained(tmp_path / "one")
    _, page = page_of(tmp_path, *folders)
    old = section(page, "Old photographs")
    assert re.findall(r'<option value="\d+"( selected)?>([^<]*)', old) == [
        ("", "grey"), (" selected", "one"), ("", "two"), ("", "grey"), ("", "one"), (" selected", "two"),
    ]  # fmt: skip
    assert [picture.size for picture in pictures_in(old)] == [(12, 6)] * 2 * 3


def test_runs_without_them_show_their_last_sheet_or_are_named(run, tmp_path):
    """And other photographs are not mixed with the first run's."""
    folders = [run(name) for name in ("one", "sheet", "others", "none")]
    old_photographs(folders[0])
    old_photographs(folders[2], manifest="others")
    trained(tmp_path / "sheet")
    _, page = page_of(tmp_path, *folders)
    old = section(page, "Old photographs")
    assert re.findall(r'<option value="\d+"[^>]*>([^<]*)', old)[:2] == ["grey", "one"]
    assert "Of others, none, there are none: python evaluate.py run=… protocol=historical." in old
    assert "sheet<small>after step 1,500 of its training</small>" in old
    sheet = pictures_in(old)[-1]
    assert sheet.size == (30, 20)
    assert abs(sheet.getpixel((15, 10))[0] - 1500 % 256) < 8  # the last one


# --- one run


def test_the_page_of_one_run(run, tmp_path, monkeypatch):
    folder = run("one", cost=COST)
    old_photographs(folder)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one"]) == 0
    assert not (tmp_path / "compare.html").exists()
    page = (tmp_path / "one" / "run.html").read_text(encoding="utf-8")
    assert "<h1>one</h1>" in page
    (by,) = re.findall(r"PSNR: grey is better than network by (\S+) dB", section(page, "In words"))
    assert float(by) == pytest.approx(2, abs=0.1)
    assert "dashed: grey 25.00" in section(page, "Beside grey and truth")
    options = re.findall(r'<option value="\d+"( selected)?>([^<]*)', section(page, "The photographs"))
    assert options == [("", "grey"), (" selected", "one"), ("", "truth"),
                       ("", "grey"), ("", "one"), (" selected", "truth")]  # fmt: skip
    options = re.findall(r'<option value="\d+"( selected)?>([^<]*)', section(page, "Old photographs"))
    assert options == [(" selected", "grey"), ("", "one"), ("", "grey"), (" selected", "one")]
    assert cells(section(page, "Its config"))[1:] == [["name", "one"], ["model.width", "1.0"], ["model.depth", "2"]]


def test_the_page_of_a_run_that_was_not_evaluated(tmp_path, monkeypatch, capsys):
    trained(tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one", "--html", "deep/page.html"]) == 0
    assert "the page is 'deep/page.html'" in capsys.readouterr().out
    page = (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert cells(section(page, "Scores at the end of training")) == [
        ["", "PSNR dB ↑", "colourfulness → truth"], ["one", "21.50", "–"], ["grey", "22.50", "–"],
        ["mean colour of training", "22.60", "–"], ["truth", "–", "48.0"],
    ]  # fmt: skip
    for heading in ("Photographs at the end of training", "Old photographs"):
        (sheet,) = pictures_in(section(page, heading))
        assert sheet.size == (30, 20)
    assert cells(section(page, "What it costs"))[1][:2] == ["one", "0.78"]
    assert ["model.width", "7"] in cells(section(page, "Its config"))


def test_several_that_were_not_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "one")
    trained(tmp_path / "two", val={"psnr": 30.0})
    assert main(["compare", "one", "two"]) == 0
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert [row[0] for row in cells(section(page, "Scores at the end of training"))][1:3] == ["two", "one"]


# --- the command


def test_the_command_writes_it(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", run("one"), run("two")]) == 0
    assert "the page is 'compare.html'" in capsys.readouterr().out.replace("\n", " ")
    assert (tmp_path / "compare.html").stat().st_size < 100_000


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("results/demo.pictures/001-cat-painted.jpg", "is not whole, or no picture: make it again with overwrite=true"),
        ("historical/step-001500.png", "is not whole, or no picture: make it again with overwrite=true"),
        ("results/demo.json", "is not whole, or no JSON: evaluate the run again to replace it"),
        ("results/historical.json", "is not whole, or no JSON: evaluate the run again to replace it"),
        ("summary.json", "is not whole, or no JSON: remove it and train on"),
        (".hydra/config.yaml", "is not whole, or no YAML: put the file back from a copy, or take the folder away"),
    ],
)
def test_what_is_half_written_is_one_sentence(name, sentence, run, inside, tmp_path):
    run("one", side=64)
    trained(tmp_path / "one")
    if name == "results/historical.json":
        old_photographs(tmp_path / "one")
    path = tmp_path / "one" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3] + (b": {" if path.suffix == ".yaml" else b""))
    done = inside("compare", "one")
    assert done.returncode == 2
    assert done.stderr == f"{str(path.relative_to(tmp_path))!r} {sentence}\n"


def test_a_line_that_a_killed_run_left(run, tmp_path):
    """The curves go as far as whole lines do."""
    folder = run("one")
    with (tmp_path / "one" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 300, "val/psn')
    _, page = page_of(tmp_path, folder)
    assert "200 steps" in section(page, "While training")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_slider_moves_and_chooses(run, tmp_path):
    """In a browser: the line goes where the input says, and both sides show the pictures that are chosen."""
    _, page = page_of(tmp_path, run("one"), run("two"))
    script = """<script>
      const stage = document.querySelector(".stage"), line = stage.querySelector("input");
      line.value = 80; line.dispatchEvent(new Event("input"));
      const left = document.querySelector("select[data-side=left]");
      left.value = 0; left.dispatchEvent(new Event("change"));
      const strip = [...document.querySelectorAll("figure")[0].querySelectorAll(".strip img")].map((i) => i.src);
      const place = (side) => strip.indexOf(stage.querySelector("." + side).src);
      const loaded = [...document.images].every((image) => image.src.startsWith("data:"));
      document.title = [stage.style.getPropertyValue("--line-at"), place("left"), place("right"), stage.hidden, loaded];
    </script>"""
    (tmp_path / "moved.html").write_text(page.replace("</body>", f"{script}</body>"), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *words, (tmp_path / "moved.html").as_uri()], capture_output=True, text=True, timeout=100, check=True
    )
    assert "<title>80%,0,3,false,true</title>" in done.stdout
