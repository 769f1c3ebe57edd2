"""The verb `models`: which networks are here, and which can be had by name."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import constants, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import CacheNotFound
from rich.table import Table

from colorize.models.export import read_card
from colorize.models.load import HUB_FILES, trained_size
from colorize.models.named_weights import DEFAULT, PUBLISHED, shipped_weights
from colorize.run_folder import RunFolder
from colorize.utils.checkpoint import peek
from colorize.utils.console import console, printable, say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, first_line, path_suggestion

CACHED = "in the hub's cache"


class KnownNetwork(NamedTuple):
    """A line of the list: what --weights takes, where it lies, and what it is."""

    name: str
    where: str
    network: str
    megabytes: str
    licence: str
    about: str


def models(args: Namespace) -> int:
    """`colorize models [FOLDER]`; the exit status."""
    outputs = at_home(args.folder or "outputs")
    if args.folder and not outputs.is_dir():
        raise UserError(f"there is no folder {args.folder!r}{path_suggestion(outputs)}")
    held = shipped_weights()
    shipped = (describe_folder(name, folder, "shipped") for name, folder in held.items())
    found = [*filter(None, shipped), *runs_in(outputs), *cached_exports()]
    found += [describe_published(name) for name in PUBLISHED]
    table = Table(title="what --weights, init_from= and colorize.load take by name", title_justify="left")
    for heading in ("name", "where", "loads as", "MB", "licence", "about"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "MB" else "left")
    for network in found:
        table.add_row(*map(printable, network))
    console.print(table)
    if DEFAULT not in held:
        say("this version ships no weights: name some with --weights")
    return 0


def runs_in(folder: Path) -> Iterator[KnownNetwork]:
    """The runs and exports in a folder, and the jobs of sweeps in it."""
    marks = (".hydra", "*/.hydra", "config.json")
    places = sorted({path.parent for mark in marks for path in folder.glob(f"*/{mark}")})
    yield from filter(None, (describe_folder(path.as_posix(), path, "here") for path in places))


def cached_exports() -> Iterator[KnownNetwork]:
    """Exports of colorize among what was fetched from the hub."""
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return
    for repository in sorted(cache.repos, key=lambda each: each.repo_id):
        for revision in list(repository.revisions)[:1] if repository.repo_type == "model" else ():
            if found := describe_folder(repository.repo_id, revision.snapshot_path, CACHED):
                yield found


def describe_folder(name: str, folder: Path, where: str) -> KnownNetwork | None:
    """Of a run or an export, also one that is damaged; None for a folder that is neither."""
    try:
        if (folder / ".hydra").is_dir():
            return describe_run(name, folder, where)
        card = read_card(folder)
        return None if card is None else describe_export(name, folder, where, card)
    except (UserError, KeyError, AttributeError, OSError) as error:
        return KnownNetwork(name, where, "", "", "", f"does not load: {first_line(error)}")


def describe_run(name: str, folder: Path, where: str) -> KnownNetwork:
    run = RunFolder(folder)
    best = run.checkpoint("best")
    if (held := peek(best)) is None:
        raise UserError(f"{best.name} is damaged")
    network = str(run.read_config().model["_target_"]).rpartition(".")[2]
    about = f"{best.name}, step {held['steps']}, {trained_size(folder)} pixels"
    return KnownNetwork(name, where, network, megabytes(best.stat().st_size), "", about)


def describe_export(name: str, folder: Path, where: str, card: Mapping[str, Any]) -> KnownNetwork:
    kinds = (".safetensors", ".onnx", ".bin")
    size = sum(path.stat().st_size for path in folder.iterdir() if path.suffix in kinds)
    about = card.get("use") or card.get("name", "")
    return KnownNetwork(
        name, where, str(card.get("network")), megabytes(size), str(card.get("license", "")), str(about)
    )


def describe_published(name: str) -> KnownNetwork:
    known = PUBLISHED[name]
    where = CACHED if is_cached(known.hub) else "fetched when named"
    return KnownNetwork(name, where, known.network, str(known.megabytes), known.licence, known.use)


def is_cached(hub_name: str) -> bool:
    owner, repository, *inside = hub_name.split("/")
    files = ["/".join(inside)] if inside else HUB_FILES
    kept = (try_to_load_from_cache(f"{owner}/{repository}", file, constants.HF_HUB_CACHE) for file in files)
    return any(isinstance(path, str) for path in kept)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.2g}" if size < 1e7 else f"{size / 1e6:.0f}"
