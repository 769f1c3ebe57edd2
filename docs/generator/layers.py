"""Each network as a table: stage, what it is, what comes out, parameters, multiplications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.networks import Seen
from generator.text import quantity, shape_of, table


@dataclass(frozen=True)
class Row:
    """Modules that make one line. `owned` are the paths whose parameters it counts, if not those that ran.

    A row with `rest` takes what no other row has multiplied: what a network computes outside of any module.
    """

    name: str
    what: str
    ran: Sequence[str] = ()
    owned: Sequence[str] = ()
    shape: tuple[int, ...] | None = None
    rest: bool = False


def rows_of_encoder(kind: str) -> list[Row]:
    stages = [Row(f"encoder {i + 1}", f"{kind}, stage {i + 1}", [f"encoder.net.stages_{i}"]) for i in range(4)]
    return [Row("stem", "4×4 convolution, stride 4; layer norm", ["encoder.net.stem_0", "encoder.net.stem_1"]), *stages]


def rows_of_pixels(how: str, last: str) -> list[Row]:
    places = ("1/16", "1/8", "1/4")
    steps = [Row(f"pixel decoder {place}", how, [f"pixels.steps.{i}"]) for i, place in enumerate(places)]
    return [*steps, Row("sub-pixels", last, ["pixels.last"])]


def rows_of_queries(seen: Seen) -> list[Row]:
    count, dim = seen.network.colours.query.weight.shape  # type: ignore[union-attr]
    return [
        Row("queries", "what they are, where they stand; a code for each scale",
            owned=["colours.query", "colours.query_place", "colours.level"], shape=(1, count, dim)),
        Row("projections", "1×1 convolution of each scale", ["colours.project.*"]),
        Row("query layers", f"{len(seen.network.colours.layers)} × (read the map, talk, think)", ["colours.layers.*"]),  # type: ignore[union-attr]
        Row("embedding", "layer norm; three linear layers", ["colours.norm", "colours.embed"]),
        Row("fusion", "queries · map, the picture beside it, 1×1 convolution", owned=["refine"],
            shape=(1, 2, seen.size, seen.size), rest=True),
    ]  # fmt: skip


def rows_of(name: str, seen: Seen) -> list[Row]:
    """The lines of a network's table."""
    shuffled = "1×1 convolution, shuffle ×2, blur; the encoder's map; 3×3 convolution"
    larger = "3×3 convolution, shuffle ×2; the encoder's map; 3×3 convolution"
    if name == "transformer":
        return [
            *rows_of_encoder("ConvNeXt"), Row("encoder norms", "layer norm of each stage's map", ["norms.*"]),
            *rows_of_pixels(shuffled, "1×1 convolution, for a shuffle ×4 and a blur"), *rows_of_queries(seen),
        ]  # fmt: skip
    if name == "thesis":
        pixels = rows_of_pixels(larger, "3×3 convolution, for a shuffle ×4")
        return [*rows_of_encoder("ConvNeXt"), *pixels, *rows_of_queries(seen)]
    if name == "multicolor":
        colours = [
            Row(f"queries {space}", "as the transformer's colour decoder", [f"colours.{space}"])
            for space in seen.network.spaces  # type: ignore[union-attr]
        ]
        mappers = Row("mappers", "queries · map, 1×1 convolution, for each space", owned=["mappers"],
                      shape=(1, 2 * len(colours), seen.size, seen.size), rest=True)  # fmt: skip
        count = len(seen.network.complement)  # type: ignore[arg-type]
        blocks = [
            Row(f"complement {i // 6 + 1}", "1×1 and 3×3 convolution, each with norm and activation",
                [f"complement.{j}" for j in range(i, min(i + 6, count))])
            for i in range(0, count, 6)
        ]  # fmt: skip
        pixels = rows_of_pixels(larger, "3×3 convolution, for a shuffle ×4")
        return [*rows_of_encoder("ConvNeXt"), *pixels, *colours, mappers, *blocks]
    return ROWS[name]


def stage(side: str, i: int, what: str) -> Row:
    path = f"denoiser.{side}.{i}" if side in ("down", "up") else f"encoder.down.{i}"
    order = (
        ("one", "two", "leave", "attend") if side == "grey" else ("one", "two", "attend", "leave")
    )  # last: what it gives
    return Row(f"{side} {i + 1}", what, [f"{path}.{part}" for part in order], owned=[path])


