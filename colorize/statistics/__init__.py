"""How sure a number is: intervals, comparisons of runs, training seeds together, and what that means in words."""

from colorize.statistics.bootstrap import Interval, function_interval, mean_interval, mean_intervals, share_interval
from colorize.statistics.measures import Measure, measure, tell_measure, told_measures
from colorize.statistics.paired import Difference, compare_pairs, holm
from colorize.statistics.pooled import POOLED, compare_pooled, pooled_interval
from colorize.statistics.seeds import combined_interval, compare_seeds, seeds_interval
from colorize.statistics.unpaired import compare_intervals
from colorize.statistics.words import decide, number, say_difference, span

__all__ = [
    "POOLED", "Difference", "Interval", "Measure", "combined_interval", "compare_intervals", "compare_pairs",
    "compare_pooled", "compare_seeds", "decide", "function_interval", "holm", "mean_interval", "mean_intervals",
    "measure", "number", "pooled_interval", "say_difference", "seeds_interval", "share_interval", "span",
    "tell_measure", "told_measures",
]  # fmt: skip
