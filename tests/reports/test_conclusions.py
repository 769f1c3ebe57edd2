"""Sentences of a report: corrected for many tests, none from a handful of pictures, and which weights they are of."""

import json
from dataclasses import replace

import numpy as np
import pytest

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.painted import AS_THEY_ARE, RESIZED
from colorize.evaluation.permutation import holm
from colorize.evaluation.result import CHOSEN_HERE, Result, image_table_path, read_result, write_result
from colorize.metrics.metric_info import Interval
from colorize.reports.conclusions import (
    checkpoint_in_words,
    conclude_single,
    draw_conclusions,
    measured_in_words,
    network_verdicts,
)
from tests.helpers.evaluated import PROTOCOL

NAMES = [f"{place}.jpg" for place in range(24)]


def advantages(shifts):
    """metric -> (24,) values whose mean is `shifts` standard errors above 0"""
    random = np.random.default_rng(3)
    found = {}
    for metric, shift in shifts.items():
        noise = random.normal(size=24)
        noise = (noise - noise.mean()) / noise.std(ddof=1)
        found[metric] = noise + shift / 24**0.5
    return found


@pytest.fixture
def single(tmp_path):
    """A result of one run with these values of pictures, and 0 in its other rows."""

    def make(values, rows=("grey",), **changes):
        zeros = {metric: np.zeros(24) for metric in values}
        every = {"model": values, **dict.fromkeys(rows, zeros)}
        cells = {row: {metric: mean_interval(of) for metric, of in each.items()} for row, each in every.items()}
        result = Result("one", {**PROTOCOL, "photographs": 24, "of": 24}, cells, manifest="m", **changes)
        path = write_result(tmp_path / "one" / "results" / "toy.json", result)
        image_table_path(path).unlink(missing_ok=True)
        with ImageTable(image_table_path(path), list(values)) as table:
            for row, each in every.items():
                table.add({row: each}, NAMES)
        return path

    return make


METRICS = ["psnr", "ssim", "ciede2000", "features", "top1"]


def test_a_runs_own_page_corrects_for_all_of_its_tests(single):
    """Alone, 2.4 standard errors are significant; among as many metrics as a page has, they are not."""
    values, rows = advantages(dict.fromkeys(METRICS, 0.3) | {"psnr": 2.4}), ("grey", "model_ortho")
    path = single({"psnr": values["psnr"]})
    (alone,) = network_verdicts(path, read_result(path), ["grey"])
    assert alone.winner
    assert alone.adjusted == alone.difference.p < 0.05
    path = single(values, rows)
    verdicts = network_verdicts(path, read_result(path), rows)
    assert len(verdicts) == 2 * len(METRICS)
    assert [each.winner for each in verdicts] == [None] * len(verdicts)
    assert [each.adjusted for each in verdicts] == holm([each.difference.p for each in verdicts])
    assert "but p is" in verdicts[0].sentence


def test_the_page_says_over_how_many_tests(single):
    path = single({"psnr": np.linspace(0.9, 1.1, 24), "hue_error": np.ones(24)})
    conclusions = conclude_single([path], ["a note"])
    ((sentence,),) = [group.sentences for group in conclusions.first]
    assert sentence.text.startswith("PSNR: network is better than grey by 1.00 dB")
    assert sentence.small.startswith("; p = 0.0001, d = ")
    assert any("Holm's correction over 1 test;" in note for note in conclusions.notes)
    assert conclusions.notes[-1] == "a note"


def test_what_the_page_shows_first_is_compared_with_grey(single):
    """The distance of whole sets too, where it is the one clear difference."""
    values = advantages({"psnr": 0.3, "ssim": 0.3, "kd_paired_efficientnet_lite0": -9.0})
    conclusions = conclude_single([single(values)], [])
    told = [sentence.text for group in conclusions.first for sentence in group.sentences]
    assert [text.partition(":")[0] for text in told] == ["PSNR", "SSIM", "KD paired efficientnet_lite0"]
    assert "network is better than grey by" in told[-1]


def test_pictures_painted_elsewhere_are_no_network_that_was_shown_anything(single):
    """Nobody knows what their network was shown; how many were taken in which way is known."""
    values = advantages({"psnr": 9.0})
    path = single(values, weights={"network": {"pictures": {AS_THEY_ARE: 20, RESIZED: 4}}})
    text = measured_in_words(read_result(path))
    assert "was shown" not in text
    assert text.endswith(f"Colorized elsewhere: 20 {AS_THEY_ARE}, 4 {RESIZED}.")
    assert conclude_single([path], []).first[0].sentences[0].text.startswith("PSNR: pictures is better than grey")
    assert "The network was shown their CIE lightness." in measured_in_words(read_result(single(values)))


FIVE = [f"{place}.jpg" for place in range(5)]


