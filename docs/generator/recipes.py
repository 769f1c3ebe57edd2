"""What each recipe trains a model with, read from the config that Hydra composes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from generator.networks import NETWORKS, look
from generator.text import number, table
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

from colorize.training.schedule import Phase

CONF = Path(__file__).parents[2] / "conf"
Node = dict[str, Any]
COLUMNS = 3  # recipes beside each other; more make another table


def models() -> list[str]:
    """The options of the group `model` that the page has a section of."""
    return sorted(NETWORKS.keys() & {path.stem for path in (CONF / "model").glob("*.yaml")})


def recipes() -> dict[str, str | None]:
    """Every recipe in conf/experiment, and the model that it chooses; None: it goes with any."""
    folder = CONF / "experiment"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): chosen(path) for path in sorted(folder.rglob("*.yaml"))
    }


def chosen(path: Path) -> str | None:
    """The model that a recipe's file names, or the recipe that it builds on does."""
    found = None
    for entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", []):
        group, option = ("", entry) if isinstance(entry, str) else next(iter(entry.items()))
        if group == "override /model":
            found = option
        elif not group.startswith("override") and option not in (None, "_self_"):
            place = f"{group.split('@')[0]}/{option.split('@')[0]}" if group else option.split("@")[0]
            base = (CONF if place.startswith("/") else CONF / "experiment") / f"{place.lstrip('/')}.yaml"
            found = (chosen(base) if base.is_file() else None) or found
    return found


def described(model: str) -> str:
    """The tables of a model: what `model=…` sets, then its recipes."""
    overrides = {f"`model={model}`": [f"model={model}"]}
    overrides |= {f"`experiment={name}`": [f"experiment={name}"] for name, its in recipes().items() if its == model}
    prepared = look(model).parameters("encoder") > 0  # some have no encoder to slow down
    columns = {name: dict(facts(words, prepared)) for name, words in overrides.items()}
    names = list(columns)
    tables = []
    for first in range(0, len(names), COLUMNS):
        shown = names[first : first + COLUMNS]
        keys = list(dict.fromkeys(key for name in shown for key in columns[name]))
        tables.append(table(["", *shown], [[key, *(columns[name].get(key, "–") for name in shown)] for key in keys]))
    return "\n\n".join(tables)


def composed(overrides: list[str]) -> Node:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    wanted = ("model", "loss", "data", "optimizer", "schedule", "trainer")
    return {name: OmegaConf.to_container(cfg[name], resolve=True) for name in wanted}  # type: ignore[dict-item]


def facts(overrides: list[str], with_encoder: bool) -> Iterator[tuple[str, str]]:
    """(what it is, what it is set to), line for line."""
    cfg = composed(overrides)
    trainer = cfg["trainer"]
    yield "network", network(cfg["model"])
    yield "photographs", photographs(cfg["data"])
    batch, times = trainer["batch_size"], trainer.get("accumulate", 1)
    yield "batch", f"{batch}" if times == 1 else f"{batch} × {times} accumulated = {batch * times}"
    yield "loss", "<br>".join(f"{number(weight)} × {term(name, cfg['loss']['terms'][name])}"
                              for name, weight in cfg["loss"]["weights"].items())  # fmt: skip
    yield "optimizer", optimizer(cfg["optimizer"], with_encoder)
    critics = [name for name, node in cfg["loss"]["terms"].items() if "critic" in node]
    if critics:
        yield "critic's optimizer", changes(cfg["optimizer"].get("critic") or {}) or "the same"
    for name, node in cfg["schedule"].items():
        yield f"phase `{name}`", phase(node)
    ema, clip = trainer.get("ema"), trainer.get("clip")
    yield "averaged weights", f"decay {number(ema)}" if ema else "none"
    yield "gradient norm", f"at most {number(clip)}" if clip else "no limit"


def network(node: Node) -> str:
    """What differs from the constructor's defaults, which are the published sizes."""
    cls = get_class(node["_target_"])
    known = inspect.signature(cls.__init__).parameters
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    different = {k: v for k, v in arguments.items() if k not in known or not same(v, known[k].default)}
    return f"`{cls.__name__}`" + (f": {changes(different)}" if different else " as published")


def same(value: Any, default: Any) -> bool:
    return list(value) == list(default) if isinstance(default, tuple) and isinstance(value, list) else value == default


