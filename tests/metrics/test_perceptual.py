"""Metrics by networks: classes, LPIPS, outside judges, and weights that are not there."""

import pytest
import torch
import torchvision
from omegaconf import OmegaConf

from colorize.config import build_part
from colorize.data import Demo
from colorize.metrics import LPIPS, FeatureDistance, Judge, Pair, Picture, Recognition
from colorize.utils.errors import UnavailableError, UserError
from tests.helpers.distorted import painted


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


def test_a_judge_is_any_function_of_pictures():
    rgb = torch.rand(3, 3, 8, 8)
    model = {"_target_": "torch.mean", "_partial_": True, "dim": [1, 2, 3]}
    node = {"_target_": "colorize.metrics.Judge", "label": "brightness", "better": "higher", "model": model}
    judge = build_part(OmegaConf.create(node), "metrics.brightness")
    torch.testing.assert_close(judge.measure(rgb), rgb.mean(dim=(1, 2, 3)))
    with pytest.raises(UserError, match="one number for each of 3 pictures, not shape"):
        Judge(torch.mean, "all", "higher").measure(rgb)
    with pytest.raises(UserError, match="it must be higher, lower or truth"):
        Judge(torch.mean, "all", "upwards")


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
    with pytest.raises(UnavailableError, match=r"are not at .*none\.pth'.*; download https"):
        LPIPS("alex", weights=tmp_path / "none.pth")
    with pytest.raises(UnavailableError, match=r"alexnet-owt-7be5be79.pth"):
        LPIPS("alex", download=False)
    (tmp_path / "other.pth").write_bytes(b"not the published file")
    with pytest.raises(UnavailableError, match=r"^vgg16, ImageNet: .* is not the published file, or not all of it"):
        LPIPS("vgg", weights=tmp_path / "other.pth")
    with pytest.raises(UnavailableError, match="'resnet18' are on this machine neither in a package nor in a cache"):
        FeatureDistance("resnet18")
    with pytest.raises(UnavailableError, match="resnet18"):
        Recognition("resnet18")
    with pytest.raises(UserError, match="no classifier 'resnet19'"):
        Recognition("resnet19")
    with pytest.raises(UserError, match="there is no LPIPS net 'squeeze': it must be one of alex, vgg"):
        LPIPS("squeeze")


def test_a_download_that_fails_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")

    def unreachable(url, timeout):
        assert timeout <= 10
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(
        UnavailableError, match=r"^alexnet, ImageNet: .*cannot be fetched from https.*timed out.*save it as"
    ):
        LPIPS("alex")
    assert not list((tmp_path / "checkpoints").iterdir())


def test_the_published_file_is_read_wherever_it_lies(tmp_path, monkeypatch):
    """A random network under a published name whose hash is made to fit."""
    torch.manual_seed(1)
    net = torchvision.models.alexnet(weights=None)
    torch.save(net.state_dict(), tmp_path / "mine.pth")
    monkeypatch.setattr("colorize.utils.published_file.digest_of", lambda path: "7be5be79" + 56 * "0")
    rgb, other = torch.rand(2, 2, 3, 40, 40)
    expected = LPIPS("alex", trunk=net.features).measure(rgb, other)
    assert torch.equal(LPIPS("alex", weights=tmp_path / "mine.pth").measure(rgb, other), expected)
