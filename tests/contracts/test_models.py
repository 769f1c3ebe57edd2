"""What every network must do, whichever conf/model comes to hold; and the published architectures by their numbers."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F
from hydra.utils import instantiate
from torch import Generator, nn
from torch.overrides import TorchFunctionMode

from colorize.batch import Batch
from colorize.imaging.color import rgb_to_lab
from colorize.models import CNN, Diffusion, MultiColor, PatchCritic, ResNetUNet, Transformer, UNet, UNetCritic
from colorize.models.base import Dropout, seed_dropout
from colorize.models.critics import SelfAttention
from colorize.models.dual_decoder import read_map, sine_places
from colorize.models.encoders import fit_inputs, with_convolutions
from colorize.utils.errors import UserError
from tests.helpers.configs import SMALL, options

WHOLE = pytest.mark.parametrize(
    "whole", [pytest.param(False, id="small"), pytest.param(True, id="of conf", marks=pytest.mark.slow)]
)


def build(config, name, whole=False, classes=None):
    """A network of `conf/model`, of a few channels unless it is wanted whole."""
    torch.manual_seed(0)
    node = config(f"model={name}", "loss=l1", *(() if whole else SMALL.get(name, ()))).model
    if classes and "classes" in node:
        node.classes = classes
    return instantiate(node, _convert_="all")


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def chances(count):
    """A source of chance for each picture."""
    return [torch.Generator().manual_seed(i) for i in range(count)]


@WHOLE
@pytest.mark.parametrize("name", options("model"))
def test_it_answers_what_it_promises(name, whole, config):
    model = build(config, name, whole, classes=5)
    rgb = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    pred = model(Batch.from_rgb(rgb))
    assert pred.answered() == model.answers <= type(model).answers
    for field in ("ab", "rgb"):
        if field in model.answers:
            assert getattr(pred, field).shape == (2, 2 if field == "ab" else 3, 64, 96)


@WHOLE
@pytest.mark.parametrize("size", [(96, 96), (33, 70), (1, 1), (100, 37)])
@pytest.mark.parametrize("name", options("model"))
def test_it_colours_any_size_in_cie_units(name, size, whole, config):
    model = build(config, name, whole).eval()
    L = 100 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    ab = model.colorize(L, chances(2))
    assert ab.shape == (2, 2, *size)
    assert ab.dtype == torch.float32
    assert ab.abs().max() <= 128
    assert torch.equal(ab, model.colorize(L, chances(2)))
    first, second = chances(2)
    one_by_one = torch.cat([model.colorize(L[:1], [first]), model.colorize(L[1:], [second])])
    assert torch.allclose(ab, one_by_one, atol=2e-3)
    assert torch.equal(*(model.colorize(L, torch.Generator().manual_seed(3)) for _ in range(2)))


@WHOLE
@pytest.mark.parametrize("name", options("model"))
def test_every_parameter_gets_a_gradient(name, whole, config):
    model = build(config, name, whole)
    pred = model(Batch.from_rgb(torch.rand(2, 3, 64, 64)))
    sum(getattr(pred, field).square().sum() for field in pred.answered()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(
    ("L", "message"),
    [
        (torch.rand(2, 1, 64, 64), r"0…100; it runs from .*, as L/100 does"),
        (torch.rand(2, 1, 64, 64) * 255, "runs from .* to 25"),
        (torch.rand(2, 1, 64, 64) * 2 - 1.5, "runs from -1"),
        (torch.full((1, 1, 8, 8), float("nan")), "runs from nan"),
        (torch.full((1, 1, 8, 8), 7), "floating point"),
    ],
)
def test_a_lightness_in_other_units_is_named(L, message):
    with pytest.raises(UserError, match=message):
        CNN(width=0.1, global_size=32).eval().colorize(L)


def test_a_black_photograph_is_no_mistake():
    grey = torch.randint(0, 4, (1, 1, 32, 32), dtype=torch.uint8).expand(1, 3, 32, 32)
    ab = CNN(width=0.1, global_size=32).eval().colorize(Batch.from_rgb(grey).L)
    assert ab.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 3, 64, 64)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match="L must be"):
        CNN(width=0.1, global_size=32).colorize(torch.zeros(shape))


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


def test_the_patch_critic_is_the_70_by_70_one():
    critic = PatchCritic()
    (judged,) = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert judged.shape == (1, 1, 30, 30)
    for layer in critic.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    L = torch.full((1, 1, 256, 256), 50.0, requires_grad=True)
    critic.judge(L, torch.zeros(1, 2, 256, 256))[0, 0, 15, 15].backward()
    rows = L.grad[0, 0].abs().sum(dim=1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_ddcolors_critic_judges_13_by_13_patches():
    critic = UNetCritic(width=8)
    (judged,) = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert judged.shape == (1, 1, 13, 13)


def test_self_attention_is_sagans():
    """Zhang et al. 2019, eq. 1 to 3: β_ji = softmax over i of f(x_i)·g(x_j), o_j = Σ_i β_ji h(x_i), y = γ o + x."""
    layer = SelfAttention(16).double().eval()
    torch.nn.init.constant_(layer.gamma, 0.7)
    x = torch.randn(2, 16, 3, 5, dtype=torch.float64)
    f, g, h = (part(x).flatten(2) for part in (layer.key, layer.query, layer.value))
    beta = torch.einsum("bci,bcj->bij", f, g).softmax(dim=1)
    expected = 0.7 * torch.einsum("bci,bij->bcj", h, beta).view_as(x) + x
    assert torch.allclose(layer(x), expected, atol=1e-12)


def test_a_critic_judges_each_colouring_on_its_own():
    critic = PatchCritic(width=8)
    L, ab = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 30
    alone, beside = critic(L, ab)[0], critic(L, torch.zeros_like(ab), ab)[1]
    assert torch.equal(alone, beside)


def test_the_global_branch_reuses_what_the_main_branch_saw():
    model = CNN(width=0.1, global_size=64).eval()
    L = torch.rand(1, 1, 64, 64) * 100
    local = model.low(L / 100)
    assert model.low_of_copy(L / 100, local) is local
    assert model.low_of_copy(torch.rand(1, 1, 128, 64), local).shape == local.shape


def test_fusion_equals_the_published_order():
    """Published: shuffle and blur 256 channels at full size, then E·F, then a 1×1 convolution on [maps, picture]."""
    torch.manual_seed(0)
    model = Transformer(
        encoder="tf_efficientnet_lite0", pretrained=False, widths=(32, 32, 16), queries=10, dim=32
    ).double()
    queries = torch.randn(2, 10, 16, dtype=torch.float64)
    sub_pixels = torch.randn(2, 256, 6, 5, dtype=torch.float64)
    grey = torch.randn(2, 3, 24, 20, dtype=torch.float64)
    full = F.pixel_shuffle(sub_pixels, 4)
    full = F.avg_pool2d(F.pad(full, (1, 0, 1, 0), mode="replicate"), 2, stride=1)
    maps = torch.einsum("bqc,bchw->bqhw", queries, full)
    model.eval()
    assert torch.allclose(
        model.fuse(queries, sub_pixels, grey), model.refine(torch.cat([maps, grey], dim=1)), atol=1e-10
    )


def test_place_codes_by_hand():
    """DETR's: place counted from 1 over the last place, times 2π, divided by 10000^(2⌊k/2⌋/half); sin, cos in turn."""
    codes = sine_places(torch.zeros(1, 1, 3, 4, dtype=torch.float64), 8).permute(1, 2, 0)
    for row, column, k in [(0, 0, 0), (2, 3, 1), (1, 2, 2), (2, 0, 3)]:
        period = 10000 ** (2 * (k // 2) / 4)
        wave = math.sin if k % 2 == 0 else math.cos
        assert codes[row, column, k] == pytest.approx(wave((row + 1) / 3 * 2 * math.pi / period), abs=1e-5)
        assert codes[row, column, 4 + k] == pytest.approx(wave((column + 1) / 4 * 2 * math.pi / period), abs=1e-5)


def test_reading_a_map_is_torchs_attention():
    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(16, 4, batch_first=True).double()
    torch.nn.init.normal_(attention.in_proj_bias)
    query, keys, values = (torch.randn(2, *shape, dtype=torch.float64) for shape in ((5, 16), (16, 3, 4), (16, 3, 4)))
    expected, _ = attention(query, keys.flatten(2).mT, values.flatten(2).mT)
    assert torch.allclose(read_map(attention, query, keys, values), expected, atol=1e-12)


def test_a_convnext_of_convolutions_is_the_same_network():
    torch.manual_seed(0)
    plain = timm.create_model("test_convnext", features_only=True, out_indices=(0, 1, 2, 3)).eval()
    for parameter in plain.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    options = {"features_only": True, "out_indices": (0, 1, 2, 3), "in_chans": 3}
    ours = with_convolutions("test_convnext", plain, options).eval()
    x = torch.randn(1, 3, 64, 64)
    for one, other in zip(ours(x), plain(x), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)
    assert with_convolutions("resnet18", plain, {}) is plain


def test_spectral_norm_bounds_the_pixel_decoder():
    torch.manual_seed(0)
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False)
    for convolution in (model.pixels.last, model.refine, model.pixels.steps[0].up, model.pixels.steps[0].mix):
        assert torch.linalg.matrix_norm(convolution.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_a_fresh_pixel_shuffle_draws_no_checkerboard():
    model = Transformer(encoder="tf_efficientnet_lite0", pretrained=False, spectral=False)
    grid = F.pixel_shuffle(model.pixels.last(torch.randn(1, 256, 2, 2)), 4).view(1, 256, 2, 4, 2, 4)
    assert torch.allclose(grid, grid[:, :, :, :1, :, :1].expand_as(grid))


LITE = {"encoder": "tf_efficientnet_lite0", "pretrained": False}


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (Transformer, {"encoder": "efficientnet_lite7"}, "timm has no encoder .*did you mean"),
        (Transformer, {"encoder": "vit_tiny_patch16_224"}, "choose another"),
        (Transformer, {"pretrained": "perhaps"}, "true, false or auto"),
        (Transformer, {**LITE, "widths": (1, 2)}, "three numbers"),
        (Transformer, {**LITE, "dim": 63}, "multiple of 4"),
        (Transformer, {**LITE, "pixel_decoder": "ddcolour"}, "ddcolor or thesis"),
        (Transformer, {"pretrained": True, "encoder": "convnext_atto"}, "cannot be had"),
        (MultiColor, {**LITE, "spaces": ("lab", "rgb")}, "rgb has no lightness"),
        (MultiColor, {**LITE, "spaces": ("lab", "hvs")}, "different ones of"),
        (MultiColor, {**LITE, "spaces": ("lab", "lab")}, "different ones of"),
        (MultiColor, {**LITE, "complement_norm": "layer"}, "'batch', 'group'"),
        (CNN, {"global_size": 100}, "multiple of 32"),
        (CNN, {"branches": 3}, "1 or 2"),
        (CNN, {"upsample": "cubic"}, "bilinear or nearest"),
        (UNet, {"widths": (8, 8)}, "three even numbers"),
        (UNet, {"norm": "layer"}, "'batch', 'group'"),
        (ResNetUNet, {"encoder": "convnext_tiny", "pretrained": False}, "not at 1/"),
        (Diffusion, {"widths": (8, 12)}, "multiples of 8"),
        (Diffusion, {"norm": "layer"}, "'channel', 'instance'"),
        (Diffusion, {"attention": "flash"}, "'published', 'transposed'"),
        (Diffusion, {"objective": "x0"}, "'noise', 'velocity'"),
        (Diffusion, {"beta": (0.1, 1.2)}, "last β < 1"),
        (Diffusion, {"zero_terminal": True}, "objective=velocity"),
        (Diffusion, {"sampler": "euler"}, "'ddim', 'ddpm', 'dpm"),
        (Diffusion, {"sampling_steps": 501}, "from 1 to 500"),
        (Diffusion, {"shrink": 0}, "from 1 up"),
    ],
)
def test_impossible_networks_are_refused(network, arguments, message):
    with pytest.raises(UserError, match=message):
        network(**arguments)


