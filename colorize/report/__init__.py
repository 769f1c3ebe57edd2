"""Pages for people: one file each, nothing from any network."""

from colorize.report.comparison import write_comparison, write_trained

__all__ = ["write_comparison", "write_trained"]
