"""The console command: `colorize VERB …`. What a user gets wrong ends in one sentence and a non-zero exit."""

from colorize.cli.app import main

__all__ = ["main"]
