"""A network as two plain files: safetensors weights, and JSON that says what they are; and back."""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from colorize.models.base import Colorizer
from colorize.models.weights import State, construct, extract_weights
from colorize.utils.console import format_count
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.files import as_json, write_text, write_whole
from colorize.utils.serialization import read_file
from colorize.utils.trust import OWN, check_constructor_arguments, check_stored_value, check_target

FORMAT = 1
LARGEST = 2**24  # bytes of a config.json, other programs' too
CARD = """---
library_name: colorize
tags: [image-colorization]
{licence}---

# {name}

{network} of {size} parameters. In: CIE L* 0…100. Out: CIE a, b.

```python
import colorize

model = colorize.load("{folder}"{trust})  # this folder, wherever it lies
ab = model.colorize(L)  # (B, 1, H, W) -> (B, 2, H, W)
```
{facts}"""


def save(
    model: Colorizer, folder: str | Path, card: Mapping[str, Any] | None = None, dtype: torch.dtype | None = None
) -> Path:
    """Write `model.safetensors`, `config.json` and a model card, README.md, to `folder`.

    card   what else to say of the model, such as name, trained_size, data, steps, metrics, licence: plain values
    dtype  of the weights in the file, such as torch.float16; None: as they are. They are loaded in single precision

    Raises `UserError` where a weight is too large for `dtype`.
    """
    weights = weights_in(model, dtype)
    folder = at_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts = dict(card or {})
    network = network_name(type(model))
    config = {
        "format": FORMAT, "library_name": "colorize", "network": network, "settings": frozen_settings(model),
        "units": {"L": "CIE L* 0…100", "ab": "CIE"}, **facts,
    }  # fmt: skip
    write_whole(folder / "model.safetensors", lambda part: save_file(weights, part, {"format": "pt"}))
    text = as_json(config, indent=2) + "\n"
    write_text(folder / "config.json", text)
    said = "".join(f"\n- {key}: {value}" for key, value in facts.items() if key != "name")
    size = format_count(sum(p.numel() for p in model.parameters()))
    licence = f"license: {facts['license']}\n" if "license" in facts else ""
    name = facts.get("name", folder.name)
    page = CARD.format(
        name=name, network=network, size=size, licence=licence, folder=folder.as_posix(), trust=trust_argument(model),
        facts=said and said + "\n",
    )  # fmt: skip
    write_text(folder / "README.md", page)
    return folder


def trust_argument(model: Colorizer) -> str:
    """What `colorize.load` takes besides for a network of one's own: `, trust=["mine"]`; nothing for those of here."""
    package = type(model).__module__.split(".")[0]
    return "" if package == OWN else f', trust=["{package}"]'


def weights_in(model: Colorizer, dtype: torch.dtype | None = None) -> State:
    """Its tensors on the CPU, those of floating-point numbers in `dtype`."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if dtype is None:
        return weights
    cast = {name: value.to(dtype) if value.is_floating_point() else value for name, value in weights.items()}
    if large := [name for name, value in cast.items() if not torch.isfinite(value).all()]:
        raise UserError(
            f"{shorten_list(large)} hold values that {dtype} has no numbers for: leave the precision as it is"
        )
    return cast


@cache
def networks() -> dict[str, type[Colorizer]]:
    """Those of this package, by name."""
    import colorize.models  # whose names are all there when this is asked

    classes = [each for each in vars(colorize.models).values() if isinstance(each, type)]
    return {each.__name__: each for each in classes if issubclass(each, Colorizer) and each is not Colorizer}


def network_name(network: type[Colorizer]) -> str:
    """What an export calls it: by the class's own name, or with its module where `colorize.models` has none of it."""
    name = network.__name__
    return name if networks().get(name) is network else f"{network.__module__}.{network.__qualname__}"


def frozen_settings(model: Colorizer) -> dict[str, Any]:
    """What builds the network again, its encoder's weights being in the file."""
    return model.settings | without_pretrained(type(model))


def without_pretrained(network: type[Colorizer]) -> dict[str, bool]:
    """The setting with which it fetches and reads nothing, its encoder's weights coming with its own."""
    return {"pretrained": False} if "pretrained" in inspect.signature(network).parameters else {}


def read_card(folder: Path) -> dict[str, Any] | None:
    """What `save` wrote to the folder's config.json; None where there is none of ours: other programs have one too."""
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST)
        config = json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, RecursionError) as error:
        if b"colorize" not in text:
            return None
        raise UserError(f"{str(path)!r} is not JSON ({error}): fetch it again") from error
    return config if isinstance(config, dict) and config.get("library_name") == "colorize" else None


def read_export(folder: Path, weights: Path | None = None, trust: Sequence[str] = ()) -> Colorizer | None:
    """The network that `save` wrote to `folder`; None where the folder's config.json is not one of ours."""
    config = read_card(folder)
    if config is None:
        return None
    where, name = repr(str(folder / "config.json")), config.get("network")
    if config.get("format") != FORMAT or not isinstance(name, str) or ("." not in name and name not in networks()):
        raise UserError(
            f"{where} is of format {config.get('format')!r} for a {name!r}; this version reads format {FORMAT} for one "
            f"of {sorted(networks())}, or for a class with its package"
        )
    network = networks().get(name) or check_target(name, "network", trust, where)[0]
    settings = config.get("settings")
    if not isinstance(settings, dict):
        raise UserError(f"{where} does not describe a {network.__name__}: it has no settings")
    check_stored_value(settings, "settings", (), where)
    check_constructor_arguments(network, settings, "settings", where)
    settings |= without_pretrained(network)
    path = weights or folder / "model.safetensors"
    state = extract_weights(read_file(path), path, contained=False)
    return construct(network, settings, state, f"an exported {network.__name__}")
