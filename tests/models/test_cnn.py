"""The CNN with a global branch, against its papers' order of computation."""

import torch
import torch.nn.functional as F

from colorize.models import CNN, Transformer


def test_the_global_branch_reuses_what_the_main_branch_saw():
    model = CNN(width=0.1, global_size=64).eval()
    seen = []
    model.low.register_forward_hook(lambda module, inputs, local: seen.append(tuple(local.shape[2:])))
    model.see(torch.rand(1, 1, 64, 64) * 100)
    assert seen == [(8, 8)]
    model.see(torch.rand(1, 1, 128, 64) * 100)
    assert seen[1:] == [(16, 8), (8, 8)]


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


def test_one_branch_takes_its_own_size_alone(config):
    """The published ports of Iizuka's network: the global branch reads the picture itself."""
    model = CNN(width=0.1, global_size=64, branches=1, upsample="nearest").eval()
    L = 100 * torch.rand(1, 1, 64, 64)
    ab = model.colorize(L)
    assert torch.equal(ab, ab[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3))  # 2×2 blocks
    assert model.colorize(100 * torch.rand(1, 1, 30, 50)).shape == (1, 2, 30, 50)
