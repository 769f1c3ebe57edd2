"""Random numbers as a pure function of what they are for."""

from hashlib import blake2b


def seed_of(*key: int | str) -> int:
    """A 63-bit seed for `key`, the same on every machine and in every process (Python's own `hash` of text is not)."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1
