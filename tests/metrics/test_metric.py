"""Metrics of this package's own, against what was planted; what each promises to say of itself; and what is refused."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from omegaconf import OmegaConf
from PIL import Image

from colorize.config import make
from colorize.data import Demo
from colorize.evaluation.metric_info import make_metrics
from colorize.imaging.color import lab_to_rgb, rgb_to_lab, to_uint8
from colorize.metrics import (
    LPIPS,
    PSNR,
    SSIM,
    Bleeding,
    Chroma,
    ChromaError,
    Colorfulness,
    FeatureDistance,
    HueError,
    Judge,
    LightnessShift,
    OutOfGamut,
    Pair,
    Patchiness,
    Picture,
    Recognition,
    ab_diversity,
    column_name,
    grey_note,
    measure_all,
    perceptual_diversity,
)
from colorize.utils.errors import AbsentError, UserError
from tests.helpers.configs import CONF

FULL = OmegaConf.load(CONF / "metrics" / "full.yaml")


@pytest.fixture(scope="module")
def photographs():
    """The 24 validation photographs, (24, 3, 256, 256) uint8."""
    return torch.cat(list(Demo(size=256).validation(24)))


@pytest.fixture(scope="module")
def full():
    """Every metric, LPIPS with random networks."""
    torch.manual_seed(0)
    nets = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}
    lpips = {f"lpips_{net}": LPIPS(net, trunk=build(weights=None).features) for net, build in nets.items()}
    nodes = {name: node for name, node in FULL.items() if name not in lpips}
    return lpips | make_metrics(OmegaConf.create(nodes), strict=True)[0]


def painted(rgb, change):
    """(B, 3, H, W) uint8 with the same lightness and `change` of its (a, b)."""
    lab = rgb_to_lab(rgb)
    return to_uint8(lab_to_rgb(lab[:, :1], change(lab[:, 1:])))


def blurred(ab, sigma):
    return torchvision.transforms.functional.gaussian_blur(ab, 2 * int(3 * sigma) + 1, sigma)


def blotches(ab, size, strength):
    """Soft blotches of about `size` pixels."""
    noise = torch.randn(len(ab), 2, 256 // size, 256 // size, generator=torch.Generator().manual_seed(0))
    return ab + strength * F.interpolate(noise, size=256, mode="bicubic")


def tiles():
    """(1, 3, 64, 64) uint8: sixteen tiles of four lightnesses and four colours, with crisp borders everywhere."""
    L = torch.tensor([[30.0, 60, 40, 70], [65, 35, 75, 45], [30, 60, 40, 70], [65, 35, 75, 45]])
    colours = torch.tensor([[25.0, 5], [-20, 20], [5, -25], [-5, 25]])
    ab = colours[torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2], [3, 2, 1, 0]])].permute(2, 0, 1)
    lab = torch.cat([L[None], ab])[None].repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    return to_uint8(lab_to_rgb(lab[:, :1], lab[:, 1:]))


def rises(values):
    return all(later > earlier for earlier, later in pairwise(values))


SHIFTS = [lambda ab, far=far: ab.roll((far, far), dims=(2, 3)) for far in (0, 1, 2, 4)]
BLURS = [lambda ab: ab, *(lambda ab, sigma=sigma: blurred(ab, sigma) for sigma in (1, 2, 4))]


@pytest.mark.parametrize("changes", [SHIFTS, BLURS], ids=["shift", "blur"])
def test_colour_that_runs_across_edges_bleeds(photographs, changes):
    values = [Bleeding().measure(painted(photographs, change)).mean().item() for change in changes]
    assert rises(values)
    assert values[-1] > values[0] + 0.08


def test_crisp_tiles_do_not_bleed():
    shifted, soft = ([Bleeding().measure(painted(tiles(), c)).item() for c in changes] for changes in (SHIFTS, BLURS))
    assert shifted[:2] == pytest.approx([0, 0], abs=0.01)  # a single pixel is forgiven, as the softness of any edge is
    assert shifted[2:] == pytest.approx([0.5, 1], abs=0.01)
    assert rises(soft)
    assert soft[-1] > 0.3


def test_half_of_the_contrast_missing_at_the_edge_is_a_bleeding_of_a_half():
    """Two halves, black and white; their colours reach half of their way at the border, and all of it 3 pixels on."""
    L, ab = torch.full((1, 1, 40, 40), 30.0), torch.zeros(1, 2, 40, 40)
    L[..., 20:] = 70
    ab[:, 0, :, :20], ab[:, 0, :, 20:] = 12.0, -12.0
    ab[:, 0, :, 17:20], ab[:, 0, :, 20:23] = 6.0, -6.0
    assert Bleeding().measure(lab_to_rgb(L, ab)).item() == pytest.approx(0.5, abs=1e-3)


def test_bleeding_does_not_ask_which_colours(photographs):
    """Other colours with the same borders: a and b swapped, or all at half the strength."""
    own = Bleeding().measure(photographs).mean().item()
    for change in (lambda ab: ab.flip(1) / 2, lambda ab: ab / 2):
        assert Bleeding().measure(painted(photographs, change)).mean().item() == pytest.approx(own, abs=0.03)


def test_without_colour_there_is_nothing_to_bleed(photographs):
    assert Bleeding().measure(painted(photographs, torch.zeros_like)).isnan().all()
    assert Bleeding().measure(torch.full((1, 3, 32, 32), 0.5)).isnan().all()


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_blotches_are_patchy(photographs, size):
    values = []
    for strength in (0, 1, 3, 6, 12):
        copy = painted(photographs, lambda ab, strength=strength: blotches(ab, size, strength))
        values.append(Patchiness().measure(copy, photographs).nanmean().item())
    assert values[0] < 0.01
    assert rises(values)


def test_what_is_flatter_than_the_truth_is_not_patchy(photographs):
    for change in (lambda ab: ab / 2, lambda ab: blurred(ab, 4), lambda ab: torch.zeros_like(ab) + 20):
        assert Patchiness().measure(painted(photographs, change), photographs).nanmean() < 0.15


def test_patchiness_of_a_chessboard_by_hand():
    """Fields of 4 pixels, a = ±6 on even grey: every square of 8 or more has a standard deviation of 6."""
    field = torch.tensor([[1.0, -1], [-1, 1]]).repeat(8, 8).repeat_interleave(4, 0).repeat_interleave(4, 1)
    L = torch.full((1, 1, 64, 64), 50.0)
    ab = torch.stack([6 * field, torch.zeros(64, 64)])[None]
    true, copy = lab_to_rgb(L, torch.zeros_like(ab)), lab_to_rgb(L, ab)
    assert Patchiness().measure(copy, true).item() == pytest.approx(6, abs=0.02)
    loud = lab_to_rgb(L + 10 * torch.randn(L.shape, generator=torch.Generator().manual_seed(0)), ab)
    assert Patchiness().measure(copy, loud).isnan().all()  # no even place


@pytest.mark.parametrize("size", [(20, 9), (8, 70), (75, 41)])
def test_patchiness_takes_any_size(size):
    rgb = torch.full((2, 3, *size), 0.5)
    assert (Patchiness().measure(rgb, rgb) == 0).all()


def test_hue_error_is_the_angle_turned_and_greys_do_not_count(photographs):
    L, ab = torch.full((1, 1, 8, 8), 60.0), torch.zeros(1, 2, 8, 8)
    ab[:, 0] = 20.0
    ab[..., :4] = 3.0  # half of the picture is as good as grey, of whatever hue
    turned = torch.stack([-ab[:, 1], ab[:, 0]], dim=1)
    turned[..., :4] = -3.0
    assert HueError().measure(lab_to_rgb(L, turned), lab_to_rgb(L, ab)).item() == pytest.approx(90, abs=0.01)
    paler = painted(photographs, lambda ab: ab * 0.7)
    assert HueError().measure(paler, photographs).mean() < 1
    assert HueError().measure(painted(photographs, torch.zeros_like), photographs).isnan().all()


def test_undefined_pictures_are_left_out_of_the_mean(photographs):
    metric = HueError()
    metric.update(painted(photographs[:4], torch.zeros_like), photographs[:4])
    assert metric.compute() != metric.compute()
    metric.update(painted(photographs[:4], lambda ab: ab.flip(1)), photographs[:4])
    known = HueError().measure(painted(photographs[:4], lambda ab: ab.flip(1)), photographs[:4])
    assert metric.compute() == pytest.approx(known.mean().item())


def test_what_does_not_fit_into_srgb_is_clipped_and_moves_lightness():
    L, ab = torch.full((2, 1, 8, 8), 50.0), torch.zeros(2, 2, 8, 8)
    ab[0, 0, :, :2] = 120.0  # a quarter of the first picture
    pair = Pair(Picture(lab_to_rgb(L, ab)), L=L, ab=ab)
    assert OutOfGamut().named(pair)[""].tolist() == [0.25, 0]
    expected = (rgb_to_lab(pair.painted.rgb)[:, :1] - L).abs().mean(dim=(1, 2, 3))
    shift = LightnessShift().named(pair)[""]
    torch.testing.assert_close(shift.float(), expected)
    assert shift[0] > 0.5
    assert shift[1] < 0.01
    corners = torch.tensor([0.0, 1.0]).expand(3, 2).unsqueeze(0)
    lab = rgb_to_lab(torch.cartesian_prod(*corners[0]).T.reshape(1, 3, 8, 1))
    assert OutOfGamut().named(Pair(Picture(lab_to_rgb(lab[:, :1], lab[:, 1:])), L=lab[:, :1], ab=lab[:, 1:]))[""] == 0


def test_colour_helps_to_recognise(photographs):
    metric = Recognition()
    true = Picture(photographs[:12])
    values = metric.named(Pair(true, true))
    assert values[""].all()
    assert 2 <= values["grey"].sum() <= 10
    grey = metric.named(Pair(Picture(painted(photographs[:12], torch.zeros_like)), true))
    assert (grey[""] != grey["grey"]).sum() <= 1  # but for the rounding to 8 bits, the same pictures


def test_recognition_against_labels(photographs):
    metric = Recognition(labelled=True)
    flipped, true = Picture(photographs.flip(1)), Picture(photographs)
    answers = metric._first(true)
    label = answers.clone()
    label[:6] = (label[:6] + 1) % 1000
    label[6:8] = -1
    values = metric.named(Pair(flipped, true, label=label))
    assert values.keys() == {"", "grey", "truth"}
    assert (values["truth"][:6] == 0).all()
    assert all(column[6:8].isnan().all() for column in values.values())
    assert (values["truth"][8:] == 1).all()
    assert ((metric._first(flipped) == label).float()[8:] == values[""][8:]).all()


def test_the_classifier_knows_what_it_sees(photographs):
    """ImageNet's classes 0 to 6 and 389 to 397 are of fish; so are 21 of the photographs for training."""
    demo = Demo(size=256)
    fish = [photo for photo in demo.train if "fishes" in photo.name][:8]
    seen = Recognition()._first(Picture(torch.stack([demo.centre(photo) for photo in fish])))
    assert sum(answer in (*range(7), *range(389, 398)) for answer in seen.tolist()) >= 6


