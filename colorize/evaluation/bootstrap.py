"""Bootstrap intervals of means and of functions of means. n pictures, k columns, R resamples."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from colorize.metrics.metric_info import LEVEL, Interval
from colorize.utils.seeds import seed_of

TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
RESAMPLES = 4000  # the ends of an interval then stray by 2 % of its half
MIN_SAMPLES = 8  # with fewer, resamples hold too few different pictures: Student's t interval instead
MAX_ERRORS = 20  # standard errors: an end farther off means that nearly all values are equal. Student's t instead
ROUNDING = 1e-12  # of a column's largest value: less variation than this is none
Function = Callable[[np.ndarray], np.ndarray]  # (…, k) means -> (…)


def student_quantile(degrees: Any, probability: float) -> Any:
    """Of Student's t with these degrees of freedom: a number, or an array."""
    from scipy.special import stdtrit  # a tenth of all that a training run imports of its own, and first needed late

    return stdtrit(degrees, probability)


def mean_interval(values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The mean of (n,) values of pictures, with its interval; see `mean_intervals`."""
    return mean_intervals(np.asarray(values, float)[:, None], resamples=resamples, seed=seed)[0]


def mean_intervals(table: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> list[Interval]:
    """The mean of each column of (n, k) values, a row a picture, with its interval; the same resamples for all columns.

    NaN means that the picture has no such value: it is left out, and not counted in the interval's n. A column with an
    infinite value has no ends, and an infinite mean or none. One picture has no ends either.
    The interval is studentised (`benchmarks/coverage.py` compares it with others). It is Student's t where fewer than
    8 pictures are measured, or where nearly all values are equal, so that resamples have no spread to measure in.
    Proportions have `proportion_interval`.
    """
    table = np.asarray(table, float)
    measured, infinite = ~np.isnan(table), np.isinf(table).any(axis=0)
    counts = measured.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(measured, table, 0).sum(axis=0) / np.where(counts, counts, np.nan)
        centred = np.where(measured & ~infinite, table - values, 0)  # (n, k), sums to 0
        largest = np.where(measured, np.abs(table), 0).max(axis=0, initial=0)
        centred[:, np.abs(centred).max(axis=0, initial=0) <= ROUNDING * largest] = 0
        errors = np.sqrt((centred**2).sum(axis=0) / (counts - 1) / counts)  # (k,) standard errors of the means
        student = np.stack([-1, 1])[:, None] * errors * student_quantile(counts - 1, TAILS[1])
    ends = student
    if len(table) >= MIN_SAMPLES:
        found = _studentised(centred, measured, errors, resamples, seed)  # (2, k)
        ends = np.where((counts >= MIN_SAMPLES) & _plausible(found, errors), found, student)
    ends[:, infinite | (counts < 2)] = np.nan
    return [
        Interval(float(value), float(value + low), float(value + high), int(n))
        for value, low, high, n in zip(values, *ends, counts, strict=True)
    ]


def function_interval(
    columns: np.ndarray, function: Function, *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """A smooth function of the means of (n, k) columns, such as the PSNR of a mean squared error, with its interval.

    `function` takes means (…, k) and returns (…). The interval is studentised; standard errors are the delta method's.
    Pictures that lack any of the columns are left out; where a value is infinite there are no ends.
    """
    columns = np.asarray(columns, float)
    columns = columns[~np.isnan(columns).any(axis=1)]
    n, k = columns.shape
    means = columns.mean(axis=0) if n else np.full(k, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(function(means))
    if n < 2 or not np.isfinite(columns).all() or not np.isfinite(value):
        return Interval(value, np.nan, np.nan, n)
    centred = columns - means
    products = (centred[:, :, None] * centred[:, None, :]).reshape(n, k * k)
    scale = centred.std(axis=0)
    error = _delta(function, means, products.mean(axis=0).reshape(k, k), scale, n)
    margin = error * student_quantile(n - 1, TAILS[1])
    ends = np.array([-margin, margin])
    if n >= MIN_SAMPLES:
        drawn = means_of_resamples(np.hstack([centred, products]), resamples, seed)
        first = drawn[:, :k]  # (R, k)
        second = drawn[:, k:].reshape(-1, k, k) - first[:, :, None] * first[:, None, :]
        errors = _delta(function, means + first, second, scale, n)  # (R,)
        found = -error * _quantiles(_ratios(function(means + first) - value, errors), TAILS)[::-1]
        ends = found if _plausible(found, error) else ends
    return Interval(value, float(value + ends[0]), float(value + ends[1]), n)


def absolute_interval(differences: np.ndarray, *, seed: int = 0) -> Interval:
    """|mean of (n,) values|, which has a bend at 0 and is no smooth function: the mean's interval is folded there."""
    return mean_interval(differences, seed=seed).distance_to(0)


def _studentised(centred, measured, errors, resamples: int, seed: int) -> np.ndarray:
    drawn = means_of_resamples(np.hstack([centred, centred**2, measured]), resamples, seed)
    sums, squares, present = np.split(drawn, 3, axis=1)  # (R, k) each
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / present
        own = np.sqrt(np.maximum(squares / present - means**2, 0) / (present * len(centred) - 1))
        return -errors * _quantiles(_ratios(means, own), TAILS)[::-1]


def _delta(function: Function, means: np.ndarray, covariance: np.ndarray, scale: np.ndarray, n: int) -> np.ndarray:
    """Standard errors of function(means) (…), from (…, k) means and (…, k, k) covariances, which divide by n."""
    steps = 1e-4 * np.diag(scale)
    slopes = [(function(means + step) - function(means - step)) / (2 * step.sum() or 1) for step in steps]
    gradient = np.stack(slopes, axis=-1)
    variance = np.einsum("...i,...ij,...j->...", gradient, covariance, gradient)
    return np.sqrt(np.maximum(variance, 0) / (n - 1))


def _plausible(ends: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Whether both of (2, …) ends are finite and not too far off."""
    return (np.abs(ends) <= MAX_ERRORS * errors).all(axis=0)


def _ratios(differences: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Differences of resamples in units of their own standard errors; 0 where nothing varies."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((differences == 0) & (errors == 0), 0, differences / errors)


def _quantiles(values: np.ndarray, at) -> np.ndarray:
    """(R, …) -> (len(at), …) quantiles; NaN between infinite values."""
    with np.errstate(invalid="ignore"):
        return np.quantile(values, at, axis=0)


BLOCK = 2**20  # numbers held at once


def means_of_resamples(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(n, k) -> (R, k): the means of each column over n rows drawn with replacement, the same rows for all columns."""
    random = np.random.default_rng(seed_of("bootstrap", seed))
    return np.concatenate([counts @ columns / len(columns) for counts in _counts(len(columns), resamples, random)])


def random_sign_sums(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(n, k) -> (R, k): sums of each column after every row has kept or changed its sign at random."""
    random = np.random.default_rng(seed_of("flips", seed))
    n = len(columns)
    found = []
    for r in _blocks(n, resamples):
        bits = np.unpackbits(random.integers(0, 256, (r, -(-n // 8)), np.uint8), axis=1)
        found.append(_sign_sums(bits, columns))
    return np.concatenate(found)


def all_sign_sums(columns: np.ndarray) -> np.ndarray:
    """(n, k) -> (2^n, k): the same for every combination of signs; the first one changes none."""
    n = len(columns)
    patterns = np.arange(2**n, dtype=">u4").view(np.uint8).reshape(-1, 4)
    return _sign_sums(np.unpackbits(patterns, axis=1), columns)


def _blocks(n: int, resamples: int) -> list[int]:
    """How many resamples of n numbers are held at once, until all are done."""
    whole, rest = divmod(resamples, rows := max(BLOCK // n, 1))
    return [rows] * whole + [rest] * (rest > 0)


def _sign_sums(bits: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(R, k) sums; the last n of each row of bits say which signs change."""
    changed = bits[:, bits.shape[1] - len(columns) :].astype(float)
    return columns.sum(axis=0) - 2 * (changed @ columns)


def _counts(n: int, resamples: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each of n rows is drawn: (r, n) at a time, R resamples in all."""
    for r in _blocks(n, resamples):
        drawn = random.integers(0, n, (r, n), dtype=np.int32) + n * np.arange(r)[:, None]
        yield np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(float)
