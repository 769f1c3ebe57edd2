"""The verb `models`: which networks are here, and which can be had by name."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.errors import CacheNotFound
from rich.table import Table

from colorize.cli.parser import ArgumentParser
from colorize.models.export import read_card
from colorize.models.load import HUB_FILES, describe_checkpoint, trained_size
from colorize.models.named_weights import DEFAULT, PUBLISHED, shipped_weights
from colorize.run_folder import RunFolder
from colorize.utils.console import console, printable, say
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError


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
    held = shipped_weights()
    found = [*map(describe_shipped_export, held.values()), *runs_in(at_home(args.folder)), *cached_exports()]
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


def models_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="outputs", help="of runs (default: outputs)")


def describe_shipped_export(folder: Path) -> KnownNetwork:
    return describe_export(folder.name, folder, "shipped")


def describe_export(name: str, folder: Path, where: str) -> KnownNetwork:
    card = read_card(folder) or {}
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    licence, use = card.get("license", ""), card.get("use") or card.get("name", "")
    return KnownNetwork(name, where, str(card.get("network")), megabytes(size), str(licence), str(use))


def runs_in(folder: Path) -> Iterator[KnownNetwork]:
    """The runs and exports in a folder, and the jobs of sweeps in it."""
    places = sorted({path.parent for level in ("*", "*/*") for path in folder.glob(f"{level}/.hydra")})
    for path in places:
        try:
            run = RunFolder(path)
            best = run.checkpoint("best")
            network = str(run.read_config().model["_target_"]).rpartition(".")[2]
            size = megabytes(best.stat().st_size)
            about = f"{describe_checkpoint(path).strip(' ()')}, {trained_size(path)} pixels"
        except (UserError, KeyError, AttributeError) as error:
            yield KnownNetwork(path.as_posix(), "here", "", "", "", f"does not load: {error}")
        else:
            yield KnownNetwork(path.as_posix(), "here", network, size, "", about)
    for path in sorted(folder.glob("*/config.json")):
        if read_card(path.parent) is not None:
            yield describe_export(path.parent.as_posix(), path.parent, "here")


def cached_exports() -> Iterator[KnownNetwork]:
    """Exports of colorize among what was fetched from the hub."""
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return
    for repository in sorted(cache.repos, key=lambda each: each.repo_id):
        for revision in repository.revisions:
            if repository.repo_type == "model" and read_card(revision.snapshot_path) is not None:
                yield describe_export(repository.repo_id, revision.snapshot_path, "in the hub's cache")
                break


def describe_published(name: str) -> KnownNetwork:
    known = PUBLISHED[name]
    where = "in the hub's cache" if is_cached(known.hub) else "fetched when named"
    return KnownNetwork(name, where, known.network, str(known.megabytes), known.licence, known.use)


def is_cached(hub_name: str) -> bool:
    owner, repository, *inside = hub_name.split("/")
    files = ["/".join(inside)] if inside else HUB_FILES
    kept = (try_to_load_from_cache(f"{owner}/{repository}", file, constants.HF_HUB_CACHE) for file in files)
    return any(isinstance(path, str) for path in kept)


def megabytes(size: int) -> str:
    return f"{size / 1e6:.2g}" if size < 1e7 else f"{size / 1e6:.0f}"
