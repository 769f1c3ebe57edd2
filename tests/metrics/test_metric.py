"""What every metric promises to say of itself, what adds up over processes, and what is refused."""

import json

import numpy as np
import pytest
import torch
import torchvision
from omegaconf import OmegaConf
from PIL import Image

from colorize.imaging.color import rgb_to_lab
from colorize.metrics import (
    LPIPS,
    PSNR,
    SSIM,
    Bleeding,
    Chroma,
    ChromaError,
    Colorfulness,
    Pair,
    Patchiness,
    Picture,
    column_name,
    grey_note,
    measure_all,
)
from colorize.metrics.metric_info import build_metrics
from colorize.utils.errors import UnavailableError, UserError
from tests.helpers.configs import CONF, tiny_words
from tests.helpers.distorted import painted

FULL = OmegaConf.load(CONF / "metrics" / "full.yaml")


@pytest.fixture(scope="module")
def full():
    """Every metric, LPIPS with random networks."""
    torch.manual_seed(0)
    nets = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}
    lpips = {f"lpips_{net}": LPIPS(net, trunk=build(weights=None).features) for net, build in nets.items()}
    nodes = {name: node for name, node in FULL.items() if name not in lpips}
    return lpips | build_metrics(OmegaConf.create(nodes), strict=True)[0]


def everything_of(other, rgb):
    """A pair with all that any metric needs."""
    L, ab = rgb_to_lab(rgb).split((1, 2), dim=1)
    samples = Picture(torch.stack([other, rgb]).flatten(0, 1)).pixels.unflatten(0, (2, -1))
    return Pair(Picture(other), Picture(rgb), L, ab, samples=samples)


@pytest.mark.parametrize("name", FULL)
def test_every_metric_says_what_it_is(full, photographs, name):
    metric, rgb = full[name], photographs[8:11]
    assert metric.label
    assert metric.better in ({None} if name == "diversity" else {"higher", "lower", "truth"})
    everything = everything_of(rgb.flip(1), rgb)
    values = metric.named(everything)
    assert tuple(values) == metric.columns
    assert all(column.shape == (3,) and column.isfinite().all() for column in values.values())
    assert bool(metric.undefined) == (name in {"chroma", "hue_error", "bleeding", "patchiness"})
    assert (metric.aggregation in {"function", "difference"}) == ("" not in metric.columns)
    metric.reset()
    metric.add(everything)
    assert isinstance(metric.compute(), float)
    without = everything.given - metric.needs
    assert metric.lacks(everything.given) is None
    assert (metric.lacks(without) is None) == (not metric.needs)


def test_processes_add_up(full, photographs):
    rgb = photographs[:5, :, :64, :64]
    other = painted(rgb, lambda ab: ab.flip(1))
    for metric in full.values():
        metric.reset()
        metric.add(everything_of(other, rgb))
        whole, parts = metric.compute(), []
        for part in (slice(0, 3), slice(3, 5), slice(5, 5)):
            metric.reset()
            if part.start < 5:
                metric.add(everything_of(other[part], rgb[part]))
            parts.append(metric.parts())
        metric.merge(parts)
        assert metric.compute() == pytest.approx(whole, rel=1e-6)


def test_columns_of_all_are_those_of_each(full, photographs):
    rgb = photographs[:4, :, :64, :64]
    pair = everything_of(painted(rgb, lambda ab: ab.flip(1)), rgb)
    columns = measure_all(full, pair)
    assert columns.keys() == {column_name(name, column) for name, metric in full.items() for column in metric.columns}
    for name, metric in full.items():
        alone = metric.named(pair)
        for column, values in alone.items():
            torch.testing.assert_close(columns[column_name(name, column)], values, rtol=1e-6, atol=1e-7, equal_nan=True)


def test_grey_photographs_in_a_set_for_colourfulness_count_and_are_told(photographs):
    some = photographs[:4].clone()
    some[1] = some[1, :1]
    for absolute in (False, True):
        values = Colorfulness(absolute).measure(some)
        assert values[1] == 0
        assert values[[0, 2, 3]].min() > 5
    assert "1 of 4 true pictures are grey" in grey_note(values.tolist())
    assert grey_note([5.0, 20.0]) is None


