"""The page of several runs: ranking, costs, and the same numbers as on the terminal."""

from html import escape

from colorize.cli import main
from colorize.metrics.metric_info import info_of
from colorize.reports.tables import texts
from tests.helpers.pages import COST, cells, page_of, pictures_in, section, trained


def test_it_says_what_the_comparison_says(run, tmp_path):
    comparison, page = page_of(tmp_path, run("one"), run("two", 1.0, width=0.5))
    for row in comparison.runs.values():
        for text in texts(row["psnr"], info_of("psnr").digits):
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
    table = section(page, "Ranking")
    head, *rows = cells(table)
    assert head == ["", "place", "wins − losses", "PSNR dB ↑"]
    dull = "|no better than grey"
    assert [row[0] for row in rows] == [f"two{dull}", f"one{dull}", "grey", "mean colour of training"]
    assert [row[1:3] for row in rows] == [["1", "+1"], ["2", "−1"], ["", ""], ["", ""]]
    assert rows[2][3].startswith("25.00|")
    assert table.count('class="number own"') == 1
    assert page.index("Ranking") < page.index("Side by side") < page.index("Conclusions") < page.index("All numbers")


def test_many_runs_fold_what_is_much(run, tmp_path):
    _, page = page_of(tmp_path, *[run(name, 0.5 * place, pictures=8) for place, name in enumerate("abcde")])
    assert "<h1>5 runs</h1>" in page
    assert [row[0] for row in cells(section(page, "Ranking"))[-2:]] == ["grey", "mean colour of training"]
    assert "PSNR: no other run is significantly better than e; 10 of 10 pairs differ significantly</summary>" in page
    photographs = section(page, "Photographs")
    assert "<summary>2 more</summary>" in photographs
    assert len(pictures_in(photographs)) == 8 * 7
    assert pictures_in(photographs.partition("<details>")[2])[0].size == (8, 8)


def test_costs_are_told_and_what_is_not_known_is_a_dash(run, tmp_path):
    measured, unknown, summed = run("measured", cost=COST), run("unknown"), run("summed")
    trained(tmp_path / "measured", parameters=1)
    trained(tmp_path / "summed", processes=1)
    _, page = page_of(tmp_path, measured, unknown, summed)
    head, *rows = cells(section(page, "Cost"))
    assert head == ["", "M parameters", "GMACs", "seconds a photograph", "steps", "minutes", "photographs a second",
                    "trained on"]  # fmt: skip
    assert rows == [
        ["measured", "12.34", "3.22|at 96×64", "0.020|4 at a time, toy", "1,500", "2.0", "33.0", "cpu|2 processes"],
        ["unknown", "–", "–", "–", "–", "–", "–", "–"],
        ["summed", "0.78", "–", "–", "1,500", "2.0", "33.0", "cpu"],
    ]


def test_the_command_writes_it(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", run("one"), run("two")]) == 0
    assert "the page is 'compare.html'" in capsys.readouterr().out.replace("\n", " ")
    assert (tmp_path / "compare.html").stat().st_size < 100_000
