"""One figure for each network. Channels and sizes are those that were seen when a picture passed through it."""

from __future__ import annotations

from itertools import pairwise

from generator.networks import Seen
from generator.query_figures import draw_multicolor, draw_transformer
from generator.svg import FAINT, WIDTH, Box, Canvas
from generator.text import square


def figure(name: str, seen: Seen) -> str:
    """The figure as SVG."""
    draw = {
        "cnn": draw_cnn, "gan_unet": draw_unet, "gan": draw_resnet, "diffusion": draw_diffusion,
        "transformer": draw_transformer, "multicolor": draw_multicolor,
    }[name]  # fmt: skip
    return draw(seen).render()


def draw_cnn(seen: Seen) -> Canvas:
    canvas = Canvas(WIDTH, 384, "CNN: local and global features", "Iizuka et al. 2016, two branches, "
                    f"shown for a picture of {seen.size}²")  # fmt: skip
    w, h, gap = 75, 62, 12.8
    x = [28 + i * (w + gap) for i in range(10)]
    top, low = 92, 206

    def block(column: int, y: float, kind: str, name: str, path: str, more: str = "") -> Box:
        lines = [seen.shape(path)] + ([more] if more else [])
        return canvas.box(x[column], y, w, h, kind, name, *lines, size=11)

    picture = canvas.box(x[0], top, w, h, "data", "L", square(seen.size), "any size", size=11.5)
    copy = canvas.box(x[0], low, w, h, "data", "copy of L", square(seen.network.global_size), "fixed", size=11.5)  # type: ignore[arg-type]
    lows = [block(i + 1, top, "encoder", f"low {2 * i + 1}, {2 * i + 2}", f"low.{2 * i + 1}") for i in range(3)]
    same = [block(i + 1, low, "encoder", f"low {2 * i + 1}, {2 * i + 2}", f"low.{2 * i + 1}") for i in range(3)]
    for above, below in zip(lows, same, strict=True):
        canvas.arrow(above.bottom, below.top, kind="same", head=False)
    for above in lows[:2]:
        canvas.words(above.bottom[0] + 6, (top + h + low) / 2 + 4, "same weights", size=10.5, colour=FAINT)
    mid = block(4, top, "encoder", "mid 1, 2", "mid")
    fusion = canvas.box(x[5], top, w, h, "norm", "fusion", seen.shape("fusion"), "1×1", size=11.5)
    colours = [
        block(6, top, "decoder", "colour 1", "colour.0", "then ×2"),
        block(7, top, "decoder", "colour 2, 3", "colour.3", "then ×2"),
        block(8, top, "head", "colour 4, 5", "colour.6", "sigmoid"),
    ]
    ab = canvas.box(x[9], top, w, h, "data", "ab", square(seen.size), "bilinear", size=11.5)
    globes = [block(4, low, "encoder", "global 1, 2", "globe.1"), block(5, low, "encoder", "global 3, 4", "globe.3")]
    dense = [block(6, low, "encoder", "global 5, 6", "globe.8", "linear"), block(7, low, "encoder", "global 7",
             "to_fusion", "linear")]  # fmt: skip
    classes = canvas.box(x[8], low, w + gap + w, h, "head", "classification",
                         f"{seen.channels('classify')} classes, if labels exist", size=11.5)  # fmt: skip
    for chain in ([picture, *lows, mid, fusion, *colours, ab], [copy, *same, *globes, *dense]):
        for one, other in pairwise(chain):
            canvas.arrow(one.right, other.left)
    middle = (top + h + low) / 2
    canvas.arrow(dense[1].top, (dense[1].top[0], middle), (fusion.bottom[0], middle), fusion.bottom, kind="skip")
    canvas.words(fusion.bottom[0] + 12, middle - 7, "repeated at every place", colour=FAINT)
    lane = low + h + 22
    canvas.arrow(dense[0].bottom, (dense[0].bottom[0], lane), (classes.bottom[0], lane), classes.bottom)
    canvas.caption("Every 3×3 convolution but the last is followed by batch norm and ReLU.")
    return canvas


