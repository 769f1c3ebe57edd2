"""Diffusion on colour alone: noise is added to ab and told apart again, seeing the grey picture (Ho et al. 2020;
Millon 2023).

B batch, N samples of each photograph, H W picture.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.nn.utils import parametrize

from colorize.batch import Batch, Prediction
from colorize.models.base import Colorizer, Generators, check_lightness, seed_dropout
from colorize.models.denoiser import Denoiser, GreyEncoder
from colorize.models.diffusion_process import SAMPLERS, NoiseSchedule, levels
from colorize.models.encoders import Encoder
from colorize.utils.errors import UserError
from colorize.utils.seeds import generator_of
from colorize.utils.validation import Channels, Dropout, Few, Name, NoiseLevels, Pair, Positive, Pretrained, Widths


class Diffusion(Colorizer):
    """The defaults are the thesis's network and noise, with the published linear attention.

    encoder         null: the thesis's own, which learns to see with the rest; or a timm name whose maps at 1/shrink,
                    1/(2 shrink), … are shown instead, `pretrained` as in `Encoder`
    widths          channels after the first convolution and after each stage; every stage but the last halves the map
    time            width of the noise level's code
    dropout         before the convolutions that change size; half of it on the way up
    attention, norm  of `LinearAttention`; norm instance, or channel: the level of a channel survives
    late_time       whether the last block, too, is told the noise level
    ab_scale        ab / ab_scale is what noise of variance 1 is added to
    steps, beta, rescale, zero_terminal, objective, min_snr   of `NoiseSchedule`
    sampler         of `colorize`: dpm++ (DPM-Solver++ 2M), ddim, or ddpm
    sampling_steps  noise levels that it visits; null: all of them
    shrink          the network works at 1/shrink of the picture's side; colour is fine with less detail than lightness
    clip            keep x_0 within ±clip while sampling (in units of ab_scale); null: leave it
    """

    answers = frozenset({"noise", "noise_hat"})
    stochastic = True
    usual_size = 128

    def __init__(
        self, *, encoder: Name | None = None, pretrained: Pretrained = "auto",
        widths: Widths = (128, 256, 384, 512, 512), time: Channels = 128, dropout: Dropout = 0.3,
        attention: Literal["published", "transposed"] = "published",
        norm: Literal["instance", "channel"] = "instance", late_time: bool = True, ab_scale: Positive = 128.0,
        steps: NoiseLevels = 500, beta: Pair = (1e-4, 0.02), rescale: bool = False, zero_terminal: bool = False,
        objective: Literal["noise", "velocity"] = "noise", min_snr: Positive | None = None,
        sampler: Literal["ddpm", "ddim", "dpm++"] = "dpm++",
        sampling_steps: NoiseLevels | None = 10, shrink: Few = 1, clip: Positive | None = 1.0,
    ):  # fmt: skip
        super().__init__()
        if len(widths) < 2 or any(width % 8 for width in widths):
            raise UserError(f"model.widths is {list(widths)}; it must be two multiples of 8 or more")
        self.multiple = shrink * 2 ** (len(widths) - 2)
        self.ab_scale, self.clip, self.shrink = ab_scale, clip, shrink
        self.noise = NoiseSchedule(
            steps=steps, beta=beta, rescale=rescale, zero_terminal=zero_terminal, objective=objective, min_snr=min_snr
        )
        self.sample_with(sampler, sampling_steps)
        self.encoder: GreyEncoder | Encoder
        self.pretrained, self.fit = False, None
        if encoder is None:
            if pretrained is True:
                raise UserError("model.pretrained=true needs an encoder of timm's: say model.encoder=NAME too")
            self.encoder = GreyEncoder(widths, dropout, attention, norm)
        else:
            self.encoder = Encoder(encoder, pretrained, tuple(shrink * 2**i for i in range(len(widths) - 1)))
            self.pretrained = self.encoder.pretrained
            pairs = zip(self.encoder.channels, widths, strict=False)
            self.fit = nn.ModuleList(nn.Conv2d(seen, width, 1) for seen, width in pairs)
        self.denoiser = Denoiser(widths, time, dropout, attention, norm, late_time)

    def sample_with(self, sampler: str, steps: int | None) -> None:
        """Choose how `colorize` draws from here on."""
        if sampler not in SAMPLERS:
            raise UserError(f"sampler is {sampler!r}; it must be one of {sorted(SAMPLERS)}")
        kept = self.noise.kept
        self.sampler, self.sampling_steps = sampler, levels(kept, len(kept) if steps is None else steps)

    def forward(self, batch: Batch) -> Prediction:
        L, clean = F.avg_pool2d(batch.input, self.shrink), F.avg_pool2d(batch.ab, self.shrink) / self.ab_scale
        chance = None if batch.seeds is None else [generator_of(seed, "noise") for seed in batch.seeds]
        t = integers(self.noise.steps, len(clean), chance).to(clean.device)
        noise = gaussian(clean.shape, chance).to(clean)
        seed_dropout(self, batch.seeds)
        said = self.denoise(L, self.noise.add(clean, noise, t), t, self.look(batch.input))
        return Prediction(noise=self.noise.target(clean, noise, t), noise_hat=said, noise_weight=self.noise.weight(t))

    def look(self, L: Tensor) -> list[Tensor]:
        """L (B, 1, H, W) in CIE units, not shrunk -> what the denoiser is shown of it: a map for each of its stages"""
        if isinstance(self.encoder, GreyEncoder):
            return self.encoder(F.avg_pool2d(L, self.shrink) / 50 - 1)
        maps, _ = self.encoder.see_grey(L)
        return [fit(seen) for fit, seen in zip(self.fit, maps, strict=True)]  # type: ignore[arg-type]

    def predict_noise(self, ab_t: Tensor, t: Tensor, L: Tensor) -> Tensor:
        """Noisy ab / ab_scale (B, 2, H/shrink, W/shrink), t (B,) in 0…T−1, L (B, 1, H, W) in CIE units -> its noise, of
        the same shape; of a network that says the velocity as well."""
        said = self.denoise(F.avg_pool2d(L, self.shrink), ab_t, t, self.look(L))
        if self.noise.objective == "noise":
            return said
        kept, added = self.noise.roots(t)
        return added * ab_t + kept * said

    def denoise(self, L: Tensor, noisy: Tensor, t: Tensor, grey: Sequence[Tensor]) -> Tensor:
        """L (B, 1, H, W) in CIE units, noisy ab / ab_scale (B, 2, H, W), t (B,) in 0…T−1, the encoder's maps ->
        the noise, or the velocity (B, 2, H, W)"""
        return self.denoiser(torch.cat([L / 50 - 1, noisy], dim=1), t, grey)

    def predict_ab(self, L: Tensor, generator: Generators = None) -> Tensor:
        return self.draw(L, 1, generator)[:, 0]

    @torch.no_grad()
    def sample(self, L: Tensor, count: int, generator: Generators = None) -> Tensor:
        """L (B, 1, H, W) -> `count` colourings of each (B, N, 2, H, W), ab in CIE units, clamped to ±128.

        Height and width must be multiples of `multiple`.
        """
        check_lightness(L)
        return self.draw(L, count, generator).float().clamp(-128, 128)

    def draw(self, L: Tensor, count: int, generator: Generators) -> Tensor:
        """As `sample`, not clamped. What the encoder saw serves every step and every sample of a photograph."""
        small = F.avg_pool2d(L, self.shrink)
        grey = [seen.repeat_interleave(count, dim=0) for seen in self.look(L)]
        lightness = small.repeat_interleave(count, dim=0)
        visited = self.sampling_steps
        kept = [*(self.noise.kept[level] for level in visited), 1.0]

        def clean(x: Tensor, i: int) -> Tensor:
            t = torch.full((len(x),), visited[i], device=x.device)
            x0 = self.noise.clean(x, self.denoise(lightness, x, t, grey).float(), t)
            return x0.clamp(-self.clip, self.clip) if self.clip else x0

        def draw() -> Tensor:
            return gaussian((len(L), count, 2, *small.shape[2:]), generator).flatten(0, 1).to(L)

        with parametrize.cached():  # the standardised weights are the same at every step
            x0 = SAMPLERS[self.sampler](clean, draw(), kept, draw)
        ab = self.ab_scale * F.interpolate(x0, L.shape[2:], mode="bilinear")
        return rearrange(ab, "(b n) c h w -> b n c h w", n=count)


def gaussian(shape: Sequence[int], generator: Generators) -> Tensor:
    """Unit noise; with a generator for each picture, each picture's is the same in any batch."""
    if generator is None or isinstance(generator, torch.Generator):
        device = generator.device if generator is not None else "cpu"
        return torch.randn(shape, generator=generator, device=device)
    if len(generator) != shape[0]:
        raise UserError(f"{shape[0]} pictures need {shape[0]} generators, or one for all; there are {len(generator)}")
    return torch.stack([torch.randn(shape[1:], generator=g, device=g.device) for g in generator])


def integers(below: int, count: int, generators: Sequence[torch.Generator] | None) -> Tensor:
    """(count,) whole numbers from 0 to `below` − 1; with a generator for each, each is the same in any batch."""
    if generators is None:
        return torch.randint(below, (count,))
    return torch.cat([torch.randint(below, (1,), generator=g) for g in generators])
