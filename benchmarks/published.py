"""DDColor-T's forward pass as its authors' code has it: what other programs compute, and ours is compared with."""

from __future__ import annotations

import timm
import torch
import torch.nn.functional as F

from colorize.imaging.color import lightness_to_rgb
from colorize.models import Transformer
from colorize.models.dual_decoder import blur, sine_places


class Published:
    """DDColor's forward pass as its code has it, with a `Transformer`'s weights: linear layers in the encoder, torch's
    attention with its weights, F (B, 256, H, W) blurred at full size, then E · F, then a 1×1 convolution."""

    def __init__(self, model: Transformer):
        self.model = model
        held = model.encoder.net.state_dict()
        net = timm.create_model("convnext_tiny.fb_in22k", features_only=True)
        net.load_state_dict({name: held[name].view_as(value) for name, value in net.state_dict().items()})
        self.net = net.to(held["stem_0.weight"].device).eval()

    def __call__(self, L: torch.Tensor) -> torch.Tensor:
        model = self.model
        grey = model.encoder.normalise(lightness_to_rgb(L))
        maps = [norm(x) for norm, x in zip(model.norms, self.net(grey), strict=True)]
        scales, sub_pixels = model.pixels(maps)
        full = blur(F.pixel_shuffle(sub_pixels, 4))
        product = torch.einsum("bqc,bchw->bqhw", self.colours(scales), full)
        return model.refine(torch.cat([product, grey], dim=1))

    def colours(self, scales: list[torch.Tensor]) -> torch.Tensor:
        decoder = self.model.colours
        tokens, places = [], []
        for project, x, level in zip(decoder.project, scales, decoder.level.weight, strict=True):
            tokens.append(project(x).flatten(2).mT + level)
            places.append(sine_places(x, len(level)).flatten(1).mT)
        query = decoder.query.weight.expand(len(scales[0]), -1, -1)
        own = decoder.query_place.weight
        for i, layer in enumerate(decoder.layers):
            seen, place = tokens[i % 3], places[i % 3]
            query = layer.read_norm(query + layer.read(query + own, seen + place, seen)[0])
            query = layer.talk_norm(query + layer.talk(query + own, query + own, query)[0])
            query = layer.think_norm(query + layer.think(query))
        return decoder.embed(decoder.norm(query))


def fold(model: Transformer) -> Transformer:
    """A copy whose spectral norms are folded into plain weights, as an imported checkpoint's are."""
    plain = Transformer(pretrained=False, spectral=False)
    plain.load_state_dict({name: attribute(model, name) for name in plain.state_dict()})
    return plain.to(next(model.parameters()).device).eval()


def attribute(model: torch.nn.Module, path: str) -> torch.Tensor:
    for name in path.split("."):
        model = getattr(model, name)
    return model