def test_one_branch_takes_its_own_size_alone(config):
    """The published ports of Iizuka's network: the global branch reads the picture itself."""
    model = CNN(width=0.1, global_size=64, branches=1, upsample="nearest").eval()
    L = 100 * torch.rand(1, 1, 64, 64)
    ab = model.colorize(L)
    assert torch.equal(ab, ab[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3))  # 2×2 blocks
    assert model.colorize(100 * torch.rand(1, 1, 30, 50)).shape == (1, 2, 30, 50)


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


@pytest.mark.parametrize("name", options("model"))
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_lightness_of_every_floating_point_type_is_coloured(name, kind, config):
    """As its float32, which holds what the type holds; the answer is float32."""
    model = build(config, name).eval()
    L = (100 * torch.rand(1, 1, 40, 48)).to(kind)
    ab = model.colorize(L, chances(1))
    assert ab.dtype == torch.float32
    assert torch.equal(ab, model.colorize(L.float(), chances(1)))


def test_a_nearly_black_photograph_is_coloured_by_those_who_know_its_unit(config):
    model = build(config, "cnn").eval()
    L = torch.rand(1, 1, 40, 48)
    with pytest.raises(UserError, match="as L/100 does"):
        model.colorize(L)
    assert model.colorize(L, check=False).isfinite().all()


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


class Copies(TorchFunctionMode):
    """Notes what tensors are turned into."""

    def __init__(self):
        super().__init__()
        self.copies = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.to:
            self.copies.append(args[1:])
        return func(*args, **(kwargs or {}))


def test_dropout_draws_where_it_is_used(monkeypatch):
    """A mask belongs to its photograph, in whatever batch, and is drawn on the device of what it drops."""
    layer, x = Dropout(0.3), torch.ones(4, 8, 16, 16)
    seed_dropout(layer, [5, 6, 7, 8])
    devices = []
    monkeypatch.setattr(torch, "Generator", lambda device: devices.append(device) or Generator(device))
    with (watch := Copies()):
        whole = layer(x)
    assert devices == [x.device]
    assert watch.copies == [(torch.float32,)]  # a type, and no place
    assert whole.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (whole == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    seed_dropout(layer, [7, 8])
    assert torch.equal(layer(x[2:]), whole[2:])  # as another process would
    assert not torch.equal(whole[0], whole[1])
