"""What every value of a config must be before anything starts: given, and not pointing nowhere."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from colorize.errors import UserError
from colorize.suggestions import key_suggestion


def check_values(cfg: DictConfig) -> None:
    """Refuse a config that lacks required values (`???`), naming all of them."""
    missing = sorted(path for path, value in leaves(cfg).items() if value == "???")
    if missing:
        words = " ".join(f"{path}=…" for path in missing)
        have = "has" if len(missing) == 1 else "have"
        raise UserError(f"{' and '.join(missing)} {have} no value: say {words} on the command line")


def check_resolves(cfg: DictConfig) -> None:
    """Refuse a config with a `${…}` that comes to nothing. Those that ask Hydra are left to it."""
    for path, value in leaves(cfg).items():
        if "${" not in str(value) or "${hydra:" in str(value):
            continue
        try:
            found = OmegaConf.select(cfg, path)
            if isinstance(found, ListConfig):
                OmegaConf.resolve(found)
        except OmegaConfBaseException as error:
            reason = (
                str(error).splitlines()[0].removeprefix("KeyError raised while resolving interpolation: ").strip('"')
            )
            named = reason.split("'")[1] if "'" in reason else ""
            raise UserError(f"{path} is {value}: {reason}{key_suggestion(named, leaves(cfg))}") from error


def leaves(cfg: Any) -> dict[str, Any]:
    """config path -> value, of the values and of the empty branches; interpolations are left as they stand."""
    found: dict[str, Any] = {}

    def walk(node: Any, path: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, f"{path}.{key}" if path else str(key))
        elif path:
            found[path] = node

    walk(OmegaConf.to_container(cfg, resolve=False), "")
    return found
