"""People's choices between runs: their CSV, Bradley-Terry strengths, and how metrics rank the runs beside people."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter
from scipy.sparse.csgraph import connected_components
from scipy.special import expit
from scipy.stats import rankdata

from colorize.evaluation.result import Result
from colorize.metrics.metric_info import LEVEL, Interval, info_of
from colorize.utils.errors import UserError
from colorize.utils.files import as_json, short_digest, write_text
from colorize.utils.seeds import seed_of

HEADER = ["page", "judge", "photograph", "left", "right", "choice"]
CHOICES = {"left": 1.0, "right": 0.0, "same": 0.5}  # what the left one wins
RESAMPLED = 1000
PRIOR = 0.5  # choices for either side of each pair before any is made (Haldane, Anscombe): no strength is infinite
STEPS = 60  # of Newton's method, each of at most 1
STUDY = "judge.json"  # beside the page


@dataclass(frozen=True)
class Study:
    """What a page asks people.

    protocol     id of the protocol that the runs were evaluated under
    photographs  their names
    runs         label -> metric -> its value on a scale on which more is better (`MetricInfo.oriented`)
    pictures     digest of what is shown of them
    """

    protocol: str
    photographs: list[str]
    runs: dict[str, dict[str, float]]
    pictures: str = ""

    @property
    def page(self) -> str:
        """Stands in each line of the CSV, so that choices of another page are not mixed in."""
        return short_digest(json.dumps([self.protocol, self.photographs, [*self.runs], self.pictures]), 12)

    def write(self, folder: Path) -> None:
        write_text(folder / STUDY, as_json({"page": self.page, **asdict(self)}, indent=2) + "\n")


def read_study(folder: Path) -> Study:
    """Raises `UserError` where the folder holds no page of `colorize judge`."""
    path = folder / STUDY
    if not path.is_file():
        raise UserError(f"there is no {str(path)!r}, which says what the page showed: name its folder with -o FOLDER")
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        page, found = held.pop("page"), TypeAdapter(Study).validate_python(held)
        if found.page != page:
            raise ValueError(page)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise UserError(f"{str(path)!r} is damaged: make the page again, with --overwrite") from error
    return found


def goodness_of(result: Result) -> dict[str, float]:
    """Metric -> the network's value on a scale on which more is better; without metrics of which no end is better."""
    found = {}
    for metric, cell in result.rows["model"].items():
        known, true = info_of(metric), result.rows.get("truth", {}).get(metric)
        if known.better == "truth" and known.target is None and true is None:
            continue
        if known.better is not None:
            found[metric] = float(known.oriented(np.array(cell.value), true.value if true else None))
    return {metric: value for metric, value in found.items() if np.isfinite(value)}


class Choice(NamedTuple):
    """won  by the left run: 1, 0, or 0.5 where both look alike"""

    judge: str
    photograph: str
    left: str
    right: str
    won: float


