"""Runs side by side: only what was measured alike, and verdicts that hold, against data made with known differences."""

import json
import re
from math import nan

import numpy as np
import pytest

from colorize.cli.compare import find_runs
from colorize.evaluation.bootstrap import Interval, mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.entries import labels_of
from colorize.evaluation.image_table import PictureTable
from colorize.evaluation.result import pictures_of
from colorize.reports.tables import latex, markdown
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.errors import UserError
from tests.helpers.evaluated import NAMES, PROTOCOL


def verdict(comparison, metric):
    return next(v for v in comparison.verdicts if v.metric == metric)


def test_a_known_difference_is_found(evaluated):
    found = compare_results([evaluated("plain"), evaluated("better", 0.5)])
    told = verdict(found, "psnr")
    assert told.winner == "better"
    assert told.sentence.startswith("better is better than plain by 0.")
    assert told.difference.advantage.low < -0.5 + 0.3
    assert abs(told.difference.advantage.value + 0.5) < 0.2
    assert told.adjusted < 0.01
    assert found.leaders("psnr") == {"better"}
    assert list(found.sanity) == ["grey", "truth"]


def test_no_difference_is_none(evaluated):
    found = compare_results([evaluated("one"), evaluated("two")])
    assert verdict(found, "psnr").winner is None
    assert "cannot be told apart" in verdict(found, "psnr").sentence
    assert found.leaders("psnr") == {"one", "two"}


def test_a_number_without_pictures_is_compared_by_its_interval(evaluated):
    found = compare_results([evaluated("one", fid=20), evaluated("two", fid=30)])
    told = verdict(found, "fid")
    assert (told.difference.basis, told.winner, told.adjusted) == ("intervals", "one", None)
    assert told.sentence.endswith("from the two intervals alone")


def test_without_the_table_of_pictures(evaluated, tmp_path):
    places = [evaluated("one"), evaluated("two", 0.5)]
    pictures_of(tmp_path / "two" / "results" / "toy.json").unlink()
    found = compare_results(places)
    assert verdict(found, "psnr").difference.basis == "intervals"
    assert any("two's pictures are not there: it is compared by intervals alone" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"size": 128}, "size is 256 in .*one and 128 in .*two"),
        ({"extractors": ["dinov2"]}, r"extractors is \['inception'\] in .*one and \['dinov2'\] in"),
        ({"upsampling": "area"}, "upsampling is not said in .*one and area in .*two"),
    ],
)
def test_what_was_measured_otherwise_is_refused(change, sentence, evaluated):
    places = [evaluated("one"), evaluated("two", protocol={**PROTOCOL, "id": "other", **change})]
    with pytest.raises(UserError, match=f"cannot be compared: {sentence}"):
        compare_results(places)


def test_other_photographs_are_refused(evaluated):
    places = [evaluated("one"), evaluated("two", manifest="n")]
    with pytest.raises(UserError, match=r"manifest is m in .*one and n in .*two"):
        compare_results(places)
    others = [f"x{name}" for name in NAMES]
    with pytest.raises(UserError, match=r"do not have the same pictures: 'x?0"):
        compare_results([evaluated("three"), evaluated("four", names=others)])


def test_other_versions_are_noted(evaluated):
    found = compare_results([evaluated("one"), evaluated("two", versions={"torch": "3"})])
    assert any("were measured with other versions: torch is 2 and 3" in note for note in found.notes)


def test_seeds_are_pooled(evaluated):
    """Two recipes of three seeds each; only recipes are compared, and only once each seed."""
    places = [evaluated(f"a-s{seed}", 0.6, seed=seed, group="a") for seed in range(3)]
    places += [evaluated(f"b-s{seed}", seed=seed, group="b") for seed in range(3)]
    found = compare_results(places, pool=True)
    assert list(found.runs) == ["a (3 seeds)", "b (3 seeds)"]
    assert verdict(found, "psnr").difference.basis == "seeds"
    assert verdict(found, "psnr").winner == "a (3 seeds)"
    with pytest.raises(UserError, match="are both seed 0: each seed is pooled once"):
        compare_results([*places, evaluated("c", seed=0, group="a")], pool=True)
    with pytest.raises(UserError, match="no two of these runs differ by their seed alone"):
        compare_results([places[0], places[3]], pool=True)


def test_what_a_run_lacks_is_noted(evaluated):
    cells = {"psnr": Interval(24.0, 23.0, 25.0, 40)}
    other = evaluated("two", rows={"model": cells, "grey": cells}, absent={"fid": "too few pictures"})
    found = compare_results([evaluated("one"), other])
    assert "two has no fid: too few pictures" in found.notes
    assert "fid" not in {v.metric for v in found.verdicts}


