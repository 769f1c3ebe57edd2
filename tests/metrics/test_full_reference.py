"""Metrics against scikit-image, torchmetrics, lpips and NumPy, on 20 demo photographs and distorted copies."""

import lpips
import numpy as np
import pytest
import torch
import torchvision
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from colorize.data import Demo
from colorize.metrics import (
    CIEDE2000,
    LPIPS,
    PSNR,
    SSIM,
    Chroma,
    ChromaError,
    ChromaSpread,
    Colorfulness,
    ColorfulnessDifference,
    HueError,
    MeanChroma,
    MeanColorfulnessDifference,
    Picture,
    PooledPSNR,
    full_reference,
)
from colorize.metrics.full_reference import blurred, errors_by_colour, mean_errors_by_colour
from colorize.metrics.metric import Pair


@pytest.fixture(scope="module")
def pairs():
    """20 demo photographs and copies, noisy, pale or gaudy, all (20, 3, 64, 64) in 0…1. One photograph is grey."""
    rgb = torch.stack([demo.centre(photo) for demo in [Demo(size=64)] for photo in demo.val[:20]]).float() / 255
    rgb[3] = rgb[3].mean(dim=0)
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(0))
    grey, strength = rgb.mean(dim=1, keepdim=True), torch.linspace(0.1, 2, 20).view(-1, 1, 1, 1)
    return (grey + strength * (rgb - grey) + 0.1 * strength * noise).clamp(0, 1), rgb


def measured(metric, pairs, batch_size):
    for start in range(0, 20, batch_size):
        metric.update(*(side[start : start + batch_size] for side in pairs))
    return metric.compute()


def every(function, pairs):
    """(20,) of a reference that takes a painted and a true picture, (64, 64, 3) in double precision."""
    sides = (side.permute(0, 2, 3, 1).double().numpy() for side in pairs)
    return np.array([function(painted, true) for painted, true in zip(*sides, strict=True)])


def psnr(painted, true):
    return peak_signal_noise_ratio(true, painted, data_range=1.0)


