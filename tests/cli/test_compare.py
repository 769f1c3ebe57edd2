"""The verb `compare`: the runs that its arguments mean, tables, and one sentence for each mistake."""

import json
import re

import pytest

from colorize.cli.compare import expand_runs
from colorize.evaluation.compare import compare_results
from colorize.evaluation.entries import run_labels
from colorize.reports.tables import latex, markdown
from colorize.utils.errors import UserError


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


def test_the_command(evaluated, inside, tmp_path):
    places = [evaluated("plain"), evaluated("better", 0.5)]
    done = inside("compare", *places, "--markdown", "deep/table.md", "--latex", "table.tex")
    assert done.returncode == 0, done.stderr
    assert "better is better than plain by" in done.stdout
    assert (tmp_path / "deep" / "table.md").is_file()
    assert (tmp_path / "table.tex").read_text().startswith("% protocol toy-40-abc")


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
    places, notes = expand_runs(["cpu-*"])
    assert places == ["cpu-a", "cpu-b"]
    assert notes == ["left out, as no run folder: cpu-notes"]
    assert expand_runs(["cpu-*", "[cg]pu*"])[0] == ["cpu-a", "cpu-b", "gpu"]
    assert expand_runs(["cpu-*/results/*.json"])[0] == ["cpu-a/results/toy.json", "cpu-b/results/toy.json"]
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
    assert run_labels(names) == dict(zip(names, labels, strict=True))


def test_a_sweep_means_its_finished_jobs(sweep):
    folder = sweep("sweep-1", "finished", "pruned", "finished", "failed", None)
    places, (note,) = expand_runs([folder])
    assert [place.rsplit("/", 1)[1] for place in places] == ["000-00000000", "002-00000002"]
    assert note.endswith("not finished: 001-00000001 (pruned), 003-00000003 (failed), 004-00000004 (unfinished)")
    assert expand_runs([folder.replace("sweep-1", "sweep-*")]) == (places, [note])


def test_a_sweep_of_which_nothing_finished(sweep):
    with pytest.raises(UserError, match=r"no job of the sweep '.*sweep-2' has finished: 000-00000000 \(failed\)"):
        expand_runs([sweep("sweep-2", "failed")])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["out*"], "no run folder matches 'out*'"),
        (["emp*"], "no run folder matches 'emp*': empty are none"),
        (["untrained"], "the run in 'untrained' has not finished: its summary.json says nothing"),
        (["torn"], "'torn/summary.json' is not whole, or no JSON"),
        ([], "compare takes run folders: python compare.py outputs/a outputs/b"),
        (["gone"], "there is no run folder 'gone'"),
        (["one", "one"], "'one' is given twice"),
        (["one", "empty"], "'empty' has no results, and others have: evaluate it first"),
        (["one", "--protocol", "clean"], "'one' has no result of the protocol 'clean'; it has toy"),
        (["one", "half"], "is not whole, or no JSON: evaluate the run again"),
        (["one", "--pol"], "there is no option '--pol': did you mean --pool?"),
        (["one", "--html", "empty"], "'empty' is a folder: name a file"),
        (["one", "--markdown", "half/results/toy.json/table.md"], "cannot be made, since"),
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


def test_a_page_that_is_replaced_is_told(evaluated, inside):
    places = [evaluated("one"), evaluated("two")]
    assert "in place of an earlier one" not in inside("compare", *places).stdout
    again = " ".join(inside("compare", *places).stdout.split())
    assert "the page is 'compare.html', in place of an earlier one; --html FILE names another" in again
