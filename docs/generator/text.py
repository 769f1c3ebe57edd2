"""Markdown tables, and numbers as words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Figures = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    marks = {"l": "---", "r": "--:"}
    rules = [marks[mark] for mark in (align or "l" * len(head))]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in (head, rules, *rows)
    )


def quantity(count: int) -> str:
    return f"{count:,}" if count else "–"


def shape_of(shape: Sequence[int]) -> str:
    """(B, 64, 32, 32) -> 64 × 32²"""
    _, *axes = shape
    if len(axes) == 3 and axes[1] == axes[2]:
        return f"{axes[0]} × {axes[1]}²"
    return " × ".join(map(str, axes))


def square(side: int) -> str:
    return f"{side}²"


def number(value: float | int | None) -> str:
    """As a person writes it: 1e-4, 1/300, 0.5, 16."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if 0 < value < 1 and len(repr(value)) > 12 and abs(1 / value - round(1 / value)) < 1e-9:
        return f"1/{round(1 / value)}"
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