def ssim(painted, true):
    window = {"channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return structural_similarity(true, painted, data_range=1.0, **window)


def ciede(painted, true):
    return deltaE_ciede2000(rgb2lab(true), rgb2lab(painted)).mean()


def hasler(painted, absolute=False):
    r, g, b = 255 * painted[..., 0], 255 * painted[..., 1], 255 * painted[..., 2]
    rg, yb = r - g, (r + g) / 2 - b
    if absolute:
        rg, yb = abs(rg), abs(yb)
    return np.sqrt(np.std(rg) ** 2 + np.std(yb) ** 2) + 0.3 * np.sqrt(np.mean(rg) ** 2 + np.mean(yb) ** 2)


def chroma(rgb):
    return np.hypot(*np.moveaxis(rgb2lab(rgb)[..., 1:], -1, 0))


def hue_error(painted, true):
    """By complex numbers."""
    one, other = (rgb2lab(side)[..., 1] + 1j * rgb2lab(side)[..., 2] for side in (painted, true))
    angle = abs(np.angle(one * other.conj(), deg=True))
    weight = np.sqrt(np.maximum(abs(one) - 5, 0) * np.maximum(abs(other) - 5, 0))
    return (angle * weight).sum() / weight.sum() if weight.any() else np.nan


REFERENCES = {
    "psnr": (PSNR(), psnr),
    "ssim": (SSIM(), ssim),
    "ciede2000": (CIEDE2000(), ciede),
    "colorfulness": (Colorfulness(), lambda painted, _: hasler(painted)),
    "colorfulness_abs": (Colorfulness(absolute=True), lambda painted, _: hasler(painted, absolute=True)),
    "delta_pictures": (ColorfulnessDifference(), lambda painted, true: abs(hasler(painted) - hasler(true))),
    "chroma_error": (ChromaError(), lambda painted, true: abs(chroma(painted) - chroma(true)).mean()),
    "chroma_mean": (MeanChroma(), lambda painted, _: chroma(painted).mean()),
    "chroma_spread": (ChromaSpread(), lambda painted, _: chroma(painted).std()),
    "hue_error": (HueError(), hue_error),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_every_picture_equals_the_reference(pairs, name):
    metric, reference = REFERENCES[name]
    expected = every(reference, pairs)
    assert np.nanmax(expected) > 0.1
    tolerance = 1e-3 if name == "hue_error" else 1e-4  # degrees: single precision leaves 1e-4 of them
    np.testing.assert_allclose(metric.measure(*pairs).numpy(), expected, rtol=1e-5, atol=tolerance)


@pytest.mark.parametrize("name", REFERENCES)
def test_the_value_of_a_set_is_the_mean_whatever_the_batch(pairs, name):
    metric, reference = REFERENCES[name]
    values = []
    for batch_size in (1, 7, 20):
        metric.reset()
        values.append(measured(metric, pairs, batch_size))
    assert max(values) - min(values) < 1e-6 * max(values)
    assert values[0] == pytest.approx(np.nanmean(every(reference, pairs)), abs=1e-4 if name != "hue_error" else 1e-3)


def test_8_bit_pixels_measure_as_the_same_in_single_precision(pairs):
    painted, true = ((255 * side).round().to(torch.uint8) for side in pairs)
    for metric, _ in REFERENCES.values():
        expected = metric.measure(painted.float() / 255, true.float() / 255)
        torch.testing.assert_close(metric.measure(painted, true), expected, rtol=1e-5, atol=1e-4, equal_nan=True)


def test_ssim_is_torchmetrics_inside_the_borders(pairs):
    _, full = structural_similarity_index_measure(*pairs, data_range=1.0, return_full_image=True)
    expected = full[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)).double()
    torch.testing.assert_close(SSIM().measure(*pairs), expected, rtol=0, atol=1e-5)


def test_what_is_known_of_the_truth_is_computed_once_for_all_rows(pairs, monkeypatch):
    """SSIM blurs a second picture once: itself, its square and its product with the truth together."""
    calls = []
    monkeypatch.setattr(full_reference, "blurred", lambda x: calls.append(len(x)) or blurred(x))
    painted, true = (side[:1] for side in pairs)
    shared, values = Picture(true), []
    for each in (painted, 1 - painted):
        calls.clear()
        values.append(SSIM().named(Pair(Picture(each), shared))[""])
    assert calls == [3]
    assert torch.equal(values[1], SSIM().measure(1 - painted, true))


def test_pooled_psnr_is_that_of_the_mean_error(pairs):
    error = every(mean_squared_error, pairs).mean()
    assert measured(PooledPSNR(), pairs, 7) == pytest.approx(10 * np.log10(1 / error), abs=1e-4)
    assert measured(PSNR(), pairs, 7) > measured(PooledPSNR(), pairs, 7) + 1  # not the same number


def test_a_perfect_picture_has_a_finite_psnr(pairs):
    assert measured(PSNR(), (pairs[1], pairs[1]), 20) == measured(PooledPSNR(), (pairs[1], pairs[1]), 20) == 100
    half = torch.cat([pairs[1][:10], pairs[0][10:]])
    error = every(mean_squared_error, (half, pairs[1])).mean()
    assert measured(PooledPSNR(), (half, pairs[1]), 20) == pytest.approx(-10 * np.log10(error), abs=1e-4)


@pytest.mark.parametrize("absolute", [False, True])
def test_both_differences_of_colourfulness(pairs, absolute):
    painted, true = (every(lambda side, _: hasler(side, absolute), (side, side)) for side in pairs)
    means, pictures = (kind(absolute=absolute) for kind in (MeanColorfulnessDifference, ColorfulnessDifference))
    assert measured(means, pairs, 7) == pytest.approx(abs(painted.mean() - true.mean()), abs=1e-4)
    assert measured(pictures, pairs, 7) == pytest.approx(abs(painted - true).mean(), abs=1e-4)
    assert pictures.compute() > means.compute() + 1


def test_chroma_is_a_ratio_of_means(pairs):
    painted, true = (every(lambda side, _: chroma(side).mean(), (side, side)) for side in pairs)
    assert measured(Chroma(), pairs, 7) == pytest.approx(painted.mean() / true.mean(), abs=1e-4)


@pytest.fixture(scope="module", params=["alex", "vgg"])
def both_lpips(request):
    """Ours and the package's, with the same random network in both."""
    name = {"alex": "alexnet", "vgg": "vgg16"}[request.param]
    torch.manual_seed(0)
    trunk = getattr(torchvision.models, name)(weights=None).features
    held = trunk.state_dict()
    package = lpips.LPIPS(net=request.param, pnet_rand=True, verbose=False)
    theirs = package.net.state_dict()  # slice1.0.weight: the number is the layer's
    package.net.load_state_dict({key: held[key.split(".", 1)[1]] for key in theirs})
    return LPIPS(request.param, trunk=trunk), package


def test_lpips_is_that_of_the_package(pairs, both_lpips):
    ours, package = both_lpips
    with torch.no_grad():
        expected = package(*pairs, normalize=True).flatten()
    assert expected.min() > 0.002
    values = ours.measure(*pairs)
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-7)
    assert (ours.measure(pairs[1], pairs[1]) == 0).all()


def test_errors_by_colour_are_those_of_scikit_image_and_numpy(pairs):
    """Pixel by pixel in scikit-image's Lab, put into bins by NumPy: the `color_errors` of a result."""
    lab_hat, lab = (
        rgb2lab(np.moveaxis(side.numpy(), 1, -1)).reshape(-1, 3) for side in pairs
    )  # fmt: skip
    error = np.hypot(*(lab_hat - lab)[:, 1:].T)
    chroma, chroma_hat = np.hypot(*lab[:, 1:].T), np.hypot(*lab_hat[:, 1:].T)
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    found = mean_errors_by_colour(errors_by_colour(*map(Picture, pairs)).numpy())

    def means(place, bins, *values):
        counts = np.bincount(place, minlength=bins)
        with np.errstate(invalid="ignore"):
            return counts / counts.sum(), *(np.bincount(place, of, minlength=bins) / counts for of in values)

    expected = [*means((hue[chroma >= 5] // 15).astype(int), 24, error[chroma >= 5])]
    expected += means(np.minimum(chroma // 5, 12).astype(int), 13, error, chroma_hat)
    for name, ours, theirs in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.03, rtol=0.03, err_msg=name)
