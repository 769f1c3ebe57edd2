"""The arguments of the smallest run, and the weights that a run ended with."""

from colorize.run_folder import RunFolder
from colorize.utils.serialization import read
from tests.helpers.commands import SMOKE

WORDS = SMOKE[1:]


def weights(folder, which="last"):
    return read(RunFolder(folder).checkpoint(which))["players"]
