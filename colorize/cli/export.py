"""The verb `export`: a network as plain files with a model card."""

import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from colorize.cli.deployment import write_deployed
from colorize.cli.parser import trusted_packages
from colorize.cli.paths import new_folder
from colorize.evaluation.result import read_result
from colorize.models.base import Colorizer
from colorize.models.ddcolor_files import write_ddcolor
from colorize.models.export import read_card, weights_in, write_card, write_network
from colorize.models.load import checkpoint_of, describe_checkpoint, load, trained_size
from colorize.models.named_weights import resolve_weights
from colorize.models.onnx_runtime import OF_EXPORTS, check_trainable
from colorize.models.weights import weights_digest
from colorize.reports.model_card import (
    CardDetails,
    Evaluated,
    carry_card,
    copy_pictures,
    describe_card,
    read_details,
    read_model_card,
)
from colorize.run_folder import RunFolder
from colorize.training.ema import load_average
from colorize.utils.checkpoint import peek
from colorize.utils.console import say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.files import without_folders
from colorize.utils.hydra_overrides import saved_overrides

# Format -> what writes it: (network, folder, what config.json says of it, dtype of its weights) -> the folder
WRITERS: dict[str, Callable[..., Path]] = {
    "safetensors": write_network,
    "ddcolor": lambda model, folder, facts, dtype: write_ddcolor(model, folder, dtype),
}
# Files that exports have beside those of their runtimes
OF_NETWORKS = ("config.json", "README.md", "paint.py", "model.safetensors")
# What config.json says of an export's files, and not of the network
OF_FILES = frozenset((
    "format", "library_name", "network", "settings", "units", "runtime", "opset", "weights", "parameters",
    "fixed_size", "usual_size", "sampler", "compared", "int8", "files",
))  # fmt: skip


def export(args: Namespace) -> int:
    """`colorize export RUN_OR_FILE -o FOLDER`; the exit status."""
    folder = new_folder(args.output, overwrite=True)
    if held := [name for name in (*OF_NETWORKS, *OF_EXPORTS) if (folder / name).exists()]:
        raise UserError(f"{args.output!r} holds {shorten_list(held)} already: choose another folder, or delete them")
    if args.half and args.format not in WRITERS:
        raise UserError("--half is for --format safetensors and ddcolor: others keep single precision, or take --int8")
    if args.int8 and args.format in WRITERS:
        raise UserError("--int8 is for --format onnx and openvino")
    model = load(args.weights, trusted_packages(args.trust))
    averaged = choose_average(model, args.weights, args.ema_length) if args.ema_length else {}
    check_trainable(model, args.weights)
    source, known = exported_facts(args.weights)
    carried = read_model_card(source / "README.md") if source and not (args.card or args.results) else None
    told = {key: known[key] for key in ("name", "license", "use") if isinstance(known.get(key), str)}
    details = read_details(at_home(args.card)) if args.card else CardDetails()
    details = replace(details, **{key: value for key, value in told.items() if not getattr(details, key)})
    name = args.name or details.name or Path(args.weights).stem
    details = replace(details, name=name, license=args.licence or details.license)
    dtype = torch.float16 if args.half else None
    results = read_results(args.results, model, dtype)
    facts = known | {"name": name, "license": details.license, "use": details.use}
    facts |= training_facts(args.weights) | averaged
    facts = {key: value for key, value in facts.items() if value != ""}
    if args.format in WRITERS:
        folder, deployed = WRITERS[args.format](model, args.output, facts, dtype), ""
    else:
        folder, deployed = write_deployed(model, args.output, args.format, facts, int8=args.int8)
    if source and carried:
        stored = f"The weights are stored as {args.format}, in {'half' if dtype else 'single'} precision."
        carry_card(carried, source, folder, name, details.license, deployed or stored)
    else:
        copy_pictures(details, folder)
        training = dict(training_rows(args.weights, details.machine, averaged))
        write_card(folder, model, dtype, deployed=deployed, **describe_card(details, training, results))
    of = f" (average of length {args.ema_length:g})" if averaged else describe_checkpoint(args.weights)
    say(f"{name}: {type(model).__name__}{of} in {str(folder)!r}")
    return 0


def exported_facts(weights: str) -> tuple[Path | None, dict[str, Any]]:
    """The folder of weights that are an export already, and what its config.json says of the network; of others, None
    and nothing."""
    path = at_home(resolve_weights(weights))
    folder = path if path.is_dir() else path.parent
    config = read_card(folder) if path.is_dir() or path.suffix == ".safetensors" else None
    if config is None:
        return None, {}
    return folder, {key: value for key, value in config.items() if key not in OF_FILES}


def choose_average(model: Colorizer, weights: str, length: float) -> dict[str, Any]:
    """Give the model of a run its averaged weights of this length: what is known of those. Raises `UserError` for
    weights that are no run's."""
    if (path := checkpoint_of(weights)) is None:
        raise UserError(f"--ema-length needs a run folder, which {weights!r} is not: averages are kept there")
    step, missed = load_average(model, path.parent.parent, length)
    say(f"average of length {length:g} at step {step}; its profile is reconstructed to {missed:.1%}")
    return {"steps": step, "ema_length": length, "val": ""}  # those of the checkpoint are of other weights


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


def training_rows(weights: str, machine: str, averaged: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the card about the training of a run's checkpoint, or of the average that was chosen instead."""
    path = checkpoint_of(weights)
    if path is not None and (held := peek(path)):
        run = RunFolder(path.parent.parent)
        cfg, summary = run.read_config(), run.read_summary()
        steps = averaged.get("steps", held["steps"])
        batch, size = cfg.trainer.batch_size * cfg.trainer.accumulate, trained_size(weights)
        seen = [phase.get("size") or size for phase in cfg.schedule.values()]
        sizes = sorted({each for each in seen if each})
        shown = f" at {' and '.join(f'{each}²' for each in sizes)} pixels" if sizes else ""
        yield "samples", f"{steps * batch:,}: {steps:,} steps of {batch}{shown}"
        if averaged:
            yield "averaged", f"weights of relative width {averaged['ema_length']:g} (Karras et al. 2024)"
        yield "hours", f"{held['seconds'] / 3600:.2f}, validation included"
        yield "command", f"`python train.py {without_folders(shlex.join(saved_overrides(run.folder)))}`"
        origins = {key: str(origin) for key, origin in summary.get("weights", {}).items() if origin}
        replaced = ("model.",) if "init_from" in origins else ()  # what a part of the network had before it was filled
        yield from ((f"weights, {key}", of) for key, of in origins.items() if not key.startswith(replaced))
        yield "versions", ", ".join(f"{name} {version}" for name, version in summary.get("versions", {}).items())
    if machine:
        yield "machine", machine
