"""How good a forecast is: errors in rupees and returns, ranking, and the paired test across sessions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

Vector = NDArray[np.float64]

LAGS = 5
"""A trading week: errors of neighbouring sessions move together that long."""


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


def rank_ic(sessions: pd.Series, actual: Vector, predicted: Vector) -> float:
    """Spearman's rank correlation within each session, averaged over sessions.

    `sessions` has one label a row. Sessions in which either side is constant have no ranking and are
    left out; NaN when none remains. It is the "rank IC" of the factor literature.
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
    if ranked.empty:
        return float("nan")
    return float((ranked["both"] / np.sqrt(ranked["actual"] * ranked["predicted"])).mean())


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
    return PairedTest(mean, statistic, float(1 - stdtr(n - 1, statistic)), n)
