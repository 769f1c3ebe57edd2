"""Tables of results: what is marked, what a heading says, and one order everywhere."""

import re
from math import nan

from colorize.cli.compare import print_comparison
from colorize.cli.evaluate import print_result
from colorize.evaluation.compare import compare_results
from colorize.evaluation.result import read_result
from colorize.metrics.metric_info import Interval
from colorize.reports.comparison_page import result_table, unavailable_metrics, write_comparison
from colorize.reports.tables import TOO_FEW, comparison_table, markdown
from tests.helpers.evaluated import NAMES, PROTOCOL


def few(evaluated, fid, count=24, **changes):
    """A result whose Fréchet distance has no interval, as there are fewer pictures than features."""
    cells = {"psnr": Interval(24.0, 23.0, 25.0, count), "fd_efficientnet_lite0": Interval(fid, nan, nan, count),
             "kd_efficientnet_lite0": Interval(-0.028, -0.04, -0.01, count),
             "kd_paired_efficientnet_lite0": Interval(0.01, 0.005, 0.015, count)}  # fmt: skip
    grey = {metric: Interval(2 * cell.value, nan, nan, count) for metric, cell in cells.items()}
    halves = {"fd_efficientnet_lite0": Interval(303.9, nan, nan, count // 2)}
    return evaluated(f"of{fid}", rows={"model": cells, "grey": grey, "split_half": halves}, **changes)


def test_a_distance_of_too_few_is_marked_and_no_headline(evaluated, capsys):
    places = [few(evaluated, 76), few(evaluated, 80)]
    for shown in (places, places[:1]):
        found = compare_results(shown)
        assert found.leading() == ["psnr", "kd_paired_efficientnet_lite0"]
        table = comparison_table(found) if len(shown) > 1 else result_table(found)
        marked = [cell for row in table.rows for cell in row.cells if cell.small == TOO_FEW]
        assert {"76.000", "303.900"} <= {cell.text for cell in marked}
        assert not {"24.00", "0.01000"} & {cell.text for cell in marked}
        assert any("FD efficientnet_lite0 says nothing of 24 pictures: " in note for note in found.notes)
        told = "KD efficientnet_lite0 of 24 pairs is too low, "
        assert any(note.startswith(told) and "read KD paired eff" in note for note in found.notes)
        print_comparison(found)
        assert TOO_FEW in " ".join(capsys.readouterr().out.split())
    told = {verdict.metric: verdict.sentence for verdict in compare_results(places).verdicts}
    assert told["fd_efficientnet_lite0"] == "of76 and of80 cannot be compared: a value is infinite or has no interval"


def test_old_photographs_have_no_distance_of_five_among_the_first_numbers(evaluated):
    protocol = {**PROTOCOL, "photographs": 5, "of": 5, "truth": "none"}
    cells = {"colorfulness": Interval(20.0, 18.0, 22.0, 5), "chroma_mean": Interval(9.0, 8.0, 10.0, 5),
             "fd_efficientnet_lite0": Interval(300.0, nan, nan, 5)}  # fmt: skip
    rows = {"model": cells, "grey": {metric: Interval(0.0, 0.0, 0.0, 5) for metric in cells}}
    found = compare_results([evaluated("one", protocol=protocol, rows=rows, names=NAMES[:5])])
    assert found.leading() == ["colorfulness", "chroma_mean"]


def test_without_true_colours_no_heading_speaks_of_the_truth(evaluated, tmp_path, capsys):
    """Neither of a table nor of a chart, on the page of one run and of two, nor on the terminal."""
    protocol = {**PROTOCOL, "truth": "none"}
    cells = {"colorfulness": Interval(20.0, 18.0, 22.0, 40), "chroma_mean": Interval(9.0, 8.0, 10.0, 40)}
    rows = {"model": cells, "grey": cells}
    places = [evaluated(name, protocol=protocol, rows=rows) for name in ("one", "two")]
    for shown in (places, places[:1]):
        found = compare_results(shown)
        write_comparison(page := tmp_path / "page.html", found)
        print_comparison(found)
        print_result(read_result(f"{places[0]}/results/toy.json"))
        for text in (page.read_text(encoding="utf-8"), markdown(found), capsys.readouterr().out):
            assert "colourfulness" in text
            assert "→ truth" not in text
            assert "Beside grey and truth" not in text
            assert "bold:" not in text
    assert "colourfulness → truth" in markdown(compare_results([evaluated("three")]))


def test_a_network_that_is_shown_another_size_says_so(evaluated):
    protocol, weights = {**PROTOCOL, "predict": "given"}, {"network": {"trained_at": 96}}
    told = (
        "one was trained at 96², and this protocol shows it 256²: with protocol.predict=trained it is shown 96², "
        "as colorize paint does"
    )
    assert told in compare_results([evaluated("one", protocol=protocol, weights=weights)]).notes
    for name, alike in (("two", {"predict": "trained"}), ("three", {"predict": 96}), ("four", {"size": 96})):
        found = compare_results([evaluated(name, protocol={**protocol, **alike}, weights=weights)])
        assert not any("trained at" in note for note in found.notes)


def test_every_table_has_one_order_of_rows_and_of_metrics(evaluated, tmp_path, capsys):
    """Whatever the order in the file."""
    psnr, ssim, chroma = (Interval(value, value - 1, value + 1, 40) for value in (24.0, 0.9, 0.5))
    beside = {"chroma_mean": chroma, "ssim": ssim, "psnr": psnr}
    rows = {"mean_ab": beside, "truth": {"chroma_mean": chroma}, "grey": beside,
            "model": {"psnr": psnr, "ssim": ssim, "chroma_mean": chroma}}  # fmt: skip
    place = evaluated("one", rows=rows)
    print_result(read_result(f"{place}/results/toy.json"))
    print_comparison(compare_results([place]))
    printed = capsys.readouterr().out
    heads = [line for line in printed.splitlines() if "mean colour" in line]
    assert len(heads) == 2
    assert all(line.index("grey") < line.index("mean colour") < line.index("ground truth") for line in heads)
    names = re.findall(r"^│ (PSNR|SSIM|mean chroma)", printed, re.MULTILINE)
    assert names == [*("PSNR", "SSIM", "mean chroma") * 3, "PSNR", "SSIM"]


def test_a_reason_is_listed_once_for_all_runs(evaluated):
    absent = {"fid": "no weights", "kid": "no weights"}
    found = compare_results([evaluated("one", absent=absent), evaluated("two", absent=absent | {"top1": "no labels"})])
    assert unavailable_metrics(found) == [("fid, kid", "no weights"), ("top1 of two", "no labels")]


def test_bold_has_one_meaning(evaluated):
    """On the page of one run nothing is better than another run."""
    table = result_table(compare_results([evaluated("one")]))
    assert not any(cell.own for row in table.rows for cell in row.cells)
