"""A network as two plain files: safetensors weights, and JSON that says what they are; and back."""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCardData
from jinja2 import StrictUndefined, Template
from safetensors.torch import save_file

from colorize.models.base import Colorizer
from colorize.models.weights import State, construct, extract_weights
from colorize.utils.console import format_count, markdown_table
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError, shorten_list
from colorize.utils.files import as_json, write_text, write_whole
from colorize.utils.serialization import read_file
from colorize.utils.trust import OWN, check_constructor_arguments, check_stored_value, check_target

FORMAT = 1
LARGEST = 2**24  # bytes of a config.json, other programs' too
TEMPLATE = Path(__file__).with_name("model_card.md.j2")
SECTIONS = (
    "deployed",
    "description",
    "use",
    "prohibited",
    "limits",
    "pictures",
    "data",
    "training",
    "results",
    "tables",
)


def save(
    model: Colorizer, folder: str | Path, card: Mapping[str, Any] | None = None, dtype: torch.dtype | None = None
) -> Path:
    """Write `model.safetensors`, `config.json` and a model card, README.md, to `folder`.

    card   what else to say of the model, such as name, trained_size, data, steps, metrics, licence: plain values
    dtype  of the weights in the file, such as torch.float16; None: as they are. They are loaded in single precision

    Raises `UserError` where a weight is too large for `dtype`.
    """
    facts = dict(card or {})
    folder = write_network(model, folder, facts, dtype)
    rows = [[key, value] for key, value in facts.items() if key not in ("name", "license", "use")]
    write_card(
        folder, model, dtype, str(facts.get("name", folder.name)), str(facts.get("license", "")),
        use=facts.get("use", ""), training=markdown_table(["", ""], rows) if rows else "",
        place=folder.name if folder.is_absolute() else folder.as_posix(),
    )  # fmt: skip
    return folder


def write_network(model: Colorizer, folder: str | Path, facts: Mapping[str, Any], dtype: torch.dtype | None) -> Path:
    """`model.safetensors` and `config.json`; arguments and errors as those of `save`. The folder."""
    weights = weights_in(model, dtype)
    folder = at_home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT, "library_name": "colorize", "network": network_name(type(model)),
        "settings": frozen_settings(model), "units": {"L": "CIE L* 0…100", "ab": "CIE"}, **facts,
    }  # fmt: skip
    write_whole(folder / "model.safetensors", lambda part: save_file(weights, part, {"format": "pt"}))
    write_text(folder / "config.json", as_json(config, indent=2) + "\n")
    return folder


def write_card(
    folder: Path, model: Colorizer, dtype: torch.dtype | None, name: str, license: str,
    values: Sequence[EvalResult] = (), **told: Any,
) -> None:  # fmt: skip
    """README.md: a model card, Markdown with a YAML head as the Hugging Face hub has it (Mitchell et al. 2019).

    dtype   of the weights in the file; None: as they are
    values  of metrics, for the head
    told    what else the template `model_card.md.j2` shows, of `SECTIONS`
    """
    head = ModelCardData(
        license=license or None, library_name="colorize", tags=["image-colorization"], pipeline_tag="image-to-image",
        model_name=name, eval_results=[*values] or None,
    )  # fmt: skip
    size = format_count(model.count_parameters())
    network = f"{network_name(type(model))} of {size} parameters{', stored in half precision' if dtype else ''}."
    facts = {"head": head.to_yaml(), "name": name, "network": network, "trust": trust_argument(model)}
    template = Template(
        TEMPLATE.read_text("utf-8"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    text = template.render({**dict.fromkeys(SECTIONS, ""), "place": folder.name, **facts, **told})
    write_text(folder / "README.md", text)


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