def test_diversity_by_hand():
    """Three even paintings of one lightness, 10, 20 and 30 units apart in a."""
    L, ab = torch.full((3, 1, 6, 6), 50.0), torch.zeros(3, 2, 6, 6)
    ab[1, 0], ab[2, 0] = 10.0, 30.0
    samples = lab_to_rgb(L, ab)[:, None].expand(3, 2, 3, 6, 6)
    assert ab_diversity(samples) == pytest.approx([20, 20], abs=1e-3)
    values = perceptual_diversity(samples, lambda one, other: (one - other).abs().amax(dim=(1, 2, 3)))
    x = samples[:, 0, :, 0, 0]
    by_hand = sum((x[i] - x[j]).abs().max() for i, j in ((0, 1), (0, 2), (1, 2))) / 3
    torch.testing.assert_close(values, by_hand.expand(2))
    assert (ab_diversity(samples[:1].expand(4, 2, 3, 6, 6)) == 0).all()
    with pytest.raises(UserError, match=r"two or more samples \(K, B, 3, H, W\), not \(1, 2, 3, 6, 6\)"):
        ab_diversity(samples[:1])


def test_a_judge_is_any_function_of_pictures():
    rgb = torch.rand(3, 3, 8, 8)
    model = {"_target_": "torch.mean", "_partial_": True, "dim": [1, 2, 3]}
    node = {"_target_": "colorize.metrics.Judge", "label": "brightness", "better": "higher", "model": model}
    judge = make(OmegaConf.create(node), "metrics.brightness")
    torch.testing.assert_close(judge.measure(rgb), rgb.mean(dim=(1, 2, 3)))
    with pytest.raises(UserError, match="one number for each of 3 pictures, not shape"):
        Judge(torch.mean, "all", "higher").measure(rgb)
    with pytest.raises(UserError, match="it must be higher, lower or truth"):
        Judge(torch.mean, "all", "upwards")


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
    assert values.keys() == metric.columns.keys()
    assert all(column.shape == (3,) and column.isfinite().all() for column in values.values())
    assert bool(metric.undefined) == (name in {"chroma", "hue_error", "bleeding", "patchiness"})
    assert metric.pooled == ("" not in metric.columns)
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
    assert metric().needs_truth
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


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_takes_pictures_down_to_its_least(net):
    build = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}[net]
    metric = LPIPS(net, trunk=build(weights=None).features)
    rgb = torch.rand(1, 3, metric.least, metric.least)
    assert metric.measure(rgb, 1 - rgb).isfinite().all()
    with pytest.raises(UserError, match=f"needs pictures of {metric.least} pixels"):
        metric.measure(rgb[..., 1:], rgb[..., 1:])


