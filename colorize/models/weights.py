"""Weights out of a file's containers, under our names, into a network: all, and nothing else."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_parameter_registration_hook

from colorize.models.base import Colorizer
from colorize.utils.errors import UserError, shorten_list

State = dict[str, Tensor]
CONTAINERS = (  # the averaged weights first, where a file holds both
    "params_ema", "ema", "model_ema", "net_g_ema", "state_dict_ema", "generator_state_dict", "model_state_dict",
    "net_g", "netG", "generator", "params", "state_dict", "model",
)  # fmt: skip
LAYOUTS = {  # how keys begin that only one published layout has -> what it is
    "encoder.arch.": "a DDColor checkpoint", "low_net.": "the thesis's CNN", "layers.0.": "the thesis's GAN generator",
    "down.0.": "the thesis's plain U-Net", "color_module.": "the thesis's transformer",
    "color_modules.": "the thesis's MultiColor", "model.init_conv.": "the thesis's diffusion model",
}  # fmt: skip
MAX_NESTING = 4  # containers within each other
PREFIXES = ("module.", "_orig_mod.", "net_g.", "netG.", "generator.", "model.")  # wrappers' names before a weight's


def extract_weights(content: Mapping[str, Any], path: Path, *, contained: bool = True) -> State:
    """The weights in a checkpoint, by name, in single precision; `contained`: perhaps in a container, under a prefix.

    BasicSR: `params_ema` if there is one, else `params`; others in `state_dict`, `net_g`, `ema` and the like, perhaps
    in each other. Where the thesis keeps two networks (`model_state_dict`, `encoder_state_dict`), their names begin
    with `model.` and `encoder.`. What DataParallel, torch.compile and Lightning put before every name is taken off.
    """
    held: Mapping[str, Any] = content
    if {"encoder_state_dict", "model_state_dict"} <= content.keys():
        parts = {part: content[f"{part}_state_dict"] for part in ("model", "encoder")}
        held = {f"{part}.{name}": value for part, of in parts.items() if isinstance(of, Mapping)
                for name, value in strip_prefixes(of).items()}  # fmt: skip
    elif contained:
        for _ in range(MAX_NESTING):
            held = next((held[name] for name in CONTAINERS if isinstance(held.get(name), Mapping)), held)
        held = strip_prefixes(held)
    state = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError(f"{str(path)!r} holds no weights: its keys are {shorten_list(content)}")
    broken = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise UserError(f"{str(path)!r} is damaged: {shorten_list(broken)} hold values that are not finite numbers")
    if odd := [name for name, value in state.items() if value.is_complex() or value.is_sparse or value.is_quantized]:
        raise UserError(
            f"{str(path)!r} holds {shorten_list(odd)} as complex, sparse or quantized numbers: save plain ones"
        )
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names, shapes and bytes of a network's tensors: the same for a checkpoint, its export and a copy.
    The vectors of a spectral norm, which follow from its weight, are left out: a power iteration moves their bits."""
    total = sha256()
    for name in sorted(state):
        if not name.endswith(("._u", "._v")):
            value = state[name].detach().cpu().contiguous()
            total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def strip_prefixes(state: Mapping[Any, Any]) -> dict[str, Any]:
    """The weights without the names that wrappers put before all of theirs; what is no tensor is left out.

    Of a file with a generator and its critic, whose names begin with `net_g.` and otherwise, the generator's.
    """
    found = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    while found and not any(name.startswith(tuple(LAYOUTS)) for name in found):
        wrapped = {name: value for name, value in found.items() if name != "n_averaged"}  # torch's AveragedModel counts
        prefix = next((each for each in PREFIXES if all(name.startswith(each) for name in wrapped)), None)
        of_generator = next((each for each in PREFIXES[2:5] if any(name.startswith(each) for name in wrapped)), None)
        if not wrapped or not (prefix := prefix or of_generator):
            break
        found = {name.removeprefix(prefix): value for name, value in wrapped.items() if name.startswith(prefix)}
    return found


CONSTANTS = ("encoder.mean", "encoder.std")  # an encoder's own, for files that do not bring them
Rules = Iterable[tuple[str, str]]


def rename(state: Mapping[str, Tensor], rules: Rules, drop: str | None = None) -> State:
    """Each name changed by every rule (pattern, replacement) in turn; those that match `drop` are left out."""
    renamed = {}
    for name, value in state.items():
        if drop and re.search(drop, name):
            continue
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def construct(
    network: type[Colorizer], settings: Mapping[str, Any], state: Mapping[str, Tensor], what: str
) -> Colorizer:
    """The network that a file describes, with the file's weights.

    It is first built on the meta device first, so that a wrong size costs no memory. A network of a
    package that the user trusts may not be able to.
    Raises `UserError` where the settings build none, or the weights do not fill it exactly.
    """
    try:
        if network.__module__.startswith("colorize."):
            with torch.device("meta"), limit_parameters(8 * len(state) + 1000):
                check_fit(network(**settings).state_dict(), state, what)
        model = network(**settings)
    except UserError:
        raise
    except Exception as error:  # any error that unexpected values cause in a constructor
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"this should be {what}, but no such network fits its settings: {reason}") from error
    wanted = model.state_dict()
    held = check_fit(wanted, state, what)
    model.load_state_dict({name: fit(held[name], value) for name, value in wanted.items()})
    return model


@contextmanager
def limit_parameters(count: int) -> Iterator[None]:
    """Raises `UserError` where more weights than that are made: a file may ask for a million layers."""
    made = 0

    def counted(*_: Any) -> None:
        nonlocal made
        made += 1
        if made > count:
            raise UserError(
                f"the settings describe a network of more than {count} weights, which the file does not hold"
            )

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def check_fit(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> State:
    """`state` with an encoder's constants. Raises `UserError`, naming what is missing, what is too much and what has
    another shape, where it does not fill a network whose tensors are `wanted`."""
    held = {name: wanted[name] for name in CONSTANTS if name in wanted} | dict(state)
    if missing := wanted.keys() - held.keys():
        names = shorten_list(sorted(missing))
        raise UserError(f"this looks like {what}, but it is incomplete: what would be {names} is missing")
    if surplus := held.keys() - wanted.keys():
        names = shorten_list(sorted(surplus))
        raise UserError(f"this looks like {what}, but it holds weights that such a network has no place for: {names}")
    for name, value in wanted.items():
        if fit(held[name], value).shape != value.shape:
            raise UserError(
                f"this looks like {what}, but what would be {name} is {list(held[name].shape)} instead of "
                f"{list(value.shape)}"
            )
    return held


def fit(value: Tensor, wanted: Tensor) -> Tensor:
    """The value, or a linear layer's matrix as the weight of a 1×1 convolution."""
    flat = value.ndim == 2 and wanted.ndim == 4 and wanted.shape[2:] == (1, 1)
    return value[:, :, None, None] if flat else value


def count_blocks(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many different numbers the group of `pattern` takes."""
    return len({match[1] for name in state if (match := re.match(pattern, name))})


def fold_spectral_norm(state: State) -> State:
    """weight = weight_orig / uᵀ W v, as torch.nn.utils.spectral_norm computes it in eval mode."""
    folded = {}
    for name, value in state.items():
        if name.endswith(".weight_orig"):
            stem = name.removesuffix("_orig")
            u, v = state[f"{stem}_u"], state[f"{stem}_v"]
            folded[stem] = value / torch.dot(u, torch.mv(value.flatten(1), v))
        elif not name.endswith((".weight_u", ".weight_v")):
            folded[name] = value
    return folded
