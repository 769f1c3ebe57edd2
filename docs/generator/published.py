"""Published weights that are taken by name, from the table that the program itself reads."""

from __future__ import annotations

from generator.text import table

from colorize.models.named_weights import PUBLISHED


def published() -> str:
    rows = [
        [f"`{name}`", known.use, f"`{known.hub}`", f"`{known.network}`", str(known.megabytes), known.licence]
        for name, known in PUBLISHED.items()
    ]
    return table(["name", "for", "on the hub", "loads as", "MB", "licence"], rows, "llllrl")
