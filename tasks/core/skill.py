"""How good a forecast is: errors in rupees and returns, ranking, and the paired test across sessions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

Vector = NDArray[np.float64]

LAGS = 5
"""A trading week: errors of neighbouring sessions move together that long."""
BLOCK = 10
"""Sessions that the bootstrap keeps together: twice as long, so that few neighbours are torn apart."""


@dataclass(frozen=True)
class PairedTest:
    """Outcome of a paired test; `mean` > 0 says that the first forecast had the smaller loss."""

    mean: float
    """Average of (second loss - first loss), in the unit of the loss."""
    statistic: float
    p_value: float
    """One-sided: chance of such a lead if the first forecast were no better."""
    sessions: int


def mae(actual: Vector, predicted: Vector) -> float:
    """Mean absolute error, in the unit of the inputs; both of shape (n,)."""
    return float(np.mean(np.abs(predicted - actual)))


def rmse(actual: Vector, predicted: Vector) -> float:
    """Root of the mean squared error, in the unit of the inputs; both of shape (n,)."""
    return float(np.sqrt(np.mean(np.square(predicted - actual))))


def hit_rate(actual: Vector, predicted: Vector) -> float:
    """Share of rows whose direction was right, among rows that moved and were given a direction.

    NaN when there is no such row.
    """
    judged = (actual != 0) & (predicted != 0)
    return float(np.mean(np.sign(actual[judged]) == np.sign(predicted[judged]))) if judged.any() else np.nan


def balanced_accuracy(actual: Vector, predicted: Vector) -> float:
    """Average of the share of rises and the share of falls that were called, among the rows of `hit_rate`.

    Whoever always says "up" gets one half, however often prices rise. NaN when none rose, or none fell.
    """
    judged = (actual != 0) & (predicted != 0)
    up, called_up = actual[judged] > 0, predicted[judged] > 0
    if up.all() or not up.any():
        return float("nan")
    return float((np.mean(called_up[up]) + np.mean(~called_up[~up])) / 2)


def skill_score(error: float, reference: float) -> float:
    """Share of the reference's error that a forecast saves: 1 - error / reference (Murphy, 1988).

    Both are of one measure, say `rmse` of the model and of persistence; NaN when the reference never errs.
    """
    return 1 - error / reference if reference else float("nan")


def rank_ic(sessions: pd.Series, actual: Vector, predicted: Vector) -> float:
    """Spearman's rank correlation within each session, averaged over sessions: `ic_t` without its t."""
    return ic_t(sessions, actual, predicted)[0]


def ic_t(sessions: pd.Series, actual: Vector, predicted: Vector, lags: int = LAGS) -> tuple[float, float]:
    """Average the sessions' rank correlations, and tell the t-statistic of that average.

    The t is the mean over the root of its Newey-West variance, as in `diebold_mariano`; NaN with lags + 1
    sessions or fewer, or when all are equal. Sessions without a ranking are left out (`session_ics`); the
    mean is NaN when none remains. It is the "rank IC" of the factor literature.
    """
    found = np.asarray(session_ics(sessions, actual, predicted), dtype=np.float64)
    if not len(found):
        return float("nan"), float("nan")
    mean = float(found.mean())
    variance = long_run_variance(found, lags) if len(found) > lags + 1 else 0.0
    return mean, mean / float(np.sqrt(variance / len(found))) if variance > 0 else float("nan")


def session_ics(sessions: pd.Series, actual: Vector, predicted: Vector) -> "pd.Series[float]":
    """Spearman's rank correlation of each session, ties ranked by their average; in order of the labels.

    `sessions` has one label a row. Sessions in which either side is constant have no ranking: they are left
    out.
    """
    ranks = pd.DataFrame({"actual": actual, "predicted": predicted}).groupby(sessions.to_numpy()).rank()
    centred = ranks - ranks.groupby(sessions.to_numpy()).transform("mean")
    products = pd.DataFrame(
        {
            "both": centred["actual"] * centred["predicted"],
            "actual": centred["actual"] ** 2,
            "predicted": centred["predicted"] ** 2,
        }
    )
    sums = products.groupby(sessions.to_numpy()).sum()
    ranked = sums[(sums["actual"] > 0) & (sums["predicted"] > 0)]
    return ranked["both"] / np.sqrt(ranked["actual"] * ranked["predicted"])


