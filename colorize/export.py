"""A network as two plain files: safetensors weights, and JSON that says what they are; and back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from colorize import models
from colorize.checkpoint import as_json, write_text, write_whole
from colorize.errors import UserError
from colorize.importers.files import read_file
from colorize.importers.filling import fill
from colorize.models import Colorizer
from colorize.terminal import count_of

FORMAT = 1
NETWORKS = {
    name: network for name, network in vars(models).items()
    if isinstance(network, type) and issubclass(network, Colorizer) and network is not Colorizer
}  # fmt: skip
CARD = """---
library_name: colorize
tags: [image-colorization]
{licence}---

# {name}

{network} of {size} parameters. In: CIE L* 0…100. Out: CIE a, b.

```python
import colorize

model = colorize.load("{folder}")  # this folder, wherever it lies
ab = model.colorize(L)  # (B, 1, H, W) -> (B, 2, H, W)
```
{facts}"""


def save(model: Colorizer, folder: str | Path, card: Mapping[str, Any] | None = None) -> Path:
    """Write `model.safetensors`, `config.json` and a model card, README.md, to `folder`.

    `card`: what else to say of the model, such as name, trained_size, data, steps, metrics, licence: plain values.
    """
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    facts = dict(card or {})
    network = type(model).__name__
    config = {
        "format": FORMAT, "library_name": "colorize", "network": network, "settings": frozen_settings(model),
        "units": {"L": "CIE L* 0…100", "ab": "CIE"}, **facts,
    }  # fmt: skip
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_whole(folder / "model.safetensors", lambda part: save_file(weights, part, {"format": "pt"}))
    text = as_json(config, indent=2) + "\n"
    write_text(folder / "config.json", text)
    said = "".join(f"\n- {key}: {value}" for key, value in facts.items() if key != "name")
    size = count_of(sum(p.numel() for p in model.parameters()))
    licence = f"license: {facts['license']}\n" if "license" in facts else ""
    name = facts.get("name", folder.name)
    page = CARD.format(
        name=name, network=network, size=size, licence=licence, folder=folder.as_posix(), facts=said and said + "\n"
    )
    write_text(folder / "README.md", page)
    return folder


def frozen_settings(model: Colorizer) -> dict[str, Any]:
    """What builds the network again, its encoder's weights being in the file."""
    parameters = inspect.signature(type(model)).parameters
    return model.settings | ({"pretrained": False} if "pretrained" in parameters else {})


def read_export(folder: Path, weights: Path | None = None) -> Colorizer | None:
    """The network that `save` wrote to `folder`; None where the folder's config.json is not one of ours."""
    path = folder / "config.json"
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{str(path)!r} is not JSON ({error})") from error
    if not isinstance(config, dict) or config.get("library_name") != "colorize":
        return None
    network = NETWORKS.get(str(config.get("network")))
    if config.get("format") != FORMAT or network is None:
        raise UserError(
            f"{str(path)!r} is of format {config.get('format')!r} for a {config.get('network')!r}; this version reads "
            f"format {FORMAT} for one of {sorted(NETWORKS)}"
        )
    try:
        model = network(**config["settings"])
    except (TypeError, KeyError) as error:
        raise UserError(f"{str(path)!r} does not describe a {network.__name__}: {error}") from error
    return fill(model, read_file(weights or folder / "model.safetensors"), f"an exported {network.__name__}")