def test_nearness_to_the_truths_own_colours(evaluated, tmp_path):
    """Colourfulness is better nearer to 40, which each true picture has: 35 beats 30, and so does 44."""
    places = [evaluated("dull"), evaluated("lively")]
    path = pictures_of(tmp_path / "lively" / "results" / "toy.json")
    path.unlink()
    cell = mean_interval(np.full(40, 44.0))
    file = path.with_suffix(".json")
    held = json.loads(file.read_text())
    held["rows"]["model"]["colorfulness"] = cell.__dict__
    file.write_text(json.dumps(held))
    with PictureTable(path, ["psnr", "colorfulness"]) as table:
        table.add("model", NAMES, {"psnr": np.full(40, nan), "colorfulness": np.full(40, 44.0)})
        table.add("truth", NAMES, {"colorfulness": np.full(40, 40.0)})
    told = verdict(compare_results(places), "colorfulness")
    assert told.winner == "lively"
    assert "lively is nearer to the truth than dull by 6" in told.sentence


@pytest.mark.parametrize("of", ["best.pt", "step-00000004.pt"])
def test_a_result_of_before_its_run_went_on_is_named(of, evaluated, tmp_path):
    places = [evaluated("one", weights={"network": {"of": of, "step": 4}}), evaluated("two")]
    checkpoints = Checkpoints(tmp_path / "one" / "checkpoints", keep=1)
    checkpoints.save({"steps": 4}, best=True)
    assert not any("evaluate again" in note for note in compare_results(places).notes)
    checkpoints.save({"steps": 8}, best=True)
    told = "the result of one is of step 4, and the run has gone on to 8: evaluate again"
    assert told in compare_results(places).notes


# --- tables


def test_markdown_marks_who_leads(evaluated):
    text = markdown(compare_results([evaluated("plain_run"), evaluated("better|run", 0.5)]))
    lines = text.splitlines()
    table = [line for line in lines if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert widths == {5}  # four columns
    assert any(line.startswith("| better\\|run | **24") for line in table)
    assert any(line.startswith("| plain_run | 2") for line in table)
    assert "- PSNR: better|run is better than plain_run by" in text
    assert any(line.startswith("| grey | 21.00 (20.00 to 22.00)") for line in table)


def test_what_painting_costs_is_in_the_tables(evaluated):
    """Where it is known of a run; the other one and grey have a dash."""
    cost = {"parameters": 1_230_000, "gmacs": 0.5, "size": [96, 96], "seconds": 0.02, "batch_size": 4, "device": "a|b"}
    found = compare_results([evaluated("one", cost=cost), evaluated("two")])
    rows = {line.split(" | ")[0]: line for line in markdown(found).splitlines() if line.startswith("| ")}
    assert rows["| one"].endswith("| 1.23 | 0.5 (at 96²) | 0.020 (4 at a time, a\\|b) |")
    assert rows["| two"].endswith("| – | – | – |")
    assert rows["| grey"].endswith("| – | – | – |")
    table = latex(found)
    assert r"\begin{tabular}{lrrrrrr}" in table
    assert " & M parameters & GMACs & seconds a photograph " in table


def test_latex_is_balanced_and_escaped(evaluated):
    text = latex(compare_results([evaluated("plain_run"), evaluated("50%_run", 0.5)]))
    table = text[text.index(r"\begin{tabular}") : text.index(r"\end{tabular}")]
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows} == {3}
    assert table.count("{") == table.count("}")
    assert r"plain\_run" in table
    assert r"50\%\_run & \textbf{24" in table
    assert not re.search(r"(?<!\\)[_%]", table)
    assert table.count(r"\toprule") == 1
    assert all(line.startswith("%") for line in text.splitlines() if "better than" in line)


# --- the command


def test_the_command(evaluated, inside, tmp_path):
    places = [evaluated("plain"), evaluated("better", 0.5)]
    done = inside("compare", *places, "--markdown", "deep/table.md", "--latex", "table.tex")
    assert done.returncode == 0, done.stderr
    assert "better is better than plain by" in done.stdout
    assert (tmp_path / "deep" / "table.md").is_file()
    assert (tmp_path / "table.tex").read_text().startswith("% protocol toy-40-abc")


