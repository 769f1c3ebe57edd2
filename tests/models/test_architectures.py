"""Published architectures by their numbers of parameters, and networks that cannot be."""

import pytest
import torch

from colorize.batch import Batch
from colorize.imaging.color import rgb_to_lab
from colorize.models import CNN, Diffusion, MultiColor, PatchCritic, ResNetUNet, Transformer, UNet, UNetCritic
from colorize.models.encoders import fit_inputs
from colorize.utils.errors import UserError
from tests.helpers.networks import build


def parameters(module):
    return sum(p.numel() for p in module.parameters())


CONVNEXT = {"encoder": "convnext_tiny", "pretrained": False}
PUBLISHED = {  # what was measured on the published code, less what it holds and never uses
    "Iizuka": (lambda: CNN(classes=1000), 42_567_050),
    "U-Net": (UNet, 42_023_811 - 129),  # the third channel of its head, 128 weights and a bias: ab has two
    "ResNet-18 U-Net": (lambda: ResNetUNet(pretrained=False), 31_099_672),
    "denoiser": (lambda: Diffusion().denoiser, 89_736_066),
    "grey encoder": (lambda: Diffusion().encoder, 22_049_920 - 2_359_808),  # a convolution after the last map it gives
    "DDColor-T": (lambda: Transformer(pretrained=False), 55_006_640 - 1_536),  # the encoder's final norm
    "DDColor-L": (lambda: Transformer(encoder="convnext_large.fb_in22k", pretrained=False), 227_869_328 - 3_072),
    "thesis": (lambda: Transformer(**CONVNEXT, pixel_decoder="thesis"), 88_563_056),
    "MultiColor": (lambda: MultiColor(**CONVNEXT, complement_norm="batch"), 118_391_399),
    "complementary network": (lambda: MultiColor(**CONVNEXT, complement_norm="batch").complement, 253_801),
    "its text's": (lambda: MultiColor(**CONVNEXT).complement, 253_801 - 6),  # no norm on the RGB that comes out
    "patch critic": (PatchCritic, 2_766_529),
    "DDColor's critic": (UNetCritic, 5_919_617),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_has_the_published_size(name):
    build, count = PUBLISHED[name]
    with torch.device("meta"):
        assert parameters(build()) == count


def test_a_frozen_thesis_encoder_leaves_what_the_thesis_trained():
    with torch.device("meta"):
        model = Transformer(**CONVNEXT, pixel_decoder="thesis", freeze=True)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 60_744_464
    assert not model.train().encoder.training


LITE = {"encoder": "tf_efficientnet_lite0", "pretrained": False}


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (Transformer, {"encoder": "efficientnet_lite7"}, "timm has no encoder .*did you mean"),
        (Transformer, {"encoder": "vit_tiny_patch16_224"}, "choose another"),
        (Transformer, {"pretrained": "perhaps"}, "pretrained is 'perhaps'; it must be true or false or auto"),
        (Transformer, {**LITE, "widths": (1, 2)}, "three numbers"),
        (Transformer, {**LITE, "dim": 63}, "multiple of 4"),
        (Transformer, {**LITE, "pixel_decoder": "ddcolour"}, "must be ddcolor or thesis"),
        (Transformer, {"pretrained": True, "encoder": "convnext_atto"}, "cannot be had"),
        (MultiColor, {**LITE, "spaces": ("lab", "rgb")}, "must be lab, hsv, hs or yuv"),
        (MultiColor, {**LITE, "spaces": ("lab", "hvs")}, "must be lab, hsv, hs or yuv"),
        (MultiColor, {**LITE, "spaces": ("lab", "lab")}, "each space may be there once"),
        (MultiColor, {**LITE, "complement_norm": "layer"}, "must be group or batch"),
        (CNN, {"global_size": 100}, "multiple of 32"),
        (CNN, {"branches": 3}, "branches is 3; it must be 1 or 2"),
        (CNN, {"upsample": "cubic"}, "bilinear or nearest"),
        (UNet, {"widths": (8, 8)}, "three even numbers"),
        (UNet, {"norm": "layer"}, "must be group or batch"),
        (ResNetUNet, {"encoder": "convnext_tiny", "pretrained": False}, "not at 1/"),
        (Diffusion, {"widths": (8, 12)}, "multiples of 8"),
        (Diffusion, {"norm": "layer"}, "must be instance or channel"),
        (Diffusion, {"attention": "flash"}, "must be published or transposed"),
        (Diffusion, {"objective": "x0"}, "must be noise or velocity"),
        (Diffusion, {"beta": (0.1, 1.2)}, "last β < 1"),
        (Diffusion, {"zero_terminal": True}, "objective=velocity"),
        (Diffusion, {"sampler": "euler"}, "must be ddpm, ddim or dpm"),
        (Diffusion, {"sampling_steps": 501}, "from 1 to 500"),
        (Diffusion, {"shrink": 0}, "shrink is 0; it must be greater than or equal to 1"),
    ],
)
def test_impossible_networks_are_refused(network, arguments, message):
    with pytest.raises(UserError, match=message):
        network(**arguments)


def test_multicolor_keeps_its_spaces_apart(config):
    """Each decoder's chroma is in its own space's units, and no decoder reads another's."""
    model = build(config, "multicolor").eval()
    L = 100 * torch.rand(1, 1, 64, 64)
    before, rgb = model.see(L)
    with torch.no_grad():
        model.mappers["hsv"].bias.add_(0.25)
    after, other = model.see(L)
    assert torch.allclose(after["hsv"] - before["hsv"], torch.tensor(0.25), atol=1e-5)
    assert torch.equal(after["lab"], before["lab"])
    assert torch.equal(after["yuv"], before["yuv"])
    assert not torch.equal(rgb, other)
    with torch.no_grad():
        model.mappers["lab"].bias.add_(0.25)
    assert torch.allclose(model.see(L)[0]["lab"] - before["lab"], torch.tensor(0.25 * 128), atol=1e-3)


def test_the_grey_resnet_sums_the_colours_of_the_pretrained_one():
    weight = torch.randn(8, 3, 7, 7)
    assert torch.equal(fit_inputs(weight, torch.empty(8, 1, 7, 7)), weight.sum(1, keepdim=True))
    assert fit_inputs(weight, torch.empty(8, 3, 7, 7)) is weight


def test_multicolor_converts_colours_in_full_precision(config):
    """Under autocast its convolutions are bfloat16, in which Lab is whole units off."""
    model = build(config, "multicolor")
    batch = Batch.from_rgb(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    with torch.autocast("cpu", torch.bfloat16):
        pred = model(batch)
    assert pred.rgb.dtype == torch.bfloat16
    assert torch.equal(pred.ab, rgb_to_lab(pred.rgb.detach().float())[:, 1:])
