"""experiments/release/run.py: weights that ship are measured as they are stored, and their table."""

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from colorize.evaluation.image_table import read_image_values
from tests.helpers.configs import ROOT


@pytest.fixture
def program(monkeypatch, tmp_path):
    """The module, which writes into an empty folder instead of its own."""
    monkeypatch.syspath_prepend(ROOT / "experiments")
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("release_run", ROOT / "experiments" / "release" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "README.md").write_text("before\n<!-- begin weights -->\nold\n<!-- end weights -->\nafter\n")
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_the_table_of_the_weights(program, trained, photographs, monkeypatch, capsys):
    run = trained()
    step = json.loads((run / "summary.json").read_text())["steps"]
    monkeypatch.setattr(program, "WEIGHTS", {"base": (run, step), "open-12500": (Path("outputs/none"), 12_500)})
    words = ["protocol=clean", "protocol.size=32", "++protocol.extractors=[]", f"source={photographs}"]
    monkeypatch.setattr(program, "SETS", {"people_places": words})
    head = "weights,row,set,metric,value,low,high,n\n"
    Path("results.csv").write_text(
        f"{head}base,model,people_places,psnr,1,1,1,9\nopen-12500,model,bsds,psnr,20.5,20,21,9\n"
    )
    monkeypatch.setattr("sys.argv", ["run.py"])
    assert program.main() == 0
    assert "open-12500 is left out" in capsys.readouterr().out
    export = Path("outputs/release/base")
    assert json.loads((export / "config.json").read_text())["name"] == "base"
    result = json.loads(Path("results/base/people_places.json").read_text())
    assert result["weights"]["network"]["sha256"]
    values = {row: read_image_values(export / "results" / "people_places.csv", row) for row in ("model", "grey")}
    gain = np.mean(values["model"].values["psnr"] - values["grey"].values["psnr"])
    text = Path("README.md").read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "old" not in text
    table = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    lines = [[cell.strip() for cell in cells] for cells in table[2:]]
    assert [line[1:3] for line in lines] == [["base", "lightness"], ["grey", "–"], ["open-12500", "lightness"]]
    assert lines[2][0] == "bsds", "what was measured before, of weights that are not here, stays"
    assert lines[2][3:5] == ["–", "20.50 (20.00 to 21.00)"]
    assert float(lines[0][3].split()[0]) == pytest.approx(gain, abs=0.006)
    rows = [*csv.DictReader(Path("results.csv").read_text(encoding="utf-8").splitlines())]
    (psnr,) = [row for row in rows if (row["weights"], row["row"], row["metric"]) == ("base", "model", "psnr")]
    assert float(psnr["value"]) == pytest.approx(np.mean(values["model"].values["psnr"]), rel=1e-5)
    assert (psnr["set"], psnr["n"]) == ("people_places", str(len(values["model"].names)))


def test_options_that_it_does_not_have_are_refused(program, monkeypatch):
    monkeypatch.setattr("sys.argv", ["run.py", "--table"])
    with pytest.raises(SystemExit) as refused:
        program.main()
    assert refused.value.code == 2
