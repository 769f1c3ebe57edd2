"""Charts of pages: how high a difference is drawn, and what stands beside it."""

import pytest

from colorize.evaluation.compare import compare_results
from colorize.reports.charts import ChartLine, curve_chart
from colorize.reports.comparison_page import forests
from colorize.reports.page import render_page
from colorize.reports.run_data import RunData, curve_charts
from colorize.reports.sweep_page import scatter_chart
from colorize.reports.tables import TextTable


def heights(chart):
    return [float(point.split(",")[1]) for line in chart.lines for point in line.points.split()]


@pytest.mark.parametrize(
    ("values", "least", "most"), [((22.71, 22.5), 5, 15), ((30.0, 10.0), 90, 96), ((2e-3, 1e-3), 90, 96)]
)
def test_a_small_difference_looks_small(values, least, most):
    chart = curve_chart([(ChartLine(""), [(0, 5.0), *enumerate(values, start=1)])])
    found = heights(chart)
    assert least < max(found) - min(found) < most
    low, high = map(float, chart.ends)
    assert low <= min(values) < max(values) <= high
    dots = scatter_chart("lr", [("1", values[0], "", False), ("2", values[1], "", True)]).dots
    assert least * 0.8 < abs(dots[0].top - dots[1].top) < most


def test_a_curve_that_does_not_change_is_in_the_middle():
    for value in (22.5, 0.0, -3.0):
        assert {round(height) for height in heights(curve_chart([(ChartLine(""), [(1, value), (2, value)])]))} == {50}


def test_the_ends_of_the_axis_are_on_the_page(tmp_path):
    runs = {"one": RunData(tmp_path, curves={"val/psnr": [(0, 5.0), (1, 22.71), (2, 22.5)]})}
    low, high = curve_charts(runs)[0].ends
    empty = TextTable([], [])
    page = render_page(
        "trained", "one", heading="one", source="", measured=[], scores=empty, old=None, samples=[],
        charts=curve_charts(runs), costs=empty, configs=None, several=False, colors={}, provenance={},
    )  # fmt: skip
    assert f'<span class="high">{high}</span><span class="low">{low}</span>' in page


def test_colourfulness_is_drawn_beside_the_same_on_every_page(evaluated):
    """Beside the truth's own, not beside grey, whose 0 would press the runs together."""
    places = [evaluated("one"), evaluated("two")]
    for shown in (places, places[:1]):
        found = {each.heading: [title for _, title in each.marks] for each in forests(compare_results(shown))}
        assert found["colourfulness → truth"] == ["ground truth 40.0"]
        assert found["PSNR dB ↑"] == ["grey 21.00"]
