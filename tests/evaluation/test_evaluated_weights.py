"""Which weights a result is of: the same ones are known again, and every table says which they are."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from colorize.evaluation.compare import compare_results
from colorize.reports.conclusions import weights_of_runs
from colorize.reports.tables import table_title
from colorize.run_folder import RunFolder
from colorize.training.final import FinalEvaluations, print_next_steps
from tests.helpers.configs import tiny_words

QUICK = ("metrics=quick", "++protocol.extractors=[]", "table=false")
SHORT = ("schedule.all.steps=1", "evaluate.every=1", "evaluate.photographs=8")  # its last weights are its best


@pytest.mark.parametrize("ema", ["0.99", "null"])
def test_weights_with_spectral_norms_are_known_again(ema, inside, tmp_path, monkeypatch):
    """Their vectors move by a bit with each power iteration, and a network without an average is evaluated with them
    converged as well, as `evaluate.py` loads it."""
    monkeypatch.setattr("colorize.training.final.WORDS", QUICK)
    words = (*tiny_words("transformer", "l1"), *SHORT, "name=t", "metrics=quick", "evaluate.final=[validation]")
    assert inside("train", *words, f"trainer.ema={ema}").returncode == 0
    results = tmp_path / "outputs/t/results"
    assert [path.name for path in results.glob("*.json")] == ["validation.json"]  # its best weights are its last
    value = json.loads((results / "validation.json").read_text())["rows"]["model"]["psnr"]["value"]
    for checkpoint in ("last", "best"):
        done = inside("evaluate", "run=outputs/t", f"checkpoint={checkpoint}", *QUICK)
        assert "has been measured already" in done.stdout, done.stderr
        assert f"t ({'best.pt' if checkpoint == 'best' else 'step-00000001.pt'}, step 1" in done.stdout
    again = inside("evaluate", "run=outputs/t", "checkpoint=last", "overwrite=true", *QUICK)
    assert again.returncode == 0, again.stderr
    assert json.loads((results / "validation.json").read_text())["rows"]["model"]["psnr"]["value"] == value


def test_the_weights_that_were_compared_are_told_beside_every_table(evaluated):
    """On the terminal, in Markdown and LaTeX by the title, on the page below the heading; not in Provenance alone."""
    told = {"a": ("best.pt", 200), "b": ("best.pt", 1300), "c": ("step-00001500.pt", 1500)}
    places = [evaluated(name, weights={"network": {"of": of, "step": step}}) for name, (of, step) in told.items()]
    several, one = compare_results(places), compare_results(places[:1])
    sentence = "best.pt, step 200 to 1,300 of a and b; step-00001500.pt, step 1,500 of c"
    assert weights_of_runs(several) == sentence
    assert weights_of_runs(one) == "best.pt, step 200"
    assert table_title(several).startswith(f"protocol toy-40-abc, 95 % intervals; weights: {sentence}; bold: ")
    assert weights_of_runs(compare_results([evaluated("d"), evaluated("e")])) == ""


def test_a_summary_and_the_end_of_a_run_say_which_step_each_result_is_of(tmp_path, capsys):
    held = {"last": {"step": 500}, "best": {"step": 200, "monitor": "val/psnr"}}
    final = SimpleNamespace(file=partial(FinalEvaluations.file, SimpleNamespace(run=RunFolder(tmp_path))))
    files = FinalEvaluations.files(final, {"validation": held})
    print_next_steps(tmp_path, files)
    said = capsys.readouterr().out.replace("\n", " ")
    assert "validation.json    # the last weights, step 500" in said
    assert "validation@best.json    # the best weights, step 200, by val/psnr" in said
