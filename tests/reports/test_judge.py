"""People as judges: the page in a browser, the CSV that it saves, and what its choices come to."""

import csv
import io
import json
import re
import subprocess
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize

from colorize.evaluation.preferences import HEADER, Choice, Study, bradley_terry, fit_preferences
from tests.helpers.commands import refused
from tests.reports.test_page import CHROMIUM

TRUE = {"one": 1.5, "two": 0.0, "three": -1.5}


@pytest.fixture
def page(run, inside, tmp_path):
    """The folder of a page of three runs; PSNR ranks them as people do."""
    runs = [run(name, better) for name, better in TRUE.items()]
    done = inside("judge", *runs, "-o", "judging")
    assert "asks for up to 9 choices, of 3 photographs by 3 runs" in done.stdout.replace("\n", " "), done.stderr
    return tmp_path / "judging"


def judgements(page, change=lambda line: line):
    """A CSV of one judge who always takes the run whose name comes first in `TRUE`."""
    study = json.loads((page / "judge.json").read_text())
    names = [*TRUE]
    lines = [
        [study["page"], "ann", photograph, a, b, "left" if names.index(a) < names.index(b) else "right"]
        for photograph in study["photographs"] for a, b in (("one", "two"), ("three", "two"), ("three", "one"))
    ]  # fmt: skip
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, *map(change, lines)])
    (page / "ann.csv").write_text(file.getvalue())
    return page / "ann.csv"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_choices_in_a_browser_are_read_back(page, inside, tmp_path):
    """Somebody who prefers `one` to `two` and `two` to `three`, and goes back once, by the buttons and the keys."""
    script = """<script>
      const order = ["one", "two", "three"], sides = new Set(), seen = [];
      const click = (name) => document.querySelector(`[data-choice=${name}]`).click();
      const key = (name) => document.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
      const better = () => {
        const pair = pairs[choices.length];
        const shown = ["left", "right"].every((side) =>
          document.getElementById(side).src === study.pictures[pair.photograph][pair[side]]);
        seen.push(shown);
        const left = order.indexOf(pair.left) < order.indexOf(pair.right);
        sides.add(left);
        return left ? "left" : "right";
      };
      click("same");
      document.getElementById("back").click();
      while (choices.length < pairs.length) {
        const side = better();
        if (choices.length % 2) click(side); else key(side === "left" ? "ArrowLeft" : "ArrowRight");
      }
      click("same");
      document.title = [choices.length, seen.every((each) => each), document.body.innerText.includes("three")];
    </script>"""
    text = (page / "judge.html").read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    (page / "scripted.html").write_text(text.replace("</body>", f"{script}</body>"), encoding="utf-8")
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *words, (page / "scripted.html").as_uri()], capture_output=True, text=True, timeout=100, check=True
    )
    assert "<title>9,true,false</title>" in done.stdout  # all were asked, each showed its two runs, without names
    name, saved = re.search(r'download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]+)"', done.stdout).groups()
    (page / name).write_text(unquote(saved), encoding="utf-8")
    found = inside("judge", "--read", page / name)
    assert found.returncode == 0, found.stderr
    held = json.loads((page / "people.json").read_text())
    assert (held["choices"], held["judges"], [*held["strengths"]]) == (9, 1, ["one", "two", "three"])
    assert held["correlations"]["psnr"]["value"] == pytest.approx(1)


def test_judgements_are_told_with_intervals(page, inside):
    found = inside("judge", "--read", judgements(page))
    assert found.returncode == 0, found.stderr
    assert "9 choices by 1 judge, 95 % intervals" in found.stdout
    assert "Spearman's correlation" in found.stdout
    strengths = json.loads((page / "people.json").read_text())["strengths"]
    assert strengths["one"]["value"] == pytest.approx(-strengths["three"]["value"])
    assert strengths["two"]["value"] == pytest.approx(0, abs=1e-9)
    assert "strengths have no interval: some runs never lost" in found.stdout.replace("\n", " ")
    assert not [key for cell in strengths.values() for key in cell if key in ("low", "high")]


def test_somebody_who_saved_twice_counts_once(page, inside):
    """Between the files more was judged; a browser puts a number behind the second one's name."""
    whole = judgements(page)
    lines = whole.read_text().splitlines()
    (again := page / "ann (1).csv").write_text("\n".join(lines[:6]))
    done = inside("judge", "--read", again, whole)
    assert "9 choices by 1 judge" in done.stdout, done.stderr
    again.write_text("\n".join([*lines[:3], lines[3].replace("right", "left")]))
    refused(inside("judge", "--read", whole, again), "'ann' has chosen differently", "ann.csv", "ann (1).csv")
    again.write_text("\n".join(lines[:2]))
    done = inside("judge", "--read", again)
    assert "1 choice by 1 judge" in done.stdout, done.stderr
    assert "strengths have no interval: all choices are of one photograph" in done.stdout.replace("\n", " ")


