"""Sentences about differences, and the words for metrics."""

from math import inf, isnan, nan

from colorize.evaluation.permutation import Difference, compare_intervals
from colorize.evaluation.significance import describe_difference, format_number, significance
from colorize.metrics.metric_info import Interval, info_of


def test_nearness_to_the_truth():
    truth = Interval(40, 38, 42, 50)
    near, far = Interval(44, 42, 46, 50), Interval(30, 28, 32, 50)
    found = compare_intervals(info_of("colorfulness"), near, far, truth)
    assert found.advantage.value == 6
    assert found.advantage.low > 0
    assert isnan(compare_intervals(info_of("colorfulness"), near, far).advantage.value)


def said(value, low, high, p=0.001, name="psnr", **more):
    return describe_difference(info_of(name), "A", "B", Difference(Interval(value, low, high, 50), p=p, **more))


def test_sentences():
    assert said(0.42, 0.31, 0.53) == "A is better than B by 0.42 dB (0.31 to 0.53)"
    assert said(-0.42, -0.53, -0.31) == "B is better than A by 0.42 dB (0.31 to 0.53)"
    assert said(0.02, -0.05, 0.09, p=0.4) == "no significant difference between A and B: 0.02 dB (−0.05 to 0.09)"
    assert (
        said(0.2, 0.01, 0.39, p=0.08)
        == "no significant difference between A and B: 0.20 dB (0.01 to 0.39), but p is 0.08"
    )
    assert said(3, 1, 5, name="colorfulness") == "A is nearer to the truth than B by 3.0 (1.0 to 5.0)"
    assert said(1, nan, nan).startswith("A and B cannot be compared")
    assert said(1, 0.5, 1.5, left_out=3).endswith("; 3 of 53 pictures have no value and are left out")


def test_it_takes_interval_and_test():
    assert significance(Difference(Interval(1, 0.5, 1.5, 9), p=0.01)) == 1
    assert significance(Difference(Interval(1, 0.5, 1.5, 9), p=0.01), adjusted=0.2) == 0
    assert significance(Difference(Interval(-1, -1.5, -0.5, 9))) == -1
    assert significance(Difference(Interval(1, -0.5, 1.5, 9), p=0.01)) == 0
    assert significance(Difference(Interval(1, nan, nan, 9))) is None


def test_numbers_as_people_write_them():
    assert [format_number(value, 2) for value in (1.005, -0.001, -2.5, nan, inf)] == ["1.00", "0.00", "−2.50", "–", "∞"]


def test_measures_agree_with_the_metrics(config):
    """What `compare` says of a metric is what the metric says of itself."""
    from colorize.metrics.metric_info import build_metrics, in_view, info_from

    cfg = config("run=x", "metrics.lpips_alex.download=false", "metrics.lpips_vgg.download=false", name="evaluate")
    metrics, absent = build_metrics(cfg.metrics)
    assert absent.keys() <= {"lpips_alex", "lpips_vgg"}
    for name, metric in metrics.items():
        assert info_of(name) == info_from(metric), name
    names = list(cfg.metrics)
    first = sorted((name for name in names if info_of(name).prominence), key=lambda name: -info_of(name).prominence)
    assert first == ["psnr", "ssim", "lpips_alex", "ciede2000", "colorfulness", "features"]
    assert in_view("samples", names) == ["psnr", "lpips_alex", "features"]
    assert in_view("curve", names) == ["psnr", "colorfulness", "features"]
    assert set(in_view("grey", names)) == {"psnr", "ciede2000", "lpips_alex", "features", "top1"}
