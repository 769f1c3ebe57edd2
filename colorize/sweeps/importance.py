"""How much of what differs between the jobs of a sweep is due to each of their values."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from colorize.sweeps.folders import Job
from colorize.sweeps.outcome import number_of

LEAST = 4  # finished jobs


def importances(jobs: Sequence[Job], keys: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Objective -> key -> share, which add up to 1: PED-ANOVA (Watanabe et al. 2023), by Optuna.

    Empty where Optuna is not installed, where fewer than four jobs finished, or all values are the same.
    """
    if importlib.util.find_spec("optuna") is None:
        return {}
    from optuna import create_study
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    done = [job for job in jobs if job.status == "finished" and all(key in job.values for key in keys)]
    distributions = {key: distribution([job.values[key] for job in done]) for key in keys} if done else {}
    found = {}
    for name in names:
        values = [(job, number_of(job.summary, name)) for job in done]
        known = [(job, value) for job, value in values if value is not None]
        if len(known) < LEAST or len({value for _, value in known}) < 2 or len(keys) < 2:
            continue
        study = create_study()
        for job, value in known:
            params = {key: number(job.values[key]) if numeric(distributions[key]) else job.values[key] for key in keys}
            study.add_trial(create_trial(params=params, distributions=distributions, value=value))
        found[name] = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return found


def distribution(words: Sequence[str]):
    """What these values were drawn from, as well as they tell: numbers on a line, or words of a list."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    numbers = [number(word) for word in words]
    known = [n for n in numbers if n is not None]
    if len(known) < len(words):
        return CategoricalDistribution(list(dict.fromkeys(words)))
    return FloatDistribution(min(known), max(known), log=min(known) > 0 and max(known) / min(known) >= 100)


def numeric(each) -> bool:
    return hasattr(each, "low")


def number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
