"""Automatic image colorization: four families of networks, one trainer, one way of judging them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize.imaging.guidance import guide
    from colorize.models.export import save
    from colorize.models.load import load
    from colorize.models.prediction import choose_size

__version__ = "0.1.0"
__all__ = ["choose_size", "guide", "load", "save"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


HOMES = {
    "choose_size": "models.prediction", "guide": "imaging.guidance", "load": "models.load", "save": "models.export",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What `__all__` names, imported when it is first asked for: torch takes seconds."""
    if name in HOMES:
        return getattr(import_module(f"colorize.{HOMES[name]}"), name)
    raise AttributeError(f"module 'colorize' has no attribute {name!r}")
