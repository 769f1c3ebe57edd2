"""The figures of the two networks with colour queries, which share their left half."""

from __future__ import annotations

from generator.networks import Seen
from generator.svg import FAINT, WIDTH, Box, Canvas
from generator.text import shape_of, square

X_ENCODER, X_NORM, X_PIXELS = 72, 284, 408
ENCODER_BAR, NORM_BOX, PIXEL_BAR, STEP = 168, 82, 180, 56


def draw_encoder_and_pixels(canvas: Canvas, seen: Seen, top: float, norms: str, last: str) -> tuple[Box, list[Box]]:
    """ConvNeXt going down at the left, the pixel decoder climbing beside it. The first box, and the climbs' from 1/16
    on with the sub-pixels last."""
    rows = [top + i * STEP for i in range(6)]
    picture = canvas.bar(X_ENCODER, rows[0], ENCODER_BAR, "data", "L, as grey", f"3 × {square(seen.size)}")
    above = canvas.bar(X_ENCODER, rows[1], ENCODER_BAR, "encoder", "stem", seen.shape("encoder.net.stem_1"))
    canvas.arrow(picture.bottom, above.top)
    skips = []
    for i in range(4):
        path = f"encoder.net.stages_{i}"
        box = canvas.bar(X_ENCODER, rows[2 + i], ENCODER_BAR, "encoder", f"ConvNeXt {i + 1}", seen.shape(path))
        canvas.words(36, rows[2 + i] + 19, square(seen.side(path)), colour=FAINT)
        canvas.arrow(above.bottom, box.top)
        above = box
        if i == 3 and norms == "batch norm":
            skips.append(box)
            continue
        norm = canvas.box(X_NORM, rows[2 + i], NORM_BOX, 30, "norm", "layer norm" if i == 3 else norms, size=10.5)
        canvas.arrow(box.right, norm.left, kind="flow" if i == 3 else "skip")
        skips.append(norm)
    climbs: list[Box] = []
    for i, place in enumerate(("1/16", "1/8", "1/4")):
        row = 4 - i
        box = canvas.bar(X_PIXELS, rows[row], PIXEL_BAR, "decoder", f"climb {place}", seen.shape(f"pixels.steps.{i}"))
        canvas.arrow(skips[2 - i].right, box.left, kind="skip")
        start = skips[3].right if i == 0 else climbs[-1].top
        canvas.arrow(start, *([(box.bottom[0], start[1])] if i == 0 else []), box.bottom)
        climbs.append(box)
    sub = canvas.bar(X_PIXELS, rows[1], PIXEL_BAR, "decoder", last, seen.shape("pixels.last"))
    canvas.arrow(climbs[-1].top, sub.bottom)
    return picture, [*climbs, sub]


def draw_transformer(seen: Seen) -> Canvas:
    top = 110
    canvas = Canvas(WIDTH, top + 6 * STEP + 76, "Transformer: DDColor-T's two decoders",
                    f"Kang et al. 2023, for a picture of {seen.size}²")  # fmt: skip
    picture, climbs = draw_encoder_and_pixels(canvas, seen, top, "LN, then BN", "sub-pixels")
    rows = [top + i * STEP for i in range(6)]
    network = seen.network
    count, dim = network.colours.query.weight.shape  # type: ignore[union-attr]
    scales, layers = 3, len(network.colours.layers)  # type: ignore[union-attr, arg-type]
    pixels = canvas.bar(X_PIXELS, rows[0], PIXEL_BAR, "decoder", "shuffle, blur",
                        f"{seen.channels('pixels.last') // 16} × {square(seen.size)}")  # fmt: skip
    canvas.arrow(climbs[-1].top, pixels.bottom)
    canvas.frame(638, rows[1] - 12, 256, 5 * STEP - 2, "")
    x, w = 654, 192
    embed = canvas.bar(x, rows[1], w, "attention", "embedding", seen.shape("colours.embed"))
    reads = [
        canvas.bar(x, climb.y, w, "attention", "read, talk, think", square(seen.side(f"pixels.steps.{i}")))
        for i, climb in enumerate(climbs[:3])
    ]
    queries = canvas.bar(x, rows[5], w, "attention", "queries", f"{count} × {dim}")
    for read, climb in zip(reads, climbs, strict=False):
        canvas.arrow(climb.right, read.left)
    for one, other in zip([queries, *reads], [*reads, embed], strict=True):
        canvas.arrow(one.top, other.bottom)
    lane = x + w + 16
    canvas.arrow(reads[2].right, (lane, reads[2].right[1]), (lane, reads[0].right[1]), reads[0].right)
    canvas.words(lane + 6, reads[1].right[1] + 4, f"×{layers // scales}", bold=True)
    fusion = canvas.bar(x - 16, rows[0], 152, "decoder", "E · F", f"{count} × {square(seen.size)}")
    canvas.arrow(pixels.right, fusion.left)
    canvas.arrow((fusion.bottom[0], embed.y), fusion.bottom)
    head = canvas.box(816, rows[0] - 6, 78, 42, "head", "1×1: ab", f"2 × {square(seen.size)}", size=11.5)
    canvas.arrow(fusion.right, head.left)
    canvas.arrow(picture.top, (picture.top[0], top - 22), (head.top[0], top - 22), head.top, kind="skip")
    canvas.caption(
        "Read: cross-attention to the map. Talk: self-attention between the queries. Think: two linear layers. "
        "E · F is the paper's", "order; the code mixes with the 1×1 convolution first, which gives the same numbers.",
    )  # fmt: skip
    return canvas