def long_run_variance(values: Vector, lags: int = LAGS) -> float:
    """Variance of the mean's numerator with autocorrelation, by Newey and West (1987), Bartlett weights.

    `values` of shape (n,) with n > lags; the result is in the unit of the values squared, never negative.
    """
    centred = values - values.mean()
    gammas = [float(centred[lag:] @ centred[: len(centred) - lag]) / len(centred) for lag in range(lags + 1)]
    return gammas[0] + 2 * sum((1 - lag / (lags + 1)) * gammas[lag] for lag in range(1, lags + 1))


def diebold_mariano(first: Vector, second: Vector, lags: int = LAGS) -> PairedTest:
    """Test whether `first` has the smaller loss; both are one loss a session, shape (n,), n > lags + 1.

    Diebold and Mariano (1995): mean loss difference over the root of its Newey-West variance. Small samples:
    Harvey, Leybourne and Newbold (1997), factor sqrt((n + 1 - 2h + h (h - 1) / n) / n) with h = lags + 1,
    compared with Student's t of n - 1 degrees. Equal losses give statistic 0 and p 0.5.

    Raises:
        ValueError: there are too few sessions for that many lags, or a loss is missing.
    """
    lead, n, h = second - first, len(first), lags + 1
    if not np.isfinite(lead).all():
        message = "a paired test needs both losses of every session"
        raise ValueError(message)
    if n <= h:
        message = f"a paired test with {lags} lags needs more than {h} sessions, there are {n}"
        raise ValueError(message)
    mean, variance = float(lead.mean()), long_run_variance(lead, lags)
    correction = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    if variance > 0:
        statistic = float(correction * mean / np.sqrt(variance / n))
    else:
        statistic = float(np.copysign(np.inf, mean)) if mean else 0.0
    return PairedTest(mean, statistic, float(stdtr(n - 1, -statistic)), n)


def block_bootstrap(  # noqa: PLR0913  (all but what is measured are by name)
    values: Vector,
    statistic: Callable[[Vector], Vector] = np.ravel,
    *,
    block: int = BLOCK,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Bound a statistic of sessions whose neighbours move together, from below and above.

    The circular block bootstrap of Politis and Romano (1992): blocks of neighbouring sessions are drawn with
    replacement, the last session's neighbour is the first; the bounds are the draws' percentiles.

    Args:
        values: what each session tells, in order of time, shape (n,) or (n, columns).
        statistic: makes (draws,) of the drawn sessions' means, (draws, columns); the mean itself without it.
            With squared errors of model and persistence summed by session, the skill in RMSE is
            `lambda means: 1 - np.sqrt(means[:, 0] / means[:, 1])`.
        block: sessions of a block.
        draws: how often sessions are drawn.
        level: share of the draws between the bounds.
        seed: the same one gives the same bounds.

    Raises:
        ValueError: there are fewer than two blocks of sessions: all draws would be about the same.
    """
    n = len(values)
    if n < 2 * block:
        message = f"a bootstrap of blocks of {block} sessions needs {2 * block} of them, there are {n}"
        raise ValueError(message)
    columns = values.reshape(n, -1)
    around = np.concatenate([np.zeros((1, columns.shape[1])), columns, columns[: block - 1]]).cumsum(axis=0)
    sums, count = around[block:] - around[:-block], -(-n // block)
    drawn = np.random.default_rng(seed).integers(0, n, (draws, count))
    found = statistic(sums[drawn].sum(axis=1) / (count * block))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