def test_other_pictures_make_another_page(page, inside, tmp_path):
    runs, held = [tmp_path / name for name in TRUE], (page / "judge.json").read_text()
    assert inside("judge", *runs, "-o", page).returncode == 0  # the same page
    assert (page / "judge.json").read_text() == held
    shown = next((tmp_path / "two" / "results").rglob("*-painted.jpg"))
    Image.new("RGB", (8, 8), "green").save(shown)
    refused(inside("judge", *runs, "-o", page), "holds another page, of one, two, three", "--overwrite")
    assert (page / "judge.json").read_text() == held
    csv_of_before = judgements(page)
    assert inside("judge", *runs, "-o", page, "--overwrite").returncode == 0
    refused(inside("judge", "--read", csv_of_before), "is of another page")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda line: [*line[:3], "four", *line[4:]], ("line 2 of", "names the run 'four', which is not on the page")),
        (lambda line: ["0", *line[1:]], ("line 2 of", "is of another page, '0'")),
        (lambda line: [*line[:2], "dog", *line[3:]], ("names the photograph 'dog', which is not on the page",)),
        (lambda line: [*line[:5], "both"], ("'both' must be one of left, right, same",)),
        (lambda line: line[:5], ("line 2 of", "has 5 cells, not 6")),
        (lambda line: [*line[:3], "one", "two", line[5]], ("'ann' has chosen differently between one and two of",)),
    ],
)
def test_judgements_that_cannot_be_of_the_page(change, parts, page, inside):
    refused(inside("judge", "--read", judgements(page, change)), *parts)
    assert not (page / "people.json").exists()


@pytest.mark.parametrize("part", ["protocol", "photographs", "runs"])
def test_a_damaged_record_of_the_page(part, page, inside):
    held = json.loads((page / "judge.json").read_text())
    held[part] = dict.fromkeys(held[part]) if part == "runs" else None
    (page / "judge.json").write_text(json.dumps(held))
    refused(inside("judge", "--read", page / "judge.json", "-o", page), "judge.json' is damaged: make the page again")


def test_arguments_that_cannot_be(page, run, inside, tmp_path):
    refused(inside("judge"), "name the runs of a new page, or read judgements with --read")
    refused(inside("judge", tmp_path / "one", "-o", "x"), "people choose between two runs or more")
    (tmp_path / "file").touch()
    refused(inside("judge", tmp_path / "one", tmp_path / "two", "-o", "file"), "'file' is a file: name a folder")
    refused(inside("judge", tmp_path / "one", tmp_path / "two"), "say with -o FOLDER where the page goes")
    refused(inside("judge", tmp_path / "one", run("bare", pictures=0), "-o", "x"), "of bare there are no pictures")
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    refused(inside("judge", "--read", tmp_path / "a.csv"), "name its folder with -o FOLDER")
    refused(inside("judge", "--read", tmp_path / "a.csv", "-o", page), "its first line must be page,judge,photograph")
    (tmp_path / "a.csv").write_text(",".join(HEADER) + "\n")
    refused(inside("judge", "--read", tmp_path / "a.csv", "-o", page), "these files hold no judgement")
    refused(inside("judge", "--read", tmp_path / "b.csv", "-o", page), "there is no file")


def test_strengths_are_those_of_maximum_likelihood():
    wins = np.array([[0, 7, 9, 3], [3, 0, 8, 4], [1, 2, 0, 1.5], [2, 6, 5, 0]], float)

    def loss(theta):
        return sum(
            wins[i, j] * np.logaddexp(0, theta[j] - theta[i]) for i in range(4) for j in range(4)
        ) + theta.mean() ** 2  # fmt: skip

    expected = minimize(loss, np.zeros(4), tol=1e-12).x
    assert bradley_terry(wins) == pytest.approx(expected - expected.mean(), abs=1e-4)
    two = bradley_terry(np.array([[0, 7.5], [2.5, 0]]))
    assert two[0] - two[1] == pytest.approx(np.log(3))


def test_intervals_hold_the_true_strengths_as_often_as_they_say():
    """Choices of four judges on 30 photographs, drawn by the model: most of the intervals hold the truth: the
    resampling of judges and photographs at once is somewhat wide."""
    names, true = ["a", "b", "c"], np.array([0.8, 0.0, -0.8])
    study, held = Study("p", [str(i) for i in range(30)], {name: {"x": 1.0} for name in names}), []
    for draw in range(25):
        random = np.random.default_rng(draw)
        choices = [
            Choice(judge, photograph, names[i], names[j], float(random.random() < 1 / (1 + np.exp(true[j] - true[i]))))
            for judge in "wxyz" for photograph in study.photographs for i, j in ((0, 1), (1, 2), (0, 2))
        ]  # fmt: skip
        cells = fit_preferences(choices, study).strengths
        held += [cells[name].low <= value <= cells[name].high for name, value in zip(names, true, strict=True)]
    assert np.mean(held) > 0.88


def test_metrics_are_ranked_beside_people():
    runs = {"a": {"good": 3.0, "bad": 1.0, "flat": 0.0}, "b": {"good": 2.0, "bad": 2.0, "flat": 0.0},
            "c": {"good": 1.0, "bad": 3.0, "flat": 0.0}}  # fmt: skip
    study = Study("p", ["1", "2", "3"], runs)
    choices = [
        Choice("w", photograph, left, right, 1.0)
        for photograph in study.photographs for left, right in (("a", "b"), ("b", "c"), ("a", "c"))
    ]  # fmt: skip
    found = fit_preferences(choices, study).correlations
    assert {name: round(cell.value, 6) for name, cell in found.items()} == {"good": 1, "bad": -1}
    two = Study("p", ["1"], {name: runs[name] for name in "ab"})
    assert all(np.isnan([cell.low, cell.high]).all() for cell in found.values())  # the same in every resample
    assert fit_preferences(choices[:1], two).correlations == {}
    assert np.isnan(fit_preferences(choices[:1], two).strengths["a"].low)
