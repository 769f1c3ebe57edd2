"""What is said of numbers: directions, units, durations, and no more lines than a person reads."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import colorize
from colorize.cli.compare import print_comparison
from colorize.evaluation.compare import compare_results
from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.measure import aggregate
from colorize.evaluation.result import Result, rank_summaries, read_result, write_result
from colorize.metrics import Judge, OutOfGamut
from colorize.metrics.distribution import score_name
from colorize.metrics.metric_info import (
    Interval,
    MetricInfo,
    info_from,
    info_of,
    package_metrics,
    register_info,
    score_table,
    stored_infos,
)
from colorize.models import CNN
from colorize.models.export import save
from colorize.reports.conclusions import grey_wins
from colorize.reports.tables import painting_cells
from colorize.utils.console import ProgressBar, duration, format_count, format_rate
from colorize.utils.devices import choose_device
from colorize.utils.errors import UnavailableError, UserError
from tests.helpers.commands import refused
from tests.helpers.evaluated import NAMES, PROTOCOL


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (45.4, "45 s"), (99, "99 s"), (720, "12 min"), (3599, "1 h 0 min"), (15961, "4 h 26 min"),
     (47 * 3600, "47 h 0 min"), (74 * 3600, "3 d 2 h")],
)  # fmt: skip
def test_time_left_is_said_as_a_person_says_it(seconds, words):
    assert duration(seconds) == words


def test_the_bar_says_it_so_of_the_speed_of_late(capsys):
    bar, now = ProgressBar("training", 1000, "steps", every=0, done=10), 0.0
    bar.progress.get_time = lambda: now
    for step in range(11, 501):  # the second phase of a schedule is slow
        now += 1.0 if step <= 100 else 32.0
        bar.update_step(step, 0.5, 3.0)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "step 11/1000 · loss 0.5 · 3 images/s"
    assert said[89] == "step 100/1000 · loss 0.5 · 3 images/s · 15 min left"
    assert said[-1] == "step 500/1000 · loss 0.5 · 3 images/s · 4 h 27 min left"


@pytest.mark.parametrize(
    ("count", "words"), [(57, "57"), (3_000, "3,000"), (48_211, "0.05 M"), (350_000, "0.35 M"), (55_020_000, "55.0 M")]
)
def test_no_network_has_no_parameters(count, words):
    assert format_count(count) == words


def test_the_table_of_training_has_titles_and_directions(capsys):
    row = {"psnr": 23.456, "features": 0.12345, "chroma": 0.9, "kd_paired_efficientnet_lite0": 0.001234, "diversity": 1}
    score_table({"run": row, "grey": {"psnr": 21.0}}, "title")
    printed = capsys.readouterr().out
    flat = " ".join(printed.replace("│", " ").replace("┃", " ").split())
    for words in ("PSNR dB ↑", "distance ↓", "→ truth", "KD", "paired", "23.46", "0.1235", "0.00123"):
        assert words in flat, flat
    assert "kd_paired" not in flat


def test_a_metric_of_ones_own_says_which_end_is_better(evaluated, tmp_path):
    """As the MUSIQ of docs/metrics.md: it is in no table of ours."""
    judge = Judge(lambda rgb: rgb.mean((1, 2, 3)), "MUSIQ", "higher", digits=1, prominence=9)
    register_info("musiq_of_mine", info_from(judge))
    assert (info_of("musiq_of_mine").heading, info_of("musiq_of_mine").better) == ("MUSIQ ↑", "higher")
    register_info("psnr", MetricInfo("another", "lower"))
    assert info_of("psnr").better == "higher"  # ours stay what they are
    cells = {"musiq_of_mine": Interval(50.0, 49.0, 51.0, 40)}
    kept = Result("x", PROTOCOL, {"model": cells}, measures=stored_infos(cells))
    path = write_result(tmp_path / "x.json", kept)
    from colorize.metrics import metric_info

    metric_info.USERS.clear()
    assert info_of("musiq_of_mine").better is None
    read_result(path)
    assert info_of("musiq_of_mine").better == "higher"
    rows = {"model": {"musiq_of_mine": Interval(60.0, 59.0, 61.0, 40)}}
    better = write_result(tmp_path / "y.json", replace(kept, name="y", rows=rows))
    found = compare_results([str(path), str(better)])
    assert found.leaders("musiq_of_mine") == {"y"}
    assert found.leading() == ["musiq_of_mine"]
    assert "y is better than x by 10.0 (" in found.verdicts[0].sentence


def test_the_manual_has_the_labels_of_tables():
    """Beside the keys, by which files name the same metrics."""
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", text.partition("## Distances")[0], re.MULTILINE)
    found = {}
    for names, labels in rows:
        first, *others = re.findall(r"`([^`]*)`", names)
        known = [first, *(other.replace("…", first.removesuffix("_pictures")) for other in others)]
        found |= dict(zip(known, labels.split(", "), strict=True))
    assert found == {name: info_of(name).label for name in found}
    assert found.keys() >= package_metrics().keys()


@pytest.mark.parametrize(("rate", "words"), [(0.04, "0.04"), (0.4, "0.4"), (3.0, "3"), (9.96, "10"), (118.4, "118")])
def test_what_is_slow_is_not_at_rest(rate, words):
    assert format_rate(rate) == words


def test_a_share_has_no_negative_interval():
    values = np.zeros(40)
    values[:2] = 0.5
    pictures = ImageValues(NAMES, [""] * 40, {"out_of_gamut": values})
    cell = aggregate(pictures, {"out_of_gamut": OutOfGamut()})["out_of_gamut"]
    assert 0 <= cell.low <= cell.value <= cell.high <= 1
    assert info_of("precision_inception").clip(Interval(0.99, 0.9, 1.08, 10)).high == 1
    assert info_of("kid").clip(Interval(0.0, -0.1, 0.1, 10)).low == -0.1  # an unbiased estimate may be below 0


def test_grey_is_said_to_beat_those_that_it_beats(evaluated):
    runs = [evaluated("good"), evaluated("fine", 0.2), evaluated("lively", -9.0)]
    (sentence,) = grey_wins(compare_results(runs))
    assert sentence.startswith("Grey has a better PSNR than lively. This is expected")
    assert not grey_wins(compare_results(runs[:2]))
    (sentence,) = grey_wins(compare_results(runs[2:]))
    assert sentence.startswith("Grey has the better PSNR.")
    others = [evaluated(name, -9.0) for name in ("a", "b", "c")]
    (sentence,) = grey_wins(compare_results([runs[0], *others]))
    assert sentence.startswith("Grey has a better PSNR than a, b and c.")


def test_a_comparison_of_four_runs_is_read_at_once(evaluated, capsys):
    """Six pairs in twenty metrics are no 120 sentences on a terminal: these are on the page."""
    runs = [evaluated(name, better) for name, better in (("a", 0.0), ("b", 0.5), ("c", 1.0), ("d", 1.0))]
    found = compare_results(runs)
    extra = {f"metric_{i}": Interval(1.0, 0.9, 1.1, 40) for i in range(17)}
    rows = {label: {**row, **extra} for label, row in found.runs.items()}
    print_comparison(replace(found, runs=rows, metrics=[*found.metrics, *extra]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 80
    told = next(line for line in lines if line.startswith("PSNR: "))
    assert told.startswith("PSNR: no other run is significantly better than c or d; 5 of 6 pairs differ significantly")
    assert any("verdicts on 17 other metrics are on the page" in line for line in lines)


def test_runs_trained_without_psnr_are_ranked_by_what_they_share():
    of = {"a": {"features": 0.5, "chroma": 1.0}, "b": {"features": 0.2, "ssim": 0.9}, "c": {"features": 0.3}}
    summaries = {name: {"val": row} for name, row in of.items()}
    assert list(rank_summaries(summaries)) == ["b", "c", "a"]
    assert list(rank_summaries({"a": {"val": {"chroma": 1.0}}, "b": {"val": {"psnr": 3.0}}})) == ["a", "b"]
    assert list(rank_summaries({"a": {"val": {"psnr": 20.0}}, "b": {"val": {"psnr": 23.0}}})) == ["b", "a"]


def test_an_export_can_be_read_by_others_and_its_card_names_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = save(CNN(width=0.1, global_size=32), "my models/mine", {"name": "a run"})
    (tmp_path / "plain").touch()
    usual = (tmp_path / "plain").stat().st_mode
    assert all(path.stat().st_mode == usual for path in folder.iterdir())
    (line,) = [line for line in (folder / "README.md").read_text().splitlines() if "colorize.load(" in line]
    assert torch.is_tensor(next(eval(line.split("=", 1)[1].split("#")[0], {"colorize": colorize}).parameters()))
    assert "0.0 M" not in (folder / "README.md").read_text()


def test_a_small_network_has_more_than_no_parameters_in_the_table():
    assert [painting_cells({"parameters": n})[0].text for n in (1794, 123_456, 55_006_640)] == [
        "0.0018",
        "0.12",
        "55.01",
    ]


def test_what_evaluation_lacks_has_the_name_of_its_metric(run_folder, inside, tmp_path, monkeypatch):
    def absent(name):
        raise UnavailableError(f"{name} is not here")

    monkeypatch.setattr("colorize.evaluation.evaluation_setup.create_extractor", absent)
    run = f"run={run_folder()}"
    refused(inside("evaluate", run, "device=gpu"), "device='gpu' is not here")
    with pytest.raises(UserError, match="--device='gpu' is not here"):
        choose_device("gpu", option="--device")
    done = inside("evaluate", run, "+protocol.extractors=[inception]", "metrics=quick", "table=false", "track=false")
    assert done.returncode == 0, done.stderr
    result = read_result(tmp_path / "outputs" / "toy" / "results" / "validation.json")
    assert result.absent["fid"] == result.absent["kid"] == "inception is not here"
    assert score_name("fid_inf", "dinov2") == "fd_inf_dinov2"
