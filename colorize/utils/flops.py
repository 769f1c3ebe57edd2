"""FLOPs: floating-point operations, counted by the shapes of tensors, and how many a second a device multiplies."""

import time
from functools import cache

import torch
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
    out. What is computed stays the same, bit for bit, but for networks under torch.compile, which run uncompiled."""
    return FlopCounterMode(display=False, custom_mapping=ATTENTION)


@cache
def matrix_product_rate(device: torch.device, precision: torch.dtype) -> float:
    """FLOPs a second of a large matrix product: the best of a few, which take a quarter of a second together. Measured
    once in a process."""
    size = 1024 if device.type == "cpu" else 8192
    ones = torch.ones(size, size, dtype=precision, device=device)
    return 2 * size**3 / min(_seconds_of_product(ones) for _ in range(6))


def _seconds_of_product(matrix: torch.Tensor) -> float:
    began = time.perf_counter()
    product = matrix @ matrix
    product[0, 0].item()  # which waits for the device
    return time.perf_counter() - began
