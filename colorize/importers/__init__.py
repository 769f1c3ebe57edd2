"""Published checkpoints, recognised by their keys and loaded, strictly, into the networks of this package."""

from colorize.importers.formats import recognise

__all__ = ["recognise"]
