"""The results of a sweep: objectives, ranking, and the importance of each parameter."""

import importlib.util
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from omegaconf import DictConfig

from colorize.config import DIRECTIONS, MODES, better_of, contradicts_direction, sign_of
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import SweepJob
from colorize.utils.errors import UserError
from colorize.utils.hydra_overrides import fixed_in_sweep


def as_list(words: str | Sequence[str]) -> list[str]:
    """`hydra.sweeper.objective` and `direction` are a word or a list of words."""
    return [words] if isinstance(words, str) else list(words)


def directions_of(words: str | Sequence[str] | None, objectives: Sequence[str]) -> list[str | None]:
    """`hydra.sweeper.direction` is one for each objective, or null: what each metric says of itself."""
    found: list[str | None] = [None] * len(objectives) if words is None else [*as_list(words)]
    if len(found) != len(objectives):
        raise UserError("hydra.sweeper.direction needs as many words as hydra.sweeper.objective")
    return found


def objective_signs(sweeper: Mapping[str, Any], cfg: DictConfig) -> dict[str, bool]:
    """Objective -> whether more of it is better: of a search what it says, of a grid what its jobs monitor.

    cfg  of a job: its metrics say which end is the better one, and of its monitor `checkpoint.mode` does
    Raises `UserError` for an objective that the job does not measure, and where nobody says which end is better.
    """
    monitor, mode = cfg.checkpoint.monitor, cfg.checkpoint.get("mode")
    names = as_list(sweeper.get("objective", monitor))
    signs = {}
    for name, direction in zip(names, directions_of(sweeper.get("direction"), names), strict=True):
        if "objective" in sweeper:
            check_objective(name, cfg)
        better = better_of(cfg, name)
        said, key, words = direction, "hydra.sweeper.direction", DIRECTIONS
        if said is None and name == monitor:
            said, key, words = None if contradicts_direction(mode, better) else mode, "checkpoint.mode", MODES
        signs[name] = sign_of(name, better, said, key, words) > 0
    return signs


def check_objective(name: str, cfg: DictConfig) -> None:
    """Raises `UserError` for a number of validation that no metric of the config measures."""
    known = [f"val/{metric}" for metric in cfg.metrics]
    if name.startswith("val/") and not any(name == each or name.startswith(f"{each}_") for each in known):
        measured = f"hydra.sweeper.objective is {name!r}, and the runs measure {', '.join(known)}"
        raise UserError(f"{measured}: choose one of these, or other metrics, such as metrics=default")


