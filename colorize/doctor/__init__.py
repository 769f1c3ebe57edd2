"""The data set doctor: what is wrong with photographs, before a network learns from them."""

from colorize.doctor.findings import FINDINGS, Examination, Limits, examine
from colorize.doctor.manifest import read_excluded

__all__ = ["FINDINGS", "Examination", "Limits", "examine", "read_excluded"]