def draw_unet(seen: Seen) -> Canvas:
    depth = len(seen.network.down)  # type: ignore[arg-type]
    step, bar, top = 46, 186, 86
    canvas = Canvas(WIDTH, top + (depth + 1) * step + 66, "GAN, plain U-Net generator",
                    f"Isola et al. 2017, Nazeri et al. 2018, for a picture of {seen.size}²")  # fmt: skip
    left, right = 92, WIDTH - 40 - bar

    def place(i: int) -> tuple[float, float, float]:
        return left + 22 * i, right - 22 * i, top + (i + 1) * step

    source = canvas.bar(left, top, bar, "data", "L", f"1 × {square(seen.size)}")
    target = canvas.bar(right, top, bar, "head", "1×1, tanh: ab", seen.shape("head.0"))
    before = source
    downs: list[Box] = []
    for i in range(depth):
        x, _, y = place(i)
        bottom = i == depth - 1
        x = (left + right) / 2 if bottom else x
        box = canvas.bar(x, y, bar, "encoder", f"down {i}", seen.shape(f"down.{i}"))
        canvas.words(28, y + 19, square(seen.side(f"down.{i}")), colour=FAINT)
        if bottom:
            canvas.arrow(before.bottom, (before.bottom[0], box.left[1]), box.left)
        else:
            lane = x + bar / 2
            canvas.arrow((lane, before.y + before.h), (lane, y))
        downs.append(before := box)
    for i in range(depth - 1):
        row = depth - 2 - i
        _, x, y = place(row)
        box = canvas.bar(x, y, bar, "decoder", f"up {i}", seen.shape(f"up.{i}"))
        if i == 0:
            canvas.arrow(before.right, (box.bottom[0], before.right[1]), box.bottom)
        else:
            lane = x + bar / 2 - 22
            canvas.arrow((lane, before.y), (lane, y + box.h))
        canvas.arrow(downs[row].right, box.left, kind="skip")
        before = box
    canvas.arrow(before.top, target.bottom)
    canvas.caption("Down: 4×4 convolution, batch norm, LeakyReLU 0.2. Up: transposed 4×4 convolution, group norm (or "
                   "batch norm), ReLU.")  # fmt: skip
    return canvas


def draw_resnet(seen: Seen) -> Canvas:
    step, bar, top = 56, 176, 92
    canvas = Canvas(WIDTH, top + 7 * step + 58, "GAN, U-Net on a ResNet-18",
                    f"Kiani et al. 2020, Shariatnia 2020, for a picture of {seen.size}²")  # fmt: skip
    left, right = 92, 590
    source = canvas.bar(left, top, bar, "data", "L", f"1 × {square(seen.size)}")
    names = ["conv1", *(f"layer{i}" for i in range(1, 5))]
    before, downs = source, []
    for i, name in enumerate(names):
        path = f"encoder.net.{name}"
        y = top + (i + 1) * step
        box = canvas.bar(left, y, bar, "encoder", "stem, 7×7" if i == 0 else f"encoder {i}", seen.shape(path))
        canvas.words(28, y + 19, square(seen.side(path)), colour=FAINT)
        canvas.arrow(before.bottom, box.top)
        downs.append(before := box)
    canvas.words(28, top + 19, square(seen.size), colour=FAINT)
    floor = top + 6 * step
    middle = canvas.bar(340, floor, 196, "encoder", "middle, two 3×3", seen.shape("middle"))
    canvas.arrow(before.bottom, (before.bottom[0], middle.left[1]), middle.left)
    above = middle
    for i in range(4):
        row = 3 - i
        y = top + (row + 1) * step
        norm = canvas.box(390, y, 96, 30, "norm", "batch norm", size=11.5)
        climb = canvas.bar(right, y, bar, "decoder", f"climb {i + 1}", seen.shape(f"climbs.{i}"))
        canvas.arrow(downs[row].right, norm.left, kind="skip")
        canvas.arrow(norm.right, climb.left, kind="skip")
        if i == 0:
            canvas.arrow(middle.right, (climb.bottom[0], middle.right[1]), climb.bottom)
        else:
            canvas.arrow(above.top, climb.bottom)
        above = climb
    last = canvas.bar(right - 100, top, bar + 100, "decoder", "shuffle, [map, L], residual", seen.shape("residual"))
    canvas.arrow(above.top, (above.top[0], last.y + last.h))
    canvas.arrow(source.right, last.left, kind="skip")
    head = canvas.box(right + bar + 26, top - 6, 100, 42, "head", "1×1: ab", seen.shape("head"), size=11.5)
    canvas.arrow(last.right, head.left)
    canvas.caption("Climb: 1×1 convolution, pixel shuffle ×2, the encoder's map beside it, two 3×3 convolutions; no "
                   "norm but the one shown.")  # fmt: skip
    return canvas


