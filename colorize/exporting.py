"""The verb `export`: any network that can be loaded, as two plain files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from colorize.arguments import Arguments, add_trust, trusted
from colorize.errors import UserError
from colorize.export import save
from colorize.loading import load, trained_size
from colorize.runs import RunFolder
from colorize.terminal import say


def export(argv: list[str]) -> int:
    """`colorize export RUN_OR_FILE -o FOLDER`; the exit status."""
    parser = Arguments("export", "Write a network as safetensors weights, JSON config and model card.")
    parser.add_argument("weights", help="a run folder, a checkpoint, a published file, or a name on the hub")
    parser.add_argument("-o", "--output", required=True, help="the folder to write")
    parser.add_argument("--name", help="of the model; by default that of the run or of the file")
    parser.add_argument("--licence", help="of the weights, such as apache-2.0")
    add_trust(parser)
    words = parser.parse_args(argv)
    if (Path(words.output) / "config.json").exists():
        raise UserError(f"{words.output!r} holds an export already: choose another folder, or delete it")
    model = load(words.weights, trusted(words.trust))
    card: dict[str, Any] = {"name": words.name or Path(words.weights).stem} | facts(words.weights)
    card |= {"license": words.licence} if words.licence else {}
    folder = save(model, words.output, card)
    say(f"{card['name']}: {type(model).__name__} in {str(folder)!r}")
    return 0


def facts(weights: str) -> dict[str, Any]:
    """What a run knows of its network."""
    known: dict[str, Any] = {"trained_size": size} if (size := trained_size(weights)) else {}
    folder = Path(weights) if Path(weights).is_dir() else Path(weights).parent.parent
    if (folder / ".hydra").is_dir():
        summary = RunFolder(folder).read_summary()
        known |= {key: summary[key] for key in ("data", "loss", "steps", "val", "validation") if key in summary}
    return known
