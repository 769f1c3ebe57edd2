"""`load`: a trained network from wherever it is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from omegaconf import DictConfig

from colorize.build import make, with_answers
from colorize.checkpoint import read
from colorize.errors import UserError
from colorize.export import read_export
from colorize.importers import recognise
from colorize.importers.files import read_file, take_out
from colorize.models import Colorizer
from colorize.player import best_state, converge_spectral_norms
from colorize.runs import RunFolder

HUB_FILES = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin", "pytorch_model.pt")


def load(source: str | Path) -> Colorizer:
    """The network that `source` holds, in eval mode on the CPU.

    A run folder (its best.pt) or a checkpoint in one; a folder or file that `colorize.save` wrote; DDColor's and the
    thesis's published files, and folders in the hub's layout; or a name on the Hugging Face hub, `owner/name` or
    `owner/name/file`. What is on this machine comes first. Weights fill the network exactly, or `UserError` says in
    one sentence what is wrong; nothing in a file is ever run.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        model = load_folder(path)
    elif path.is_file():
        model = load_file(path)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+(/[\w./-]+)?", str(source)) and not str(source).startswith("."):
        return load(fetch(str(source)))
    else:
        raise UserError(f"there is no file or folder {str(source)!r}, and it is no name on the hub, such as owner/name")
    return model.to(memory_format=torch.channels_last).eval()


def load_folder(folder: Path) -> Colorizer:
    if (folder / ".hydra").is_dir():
        return load_run(RunFolder(folder).checkpoint("best"))
    if (model := read_export(folder)) is not None:
        return model
    for name in HUB_FILES:
        if (folder / name).is_file():
            return load_file(folder / name)
    raise UserError(f"{str(folder)!r} is neither a run folder nor an export: it has no .hydra, config.json or weights")


def load_file(path: Path) -> Colorizer:
    if path.suffix == ".safetensors" and (model := read_export(path.parent, path)) is not None:
        return model
    content = read_file(path)
    if "players" not in content:
        return recognise(take_out(content, path), path)
    run = path.parent.parent
    if not (run / ".hydra").is_dir():
        raise UserError(
            f"{str(path)!r} is a checkpoint of a run, which needs the run's config: leave it in its run folder, or "
            "make a file that stands alone with colorize export"
        )
    return load_run(path)


def load_run(path: Path) -> Colorizer:
    """The network of a checkpoint that lies in its run folder."""
    run = RunFolder(path.parent.parent)
    return load_trained(path, with_answers(run.read_config(), run.read_resolved()))[0]


def load_trained(path: Path, trained: DictConfig) -> tuple[Colorizer, int]:
    """The network of a run's checkpoint in eval mode, and its step. Its weights are the checkpoint's alone."""
    state = read(path)
    settings = trained.model.copy()
    if "pretrained" in settings:
        settings.pretrained = False
    model: Colorizer = make(settings, "model")
    model.load_state_dict(best_state(state["players"]["model"]))
    converge_spectral_norms(model)
    return model.to(memory_format=torch.channels_last).eval(), state["steps"]


def fetch(name: str) -> Path:
    """A repository, or one file of it, from the hub's cache or the network."""
    owner, repository, *inside = name.split("/")
    try:
        if inside:
            return Path(hf_hub_download(f"{owner}/{repository}", "/".join(inside)))
        return Path(snapshot_download(f"{owner}/{repository}", allow_patterns=["config.json", *HUB_FILES]))
    except RepositoryNotFoundError as error:
        raise UserError(f"there is no file or folder {name!r} here, and no such repository on the hub") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise UserError(
            f"there is no file or folder {name!r} here, and it cannot be fetched from the hub "
            f"({type(error).__name__}): check the network"
        ) from error


def trained_size(source: str | Path) -> int | None:
    """The side of the squares that a run was trained on; None for weights that do not say."""
    path = Path(source).expanduser()
    folder = path if path.is_dir() else path.parent.parent
    if (folder / ".hydra").is_dir():
        return RunFolder(folder).read_config().data.size
    config = (path if path.is_dir() else path.parent) / "config.json"
    return json.loads(config.read_text(encoding="utf-8")).get("trained_size") if config.is_file() else None