def draw_diffusion(seen: Seen) -> Canvas:
    step, bar, top = 54, 180, 92
    canvas = Canvas(WIDTH, top + 6 * step + 130, "Diffusion: grey encoder and denoiser",
                    f"Ho et al. 2020, Millon 2023, for a picture of {seen.size}²")  # fmt: skip
    x_grey, x_down, x_up = 86, 346, 672
    rows = [top + i * step for i in range(7)]
    grey = canvas.bar(x_grey, rows[0], bar, "data", "L", f"1 × {square(seen.size)}")
    noisy = canvas.bar(x_down, rows[0], bar, "data", "[L, noisy ab]", f"3 × {square(seen.size)}")
    head = canvas.bar(x_up, rows[0], bar, "head", "1×1: noise", seen.shape("denoiser.head"))
    first_grey = canvas.bar(x_grey, rows[1], bar, "encoder", "7×7", seen.shape("encoder.first"))
    first = canvas.bar(x_down, rows[1], bar, "encoder", "7×7", seen.shape("denoiser.first"))
    last = canvas.bar(x_up, rows[1], bar, "decoder", "last block", seen.shape("denoiser.last"))
    canvas.arrow(grey.bottom, first_grey.top)
    canvas.arrow(noisy.bottom, first.top)
    canvas.arrow(last.top, head.bottom)
    canvas.arrow(first.right, last.left, kind="skip")
    above_grey, above, stages = first_grey, first, []
    for i in range(4):
        y = rows[2 + i]
        shapes = seen.shape(f"encoder.down.{i}.attend"), seen.shape(f"denoiser.down.{i}.attend")
        encoder = canvas.bar(x_grey, y, bar, "encoder", f"grey {i + 1}", shapes[0])
        down = canvas.bar(x_down, y, bar, "encoder", f"down {i + 1}", shapes[1])
        canvas.words(28, y + 19, square(seen.side(f"encoder.down.{i}.attend")), colour=FAINT)
        canvas.arrow(above_grey.bottom, encoder.top)
        canvas.arrow(above.bottom, down.top)
        canvas.arrow(encoder.right, down.left, kind="skip")
        above_grey, above = encoder, down
        stages.append(down)
    middle = canvas.bar(x_down, rows[6], 246, "attention", "middle, full attention", seen.shape("denoiser.after"))
    canvas.arrow(above.bottom, (above.bottom[0], middle.y))
    before = middle
    for i in range(4):
        row = 3 - i
        up = canvas.bar(x_up, rows[2 + row], bar, "decoder", f"up {i + 1}", seen.shape(f"denoiser.up.{i}.attend"))
        canvas.arrow(stages[row].right, up.left, kind="skip")
        if i == 0:
            canvas.arrow(middle.right, (up.bottom[0], middle.right[1]), up.bottom)
        else:
            canvas.arrow(before.top, up.bottom)
        before = up
    canvas.arrow(before.top, last.bottom)
    time = canvas.bar(x_grey, rows[6], bar, "data", "noise level t", seen.shape("denoiser.time"))
    canvas.arrow(time.right, middle.left)
    canvas.caption(
        "Each stage: two residual blocks, which t scales and shifts in the denoiser, then linear attention. Two maps a "
        "stage cross", "from down to up. The grey maps do not depend on t: they are computed once for a photograph.",
    )  # fmt: skip
    return canvas