@pytest.mark.parametrize("metric", [PSNR, SSIM, ChromaError, Chroma, Patchiness])
def test_a_metric_that_needs_the_truth_says_so(metric):
    assert "true" in metric.needs
    with pytest.raises(UserError, match=r"needs the true colours$"):
        metric().measure(torch.rand(2, 3, 32, 32))


def test_wrong_shapes_are_refused():
    good = torch.rand(2, 3, 32, 32)
    with pytest.raises(
        UserError, match=r"pictures of shape \(2, 3, 32, 32\) go with true pictures .*not \(1, 3, 32, 32\)"
    ):
        PSNR().measure(good, good[:1])
    with pytest.raises(UserError, match=r"takes pictures \(B, 3, H, W\), .*not \(2, 1, 32, 32\)"):
        PSNR().measure(good[:, :1], good)
    with pytest.raises(UserError, match=r"not .* torch.int64"):
        PSNR().measure(good.long(), good)
    with pytest.raises(UserError, match=r"go with ab of shape \(2, 2, 32, 32\), not"):
        Pair(Picture(good), ab=good)


@pytest.mark.parametrize(("metric", "least"), [(SSIM, 11), (Bleeding, 12), (Patchiness, 8)])
def test_pictures_that_are_too_small_are_refused(metric, least):
    rgb = torch.rand(1, 3, least, 40)
    metric().measure(rgb, rgb)
    with pytest.raises(UserError, match=f"{least} pixels or more a side"):
        metric().measure(rgb[:, :, 1:], rgb[:, :, 1:])


def test_a_run_takes_them_all_and_leaves_out_what_has_no_number(inside, tmp_path, monkeypatch):
    """On grey photographs no painting has a right hue: what was to say which checkpoint is best never comes."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    (tmp_path / "grey").mkdir()
    for index, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 12, 12), dtype=np.uint8)):
        Image.fromarray(pixels).resize((96, 96)).save(tmp_path / "grey" / f"{index}.png")
    words = ("metrics=full", "name=all", "data=folder", "data.root=grey", "data.val_fraction=0.5", "data.size=64",
             "checkpoint.monitor=val/hue_error", "checkpoint.mode=min", "metrics.lpips_alex.download=false",
             "metrics.lpips_vgg.download=false")  # fmt: skip
    done = inside("train", *tiny_words("cnn", "l1", *words))
    assert done.returncode == 0, done.stderr
    assert "metric 'lpips_vgg' is left out: vgg16, ImageNet: the weights are not at" in done.stdout + done.stderr
    summary = json.loads((tmp_path / "outputs" / "all" / "summary.json").read_text(), parse_constant=pytest.fail)
    measured = set(FULL) - {"diversity", "lpips_alex", "lpips_vgg", "hue_error", "chroma", "patchiness"}
    assert summary["val"].keys() - {"bleeding"} == measured - {"bleeding"}
    grey = summary["baseline"]["grey"]
    assert grey.keys() == measured - {"bleeding"}
    assert grey["out_of_gamut"] == 0
    assert grey["l_shift"] < 0.2
    assert grey["psnr"] > 45


def test_absent_metrics_are_left_out_or_refused(tmp_path):
    node = OmegaConf.create(
        {
            "psnr": {"_target_": "colorize.metrics.PSNR"},
            "lpips": {"_target_": "colorize.metrics.LPIPS", "weights": str(tmp_path / "x.pth")},
        }
    )
    metrics, absent = build_metrics(node)
    assert list(metrics) == ["psnr"]
    assert absent.keys() == {"lpips"}
    assert "and save it there" in absent["lpips"]
    with pytest.raises(
        UnavailableError, match="metric 'lpips' is unavailable: alexnet, ImageNet: the weights are not at"
    ):
        build_metrics(node, strict=True)