def photographs(node: Node) -> str:
    shown = ("val_fraction", "labels", "size", "geometry", "crop", "flip", "input", "look")
    held = {key: node[key] for key in shown if node.get(key) is not None}
    if node["enhance"] != 1:
        held["enhance"] = node["enhance"]
    return f"`{node['_target_'].rsplit('.', 1)[-1]}`: " + changes(held)


def changes(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {say(value)}" for key, value in values.items())


def say(value: Any) -> str:
    """A value as it stands in a sentence."""
    if isinstance(value, Mapping):
        name = str(value.get("_target_", "")).rsplit(".", 1)[-1]
        inside = changes({k: v for k, v in value.items() if k not in ("_target_", "_partial_")})
        return f"`{name}`({inside})" if name else f"({inside})"
    if isinstance(value, list):
        return "[" + ", ".join(say(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "yes", False: "no"}[value]
    return number(value)


def optimizer(node: Node, with_encoder: bool) -> str:
    arguments = {k: v for k, v in node.items() if k not in ("_target_", "algorithm", "encoder", "critic")}
    factor = node.get("encoder", 1) if with_encoder else 1
    tail = "" if factor == 1 else f"; encoder's rate × {number(factor)}"
    return f"{node['algorithm']}: {changes(arguments)}{tail}"


def phase(node: Node) -> str:
    """Length, photographs, learning rate, and what the phase changes."""
    known = {name: p.default for name, p in inspect.signature(Phase.__init__).parameters.items()}
    held = known | node
    length = f"{held['steps']} steps" if held["steps"] else f"{number(held['epochs'])} epochs"
    parts = [length]
    if held["fraction"] != 1:
        often = f"every {held['redraw_every']} epochs" if held["redraw_every"] > 1 else "every epoch"
        parts.append(f"{number(100 * held['fraction'])} % of the photographs, redrawn {often}")
    parts.append(f"rate by {say(held['lr'])}" if held["lr"] else "constant rate")
    if held["weights"]:
        parts.append("loss weights: " + changes(held["weights"]))
    if held["optimizer"]:
        parts.append("optimizer: " + changes(held["optimizer"]))
    return "; ".join(parts)


def term(name: str, node: Node) -> str:
    """A loss term: its name, and its formula with the unit that its weight is for."""
    cls = get_class(node["_target_"])
    defaults = {k: p.default for k, p in inspect.signature(cls.__init__).parameters.items() if k != "self"}
    held = defaults | {key: value for key, value in node.items() if key != "_target_"}
    words = FORMULAS.get(cls.__name__)
    return f"**{name}** " + (words(held) if words else say(node))


def per(error: str, unit: float) -> str:
    return error if unit == 1 else f"{error} / {number(unit)}"


def squared(held: Node) -> str:
    over = {"image_sum": "summed over a picture", "sum": "summed over the batch", "mean": "mean"}[held["reduction"]]
    return f"(error of ab / {number(held['unit'])})², {over}"


def adversarial(held: Node) -> str:
    critic = held["critic"]
    options = {k: v for k, v in critic.items() if k != "_target_"}
    words = [held["kind"]]
    if held["smooth"] != 1:
        words.append(f"true pictures called {number(held['smooth'])}")
    if held["halve"]:
        words.append("critic's loss halved")
    name = critic["_target_"].rsplit(".", 1)[-1]
    return f"{', '.join(words)}; against `{name}`" + (f" ({changes(options)})" if options else "")


FORMULAS = {
    "L1": lambda held: per("mean |error of ab|", held["unit"]) + (" in CIE units" if held["unit"] == 1 else ""),
    "BinCrossEntropy": lambda held: "cross-entropy of the bin in the ab plane, rare bins weighed more",
    "ChromaL1": lambda held: per(f"mean |error| in {held['space']}", held["unit"]),
    "RGB": lambda held: "mean |error| of sRGB in 0…1",
    "SquaredError": squared,
    "Classify": lambda held: "cross-entropy of the class",
    "Perceptual": lambda held: f"features {held['features']}",
    "Adversarial": adversarial,
    "Colorfulness": lambda held: "1 − colourfulness / " + {"unit": "255", "hundred": "100"}[held["scale"]],
    "NoiseError": lambda held: "squared error of the noise or velocity",
}
