"""`load`: a trained network from wherever it is kept."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
from torch import Tensor

from colorize.models.base import Colorizer, converge_spectral_norms
from colorize.models.convert import READERS
from colorize.models.export import read_card, read_export, without_pretrained
from colorize.models.named_weights import describe_weights, known_names, resolve_weights
from colorize.models.onnx_graphs import OPENERS
from colorize.models.onnx_runtime import read_deployed, read_deployed_folder
from colorize.models.weights import LAYOUTS, State, construct, extract_weights
from colorize.utils.checkpoint import peek, read_record
from colorize.utils.console import say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line, path_suggestion, shorten_list, suggestion
from colorize.utils.serialization import read_file
from colorize.utils.trust import check_stored_part, check_target, packages

LARGEST = 8192  # pixels of a side that a network may say it was trained at
HUB_FILES = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin", "pytorch_model.pt")


def load(source: str | Path | None = None, trust: Sequence[str] = ()) -> Colorizer:
    """The network that `source` holds, in eval mode on the CPU; without a source, the one that the package ships.

    A run folder (its best.pt) or a checkpoint in one; a folder or file that `colorize.save` or `colorize export` wrote,
    ONNX and OpenVINO among them, which predict on their own runtime; DDColor's and the
    thesis's published files, and folders in the hub's layout; a name that `colorize models` lists, such as `base` or
    `ddcolor`; or a name on the Hugging Face hub, `owner/name` or `owner/name/file`. What lies at that path on this
    machine comes first. Weights fill the network exactly, or `UserError` says in one sentence what is wrong.

    Nothing in a file is ever run: a network is a class of this package, or of one of the packages that `trust` names,
    which a run or an export of a network of one's own needs.
    """
    if described := describe_weights(source):
        say(described)
    typed, source = str(source), resolve_weights(source)
    path, trust = at_home(source), packages(trust)
    if path.is_dir():
        model = load_folder(path, trust)
    elif path.is_file():
        model = load_file(path, trust)
    elif path.exists():
        raise UserError(f"{str(source)!r} is a pipe, a socket or a device, and no file")
    elif is_hub_name(str(source)):
        return load(fetch_from_hub(str(source), typed), trust)
    else:
        raise UserError(f"there is no file or folder {str(source)!r}{nearest(path)}")
    return model.to(memory_format=torch.channels_last).eval()


def is_hub_name(word: str) -> bool:
    """Whether a word that is no path here may be owner/name or owner/name/file on the hub.

    Below a folder that is here, below `outputs`, and as the name of a file, it is a path that was meant.
    """
    owner = word.split("/")[0]
    hub = re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*(/[\w./-]+)?", word) is not None and ".." not in word
    return (
        hub
        and owner != "outputs"
        and not Path(owner).exists()
        and not re.fullmatch(r"[^/]+/[^/]+\.(pth?|bin|safetensors|onnx|xml)", word)
    )


def nearest(path: Path) -> str:
    """: did you mean …?, of what lies where the path should; else that it is no name on the hub."""
    close = path_suggestion(path) or (suggestion(path.name, known_names()) if path.parent == Path() else "")
    return close or ", and it is no name on the hub, such as owner/name"


def load_folder(folder: Path, trust: Sequence[str] = ()) -> Colorizer:
    if (folder / ".hydra").is_dir():
        from colorize.run_folder import RunFolder  # with omegaconf, which runs alone need

        return load_run(RunFolder(folder).checkpoint("best"), trust)
    card = read_card(folder) or {}
    if card.get("runtime") is not None:
        return read_deployed_folder(folder, card["runtime"])
    if (model := read_export(folder, trust=trust)) is not None:
        return model
    for name in HUB_FILES:
        if (folder / name).is_file():
            return load_file(folder / name, trust)
    raise UserError(f"{str(folder)!r} is neither a run folder nor an export: it has no .hydra, config.json or weights")


def load_file(path: Path, trust: Sequence[str] = ()) -> Colorizer:
    if path.suffix in OPENERS:
        return read_deployed(path)
    if path.suffix == ".safetensors" and (model := read_export(path.parent, path, trust)) is not None:
        return model
    if path.name in ("README.md", "config.json") and read_card(path.parent) is not None:
        raise UserError(f"{str(path)!r} describes an export: give its folder, {str(path.parent)!r}")
    content = read_file(path)
    if "players" not in content:
        return recognise(extract_weights(content, path), path)
    run = path.parent.parent
    if not (run / ".hydra").is_dir():
        raise UserError(
            f"{str(path)!r} is a checkpoint of a run, which needs the run's config: leave it in its run folder, or "
            "make a file that stands alone with colorize export"
        )
    return load_run(path, trust)


def load_run(path: Path, trust: Sequence[str] = ()) -> Colorizer:
    """The network of a checkpoint that lies in its run folder."""
    from colorize.config import apply_resolved
    from colorize.run_folder import RunFolder
    from colorize.utils.stored_config import resolved

    run = RunFolder(path.parent.parent)
    trained = apply_resolved(run.read_config(), run.read_resolved())
    return load_trained(path, resolved(trained, run.where, "model").get("model"), trust)[0]


def load_trained(path: Path, node: Any, trust: Sequence[str] = ()) -> tuple[Colorizer, int]:
    """The network of a run's checkpoint in eval mode, and its step. Its weights are the checkpoint's alone.

    node    the run's config of the model, as plain values
    """
    where = repr(str(path.parent.parent / ".hydra" / "config.yaml"))
    check_stored_part(node, "model", trust, where)
    network = check_target(node["_target_"], "model", trust, where)[0]
    settings = {name: value for name, value in node.items() if name != "_target_"} | without_pretrained(network)
    state = read_record(path)
    model = construct(network, settings, best_state(state["players"]["model"]), f"the {network.__name__} of a run")
    converge_spectral_norms(model)
    return model.to(memory_format=torch.channels_last).eval(), state["steps"]


def fetch_from_hub(name: str, typed: str) -> Path:
    """A repository, or one file of it, from the hub's cache or the network. Raises `UserError`, which names what was
    typed."""
    owner, repository, *inside = name.split("/")
    try:
        if inside:
            return Path(hf_hub_download(f"{owner}/{repository}", "/".join(inside)))
        return Path(snapshot_download(f"{owner}/{repository}", allow_patterns=["config.json", *HUB_FILES]))
    except RepositoryNotFoundError as error:
        raise UserError(f"there is no file or folder {typed!r} here, and no such repository on the hub") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = "check the network" if isinstance(error, LocalEntryNotFoundError) else first_line(error)
        raise UserError(f"{typed!r} is not on this machine, and cannot be fetched from the hub: {reason}") from error


def trained_size(source: str | Path | None = None) -> int | None:
    """The side of the squares that a run was trained on; None for weights that do not say. `source` as in `load`.

    Raises `UserError` where what they say is no size.
    """
    path = at_home(resolve_weights(source))
    folder = path if path.is_dir() else path.parent.parent
    if (folder / ".hydra").is_dir():
        from colorize.run_folder import RunFolder
        from colorize.utils.stored_config import resolved

        run = RunFolder(folder)
        data = resolved(run.read_config(), run.where, "data.size").get("data")
        return checked_size(data.get("size") if isinstance(data, dict) else None, "data.size", run.where)
    card = read_card(path if path.is_dir() else path.parent) or {}
    return checked_size(card.get("trained_size"), "trained_size", f"the config.json beside {str(path)!r}")


def checkpoint_of(source: str | Path | None = None) -> Path | None:
    """The file that `load` takes of a run folder, or that is named in one; None for weights from elsewhere."""
    from colorize.run_folder import RunFolder

    path = at_home(resolve_weights(source))
    path = RunFolder(path).checkpoint("best") if (path / ".hydra").is_dir() else path
    return path if (path.parent.parent / ".hydra").is_dir() and path.is_file() else None


def describe_checkpoint(source: str | Path | None = None) -> str:
    """` (best.pt, step 200)` of a run's network, or nothing."""
    path = checkpoint_of(source)
    return f" ({path.name}, step {held['steps']})" if path and (held := peek(path)) else ""