def draw_multicolor(seen: Seen) -> Canvas:
    top = 92
    canvas = Canvas(WIDTH, top + 7 * STEP + 122, "MultiColor: three colour spaces and a complementary network",
                    f"Du et al. 2024, for a picture of {seen.size}²")  # fmt: skip
    picture, climbs = draw_encoder_and_pixels(canvas, seen, top, "batch norm", "sub-pixels")
    rows = [top + i * STEP for i in range(8)]
    network = seen.network
    spaces: tuple[str, ...] = network.spaces  # type: ignore[assignment]
    count, dim = network.colours[spaces[0]].query.weight.shape  # type: ignore[index, union-attr]
    layers = len(network.colours[spaces[0]].layers)  # type: ignore[index, union-attr]
    x, w, gap = 646.0, 74, 10
    canvas.frame(634, rows[2] - 14, 260, 2 * STEP + 58, "")
    for climb in climbs[:3]:
        canvas.arrow(climb.right, (634, climb.right[1]))
    pixels = canvas.bar(X_PIXELS, rows[0], PIXEL_BAR, "decoder", "shuffle ×4",
                        f"{seen.channels('pixels.last') // 16} × {square(seen.size)}")  # fmt: skip
    canvas.arrow(climbs[-1].top, pixels.bottom)
    mappers = []
    for i, space in enumerate(spaces):
        left = x + i * (w + gap)
        decoder = canvas.box(left, rows[2], w, 2 * STEP + 30, "attention", space, f"{count} × {dim}",
                             f"{layers // 3} rounds", "of 3 maps")  # fmt: skip
        mapper = canvas.box(left, rows[5] - 6, w, 42, "head", "E · F, 1×1", f"2 × {square(seen.size)}", size=10.5)
        canvas.arrow(decoder.bottom, mapper.top)
        mappers.append(mapper)
    lane = WIDTH - 16
    canvas.arrow(pixels.right, (lane, pixels.right[1]), (lane, mappers[-1].right[1]), mappers[-1].right)
    widths = [seen.shapes[f"complement.{6 * i + 3}"] for i in range(5)]
    y, h, each = rows[6] + 34, 46, 82
    joined = canvas.box(X_ENCODER, y, 92, h, "norm", "beside L", f"{2 * len(spaces) + 1} × {square(seen.size)}")
    channel = y - 22
    for mapper in mappers[:-1]:
        canvas.arrow(mapper.bottom, (mapper.bottom[0], channel), kind="skip", head=False)
    canvas.arrow(
        mappers[-1].bottom, (mappers[-1].bottom[0], channel), (joined.top[0], channel), joined.top, kind="skip"
    )
    canvas.words(pixels.right[0] + 56, pixels.right[1] - 8, "F, for every mapper", colour=FAINT)
    canvas.arrow(picture.left, (20, picture.left[1]), (20, joined.left[1]), joined.left, kind="skip")
    before = joined
    for i, found in enumerate(widths):
        left = joined.x + joined.w + 18 + i * (each + 16)
        kind = "head" if i == 4 else "decoder"
        name = "sRGB" if i == 4 else f"mix {i + 1}"
        box = canvas.box(left, y, each, h, kind, name, shape_of(found))
        canvas.arrow(before.right, box.left)
        before = box
    ab = canvas.box(before.x + each + 16, y, each, h, "data", "ab", f"2 × {square(seen.size)}")
    canvas.arrow(before.right, ab.left)
    canvas.caption("Each space has a decoder of colour queries of its own. The complementary network: five blocks of a "
                   "1×1 and a 3×3", "convolution, each with norm and activation; the last says sRGB, of which ab is "
                   "kept.")  # fmt: skip
    return canvas
