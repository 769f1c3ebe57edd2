"""Evaluation under named protocols: what was measured, how sure it is, and what to read it next to."""

from colorize.evaluation.protocol import Protocol

__all__ = ["Protocol"]