def checked_size(size: Any, name: str, where: str) -> int | None:
    if size is None or (isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= LARGEST):
        return size
    raise UserError(f"{name} in {where} is {size!r:.60}; it must be a number of pixels, from 1 to {LARGEST}")


def recognise(state: State, path: Path) -> Colorizer:
    """The network whose weights these are. Raises `UserError` for a layout that is not known, and for one that is
    incomplete."""
    beginning = next((each for each in LAYOUTS if any(name.startswith(each) for name in state)), None)
    if beginning is None:
        raise UserError(
            f"{str(path)!r} is no checkpoint that is known here; its keys are {shorten_list(state)}, and known are "
            f"{', '.join(LAYOUTS.values())}, and this package's own runs and exports"
        )
    what = LAYOUTS[beginning]
    try:
        network, settings, renamed = READERS[beginning](state)
        return construct(network, settings, renamed, what)
    except KeyError as error:
        missing = f"this looks like {what}, but it is incomplete: what would be {error.args[0]} is missing"
        raise UserError(f"{str(path)!r}: {missing}") from error
    except UserError as error:
        raise UserError(f"{str(path)!r}: {error}") from error


def best_state(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights to use from a saved `TrainState.state`: the averaged ones if there are any."""
    if state["average"] is None:
        return state["module"]
    return {key.removeprefix("module."): value for key, value in state["average"].items() if key != "n_averaged"}