@pytest.mark.parametrize("names", [FIVE, NAMES[:8]])
def test_few_photographs_give_no_verdict(names, evaluated):
    """Of 5, each better by 9 dB and with distances that are far apart; 8 can tell."""
    protocol = {**PROTOCOL, "photographs": len(names), "of": len(names)}
    places = [evaluated(name, better, protocol=protocol, names=names, fid=fid)
              for name, better, fid in (("one", 0, 20), ("two", 9, 90))]  # fmt: skip
    comparison = compare_results(places)
    found = {verdict.metric: verdict for verdict in comparison.verdicts}
    told = [note for note in comparison.notes if "give a verdict" in note]
    if len(names) == 8:
        assert (found["psnr"].winner, found["fid"].winner, told) == ("two", "one", [])
        return
    assert {verdict.winner for verdict in comparison.verdicts} == {None}
    assert {verdict.adjusted for verdict in comparison.verdicts} == {None}
    for verdict in comparison.verdicts:
        assert verdict.sentence == "one and two cannot be compared: 5 pictures are too few"
    assert not any("Holm" in note or "positive" in note for note in draw_conclusions(comparison).notes)
    assert found["fid"].sentence.startswith("one and two cannot be compared: 5 pictures are too few")
    assert told == ["5 photographs cannot give a verdict: the smallest p is 0.0625"]
    assert comparison.leaders("psnr") == comparison.leaders("fid") == set()


def test_of_old_photographs_it_says_where_there_are_more(evaluated):
    protocol = {**PROTOCOL, "photographs": 5, "of": 5, "truth": "none"}
    places = [evaluated(name, protocol=protocol, names=FIVE) for name in ("one", "two")]
    for shown in (places, places[:1]):
        (told,) = [note for note in compare_results(shown).notes if "give a verdict" in note]
        assert told.endswith("; colorize fetch historical has more")


@pytest.mark.parametrize("kind", ["kd", "kd_paired", "fd"])
def test_a_distance_of_a_handful_has_no_untested_verdict(kind, evaluated):
    metric = f"{kind}_efficientnet_lite0"
    places = [evaluated(name, rows={"model": {metric: Interval(value, value - 0.1, value + 0.1, 5)}})
              for name, value in (("one", 1.0), ("two", 5.0))]  # fmt: skip
    (verdict,) = compare_results(places).verdicts
    assert (verdict.winner, verdict.adjusted) == (None, None)
    assert "5 pictures are too few" in verdict.sentence


def weights(of, step=4, **more):
    return {"network": {"of": of, "step": step, **more}}


def test_best_weights_that_were_chosen_here_are_told(evaluated, tmp_path):
    places = [evaluated("best", weights=weights("best.pt", chosen_on_these=True)),
              evaluated("last", weights=weights("step-00000004.pt"))]  # fmt: skip
    notes = compare_results(places).notes
    assert any(f"the best weights were {CHOSEN_HERE}" in note for note in notes)
    assert "of best the best weights were evaluated, of last others: evaluate all alike" in notes
    best, last = (read_result(tmp_path / name / "results" / "toy.json") for name in ("best", "last"))
    assert checkpoint_in_words(best) == f"Weights: best.pt, step 4: {CHOSEN_HERE}."
    assert checkpoint_in_words(last) == "Weights: step-00000004.pt, step 4."
    write_result(tmp_path / "best" / "results" / "toy.json", replace(best, weights=weights("best.pt")))
    assert not any(CHOSEN_HERE in note for note in compare_results(places).notes)


@pytest.mark.parametrize(
    ("checkpoint", "words", "told"),
    [
        ("best", ("protocol=validation",), True),
        ("best", ("protocol=demo",), True),  # the photographs that a run on the demo data validates on
        ("last", ("protocol=validation",), False),
        ("best", ("protocol=historical",), False),
    ],
)
def test_evaluate_says_which_weights_it_judges(checkpoint, words, told, run_folder, inside, tmp_path):
    run_folder("cnn", "l1")
    more = ("++protocol.extractors=[]", "++protocol.photographs=3", "metrics=quick", "table=false", "track=false")
    done = inside("evaluate", "run=outputs/toy", f"checkpoint={checkpoint}", *words, *more)
    assert done.returncode == 0, done.stderr
    file = "best.pt, step 2" if checkpoint == "best" else "step-00000004.pt, step 4"
    shown = " ".join(done.stdout.split())
    assert f"({file}{f': {CHOSEN_HERE}' if told else ''})" in shown
    (path,) = (tmp_path / "outputs/toy/results").glob("*.json")
    assert json.loads(path.read_text())["weights"]["network"].get("chosen_on_these", False) == told
    assert (CHOSEN_HERE in path.with_suffix(".html").read_text(encoding="utf-8")) == told
