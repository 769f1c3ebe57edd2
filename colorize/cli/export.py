"""The verb `export`: a network as plain files with a model card."""

import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from colorize.cli.deployment import write_deployed
from colorize.cli.parser import ArgumentParser, trusted_packages
from colorize.cli.paths import new_folder
from colorize.evaluation.result import read_result
from colorize.models.base import Colorizer
from colorize.models.export import weights_in, write_card, write_network
from colorize.models.load import checkpoint_of, describe_checkpoint, load, trained_size
from colorize.models.onnx_runtime import FORMATS, check_trainable
from colorize.models.weights import weights_digest
from colorize.reports.model_card import CardDetails, Evaluated, copy_pictures, describe_card, read_details
from colorize.run_folder import RunFolder
from colorize.utils.checkpoint import peek
from colorize.utils.console import say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import without_folders
from colorize.utils.hydra_overrides import saved_overrides


def export(args: Namespace) -> int:
    """`colorize export RUN_OR_FILE -o FOLDER`; the exit status."""
    if (new_folder(args.output, overwrite=True) / "config.json").exists():
        raise UserError(f"{args.output!r} holds an export already: choose another folder, or delete it")
    if args.half and args.format != "safetensors":
        raise UserError("--half is for --format safetensors: other formats keep single precision, or take --int8")
    if args.int8 and args.format == "safetensors":
        raise UserError("--int8 is for --format onnx and openvino")
    model = load(args.weights, trusted_packages(args.trust))
    check_trainable(model, args.weights)
    details = read_details(at_home(args.card)) if args.card else CardDetails()
    name = args.name or details.name or Path(args.weights).stem
    details = replace(details, name=name, license=args.licence or details.license)
    dtype = torch.float16 if args.half else None
    results = read_results(args.results, model, dtype)
    facts = {"name": name, "license": details.license, "use": details.use} | training_facts(args.weights)
    facts = {key: value for key, value in facts.items() if value != ""}
    deployed = ""
    if args.format == "safetensors":
        folder = write_network(model, args.output, facts, dtype)
    else:
        folder, deployed = write_deployed(model, args.output, args.format, facts, int8=args.int8)
    copy_pictures(details, folder)
    training = dict(training_rows(args.weights, details.machine))
    write_card(folder, model, dtype, deployed=deployed, **describe_card(details, training, results))
    say(f"{name}: {type(model).__name__}{describe_checkpoint(args.weights)} in {str(folder)!r}")
    return 0


def export_options(parser: ArgumentParser) -> None:
    parser.add_argument("weights", help="a run folder, a checkpoint, a published file, or a name on the hub")
    parser.add_output("the folder to write")
    parser.add_argument("--name", help="of the model; by default that of the run or of the file")
    parser.add_argument("--licence", help="of the weights, such as apache-2.0")
    parser.add_argument(
        "--format", choices=["safetensors", *FORMATS], default="safetensors",
        help="onnx and openvino need no PyTorch where they are used (safetensors)",
    )  # fmt: skip
    parser.add_argument("--half", action="store_true", help="store the weights in half precision: half as many bytes")
    parser.add_argument(
        "--int8", action="store_true", help="quantize to 8 bits (onnx, openvino); measures what it costs"
    )
    parser.add_argument("--card", metavar="FILE", help="a YAML file for the model card: use, data, limits, … (cli.md)")
    parser.add_argument(
        "--results", nargs="+", default=[], metavar="FILE", help="results of this network (.json) for the model card"
    )
    parser.add_trust()


def read_results(files: Sequence[str], model: Colorizer, dtype: torch.dtype | None) -> list[Evaluated]:
    """Raises `UserError` for a result that is of other weights than those that are exported."""
    if not files:
        return []
    stored = {name: value.float() if value.is_floating_point() else value
              for name, value in weights_in(model, dtype).items()}  # fmt: skip
    digests = {weights_digest(model.state_dict()): dtype is None, weights_digest(stored): True}
    found = []
    for path in map(at_home, files):
        result = read_result(path)
        digest = result.weights.get("network", {}).get("sha256")
        if digest not in digests:
            raise UserError(
                f"{str(path)!r} is the result of {result.name!r} with other weights than those exported here"
            )
        found.append(Evaluated(path, result, digests[digest]))
    return found


def training_facts(weights: str) -> dict[str, Any]:
    """What a run knows of the network that is exported: the steps and the scores are those of its checkpoint."""
    known: dict[str, Any] = {"trained_size": size} if (size := trained_size(weights)) else {}
    if (path := checkpoint_of(weights)) is not None:
        summary = RunFolder(path.parent.parent).read_summary()
        known |= {key: summary[key] for key in ("data", "loss", "validation") if key in summary}
        held = peek(path)
        known |= {"steps": held["steps"], "val": held["scores"]} if held else {}
    return known


def training_rows(weights: str, machine: str) -> Iterator[tuple[str, str]]:
    """The lines of the card about the training of a run's checkpoint."""
    path = checkpoint_of(weights)
    if path is not None and (held := peek(path)):
        run = RunFolder(path.parent.parent)
        cfg, summary = run.read_config(), run.read_summary()
        steps, batch, size = held["steps"], cfg.trainer.batch_size * cfg.trainer.accumulate, trained_size(weights)
        seen = [phase.get("size") or size for phase in cfg.schedule.values()]
        sizes = sorted({each for each in seen if each})
        shown = f" at {' and '.join(f'{each}²' for each in sizes)} pixels" if sizes else ""
        yield "samples", f"{steps * batch:,}: {steps:,} steps of {batch}{shown}"
        yield "hours", f"{held['seconds'] / 3600:.2f}, validation included"
        yield "command", f"`python train.py {without_folders(shlex.join(saved_overrides(run.folder)))}`"
        origins = {key: str(origin) for key, origin in summary.get("weights", {}).items() if origin}
        replaced = ("model.",) if "init_from" in origins else ()  # what a part of the network had before it was filled
        yield from ((f"weights, {key}", of) for key, of in origins.items() if not key.startswith(replaced))
        yield "versions", ", ".join(f"{name} {version}" for name, version in summary.get("versions", {}).items())
    if machine:
        yield "machine", machine
