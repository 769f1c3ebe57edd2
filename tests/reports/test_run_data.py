"""The page of one run, evaluated or not, and of run folders that are half written."""

import re

import pytest

from colorize.cli import main
from tests.helpers.pages import COST, cells, old_photographs, page_of, pictures_in, section, trained


def test_the_page_of_one_run(run, tmp_path, monkeypatch):
    folder = run("one", cost=COST)
    old_photographs(folder)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one"]) == 0
    assert not (tmp_path / "compare.html").exists()
    page = (tmp_path / "one" / "run.html").read_text(encoding="utf-8")
    assert "<h1>one</h1>" in page
    (by,) = re.findall(r"PSNR: grey is better than network by (\S+) dB", section(page, "Conclusions"))
    assert float(by) == pytest.approx(2, abs=0.1)
    assert "dashed: grey 25.00" in section(page, "Beside grey and truth")
    options = re.findall(r'<option value="\d+"( selected)?>([^<]*)', section(page, "Photographs"))
    assert options == [("", "grey"), (" selected", "one"), ("", "ground truth"),
                       ("", "grey"), ("", "one"), (" selected", "ground truth")]  # fmt: skip
    options = re.findall(r'<option value="\d+"( selected)?>([^<]*)', section(page, "Old photographs"))
    assert options == [(" selected", "grey"), ("", "one"), ("", "grey"), (" selected", "one")]
    assert cells(section(page, "Config"))[1:] == [["name", "one"], ["model.width", "1.0"], ["model.depth", "2"]]


def test_the_page_of_a_run_that_was_not_evaluated(tmp_path, monkeypatch, capsys):
    trained(tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one", "--html", "deep/page.html"]) == 0
    assert "the page is 'deep/page.html'" in capsys.readouterr().out
    page = (tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert cells(section(page, "Scores at the end of training")) == [
        ["", "PSNR dB ↑", "colourfulness → truth"], ["one", "21.50", "–"], ["grey", "22.50", "–"],
        ["mean colour of training", "22.60", "–"], ["ground truth", "–", "48.0"],
    ]  # fmt: skip
    for heading in ("Photographs at the end of training", "Old photographs"):
        (sheet,) = pictures_in(section(page, heading))
        assert sheet.size == (30, 20)
    assert cells(section(page, "Cost"))[1][:2] == ["one", "0.78"]
    assert ["model.width", "7"] in cells(section(page, "Config"))


def test_a_page_does_not_say_where_files_lie(tmp_path, monkeypatch):
    """Neither in the config nor in the provenance."""
    folder = tmp_path / "one"
    trained(folder, weights={"evaluated": "ema", "init_from": "/data/weights/first.pth"})
    config = folder / ".hydra" / "config.yaml"
    config.write_text(f"{config.read_text()}data: {{root: /data/ilsvrc, exclude: ['/data/a b/list.csv', near.csv]}}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one"]) == 0
    page = (folder / "run.html").read_text(encoding="utf-8")
    assert "/data/" not in page
    for name in ("first.pth", "ilsvrc", "list.csv"):
        assert f"…/{name}" in page
    assert "near.csv" in page


def test_other_photographs_are_a_difference(tmp_path, monkeypatch):
    """In folders of the same name, or at the same path; and so are other weights to begin with."""
    for name in ("one", "two", "three"):
        trained(tmp_path / name)
        hydra, of = tmp_path / name / ".hydra", "one" if name == "three" else name
        with (hydra / "config.yaml").open("a") as config:
            config.write(f"data: {{root: /data/{of}/train}}\ntrainer: {{init_from: '/w/{name}/best.pt'}}\n")
        (hydra / "photographs").write_text(f"digest-{name}\nnames")
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "one", "two", "three"]) == 0
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    rows = {key: values for key, *values in cells(section(page, "Config differences"))}
    assert rows["data.root"] == ["…/train (1)", "…/train (2)", "…/train (1)"]
    assert rows["trainer.init_from"] == ["…/best.pt (1)", "…/best.pt (2)", "…/best.pt (3)"]
    assert rows["photographs (digest)"] == ["digest-one", "digest-two", "digest-three"]


def test_several_that_were_not_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "one")
    trained(tmp_path / "two", val={"psnr": 30.0})
    assert main(["compare", "one", "two"]) == 0
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert [row[0] for row in cells(section(page, "Scores at the end of training"))][1:3] == ["two", "one"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("results/demo.pictures/001-cat-painted.jpg", "is not whole, or no picture: make it again with overwrite=true"),
        ("historical/step-001500.png", "is not whole, or no picture: make it again with overwrite=true"),
        ("results/demo.json", "is not whole, or no JSON: evaluate the run again to replace it"),
        ("results/historical.json", "is not whole, or no JSON: evaluate the run again to replace it"),
        ("summary.json", "is not whole, or no JSON: remove it and train on"),
        (".hydra/config.yaml", "is not whole, or no YAML: put the file back from a copy, or remove the folder"),
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
    assert "200 steps" in section(page, "Training curves")
