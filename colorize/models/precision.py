"""The precision of predictions: of a network that is evaluated, or that paints."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from colorize.batch import Batch
from colorize.models.base import Colorizer
from colorize.utils.distributed import World
from colorize.utils.errors import UserError
from colorize.utils.files import short_digest
from colorize.utils.precision import Precision, Probe, choose_precision


def set_precision(
    model: Colorizer, name: str, use: str, *, size: int, photographs: int, passes: int, world: World | None = None
) -> Precision:
    """Let `model.colorize` compute in float32 or bfloat16; of several processes the first one decides.

    name         auto, float32 or bfloat16. auto is float32 on a GPU, and on a CPU what a probe of the network's own
                 forward pass finds faster
    use          evaluation or painting
    size         pixels of the shorter side; photographs: in a pass; passes: that are to be taken in all

    Raises `UserError` where an export for another runtime is asked for bfloat16.
    """
    if (parameter := next(model.parameters(), None)) is None:
        if name == "bfloat16":
            raise UserError(
                "bfloat16 is for networks of PyTorch: an export computes in the precision that it was made in"
            )
        return Precision("float32", "device")
    device = parameter.device
    side = model.fixed_size or -(-size // model.multiple) * model.multiple
    key = {"network": describe_network(model), "use": use, "size": side}

    @torch.no_grad()
    def take_pass(count: int, context: AbstractContextManager) -> None:
        with torch.random.fork_rng(devices=[]), context:
            L = 100 * torch.rand(count, 1, side, side, device=device)
            model(Batch(L, L.new_zeros(count, 2, side, side)))

    parameters = sum(p.numel() for p in model.parameters())
    probe = Probe(take_pass, photographs, passes, parameters, key) if device.type == "cpu" else None
    auto = Precision("float32", "device") if name == "auto" and probe is None else None
    found: Precision = (world or World()).on_main_then_broadcast(lambda: auto or choose_precision(name, device, probe))
    model.precision = found.dtype
    return found


def describe_network(model: Colorizer) -> str:
    """Its class and a digest of what it was built with."""
    return f"{type(model).__qualname__} {short_digest(repr(sorted(model.settings.items())))}"


def precision_setting(model: Colorizer) -> dict[str, Any]:
    """What a record of a painting or a result says of it: nothing for float32, which older ones are in."""
    return {"precision": "bfloat16"} if model.precision == torch.bfloat16 else {}
