"""Networks written as DDColor's files: what our reader and other programs' make of them."""

import json

import pytest
import torch
from safetensors.torch import load_file

import colorize
from colorize.cli.export import WRITERS
from colorize.cli.options import EXPORT_FORMATS
from colorize.models import CNN, Transformer
from colorize.models.ddcolor_files import read_ddcolor, to_ddcolor, write_ddcolor
from colorize.models.load import recognise
from colorize.models.onnx_runtime import FORMATS
from colorize.utils.errors import UserError
from tests.helpers.ddcolor import official, small_ddcolor
from tests.helpers.published import KEYS, published

PUBLISHED = {"pretrained": False}  # the defaults


def test_a_network_is_written_under_the_official_names():
    model = small_ddcolor()
    wanted, written = official(model), to_ddcolor(model.state_dict())
    unused = {"encoder.arch.norm.weight", "encoder.arch.norm.bias"}
    assert written.keys() == wanted.keys()
    assert all(torch.equal(written[name], wanted[name]) for name in wanted.keys() - unused)


@published
@pytest.mark.parametrize("name", ["ddcolor_tiny", "ddcolor_large"])
def test_the_published_layout_is_written_as_it_was_read(name):
    keys = json.loads((KEYS / f"{name}_keys.json").read_text())["keys"]
    _, _, state = read_ddcolor({key["name"]: torch.empty(key["shape"], device="meta") for key in keys})
    assert {name: list(value.shape) for name, value in to_ddcolor(state).items()} == {
        key["name"]: key["shape"] for key in keys
    }


@torch.no_grad()
def test_what_is_written_is_read_again(tmp_path):
    model, L = small_ddcolor(), 100 * torch.rand(2, 1, 64, 64)
    first = recognise(to_ddcolor(model.state_dict()), tmp_path).eval()  # its spectral norms folded
    second = recognise(to_ddcolor(first.state_dict()), tmp_path).eval()  # and unfolded
    assert torch.allclose(first.predict_ab(L), model.predict_ab(L), atol=1e-4)
    assert torch.allclose(second.predict_ab(L), model.predict_ab(L), atol=1e-4)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: CNN(classes=0, width=0.125), "is a CNN, not a Transformer"),
        (
            lambda: Transformer(**PUBLISHED | {"encoder": "test_convnext"}),
            "has encoder=test_convnext instead of one of",
        ),
        (
            lambda: Transformer(**PUBLISHED | {"widths": (8, 8, 8)}),
            r"has widths=\[8, 8, 8\] instead of \[512, 512, 256\]",
        ),
        (lambda: Transformer(**PUBLISHED | {"bins": True}), "has bins=True instead of False"),
        (lambda: Transformer(**PUBLISHED | {"pixel_decoder": "thesis"}), "has pixel_decoder=thesis instead of ddcolor"),
    ],
)
def test_other_architectures_are_refused(network, words, tmp_path):
    with torch.device("meta"):
        model = network()
    with pytest.raises(UserError, match=words):
        write_ddcolor(model, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def test_every_format_has_what_writes_it():
    assert (*WRITERS, *FORMATS) == EXPORT_FORMATS


@pytest.mark.slow
@pytest.mark.parametrize("spectral", [True, False])
@torch.no_grad()
def test_spandrel_opens_it(spectral, inside, tmp_path):
    """spandrel builds DDColor from the official code's copy; it is shown the grey picture, as RGB in 0…1."""
    spandrel = pytest.importorskip("spandrel")
    arches = pytest.importorskip("spandrel_extra_arches")
    torch.manual_seed(0)
    model = Transformer(**PUBLISHED, spectral=spectral)
    model.train().predict_ab(100 * torch.rand(2, 1, 64, 64))
    colorize.save(model.eval(), tmp_path / "ours")
    done = inside("export", tmp_path / "ours", "-o", tmp_path / "theirs", "--format", "ddcolor")
    assert done.returncode == 0, done.stderr
    registry = spandrel.ArchRegistry()
    registry.add(*arches.EXTRA_REGISTRY)
    opened = spandrel.ModelLoader(registry=registry).load_from_file(tmp_path / "theirs" / "model.safetensors")
    assert opened.architecture.id == "DDColor"
    L = 100 * torch.rand(1, 1, 256, 256)
    _, grey = model.encoder.see_grey(L)
    shown = grey * model.encoder.std + model.encoder.mean
    model = colorize.load(tmp_path / "ours")
    assert torch.allclose(opened.model.eval()(shown), model.predict_ab(L), atol=1e-3)
    assert torch.allclose(colorize.load(tmp_path / "theirs").predict_ab(L), model.predict_ab(L), atol=1e-3)
    assert load_file(tmp_path / "theirs" / "model.safetensors")["mean"].shape == (1, 3, 1, 1)
