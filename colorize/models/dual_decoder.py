"""The two decoders of DDColor (Kang et al. 2023): one climbs to the picture's size, one lets colour queries read it.

Their product, a map for each query of "how much of this colour is here", is mixed to chroma by a 1×1 convolution.
B batch, C channels, H W picture, h w feature map, Q queries, D width of a query, O channels of chroma.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from colorize.models.base import convolution
from colorize.utils.errors import UserError


class PixelDecoder(nn.Module):
    """From 1/32 back to 1/4 by pixel shuffles, meeting the encoder's map at each size; then 16 sub-pixels each.

    thesis, spectral  of each `Climb`
    sub_pixels        without them it ends at 1/4, with `climb`
    """

    def __init__(
        self, channels: Sequence[int], widths: Sequence[int], *, thesis: bool, spectral: bool, sub_pixels: bool = True
    ):
        super().__init__()
        *skips, deepest = channels
        inputs = [deepest, *widths[:-1]]
        self.steps = nn.ModuleList(
            Climb(i, skip, width, thesis=thesis, spectral=spectral)
            for i, skip, width in zip(inputs, reversed(skips), widths, strict=True)
        )
        self.thesis = thesis
        if sub_pixels:
            last, kernel = widths[-1], 3 if thesis else 1
            self.last = convolution(last, 16 * last, kernel=kernel, shuffle=4, spectral=spectral)

    def climb(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps at 1/4 … 1/32 -> maps at 1/16, 1/8, 1/4"""
        *skips, x = maps
        climbed = []
        for step, skip in zip(self.steps, reversed(skips), strict=True):
            climbed.append(x := step(x, skip))
        return climbed

    def forward(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Maps at 1/4 … 1/32 -> maps at 1/16, 1/8, 1/4, and (B, 16 C, H/4, W/4) sub-pixels, ready to shuffle"""
        climbed = self.climb(maps)
        return climbed, F.relu(self.last(climbed[-1]), inplace=True)

    def fuse(self, queries: Tensor, sub_pixels: Tensor, weight: Tensor) -> Tensor:
        """W · (E · F), the paper's fusion, in another order: (B, O, H, W).

        E (B, Q, C) are the queries, W (O, Q, 1, 1) mixes their maps, and F (B, C, H, W) = blur(shuffle(sub_pixels)).
        Product, shuffle and blur are linear, so the C channels shrink to O *before* the shuffle: the same numbers from
        a small part of the memory.
        """
        mix = torch.einsum("oq,bqc->boc", weight[:, :, 0, 0], queries)
        if torch.onnx.is_in_onnx_export():  # where the number of pictures is free, and no layout has channels last
            small = (mix @ sub_pixels.unflatten(1, (-1, 16)).flatten(2)).unflatten(2, (16, *sub_pixels.shape[2:]))
            full = F.pixel_shuffle(small.flatten(1, 2), 4)
            return full if self.thesis else blur(full)
        apart = torch.eye(16).to(mix)  # each sub-pixel by itself
        each = torch.einsum("boc,st->bosct", mix, apart).flatten(3).flatten(1, 2)  # (B, 16 O, 16 C)
        small = torch.cat([F.conv2d(x, w[..., None, None]) for x, w in zip(sub_pixels.split(1), each, strict=True)])
        full = F.pixel_shuffle(small, 4)
        return full if self.thesis else blur(full)


class Climb(nn.Module):
    """Twice the size, then one look at the encoder's map of that size.

    thesis  a 3×3 convolution before the shuffle and no blur; ReLU after each norm. DDColor has it before the last one
    """

    def __init__(self, inputs: int, skip: int, outputs: int, *, thesis: bool, spectral: bool):
        super().__init__()
        self.thesis, kernel = thesis, 3 if thesis else 1
        self.up = convolution(inputs, 4 * outputs, kernel=kernel, shuffle=2, bias=thesis, spectral=spectral)
        self.up_norm = nn.BatchNorm2d(4 * outputs)
        self.skip_norm = nn.BatchNorm2d(skip)
        if not thesis:
            nn.init.constant_(self.skip_norm.bias, 1e-3)
        self.mix = convolution(outputs + skip, outputs, kernel=3, bias=thesis, spectral=spectral)
        self.mix_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = F.pixel_shuffle(F.relu(self.up_norm(self.up(x))), 2)
        up = up if self.thesis else blur(up)
        mixed = self.mix(F.relu(torch.cat([up, self.skip_norm(skip)], dim=1)))
        return F.relu(self.mix_norm(mixed)) if self.thesis else self.mix_norm(F.relu(mixed))


class ColourDecoder(nn.Module):
    """Queries read the maps in turn, coarse to fine, `rounds` times; then each becomes a filter over the last map."""

    def __init__(self, widths: Sequence[int], dim: int, queries: int, heads: int, feedforward: int, rounds: int):
        super().__init__()
        self.query = nn.Embedding(queries, dim)
        self.query_place = nn.Embedding(queries, dim)
        self.level = nn.Embedding(len(widths), dim)
        self.project = nn.ModuleList(nn.Conv2d(width, dim, 1) for width in widths)
        self.layers = nn.ModuleList(ColourLayer(dim, heads, feedforward) for _ in range(rounds * len(widths)))
        self.norm = nn.LayerNorm(dim)
        self.embed = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, widths[-1])
        )
        for name, parameter in self.project.named_parameters():
            nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.kaiming_uniform_(parameter, a=1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps at 1/16, 1/8, 1/4 -> (B, Q, C), C the channels of the last map"""
        tokens = [
            project(x) + level.view(-1, 1, 1)
            for project, x, level in zip(self.project, maps, self.level.weight, strict=True)
        ]
        keys = [x + sine_places(x, self.level.embedding_dim) for x in tokens]  #  places are never part of values
        query = repeat(self.query.weight, "q d -> b q d", b=maps[0].shape[0])
        for i, layer in enumerate(self.layers):
            scale = i % len(maps)
            query = layer(query, self.query_place.weight, keys[scale], tokens[scale])
        return self.embed(self.norm(query))


class ColourLayer(nn.Module):
    """Read the picture, talk to the other queries, think; each with a residual and a norm after it."""

    def __init__(self, dim: int, heads: int, feedforward: int):
        super().__init__()
        self.read = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.read_norm = nn.LayerNorm(dim)
        self.talk = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.talk_norm = nn.LayerNorm(dim)
        self.think = nn.Sequential(nn.Linear(dim, feedforward), nn.ReLU(), nn.Linear(feedforward, dim))
        self.think_norm = nn.LayerNorm(dim)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, query: Tensor, query_place: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(B, Q, D), (Q, D), (B, D, h, w) twice: places are added to queries and keys, never to values."""
        query = self.read_norm(query + read_map(self.read, query + query_place, keys, values))
        own = query + query_place
        talk, _ = self.talk(own, own, query, need_weights=False)
        query = self.talk_norm(query + talk)
        first, relu, last = self.think
        return self.think_norm(query + pointwise(last, relu(pointwise(first, query))))


def pointwise(linear: nn.Module, x: Tensor) -> Tensor:
    """`linear(x)` of x (B, Q, D) as a 1×1 convolution: on a CPU up to twice as fast."""
    assert isinstance(linear, nn.Linear)
    return F.conv2d(x.mT[..., None], linear.weight[..., None, None], linear.bias)[..., 0].mT


def read_map(attention: nn.MultiheadAttention, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of queries (B, Q, D) to the pixels of maps (B, D, h, w), which are projected by 1×1 convolutions: on a
    CPU up to twice as fast as the linear layers of `attention` itself."""
    of_query, of_keys, of_values = attention.in_proj_weight.chunk(3)
    q_bias, k_bias, v_bias = attention.in_proj_bias.chunk(3)
    q = rearrange(F.linear(query, of_query, q_bias), "b q (h d) -> b h q d", h=attention.num_heads)
    maps = F.conv2d(keys, of_keys[..., None, None], k_bias), F.conv2d(values, of_values[..., None, None], v_bias)
    k, v = (rearrange(x, "b (h d) y x -> b h (y x) d", h=attention.num_heads) for x in maps)
    read = F.scaled_dot_product_attention(q, k, v)
    return attention.out_proj(rearrange(read, "b h q d -> b q (h d)"))


def blur(x: Tensor) -> Tensor:
    """Each pixel averaged with its upper and left neighbours: softens the grid that a pixel shuffle leaves."""
    if torch.compiler.is_compiling():  # torch 2.14 takes the gradient of the padding to be in another layout than it is
        x = torch.cat([x[..., :1, :], x], dim=-2)
        x = torch.cat([x[..., :1], x], dim=-1)
    else:
        x = F.pad(x, (1, 0, 1, 0), mode="replicate")
    return F.avg_pool2d(x, 2, stride=1)


def sine_places(x: Tensor, dim: int) -> Tensor:
    """Fixed place codes of a map (B, C, h, w): (dim, h, w), the first half tells the row, the second the column."""
    height, width = x.shape[2:]
    period = 10000 ** (2 * (torch.arange(dim // 2, device=x.device) // 2) / (dim // 2))

    def code(count: int) -> Tensor:
        place = torch.arange(1, count + 1, device=x.device) / (count + 1e-6) * 2 * math.pi
        angle = place / period[:, None]  #                                 (dim/2, count)
        return torch.stack([angle[0::2].sin(), angle[1::2].cos()], dim=1).flatten(0, 1)

    rows = repeat(code(height), "d h -> d h w", w=width)
    columns = repeat(code(width), "d w -> d h w", h=height)
    return torch.cat([rows, columns]).to(x.dtype)


def check_decoder_sizes(widths: Sequence[int], dim: int, heads: int) -> None:
    if len(widths) != 3 or dim % heads or dim % 4:
        raise UserError(
            f"model.widths {list(widths)} must be three numbers, and model.dim {dim} a multiple of 4 and of "
            f"model.heads {heads}"
        )
