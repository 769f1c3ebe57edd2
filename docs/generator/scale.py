"""The arithmetic of many GPUs: what a training step computes, what it sends, and what of that can hide."""

from __future__ import annotations

from dataclasses import dataclass

from generator.networks import look
from generator.text import table

RATE = 100e12  #            multiplications and additions a second that a GPU really does, in bfloat16
INSIDE, BETWEEN = 200e9, 20e9  # bytes a second from a GPU to its neighbours: in its machine, and between machines
MACHINE = 8  #              GPUs in a machine
BACKWARD = 2 / 3  #         share of a step during which gradients are sent while others are computed
EACH = 4  #                 photographs in a GPU's share of a step
GPUS = (8, 64, 512)
TRAINED: dict[str, tuple[str, str | None]] = {  # row -> its network and its critic
    "`thesis/cnn`": ("cnn", None),
    "`thesis/gan_unet`": ("gan_unet", "patch"),
    "`thesis/gan`": ("gan", "patch"),
    "`thesis/diffusion`": ("diffusion", None),
    "`ddcolor/tiny`": ("transformer", "unet"),
    "`thesis/multicolor`, nothing frozen": ("multicolor", "patch"),
}


@dataclass(frozen=True)
class Step:
    """A training step of one GPU."""

    gradients: int  # bytes, of the network and its critic, in float32
    operations: float

    def sent(self, gpus: int, width: int = 4) -> float:
        """Bytes that a GPU sends when a ring of `gpus` averages the gradients, `width` bytes a number."""
        return 2 * (gpus - 1) / gpus * self.gradients * width / 4

    def efficiency(self, gpus: int, each: int = EACH, width: int = 4) -> float:
        """Share of the time that is spent computing."""
        computing = each * self.operations / RATE
        sending = self.sent(gpus, width) / (INSIDE if gpus <= MACHINE else BETWEEN)
        return computing / (computing + max(0.0, sending - BACKWARD * computing))


def step_of(network: str, critic: str | None) -> Step:
    """Of one photograph. A backward pass costs two forward passes; a critic sees the painted picture for the generator
    (forward, and back to the picture), then both pictures for itself."""
    seen = look(network)
    count, operations = sum(p.numel() for p in seen.network.parameters()), 3 * 2 * seen.total
    if critic:
        judge = look(critic)
        count += sum(p.numel() for p in judge.network.parameters())
        operations += (2 + 6) * 2 * judge.total
    return Step(4 * count, operations)


def arithmetic() -> str:
    """The table as Markdown."""
    rows = []
    for name, (network, critic) in TRAINED.items():
        step = step_of(network, critic)
        shares = [f"{step.efficiency(gpus):.0%}" for gpus in GPUS]
        better = [f"{step.efficiency(GPUS[-1], width=2):.0%}", f"{step.efficiency(GPUS[-1], 4 * EACH):.0%}"]
        sizes = [f"{step.gradients / 1e6:,.0f}", f"{step.sent(GPUS[-1]) / 1e6:,.0f}", f"{step.operations / 1e9:,.0f}"]
        rows.append([name, *sizes, *shares, *better])
    head = [
        "recipe", "gradients MB", "sent a step MB", "GFLOP a photograph", *(f"{gpus} GPUs" for gpus in GPUS),
        f"{GPUS[-1]}, bfloat16 on the wire", f"{GPUS[-1]}, {4 * EACH} each",
    ]  # fmt: skip
    return table(head, rows, "l" + "r" * (len(head) - 1))
