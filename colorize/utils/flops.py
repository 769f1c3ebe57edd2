"""FLOPs: floating-point operations, counted by the shapes of tensors, and how many a second a device multiplies."""

import time
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count


def _attention(query, key, value, *_, **__) -> int:
    """Of attention, by its shapes."""
    return sdpa_flop_count(query, key, value)


def _attention_backward(grad, query, key, value, *_, **__) -> int:
    """Of its backward pass."""
    return sdpa_backward_flop_count(grad, query, key, value)


ATTENTION = {  # where torch's counter knows no count of its own
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    torch.ops.aten._scaled_dot_product_attention_math_for_mps: _attention,
}


def flop_counter() -> FlopCounterMode:
    """Counts, while it is entered, the FLOPs of convolutions, matrix products and attention, two to a
    multiply-accumulate: `get_total_flops()`. What works on single elements (norms, activations, optimizers) is left
    out."""
    return FlopCounterMode(display=False, custom_mapping=ATTENTION)


class StepFlopCounter(TorchDispatchMode):
    """The same of a training step, in `total`; the step has the bits that it has without. torch's own counter takes
    some operations apart, such as SiLU's gradient, by which it finds what composite operations of inference mode hold.

    What is under torch.compile runs uncompiled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.formulas = flop_counter().flop_registry

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        if (formula := self.formulas.get(func._overloadpacket)) is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


@cache
def matrix_product_rate(device: torch.device, precision: torch.dtype) -> float:
    """FLOPs a second of a large matrix product: the best of a few, which take a quarter of a second together on two
    cores. Measured once in a process."""
    size = 1024 if device.type == "cpu" else 8192
    ones = torch.ones(size, size, dtype=precision, device=device)
    return 2 * size**3 / min(_seconds_of_product(ones) for _ in range(6))


def _seconds_of_product(matrix: torch.Tensor) -> float:
    began = time.perf_counter()
    product = matrix @ matrix
    product[0, 0].item()  # which waits for the device
    return time.perf_counter() - began
