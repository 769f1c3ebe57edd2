"""The files of a run folder, read as data: nothing in them is run, looked up on this machine, or grows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.errors import UserError
from colorize.home import without_links

LARGEST = 2**20  # bytes of a file, and letters of a config once its references are followed; ours have 5,000
MOST = 5000  #     values of a config; ours have 150
REFERENCE = re.compile(r"\$\{\s*(\.*[\w.\[\]-]+)\s*\}")  # ${data.size}
RESOLVER = re.compile(r"\$\{\s*([^\s${}:]*)\s*:")  # ${name:…}, which calls something
NESTED = re.compile(r"\$\{[^}:]*\$\{")  # ${a.${b}}
RESOLVERS = ("seeded",)  # of ours, that recipes use: it makes a name of a name and a number


def read_yaml(path: Path) -> Any:
    """Plain values. Raises `UserError` for a file that is damaged, or written to fill the memory."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UserError(f"{str(path)!r} is larger than any config is: it is none of this program's")
        text = content.decode("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise UserError(f"{str(path)!r} repeats parts of itself by name (*alias), which no config here does")
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False) if text.strip() else {}  # asserts: no 1
    except (yaml.YAMLError, OmegaConfBaseException, RecursionError, ValueError, AssertionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{str(path)!r} is not whole, or no YAML: put the file back from a copy, or take the folder away"
        ) from error


def read_config(path: Path) -> DictConfig:
    """A run's config. Raises `UserError` where it is none."""
    plain = read_yaml(path)
    if not isinstance(plain, dict) or not all(isinstance(key, str) for key in plain):
        raise UserError(f"{str(path)!r} holds no config: a run's has names and values")
    check_growth(plain, path)
    return OmegaConf.create(plain)


def resolved(config: DictConfig, where: str, *needed: str) -> dict[str, Any]:
    """The config as plain values, its references followed.

    needed  the config paths that will be read, with all below them; without, all are
    Raises `UserError` for a needed value that would ask this machine for something, such as ${oc.env:HOME}, and for one
    that leads nowhere or in circles. What else asks for something becomes `???`.
    """
    kept = config.copy()
    for path, value in leaves(OmegaConf.to_container(config, resolve=False)):
        if asks(value):
            if not needed or any(path == each or path.startswith(f"{each}.") for each in needed):
                raise UserError(
                    f"{path} in {where} is {value!r}, which would ask this machine for something: a config that is "
                    "read from a folder holds plain values, so write the value there in its place"
                )
            OmegaConf.update(kept, path, "???")
    try:
        return OmegaConf.to_container(kept, resolve=True)  # type: ignore[return-value]
    except (OmegaConfBaseException, RecursionError, ValueError) as error:
        raise UserError(f"the config in {where} does not hold together: {str(error).splitlines()[0]}") from error


def settled(config: DictConfig) -> DictConfig:
    """The config as a run folder keeps it: what it asked this machine for is written as the value that it got.

    References to other values stay references.
    """
    kept = config.copy()
    for path, value in leaves(OmegaConf.to_container(config, resolve=False)):
        if asks(value):
            OmegaConf.update(kept, path, OmegaConf.select(config, path))
    return kept


def asks(value: Any) -> bool:
    """Whether a value calls a resolver other than ours."""
    return isinstance(value, str) and any(name not in RESOLVERS for name in RESOLVER.findall(value))


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """config path -> value, elements of lists each by itself."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from leaves(value, f"{path}.{i}")
    else:
        yield path, node


def check_growth(plain: Mapping[str, Any], path: Path) -> None:
    """Raises `UserError` where references to references would become a config that fills the memory."""
    held = list(leaves(plain))
    if len(held) > MOST:
        raise UserError(f"{str(path)!r} has {len(held)} values, more than any config: it is none of this program's")
    known: dict[str, int] = {}

    def length(place: str, above: tuple[str, ...]) -> int:
        if place in above:
            raise UserError(f"{place} in {str(path)!r} refers to itself")
        if place not in known:
            inside = [(at, value) for at, value in held if at == place or at.startswith(f"{place}.") or not place]
            known[place] = sum(len(str(value)) + sum(length(to, (*above, place)) for to in references(at, value))
                               for at, value in inside)  # fmt: skip
        if known[place] > LARGEST:
            raise UserError(f"{place} in {str(path)!r} refers to so much that it would fill the memory")
        return known[place]

    try:
        for place, value in held:
            if isinstance(value, str) and NESTED.search(value):
                raise UserError(f"{place} in {str(path)!r} is {value!r}, a reference inside a reference: write it out")
            if references(place, value):
                length(place, ())
    except RecursionError as error:
        raise UserError(f"the references in {str(path)!r} go on without end") from error


def references(place: str, value: Any) -> list[str]:
    """The config paths that a value at `place` refers to; a leading dot is its own branch, two are the one above."""
    found = []
    for name in REFERENCE.findall(value) if isinstance(value, str) else ():
        dots = len(name) - len(name.lstrip("."))
        above = place.split(".")[:-dots] if dots else []
        found.append(".".join([*above, name.lstrip(".").replace("[", ".").replace("]", "")]))
    return found


def read_json(path: Path, cure: str) -> dict[str, Any]:
    """Names and values; none where there is no such file. Raises `UserError`, with the `cure`, for anything else."""
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is not whole, or no JSON: {cure}") from error
    if not isinstance(held, dict):
        raise UserError(f"{str(path)!r} is damaged, it holds no names and values: {cure}")
    return held


def as_names(value: Any) -> dict[str, Any]:
    """The value where it has names; else one name, whose value is no number."""
    return value if isinstance(value, dict) else {"": None}


def check_links(folder: Path, *names: str) -> None:
    """Raises `UserError` where something in a run folder that is written to is a link that leads out of it.

    names   what will be written to; without, all there is
    """
    home = without_links(folder)
    places = [folder / name for name in names]
    for path in places or [folder]:
        for root, folders, files in os.walk(path):
            places += [Path(root, name) for name in (*folders, *files)]
    for place in places:
        if place.is_symlink() and not without_links(place).is_relative_to(home):
            raise UserError(
                f"{str(place)!r} is a link that leads out of the run folder, to {str(place.readlink())!r}: put what it "
                "means in its place, or take it away"
            )