def read_choices(path: Path, study: Study) -> list[Choice]:
    """The lines of a CSV that the page exported. Raises `UserError` for a line of another page, or that is damaged."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *lines = [*csv.reader(file)] or [[]]
    except OSError as error:
        raise UserError(f"there is no file {str(path)!r}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{str(path)!r} is no CSV of judgements") from error
    if header != HEADER:
        raise UserError(f"{str(path)!r} is no CSV of judgements: its first line must be {','.join(HEADER)}")
    return [check_line(line, f"line {number} of {str(path)!r}", study) for number, line in enumerate(lines, 2) if line]


def check_line(line: Sequence[str], where: str, study: Study) -> Choice:
    if len(line) != len(HEADER):
        raise UserError(f"{where} has {len(line)} cells, not {len(HEADER)}")
    page, judge, photograph, left, right, choice = line
    for run in (left, right):
        if run not in study.runs:
            raise UserError(f"{where} names the run {run!r}, which is not on the page; it has {', '.join(study.runs)}")
    if page != study.page:
        raise UserError(f"{where} is of another page, {page!r}: this one is {study.page!r}")
    if photograph not in study.photographs:
        raise UserError(f"{where} names the photograph {photograph!r}, which is not on the page")
    if left == right or choice not in CHOICES:
        raise UserError(f"{where} is no choice between two runs: {choice!r} must be one of {', '.join(CHOICES)}")
    return Choice(judge, photograph, left, right, CHOICES[choice])


def merge_choices(files: Mapping[Path, Sequence[Choice]]) -> list[Choice]:
    """The choices of several CSVs. A judge who saved twice has made the same ones in both: they count once.

    Raises `UserError` where nobody has judged, or a judge has chosen both runs of a pair.
    """
    found: dict[tuple[str, ...], tuple[Choice, Path]] = {}
    for path, choices in files.items():
        for judge, photograph, left, right, won in choices:
            a, b = sorted((left, right))
            choice = Choice(judge, photograph, a, b, won if a == left else 1 - won)
            kept, of = found.setdefault((judge, photograph, a, b), (choice, path))
            if kept != choice:
                places = " and ".join(dict.fromkeys(repr(str(each)) for each in (of, path)))
                raise UserError(
                    f"judge {judge!r} has chosen differently between {a} and {b} of {photograph!r}, in {places}: read "
                    "only what was saved last"
                )
    if not found:
        raise UserError("these files hold no judgement: judge on the page first, and save the CSV there")
    return [choice for choice, _ in found.values()]


@dataclass(frozen=True)
class Preferences:
    """What people prefer.

    strengths     run -> log odds against the average run (Bradley-Terry), with its interval; the strongest first
    correlations  metric -> Spearman's rank correlation of its values with the strengths; empty for fewer than 3 runs
    unknown       why strengths have no interval; empty where they have
    """

    strengths: dict[str, Interval]
    correlations: dict[str, Interval]
    unknown: str = ""


def fit_preferences(choices: Sequence[Choice], study: Study) -> Preferences:
    """Strengths and correlations with 95 % intervals over photographs, and over judges where there are several:
    resamples of both (Owen 2007). There are no ends of one photograph, of what is the same in every resample, and of
    strengths where some runs never lost to the others, so that no number bounds them (Ford 1957)."""
    runs = [*study.runs]
    pairs = np.array([(runs.index(choice.left), runs.index(choice.right)) for choice in choices])
    won = np.array([choice.won for choice in choices])
    cells = np.zeros((len(choices), len(runs) ** 2))
    cells[np.arange(len(choices)), pairs[:, 0] * len(runs) + pairs[:, 1]] = won
    cells[np.arange(len(choices)), pairs[:, 1] * len(runs) + pairs[:, 0]] = 1 - won
    weights = np.concatenate([np.ones((1, len(choices))), resample(choices)])
    strengths = bradley_terry((weights @ cells).reshape(-1, len(runs), len(runs)) + PRIOR)
    several = len({choice.photograph for choice in choices}) > 1
    won_by = cells.sum(axis=0).reshape(len(runs), len(runs)) > 0
    bounded = connected_components(won_by, connection="strong")[0] == 1
    unknown = "" if bounded else "some runs never lost to the others, and nothing bounds how much stronger they are"
    unknown = unknown if several else "all choices are of one photograph"
    counts = np.bincount(pairs.ravel(), minlength=len(runs))
    found = {run: interval_of(strengths[:, i], int(counts[i]), known=not unknown) for i, run in enumerate(runs)}
    order = sorted(runs, key=lambda run: -found[run].value)
    ranked = correlations(strengths, study.runs, known=several)
    return Preferences({run: found[run] for run in order}, ranked, unknown)


def resample(choices: Sequence[Choice]) -> np.ndarray:
    """(R, n) how often each choice is in each resample: of its photograph times of its judge."""
    random = np.random.default_rng(seed_of("bootstrap", 0))
    weights = np.ones((RESAMPLED, len(choices)))
    for column in ([choice.photograph for choice in choices], [choice.judge for choice in choices]):
        names, place = np.unique(column, return_inverse=True)
        if len(names) > 1:
            weights *= random.multinomial(len(names), [1 / len(names)] * len(names), RESAMPLED)[:, place]
    return weights


def bradley_terry(wins: np.ndarray) -> np.ndarray:
    """(…, k, k) how often the row won against the column -> (…, k) log strengths of mean 0 (Bradley and Terry 1952), by
    Newton's method."""
    k = wins.shape[-1]
    wins = wins * (1 - np.eye(k))
    played = wins + wins.swapaxes(-1, -2)
    theta = np.zeros(wins.shape[:-1])
    for _ in range(STEPS):
        chance = expit(theta[..., :, None] - theta[..., None, :])
        gradient = (wins - played * chance).sum(axis=-1)
        spread = played * chance * (1 - chance)
        hessian = np.eye(k) * spread.sum(axis=-1)[..., None] - spread + 1 / k
        theta += np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -1, 1)
    return theta - theta.mean(axis=-1, keepdims=True)


def correlations(strengths: np.ndarray, runs: Mapping[str, Mapping[str, float]], *, known: bool) -> dict[str, Interval]:
    """Metric -> Spearman's correlation of the runs' values with (R, k) strengths, of which the first row is the value.
    Those that all runs have and that tell them apart; empty for fewer than 3 runs, of which it is always ±1."""
    found = {}
    ranks = centred_ranks(strengths)
    for metric in next(iter(runs.values())) if len(runs) > 2 else ():
        values = np.array([[run.get(metric, np.nan) for run in runs.values()]])
        own = centred_ranks(values)
        if np.isfinite(values).all() and own.any():
            norms = np.sqrt((ranks**2).sum(axis=1) * (own**2).sum())
            rho = np.divide((ranks * own).sum(axis=1), norms, out=np.zeros(len(ranks)), where=norms > 0)
            found[metric] = interval_of(rho, len(runs), known=known)
    return dict(sorted(found.items(), key=lambda each: -each[1].value))


def centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks = rankdata(values.round(9), axis=1)
    return ranks - ranks.mean(axis=1, keepdims=True)


def interval_of(column: np.ndarray, n: int, *, known: bool) -> Interval:
    """Of a value and its resamples; without ends where these tell nothing."""
    low, high = np.quantile(column[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if not known or np.isclose(low, high, rtol=0, atol=1e-9):
        low = high = np.nan
    return Interval(float(column[0]), float(low), float(high), n)
