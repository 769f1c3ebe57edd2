"""Runs side by side: only what was measured alike, how sure each number is, and which differences mean something."""

from colorize.comparing.core import Comparison, compare_results
from colorize.comparing.tables import latex, markdown, print_comparison
from colorize.comparing.verdicts import Verdict

__all__ = ["Comparison", "Verdict", "compare_results", "latex", "markdown", "print_comparison"]
