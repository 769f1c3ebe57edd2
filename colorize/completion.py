"""Completion of `colorize …` in the shell. That of `python train.py …` is Hydra's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

OPTIONS = ("-sc", "--shell-completion")
COMPOSED = ("train", "evaluate")  # verbs whose words Hydra knows


def careful(script: str) -> str:
    """Hydra's script for the shell, less its habit to start any Python program that somebody types, to ask it: of one
    that is not Hydra's, files are completed."""
    files = 'COMPREPLY=($(compgen -o default -- "${words[$COMP_CWORD]}"))'
    return script.replace(
        'grep "@hydra.main" $file_path -q\n', f'grep -q "@hydra.main" "$file_path" || {{ {files}; return; }}\n'
    )


def complete(argv: Sequence[str], verbs: Mapping[str, Callable[[list[str]], int]]) -> int:
    """Answer `colorize -sc install=bash` and, while somebody types, `colorize -sc query=bash`.

    Hydra answers for the words of `train` and `evaluate`, as if each were a program of its own; the other verbs take
    files, which the shell completes by itself.
    """
    line = os.environ.get("COMP_LINE", "")
    if not any(word.startswith("query=") for word in argv):
        return verbs["train"](list(argv))
    program, _, rest = line.strip().partition(" ")
    verb, space, words = rest.lstrip().partition(" ")
    if not (space or line.endswith(" ")) or not verb:
        print(" ".join(name for name in verbs if name.startswith(verb)))
    elif verb in COMPOSED:
        os.environ["COMP_LINE"] = f"{program} {words}"
        return verbs[verb](list(argv))
    return 0
