"""Seeds and generators, as a pure function of what they are for."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def seed_of(*key: int | str) -> int:
    """A 63-bit seed for `key`, the same on every machine and in every process (Python's own `hash` of text is not)."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def generator_of(*key: int | str) -> Generator:
    """A generator on the CPU that begins with `seed_of(*key)`."""
    import torch

    return torch.Generator().manual_seed(seed_of(*key))
