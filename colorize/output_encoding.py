"""Output to a terminal, a pipe or a file of any encoding: no sign and no name of a file makes printing fail."""

from __future__ import annotations

import codecs
import io
import sys

# What stands for signs of ours where the encoding lacks them, as cp1252 and cp932 do
PLAIN = {
    "…": "...", "–": "-", "−": "-", "·": "-", "×": "x", "²": "^2", "→": "->", "↑": "(up)", "↓": "(down)", "“": '"',
    "”": '"', "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "∞": "inf", "Δ": "Delta ", "½": "1/2",
}  # fmt: skip


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: letters that every encoding has. Names that are no text in UTF-8 become \\udcXX."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(c, ascii(c)[1:-1]) for c in error.object[error.start : error.end]), error.end


codecs.register_error("colorize", in_ascii)


def print_anything() -> None:
    """From here on standard output and standard error take every text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="colorize")
