"""The verb `export`: a network as plain files with a model card."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from colorize.cli.parser import ArgumentParser, trusted_packages
from colorize.models.export import save
from colorize.models.load import checkpoint_of, describe_checkpoint, load, trained_size
from colorize.run_folder import RunFolder
from colorize.utils.checkpoint import peek
from colorize.utils.console import say
from colorize.utils.errors import UserError


def export(args: Namespace) -> int:
    """`colorize export RUN_OR_FILE -o FOLDER`; the exit status."""
    if (Path(args.output) / "config.json").exists():
        raise UserError(f"{args.output!r} holds an export already: choose another folder, or delete it")
    model = load(args.weights, trusted_packages(args.trust))
    card: dict[str, Any] = {"name": args.name or Path(args.weights).stem} | training_facts(args.weights)
    card |= {"license": args.licence} if args.licence else {}
    folder = save(model, args.output, card)
    say(f"{card['name']}: {type(model).__name__}{describe_checkpoint(args.weights)} in {str(folder)!r}")
    return 0


def export_options(parser: ArgumentParser) -> None:
    parser.add_argument("weights", help="a run folder, a checkpoint, a published file, or a name on the hub")
    parser.add_output("the folder to write")
    parser.add_argument("--name", help="of the model; by default that of the run or of the file")
    parser.add_argument("--licence", help="of the weights, such as apache-2.0")
    parser.add_trust()


def training_facts(weights: str) -> dict[str, Any]:
    """What a run knows of the network that is exported: the steps and the scores are those of its checkpoint."""
    known: dict[str, Any] = {"trained_size": size} if (size := trained_size(weights)) else {}
    if (path := checkpoint_of(weights)) is not None:
        summary = RunFolder(path.parent.parent).read_summary()
        known |= {key: summary[key] for key in ("data", "loss", "validation") if key in summary}
        held = peek(path)
        known |= {"steps": held["steps"], "val": held["scores"]} if held else {}
    return known