def test_weights_that_are_not_there_are_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(AbsentError, match=r"are not at .*none\.pth'.*: put there what https"):
        LPIPS("alex", weights=tmp_path / "none.pth")
    with pytest.raises(AbsentError, match=r"alexnet-owt-7be5be79.pth"):
        LPIPS("alex", download=False)
    (tmp_path / "other.pth").write_bytes(b"not the published file")
    with pytest.raises(AbsentError, match=r"^vgg16, ImageNet: .* is not the published file, or not all of it"):
        LPIPS("vgg", weights=tmp_path / "other.pth")
    with pytest.raises(AbsentError, match="'resnet18' are on this machine neither in a package nor in a cache"):
        FeatureDistance("resnet18")
    with pytest.raises(AbsentError, match="resnet18"):
        Recognition("resnet18")
    with pytest.raises(UserError, match="no classifier 'resnet19'"):
        Recognition("resnet19")
    with pytest.raises(UserError, match="there is no LPIPS net 'squeeze': it must be one of alex, vgg"):
        LPIPS("squeeze")


def test_a_download_that_fails_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def unreachable(url, timeout):
        assert timeout <= 10
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(AbsentError, match=r"^alexnet, ImageNet: .*cannot be fetched from https.*timed out.*put at"):
        LPIPS("alex")
    assert not list((tmp_path / "checkpoints").iterdir())