def test_old_photographs_are_not_what_is_compared(evaluated, tmp_path):
    """Runs with a result of each are compared by the one that knows the truth, unless the other is named."""
    places = [evaluated("one"), evaluated("two")]
    for place in places:
        folder = tmp_path / place / "results"
        held = json.loads((folder / "toy.json").read_text())
        held["protocol"] |= {"id": "historical-40", "name": "historical", "truth": "none"}
        (folder / "historical.json").write_text(json.dumps(held))
        (folder / "historical.csv").write_bytes((folder / "toy.csv").read_bytes())
    assert compare_results(places).protocol["name"] == "toy"
    assert compare_results(places, "historical").protocol["name"] == "historical"
    for place in places:
        (tmp_path / place / "results" / "toy.json").unlink()
    assert compare_results(places).protocol["name"] == "historical"


# --- patterns and sweeps


@pytest.fixture
def sweep(tmp_path):
    """A sweep's folder: a job for each status, as sweeps name them; None: one that has no summary yet."""

    def make(name, *statuses):
        for number, status in enumerate(statuses):
            folder = tmp_path / name / f"{number:03d}-{number:08x}"
            (folder / ".hydra").mkdir(parents=True)
            if status:
                (folder / "summary.json").write_text(json.dumps({"status": status}))
        return str(tmp_path / name)

    return make


def test_a_pattern_means_the_runs_that_it_matches(evaluated, inside, tmp_path, monkeypatch):
    for name, better in (("cpu-b", 0.0), ("cpu-a", 0.5), ("gpu", 0.0)):
        evaluated(name, better)
    (tmp_path / "cpu-notes").mkdir()
    monkeypatch.chdir(tmp_path)
    places, notes = find_runs(["cpu-*"])
    assert places == ["cpu-a", "cpu-b"]
    assert notes == ["left out, as no run folder: cpu-notes"]
    assert find_runs(["cpu-*", "[cg]pu*"])[0] == ["cpu-a", "cpu-b", "gpu"]
    assert find_runs(["cpu-*/results/*.json"])[0] == ["cpu-a/results/toy.json", "cpu-b/results/toy.json"]
    done = inside("compare", "cpu-*")
    assert done.returncode == 0, done.stderr
    assert "left out, as no run folder: cpu-notes" in done.stdout
    assert "cpu-a is better than cpu-b by" in done.stdout


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ({"x/a": "one", "x/b": "two"}, ["one", "two"]),
        ({"s/000-ab": "same", "s/001-cd": "same", "x/c": "other"}, ["000-ab", "001-cd", "other"]),
        ({"x/a": "same", "y/a": "same", "z": "other"}, ["x/a", "y/a", "other"]),
        ({"x/a": "same", "x/b": "same", "x/c": "a"}, ["x/a", "x/b", "a"]),
    ],
)
def test_every_run_has_a_name_of_its_own(names, labels):
    assert labels_of(names) == dict(zip(names, labels, strict=True))


def test_a_sweep_means_its_finished_jobs(sweep):
    folder = sweep("sweep-1", "finished", "pruned", "finished", "failed", None)
    places, (note,) = find_runs([folder])
    assert [place.rsplit("/", 1)[1] for place in places] == ["000-00000000", "002-00000002"]
    assert note.endswith("not finished: 001-00000001 (pruned), 003-00000003 (failed), 004-00000004 (unfinished)")
    assert find_runs([folder.replace("sweep-1", "sweep-*")]) == (places, [note])


def test_a_sweep_of_which_nothing_finished(sweep):
    with pytest.raises(UserError, match=r"no job of the sweep '.*sweep-2' has finished: 000-00000000 \(failed\)"):
        find_runs([sweep("sweep-2", "failed")])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["out*"], "no run folder matches 'out*'"),
        (["emp*"], "no run folder matches 'emp*': empty are none"),
        (["untrained"], "'untrained' holds no finished run: its summary.json says nothing"),
        (["torn"], "'torn/summary.json' is not whole, or no JSON"),
        ([], "compare takes run folders: python compare.py outputs/a outputs/b"),
        (["gone"], "there is no run folder 'gone'"),
        (["one", "one"], "'one' is given twice"),
        (["one", "empty"], "'empty' has no result of a named protocol, and others have: evaluate it first"),
        (["one", "--protocol", "clean"], "'one' has no result of the protocol 'clean'; it has toy"),
        (["one", "half"], "is not whole, or no JSON: evaluate the run again"),
        (["one", "--pol"], "there is no option '--pol': did you mean --pool?"),
    ],
)
def test_one_sentence_for_each_mistake(words, sentence, evaluated, inside, tmp_path):
    evaluated("one")
    (tmp_path / "empty").mkdir()
    for name in ("untrained", "torn"):
        (tmp_path / name / ".hydra").mkdir(parents=True)
    (tmp_path / "torn" / "summary.json").write_text('{"name": "torn", ')
    path = tmp_path / "half" / "results" / "toy.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"name": ')
    done = inside("compare", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
