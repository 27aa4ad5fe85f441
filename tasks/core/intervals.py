"""Prediction intervals by split-conformal calibration, scaled by how restless each row is."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tasks.core.skill import Vector

LEVELS = (0.80, 0.95)
"""Nominal coverage of the two intervals of a prediction."""
MIN_SCALE = 0.004
"""Log return; a scale below it is a price that hardly trades, not a price that is certain."""


def row_scale(volatility: NDArray[np.floating] | None, rows: int, typical: float) -> Vector:
    """Return the size of error to expect a row, shape (rows,), as a log return.

    Rows without volatility (or all rows, when the feature set has none) get the training's `typical` one.
    """
    if volatility is None:
        return np.full(rows, max(typical, MIN_SCALE))
    known = volatility.astype(np.float64)
    return np.maximum(np.where(np.isfinite(known), known, typical), MIN_SCALE)


def calibrate(residuals: Vector, scale: Vector) -> dict[str, float]:
    """Find the widths, in scales, that covered each level's share of the calibration rows.

    Both of shape (n,), n > 0. The finite-sample quantile ceil((n + 1) level) / n of |residual| / scale is
    that of Lei et al. (2018), "Distribution-free predictive inference for regression", sections 2.2 and 5.2.
    """
    scores = np.sort(np.abs(residuals) / scale)
    n = len(scores)
    return {key(level): float(scores[min(int(np.ceil((n + 1) * level)), n) - 1]) for level in LEVELS}


def half_width(quantiles: Mapping[str, float], level: float, scale: Vector) -> Vector:
    """Half of the interval's width in log returns, shape of `scale`."""
    return quantiles[key(level)] * scale


def coverage(residuals: Vector, scale: Vector, quantiles: Mapping[str, float]) -> dict[str, float]:
    """Share of rows that each level's interval held, by level (`80`, `95`)."""
    return {level: float(np.mean(np.abs(residuals) <= width * scale)) for level, width in quantiles.items()}


def key(level: float) -> str:
    """Name a level as cards do: `80`."""
    return f"{level * 100:.0f}"