def test_the_published_file_is_read_wherever_it_lies(tmp_path, monkeypatch):
    """A random network under a published name whose hash is made to fit."""
    torch.manual_seed(1)
    net = torchvision.models.alexnet(weights=None)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    monkeypatch.setattr("colorize.utils.files.digest_of", lambda path: "7be5be79" + 56 * "0")
    rgb, other = torch.rand(2, 2, 3, 40, 40)
    expected = LPIPS("alex", trunk=net.features).measure(rgb, other)
    assert torch.equal(LPIPS("alex", weights=tmp_path / "mine.pth").measure(rgb, other), expected)


def test_a_run_takes_them_all_and_leaves_out_what_has_no_number(inside, tmp_path, monkeypatch):
    """On grey photographs no painting has a right hue: what was to say which checkpoint is best never comes."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    (tmp_path / "grey").mkdir()
    for index, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (6, 12, 12), dtype=np.uint8)):
        Image.fromarray(pixels).resize((96, 96)).save(tmp_path / "grey" / f"{index}.png")
    words = ("experiment=smoke", "model=cnn", "loss=l1", "tracker=none", "metrics=full", "name=all", "data=folder",
             "data.root=grey", "data.val_fraction=0.5", "data.size=64", "checkpoint.monitor=val/hue_error",
             "checkpoint.mode=min", "metrics.lpips_alex.download=false",
             "metrics.lpips_vgg.download=false")  # fmt: skip
    done = inside("train", *words)
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
    metrics, absent = make_metrics(node)
    assert list(metrics) == ["psnr"]
    assert absent.keys() == {"lpips"}
    assert "put there what" in absent["lpips"]
    with pytest.raises(AbsentError, match="metric 'lpips' cannot be had: alexnet, ImageNet: the weights are not at"):
        make_metrics(node, strict=True)