DOWN = "2 residual blocks, linear attention"
ROWS: dict[str, list[Row]] = {
    "cnn": [
        Row("low-level 1, 2", "3×3 stride 2; 3×3", ["low.0", "low.1"]),
        Row("low-level 3, 4", "3×3 stride 2; 3×3", ["low.2", "low.3"]),
        Row("low-level 5, 6", "3×3 stride 2; 3×3", ["low.4", "low.5"]),
        Row("mid-level 1, 2", "3×3; 3×3", ["mid"]),
        Row("global 1, 2", "3×3 stride 2; 3×3", ["globe.0", "globe.1"]),
        Row("global 3, 4", "3×3 stride 2; 3×3", ["globe.2", "globe.3"]),
        Row("global 5, 6", "two linear layers, ReLU", ["globe.5", "globe.7"]),
        Row("global 7", "linear, ReLU", ["to_fusion"]),
        Row("classification", "two linear layers", ["classify"]),
        Row("fusion", "1×1 convolution, ReLU", ["fusion"]),
        Row("colour 1", "3×3; doubled", ["colour.0", "colour.1"]),
        Row("colour 2, 3", "3×3; 3×3; doubled", ["colour.2", "colour.3", "colour.4"]),
        Row("colour 4, 5", "3×3; 3×3, sigmoid; then doubled", ["colour.5", "colour.6"]),
    ],
    "gan_unet": [
        Row("down 0", "4×4, size kept", ["down.0"]),
        *(Row(f"down {i}", "4×4 stride 2", [f"down.{i}"]) for i in range(1, 8)),
        *(Row(f"up {i}", "transposed 4×4 stride 2", [f"up.{i}"]) for i in range(7)),
        Row("head", "1×1, tanh", ["head"]),
    ],
    "gan": [
        Row("stem", "7×7 stride 2 on the grey picture", ["encoder.net.conv1", "encoder.net.bn1"]),
        *(Row(f"encoder {i}", "2 residual blocks", [f"encoder.net.layer{i}"]) for i in range(1, 5)),
        Row("middle", "3×3 to twice the channels; 3×3 back", ["middle"]),
        *(Row(f"climb {i + 1}", "1×1, shuffle ×2; the encoder's map; two 3×3", [f"climbs.{i}"]) for i in range(4)),
        Row("last shuffle", "1×1, for a shuffle ×2", ["last"]),
        Row("residual", "the grey picture joins; two 3×3, added", ["residual"]),
        Row("head", "1×1, linear", ["head"]),
    ],
    "diffusion": [
        Row("grey first", "7×7 on L", ["encoder.first"]),
        *(stage("grey", i, DOWN) for i in range(4)),
        Row("noise level", "sines and cosines; two linear layers", ["denoiser.time"]),
        Row("first", "7×7 on [L, noisy ab]", ["denoiser.first"]),
        *(stage("down", i, f"{DOWN}; {how}") for i, how in
          enumerate(["space to depth, 1×1"] * 3 + ["3×3, size kept"])),
        Row("middle", "residual block, full attention, residual block",
            ["denoiser.before", "denoiser.attend", "denoiser.after"]),
        *(stage("up", i, f"{DOWN}; {how}") for i, how in enumerate(["doubled, 3×3"] * 3 + ["3×3, size kept"])),
        Row("last, head", "residual block beside the first map; 1×1", ["denoiser.last", "denoiser.head"]),
    ],
    "patch": [
        Row("1", "4×4 stride 2, LeakyReLU", ["layers.0"]),
        Row("2", "4×4 stride 2, batch norm, LeakyReLU", ["layers.2", "layers.3"]),
        Row("3", "4×4 stride 2, batch norm, LeakyReLU", ["layers.5", "layers.6"]),
        Row("4", "4×4, batch norm, LeakyReLU", ["layers.8", "layers.9"]),
        Row("5", "4×4", ["layers.11"]),
    ],
    "unet": [
        Row("1", "4×4 stride 2", ["layers.0"]),
        Row("2", "3×3; 4×4 stride 2", ["layers.2", "layers.4"]),
        Row("attention", "every place reads every other", ["layers.6"]),
        Row("3", "3×3; 4×4 stride 2", ["layers.7", "layers.9"]),
        Row("4", "3×3; 4×4 stride 2", ["layers.11", "layers.13"]),
        Row("5", "3×3; 4×4 without padding", ["layers.15", "layers.17"]),
    ],
}  # fmt: skip


def layers(name: str, seen: Seen) -> str:
    """The table as Markdown. Fails where its rows do not add up to the network."""
    lines, parameters, macs = [], 0, 0
    rows = rows_of(name, seen)
    spent = sum(seen.macs(*row.ran) for row in rows)
    for row in rows:
        own, done = seen.parameters(*(row.owned or row.ran)), seen.total - spent if row.rest else seen.macs(*row.ran)
        parameters, macs = parameters + own, macs + done
        output = output_of(row, seen)
        lines.append([row.name, row.what, output, quantity(own), giga(done)])
    total = seen.parameters("*")
    if (parameters, macs) != (total, seen.total):
        raise AssertionError(f"{name}: rows {parameters, macs}, network {total, seen.total}")
    lines.append(["**total**", "", "", f"**{quantity(total)}**", f"**{giga(seen.total)}**"])
    return table(["stage", "what it is", "output", "parameters", "GMACs"], lines, "llrrr")


def output_of(row: Row, seen: Seen) -> str:
    """The shape of what a row gives; of modules side by side, the first and the last."""
    if row.shape:
        return shape_of(row.shape)
    if not row.ran[-1].endswith(".*"):
        return shape_of(seen.shapes[row.ran[-1]])
    parent = row.ran[-1].removesuffix(".*")
    count = len(seen.network.get_submodule(parent))  # type: ignore[arg-type]
    first, last = (shape_of(seen.shapes[f"{parent}.{i}"]) for i in (0, count - 1))
    return last if first == last else f"{first} … {last}"


def giga(count: int) -> str:
    value = count / 1e9
    return "–" if count == 0 else f"{value:.2f}" if value >= 0.005 else "<0.01"
