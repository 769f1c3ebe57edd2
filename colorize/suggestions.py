"""Did you mean …?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """`: did you mean a or b?` for what is spelled alike, or nothing."""
    close = get_close_matches(word, list(dict.fromkeys(known)), n=3, cutoff=0.6)
    return f": did you mean {' or '.join(prefix + match for match in close)}?" if close else ""


def listing(key: str, options: Iterable[str]) -> str:
    names = sorted(options)
    return f"the options are {', '.join(names)}" if len(names) < 30 else f"{key} has {len(names)} options"


def key_suggestion(key: str, known: Iterable[str]) -> str:
    """The same for a config path: keys beside it that are spelled alike, or else paths that are."""
    paths = list(dict.fromkeys(known))
    parent, _, name = key.rpartition(".")
    beside = [path.rpartition(".")[2] for path in paths if path.rpartition(".")[0] == parent]
    return suggestion(name, beside, f"{parent}." if parent else "") or suggestion(key, paths)