def objectives_of(summary: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    """The values that a finished run ended with.

    Raises `UserError` where there is none of that name, or it is no finite number.
    """
    found = [number_of(summary, name) for name in names]
    for name, value in zip(names, found, strict=True):
        if value is None:
            known = [f"val/{key}" for key in summary.get("val", {})]
            known += [key for key, each in summary.items() if isinstance(each, int | float)]
            raise UserError(f"the run has no {name!r}; it has {', '.join(known)}")
        if not isfinite(value):
            raise UserError(f"{name} is {value}")
    return [float(value) for value in found if value is not None]


def number_of(summary: Mapping[str, Any], name: str) -> float | None:
    """`val/psnr`, or a number of the run itself, such as `seconds` or `parameters`."""
    value = summary.get("val", {}).get(name[4:]) if name.startswith("val/") else summary.get(name)
    return float(value) if isinstance(value, int | float) else None


def rank_jobs(jobs: Sequence[SweepJob], names: Sequence[str], maximize: Sequence[bool]) -> list[SweepJob]:
    """The finished jobs, the best first; of several objectives, those that no other beats in all of them."""
    points = []
    for job in jobs:
        values = [number_of(job.summary, name) for name in names]
        if job.status == "finished" and all(value is not None and isfinite(value) for value in values):
            points.append((job, [-v if more else v for v, more in zip(values, maximize, strict=True) if v is not None]))
    if len(names) > 1:
        points = [(job, own) for job, own in points if not any(dominates(other, own) for _, other in points)]
    return [job for job, _ in sorted(points, key=lambda point: point[1])]


def seed_groups(ranked: Sequence[SweepJob]) -> list[list[SweepJob]]:
    """Jobs that differ by nothing but their seed, together; the best group first, by the mean place of its jobs in
    `ranked`, so that a lucky seed alone lifts none."""
    places: dict[tuple[str, ...], list[int]] = {}
    for place, job in enumerate(ranked):
        key = tuple(sorted(word for word in job.overrides if not word.startswith("seed=")))
        places.setdefault(key, []).append(place)
    return [[ranked[place] for place in group] for group in sorted(places.values(), key=lambda g: sum(g) / len(g))]


def monitors_of(jobs: Sequence[SweepJob]) -> list[str]:
    """What best.pt of the finished jobs is best at."""
    finished = [RunFolder(job.folder).read_config() for job in jobs if job.status == "finished"]
    return list(dict.fromkeys(str(cfg.checkpoint.monitor) for cfg in finished))


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the first is nowhere worse and somewhere better, where less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def varying_keys(jobs: Sequence[SweepJob], swept: Sequence[str] = ()) -> list[str]:
    """The keys of overrides that the jobs do not all say alike. What may change from one start of a sweep to the next,
    such as the tracker, counts only where it is `swept` on purpose."""
    keys = dict.fromkeys(key for job in jobs for key in job.values if key in swept or fixed_in_sweep([key]))
    return [key for key in keys if len({job.values.get(key) for job in jobs}) > 1]


LEAST = 20  # finished jobs of a search: PED-ANOVA looks at the best tenth of them, and one job alone sets nothing apart
REST = "interactions and chance"
Values = Mapping[str, str]  # key of an override -> its value


def importances(
    jobs: Sequence[SweepJob], keys: Sequence[str], names: Sequence[str], maximize: Sequence[bool], *, search: bool
) -> dict[str, dict[str, float]]:
    """Objective -> key -> share; the shares add up to 1.

    Of a grid, the analysis of variance, with what no key explains by itself as `REST`. Of a search, PED-ANOVA (Watanabe
    et al. 2023) by Optuna. An objective is left out where too few jobs finished (`why_not` says how many it takes) or
    all its values are the same.
    """
    found = {}
    for name, more in zip(names, maximize, strict=True):
        settings, values = finished_values(jobs, keys, name)
        if len(set(values)) > 1 and not why_no_importances(jobs, keys, name, search=search):
            found[name] = pedanova(settings, keys, values, more) if search else variances(settings, keys, values)
    return found


def why_no_importances(jobs: Sequence[SweepJob], keys: Sequence[str], name: str, *, search: bool) -> str:
    """What is missing before shares mean something, as a sentence; empty where nothing is."""
    settings, values = finished_values(jobs, keys, name)
    if len(keys) < 2:
        return "The jobs differ in one value alone."
    if search and importlib.util.find_spec("optuna") is None:
        return "The shares of a search need Optuna: pip install optuna."
    least = LEAST if search else 2 + sum(len({each[key] for each in settings}) - 1 for key in keys)
    if len(values) < least:
        return f"The shares of each value are given from {least} finished jobs on; {len(values)} finished."
    return ""


def finished_values(jobs: Sequence[SweepJob], keys: Sequence[str], name: str) -> tuple[list[Values], list[float]]:
    """The values of each finished job that has them all, and what it reached."""
    pairs = [(job.values, number_of(job.summary, name)) for job in jobs if job.status == "finished"]
    known = [(each, value) for each, value in pairs if value is not None and all(key in each for key in keys)]
    return [each for each, _ in known], [value for _, value in known]


def variances(settings: Sequence[Values], keys: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Share of the variance that each key explains by itself: η² of main effects. Where jobs are missing, keys overlap:
    then what a key adds to all others (type II), and the rest is what remains."""
    y = np.asarray(values) - np.mean(values)
    whole = r_squared(settings, keys, y)
    shares = {key: max(0.0, whole - r_squared(settings, [k for k in keys if k != key], y)) for key in keys}
    return {**shares, REST: max(0.0, 1 - sum(shares.values()))}


def r_squared(settings: Sequence[Values], keys: Sequence[str], y: np.ndarray) -> float:
    """R² of a linear model with a column for each value of each key."""
    levels = [(key, level) for key in keys for level in {each[key] for each in settings}]
    design = np.array([[1, *(each[key] == level for key, level in levels)] for each in settings], float)
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - float(left @ left) / float(y @ y)


def pedanova(
    settings: Sequence[Values], keys: Sequence[str], values: Sequence[float], maximize: bool
) -> dict[str, float]:
    """Share of each key in what sets the best tenth of the jobs apart from all."""
    from optuna import create_study, logging
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    logging.set_verbosity(logging.WARNING)  # it would tell of this study as if it were the user's
    columns = {key: as_numbers([each[key] for each in settings]) for key in keys}
    distributions = {key: observed_distribution(column) for key, column in columns.items()}
    study = create_study(direction="maximize" if maximize else "minimize")
    for i, value in enumerate(values):
        params = {key: column[i] for key, column in columns.items()}
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def as_numbers(words: Sequence[str]) -> Sequence[Any]:
    """The words as numbers, if all of them are."""
    try:
        return [float(word) for word in words]
    except ValueError:
        return words


def observed_distribution(values: Sequence[Any]):
    """A distribution that these values can have been drawn from."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values[0], str):
        return CategoricalDistribution(list(dict.fromkeys(values)))
    low, high = min(values), max(values)
    return FloatDistribution(low, high, log=low > 0 and high / low >= 100)
