"""Weights by name: those that the package ships, and published ones on the Hugging Face hub."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from colorize.utils.environment import at_home
from colorize.utils.errors import UserError

WEIGHTS = Path(__file__).parents[1] / "weights"  # a folder with an export for each name
DEFAULT = "base"  # what is taken where no weights are named


class PublishedWeights(NamedTuple):
    """Published weights of others.

    hub        owner/name or owner/name/file on the Hugging Face hub
    network    the class that they load as
    megabytes  of the network's weights in single precision, about what is fetched
    licence    as their publisher states it
    use        what they are for
    """

    hub: str
    network: str
    megabytes: int
    licence: str
    use: str


THESIS, UNSTATED = "ivansetka/image-colorizer", "none stated"
PUBLISHED = {
    "ddcolor": PublishedWeights(
        "piddnad/ddcolor_modelscope", "Transformer", 912, "Apache-2.0", "photographs of all kinds: DDColor's usual one"
    ),
    "ddcolor-paper": PublishedWeights(
        "piddnad/ddcolor_paper", "Transformer", 912, "Apache-2.0", "the numbers of DDColor's paper (ImageNet)"
    ),
    "ddcolor-artistic": PublishedWeights(
        "piddnad/ddcolor_artistic", "Transformer", 912, "Apache-2.0", "DDColor with stronger colours"
    ),
    "ddcolor-tiny": PublishedWeights(
        "piddnad/ddcolor_paper_tiny", "Transformer", 220, "Apache-2.0", "DDColor on a smaller encoder, ConvNeXt-T"
    ),
    "thesis-cnn": PublishedWeights(f"{THESIS}/cnn.pth", "CNN", 170, UNSTATED, "the thesis's CNN, squares of 224"),
    "thesis-gan": PublishedWeights(f"{THESIS}/gan.pth", "ResNetUNet", 124, UNSTATED, "the thesis's GAN"),
    "thesis-diffusion": PublishedWeights(
        f"{THESIS}/diffusion.pth", "Diffusion", 438, UNSTATED, "the thesis's diffusion model, slow"
    ),
    "thesis-transformer": PublishedWeights(
        f"{THESIS}/transformer.pth", "Transformer", 220, UNSTATED, "the thesis's transformer"
    ),
}


def shipped_weights() -> dict[str, Path]:
    """Name -> folder of each export that the package ships."""
    return {path.parent.name: path.parent for path in sorted(WEIGHTS.glob("*/config.json"))}


def known_names() -> list[str]:
    return [*shipped_weights(), *PUBLISHED]


def resolve_weights(source: str | Path | None = None) -> str | Path:
    """What a name stands for: the folder of shipped weights, or a name on the hub. Whatever lies at the path `source`
    comes first, and anything else is returned as it is. None stands for the shipped weights called `DEFAULT`.

    Raises `UserError` where none are named and none are shipped.
    """
    held = shipped_weights()
    if source is None:
        if DEFAULT not in held:
            raise UserError(
                "this version ships no weights: name a network with --weights, or as the argument of colorize.load, "
                f"such as a run folder or {next(iter(PUBLISHED))}; colorize models lists what there is"
            )
        return held[DEFAULT]
    name = str(source)
    if at_home(source).exists():
        return source
    return held.get(name) or (PUBLISHED[name].hub if name in PUBLISHED else source)


def weights_name(source: str | Path | None) -> str:
    """What a network is called in reports and marks: its name, or the last part of where its weights lie."""
    return DEFAULT if source is None else Path(source).name or str(source)


def describe_weights(source: str | Path | None) -> str:
    """What is said of weights that were chosen by name or by default, and what they are good for; "" for others."""
    name = DEFAULT if source is None else str(source)
    if source is not None and at_home(source).exists():
        return ""
    if name in PUBLISHED:
        found = PUBLISHED[name]
        return f"weights {name}: {found.hub} on the Hugging Face hub, {found.megabytes} MB, licence {found.licence}"
    return f"weights {describe_shipped(name)}" if name in shipped_weights() else ""


def describe_shipped(name: str) -> str:
    """`base, shipped with colorize, for USE`, of its card."""
    card: dict[str, Any] = json.loads((shipped_weights()[name] / "config.json").read_text(encoding="utf-8"))
    use = f", for {card['use']}" if card.get("use") else ""
    return f"{name}, shipped with colorize{use}"
