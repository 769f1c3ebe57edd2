"""Pages for people: one file each, nothing from any network."""

from colorize.report.comparison import write_comparison

__all__ = ["write_comparison"]
