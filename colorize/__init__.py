"""Automatic image colorization: four families of networks, one trainer, one way of judging them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colorize.models.export import save
    from colorize.models.load import load

__version__ = "0.1.0"
__all__ = ["load", "save"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    """`colorize.load` and `colorize.save`, imported when they are first asked for: torch takes seconds."""
    if name == "load":
        from colorize.models.load import load

        return load
    if name == "save":
        from colorize.models.export import save

        return save
    raise AttributeError(f"module 'colorize' has no attribute {name!r}")
